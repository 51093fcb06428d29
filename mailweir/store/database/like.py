"""Text within a pattern of LIKE, alike on both databases. Called by the rest of the store."""


def escaped(text: str) -> str:
    """The text so that it stands for itself in the pattern of `LIKE ? ESCAPE '!'`."""
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")
