"""Recognises a kept text as one of the heart's sentences: by the words of its template, with any values between them.

No search goes back: each piece of a template is looked for once, so the time is linear in the text however hostile it is. A
hostile text can only have one of our own sentences said in its place. Called by `spoken`.
"""

import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from webapp import languages

_MAX_CHARS = 2_000
_LEAST_WORDS = 2  # of a template's own; `{term}: {fault}` would fit everything
_WORD = re.compile(r"[A-Za-z]{2,}")


@dataclass(frozen=True, slots=True)
class Recalled:
    """A recognised sentence. values: by name, as they stand in the text."""

    template: str
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Pattern:
    """pieces: the words before the first value, between two values, and behind the last. names: of the values between them."""

    template: str
    pieces: tuple[str, ...]
    names: tuple[str, ...]


def find(text: str, language: str) -> Recalled | None:
    """The sentence that fits the text; of several, the longest without its values. None if none fits. language: the sentence
    needs a translation into it."""
    if not text or len(text) > _MAX_CHARS:
        return None
    for pattern in _patterns(language):
        values = _fitted(pattern, text)
        if values is not None:
            return Recalled(pattern.template, values)
    return None


def _fitted(pattern: _Pattern, text: str) -> dict[str, str] | None:
    """The values in the places of a template; None if the text isn't made of it."""
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
    """The patterns, those with the most letters of their own first."""
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
    """Does it have enough words of its own that a text hardly fits it by chance? One word is enough if it begins the sentence,
    before a colon."""
    words = len(_WORD.findall(" ".join(pattern.pieces)))
    return words >= _LEAST_WORDS or (
        bool(_WORD.match(pattern.pieces[0])) and any(": " in one for one in pattern.pieces)
    )
