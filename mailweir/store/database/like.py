"""Text within a pattern of LIKE, the same on both databases. Called by the rest of the store."""

import unicodedata

FOLDED = "like_folded"  # the name by which SQLite calls `folded`


def escaped(text: str) -> str:
    """The text escaped for the pattern of `LIKE ? ESCAPE '!'`."""
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")


def folded(text: str | None) -> str | None:
    """The text without accents and in lower case; `ß` is `ss`. None stays."""
    if text is None or text.isascii():
        return text and text.lower()
    letters = unicodedata.normalize("NFKD", text).casefold()
    return "".join(one for one in letters if not "\u0300" <= one <= "\u036f")


def folded_sql(column: str, *, is_sqlite: bool) -> str:
    """The SQL expression for a column's text as `folded` returns it."""
    if is_sqlite:
        return f"{FOLDED}({column})"
    return f"REPLACE(LOWER(REGEXP_REPLACE(NORMALIZE({column}, NFKD), '[\u0300-\u036f]', '', 'g')), 'ß', 'ss')"
