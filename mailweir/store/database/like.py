"""Text within a pattern of LIKE, the same on both databases. Called by the rest of the store."""


def escaped(text: str) -> str:
    """The text escaped for the pattern of `LIKE ? ESCAPE '!'`."""
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")
