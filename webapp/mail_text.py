"""Shows text that came by mail, or that somebody typed, as one line of a list, with a limited length and visible codes for
invisible characters.

Markup is escaped. A text that changes the reading direction changes it only for itself (`<bdi>`). A text that is too long ends
after a word, with an ellipsis. Called by the templates, and by the pages that show lists.
"""

import re
from collections.abc import Iterable

from markupsafe import Markup, escape

from mailweir.printable import printable
from mailweir.reading.word_ends import MORE, word_end

_SPACE = re.compile(r"\s+")
_OPENS, _CLOSES = Markup("<bdi>"), Markup("</bdi>")
_MARK_BYTES = len("<mark></mark>")


def line(text: str, most_bytes: int = 240) -> Markup:
    """The text in a `<bdi>`. most_bytes: of HTML, so that a list's size has a limit whatever its texts are."""
    return _fitting_whole(text, most_bytes) or _of_pieces(((text, False),), most_bytes)


def _fitting_whole(text: str, most_bytes: int) -> Markup | None:
    """The whole text if it fits, as nearly all do; else None."""
    if type(text) is not str or len(text) > most_bytes:
        return None
    shown = escape(_SPACE.sub(" ", printable(text)))
    return _OPENS + shown + _CLOSES if len(shown.encode()) <= most_bytes else None


def marked(pieces: Iterable[tuple[str, bool]], most_bytes: int) -> Markup:
    """Like `line`, for a text in pieces. Marked pieces are in a `<mark>`. most_bytes: of all pieces together."""
    several = tuple(pieces)
    if len(several) == 1 and not several[0][1]:
        return line(several[0][0], most_bytes)
    return _of_pieces(several, most_bytes)


def _of_pieces(pieces: Iterable[tuple[str, bool]], most_bytes: int) -> Markup:
    taken, end = _taken(pieces, most_bytes)
    shown, at = Markup(), 0
    for text, is_marked in taken:
        part = text[: max(0, end - at)]
        part = part.rstrip() if at + len(text) >= end and end < _length(taken) else part
        shown += Markup("<mark>{}</mark>").format(part) if is_marked and part else escape(part)
        at += len(text)
    more = MORE if end < _length(taken) else ""
    return Markup("<bdi>{}{}</bdi>").format(shown, more)


def _taken(pieces: Iterable[tuple[str, bool]], most_bytes: int) -> tuple[list[tuple[str, bool]], int]:
    """The pieces as they are shown, and the place in their joined text where the line ends. Later pieces are skipped."""
    taken: list[tuple[str, bool]] = []
    left = most_bytes
    for text, is_marked in pieces:
        left -= _MARK_BYTES * is_marked
        # a character takes at least one byte of HTML; one character more shows that the text goes on
        plain = _SPACE.sub(" ", printable(text[: max(0, left) + 1]))
        taken.append((plain, is_marked))
        fitting = _fitting(plain, left)
        if fitting < len(plain):
            whole = "".join(one for one, _ in taken)
            return taken, word_end(whole, len(whole) - len(plain) + fitting)
        left -= len(escape(plain).encode())
    return taken, _length(taken)


def _length(taken: list[tuple[str, bool]]) -> int:
    return sum(len(text) for text, _ in taken)


def _fitting(text: str, most_bytes: int) -> int:
    """The number of characters whose HTML fits into the bytes."""
    if len(escape(text).encode()) <= most_bytes:
        return len(text)
    left = most_bytes
    for count, char in enumerate(text):
        left -= len(escape(char).encode())
        if left < 0:
            return count
    return len(text)
