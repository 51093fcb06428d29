"""Finds the template of a text that the database kept: the template's words have to be in the text, with any values between them.

Each piece of a template is searched once, without backtracking, so the time is linear in the text's length, even if the text is
hostile. A hostile text can only be shown as one of our own sentences. Called by `spoken`.
"""

import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from webapp import languages

_MAX_CHARS = 2_000
_LEAST_WORDS = 2  # in a template, outside its values: `{term}: {fault}` would fit too many texts
_WORD = re.compile(r"[A-Za-z]{2,}")


@dataclass(frozen=True, slots=True)
class Recalled:
    """A recognised sentence. values: by name, as they are in the text."""

    template: str
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A template. pieces: the words before, between and after the values. names: of the values."""

    template: str
    pieces: tuple[str, ...]
    names: tuple[str, ...]


def find(text: str, language: str) -> Recalled | None:
    """The sentence that fits the text, or None. If several fit, the one with the most text of its own, outside the values. Only
    sentences with a translation into the language are tried."""
    if not text or len(text) > _MAX_CHARS:
        return None
    for pattern in _patterns(language):
        values = _fitted(pattern, text)
        if values is not None:
            return Recalled(pattern.template, values)
    return None


def _fitted(pattern: _Pattern, text: str) -> dict[str, str] | None:
    """The values of a template in this text; None if the text doesn't fit the template."""
    first, last = pattern.pieces[0], pattern.pieces[-1]
    if not pattern.names:
        return {} if text == first else None
    if not text.startswith(first) or not text.endswith(last) or len(text) < len(first) + len(last):
        return None
    values: dict[str, str] = {}
    at, end = len(first), len(text) - len(last)
    for name, piece in zip(pattern.names, (*pattern.pieces[1:-1], None), strict=True):
        until = end if piece is None else text.find(piece, at, end)
        if until < at or values.setdefault(name, text[at:until]) != text[at:until]:
            return None
        at = until + len(piece or "")
    return values


@lru_cache(maxsize=len(languages.LANGUAGES))
def _patterns(language: str) -> Sequence[_Pattern]:
    """The patterns, sorted by the length of their text outside the values, the longest first."""
    found = [_pattern(template) for template in languages.sentences(language)]
    sure = [one for one in found if not one.names or _is_telling(one)]
    return sorted(sure, key=lambda one: -sum(map(len, one.pieces)))


def _pattern(template: str) -> _Pattern:
    pieces, names = [""], []
    for literal, name, _, _ in string.Formatter().parse(template):
        pieces[-1] += literal
        if name is not None:
            names.append(name)
            pieces.append("")
    return _Pattern(template, tuple(pieces), tuple(names))


def _is_telling(pattern: _Pattern) -> bool:
    """Does it have so many words of its own that other texts hardly fit it by chance? One word is enough if it begins the
    sentence and there is a colon."""
    words = len(_WORD.findall(" ".join(pattern.pieces)))
    return words >= _LEAST_WORDS or (
        bool(_WORD.match(pattern.pieces[0])) and any(": " in one for one in pattern.pieces)
    )
