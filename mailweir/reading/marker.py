"""The line that programs put above a forwarded message: `-----Original Message-----`, `Begin forwarded message:`.

Pure. Called by `header_block` and `openings`.
"""

import re
from enum import Enum, auto

from mailweir.reading.label_words import FORWARDED, MESSAGE, WROTE

# Words between two rules, and the text that a program put after them on the same line; `*---- ... ----*` is bold.
_SIGNS = "-_=~\u2010-\u2015\u2500\u2501"  # of rules; the hyphen first, because elsewhere it means a range
_FIRST_SIGNS = frozenset("*-_=~\u2010\u2011\u2012\u2013\u2014\u2015\u2500\u2501")
_BETWEEN = re.compile(
    rf"\*{{0,2}}(?P<left>[{_SIGNS}]{{2,80}})[ \t]{{0,4}}(?P<words>[^{_SIGNS}\n][^\n]{{0,120}}?)[ \t]{{0,4}}"
    rf"[{_SIGNS}]{{2,80}}:?\*{{0,2}}"
)
_MAX_WORDS = 8
_MAX_UNRULED_WORDS = 6
_MAX_BARE_CHARS = 60  # `Begin forwarded message:`, without rules


class Marker(Enum):
    """The meaning of the line: a forwarded message, or an original message, which also stands above replies.

    INTRO: a few words that end in a colon, in any language, right above a header.
    """

    FORWARDED = auto()
    ORIGINAL = auto()
    INTRO = auto()


def read(body: str) -> tuple[Marker, str] | None:
    """The meaning of a line, and the text after the marker in it (Yahoo's labels); None if the line isn't a marker."""
    between = _BETWEEN.match(body) if begins_with_rule(body) else None
    if between:
        words = between["words"]
        if len(words.split()) > _MAX_WORDS or WROTE.search(words):
            return None
        rest = body[between.end() :].strip()
        if FORWARDED.search(words):
            return Marker.FORWARDED, rest
        return (Marker.ORIGINAL, rest) if MESSAGE.search(words) else None
    bare = body.strip("*_ ")
    if len(bare) <= _MAX_BARE_CHARS and bare.endswith((":", "：")) and FORWARDED.search(bare) and MESSAGE.search(bare):
        return Marker.FORWARDED, ""
    return None


def begins_with_rule(body: str) -> bool:
    """Could it be a marker with rules? A cheap check before `read`."""
    return body[:1] in _FIRST_SIGNS


def has_rules(body: str) -> bool:
    """Do the words stand between two rules, whatever their meaning?"""
    return _BETWEEN.fullmatch(body) is not None


def is_intro(body: str) -> bool:
    """A few words without a number or an address that end in a colon, and don't mean "wrote"."""
    if not body.endswith((":", "：")) or len(body) > _MAX_BARE_CHARS or len(body.split()) > _MAX_WORDS:
        return False
    return "@" not in body and not any(map(str.isdigit, body)) and WROTE.search(body) is None


def unruled(body: str) -> Marker | None:
    """A marker without rules or a colon, right above a header: `Original Message`, `This is a forwarded message`."""
    words = body.strip("*_ ").split()
    if not 2 <= len(words) <= _MAX_UNRULED_WORDS or len(body) > _MAX_BARE_CHARS:
        return None
    if FORWARDED.search(body) and MESSAGE.search(body):
        return Marker.FORWARDED
    return Marker.ORIGINAL if all(MESSAGE.match(word.partition("'")[2] or word) for word in words) else None
