"""A remote system's text as one plain line. Pure."""

_MAX_CHARS = 200


def plain(text: str) -> str:
    """One line of it, not too long, for logs and terminals."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text[:2_000]).split())
    return line[:_MAX_CHARS]
