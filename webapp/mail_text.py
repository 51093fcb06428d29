"""Text that came by mail, or that somebody typed, as one line of a list: bounded, and with what is unseen in it shown.

Markup is escaped, and a text that turns the reading direction turns its own alone (`<bdi>`). Called by the templates, and by the
pages that show lists.
"""

import re
from collections.abc import Iterable

from markupsafe import Markup, escape

from mailweir.printable import printable

_MORE = Markup("…")
_SPACE = re.compile(r"\s+")
_MARK_BYTES = len("<mark></mark>")


def line(text: str, most_bytes: int = 240) -> Markup:
    """The text in a `<bdi>`. most_bytes: of HTML, so that a list has a bound whatever is in it."""
    return marked(((text, False),), most_bytes)


def marked(pieces: Iterable[tuple[str, bool]], most_bytes: int) -> Markup:
    """The same, of a text in pieces: those that are marked stand in a `<mark>`. most_bytes: of all of them."""
    left, shown = most_bytes, Markup()
    for text, is_marked in pieces:
        left -= _MARK_BYTES * is_marked
        piece, left = _cut(text, left)
        shown += Markup("<mark>{}</mark>").format(piece) if is_marked and piece else piece
        if left <= 0:
            return Markup("<bdi>{}</bdi>").format(shown + _MORE)
    return Markup("<bdi>{}</bdi>").format(shown)


def _cut(text: str, most_bytes: int) -> tuple[Markup, int]:
    """As much as fits, and how many bytes are left; 0 where something is left out."""
    if most_bytes <= 0:
        return Markup(), 0 if text else 1
    # one character is one byte of HTML at least
    plain = _SPACE.sub(" ", printable(text[: most_bytes + 1]))
    whole = escape(plain)
    left = most_bytes - len(whole.encode())
    if left > 0:
        return whole, left
    left, kept = most_bytes, 0
    for char in plain:
        left -= len(escape(char).encode())
        if left < 0:
            break
        kept += 1
    return escape(plain[:kept].rstrip()), 0
