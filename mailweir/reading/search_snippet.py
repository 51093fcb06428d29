"""The part of a text around the search hits, and the positions of the hits in it.

Uses the same words as the index, so the marked words are those that were found: `Straße` for `strasse`. Linear, and bounded: only
the beginning of a long text is examined. Pure. Called by the command line and the page.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from mailweir.reading.search_query import MAX_WORD_CHARS, Term
from mailweir.reading.search_words import fold
from mailweir.reading.word_ends import MORE, word_end

MAX_CHARS = 50_000  # of a text; if the hits are further on, the text's beginning is shown
_ASCII_WORD = re.compile("[A-Za-z0-9]+")
_BEFORE = 0.3  # of the width, in front of the first word that is found


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """text: one line. marks: (start, end) of each hit in it, ascending, without overlaps."""

    text: str
    marks: tuple[tuple[int, int], ...] = ()

    @property
    def pieces(self) -> Iterator[tuple[str, bool]]:
        """The text in pieces, and whether each is marked."""
        at = 0
        for start, end in self.marks:
            yield self.text[at:start], False
            yield self.text[start:end], True
            at = end
        yield self.text[at:], False


@dataclass(frozen=True, slots=True)
class _Word:
    folded: str
    start: int
    end: int


def around(text: str, terms: Sequence[Term], width: int) -> Snippet:
    """The text around the first hit, or else the beginning, in this many columns of a terminal."""
    line = " ".join(text[:MAX_CHARS].split())
    found = _found(list(_words(line)), terms)
    start = _back(line, found[0][0], int(width * _BEFORE)) if found and cut(line, width) != line else 0
    if start:
        start = line.find(" ", start, found[0][0]) + 1 or start
    rest = (MORE + " " if start else "") + line[start:]
    moved = (2 if start else 0) - start
    shown = cut_behind_word(rest, width)
    if found and len(shown) <= found[0][0] + moved + 1:  # the hit is in a word that is wider than the snippet
        shown = cut(rest, width)
    kept = len(shown) - (shown != rest)
    marks = ((begin + moved, min(end + moved, kept)) for begin, end in found if begin + moved < kept)
    return Snippet(text=shown, marks=tuple(marks))


def cut(text: str, width: int) -> str:
    """The text in at most so many columns; a longer text ends in an ellipsis."""
    if text.isascii():
        return text if len(text) <= width else text[: max(0, width - 1)].rstrip() + MORE
    columns = 0
    for place, char in enumerate(text):
        columns += _columns(char)
        if columns > width:
            return text[: max(0, _fitting(text[:place], width - 1))].rstrip() + MORE
    return text


def cut_behind_word(text: str, width: int) -> str:
    """The same, but cuts only between words, except in very long words."""
    kept = cut(text, width)
    return kept if kept == text else text[: word_end(text, len(kept) - len(MORE))].rstrip() + MORE


def _fitting(text: str, width: int) -> int:
    """The number of characters that fit."""
    columns = 0
    for place, char in enumerate(text):
        columns += _columns(char)
        if columns > width:
            return place
    return len(text)


def _back(text: str, end: int, width: int) -> int:
    """The place from which a position is at most this many columns away."""
    columns = 0
    for place in range(end - 1, -1, -1):
        columns += _columns(text[place])
        if columns > width:
            return place + 1
    return 0


def _columns(char: str) -> int:
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _found(words: Sequence[_Word], terms: Sequence[Term]) -> list[tuple[int, int]]:
    """The positions of terms, without those that overlap an earlier one."""
    by_first: dict[str, list[Term]] = {}
    prefixes = [term for term in terms if term.is_prefix and len(term.words) == 1]
    for term in terms:
        by_first.setdefault(term.words[0], []).append(term)
    found: list[tuple[int, int]] = []
    for place, word in enumerate(words):
        if found and word.start < found[-1][1]:
            continue
        candidates = [
            *by_first.get(word.folded, ()),
            *(one for one in prefixes if word.folded.startswith(one.words[0])),
        ]
        ends = [words[place + len(term.words) - 1].end for term in candidates if _stands(words, place, term)]
        if ends:
            found.append((word.start, max(ends)))
    return found


def _stands(words: Sequence[_Word], place: int, term: Term) -> bool:
    held = [word.folded for word in words[place : place + len(term.words)]]
    if len(held) < len(term.words):
        return False
    *others, last = term.words
    return held[:-1] == others and (held[-1].startswith(last) if term.is_prefix else held[-1] == last)


def _words(line: str) -> Iterator[_Word]:
    """The words of a line as `fold` makes them, with their places."""
    if line.isascii():  # most text is ASCII, and its letters needn't be examined one by one
        for found in _ASCII_WORD.finditer(line):
            yield _Word(found[0].lower()[:MAX_WORD_CHARS], found.start(), found.end())
        return
    folded, start = "", 0
    for place, char in enumerate(line):
        first, *others = _within(char)
        if not folded:
            start = place
        folded += first
        for other in others:
            if folded:
                yield _Word(folded[:MAX_WORD_CHARS], start, place + (bool(first) or start == place))
            folded, start = other, place
    if folded:
        yield _Word(folded[:MAX_WORD_CHARS], start, len(line))


@lru_cache(maxsize=4096)
def _within(char: str) -> list[str]:
    """The part of a character that belongs to the word before it, and the words that it begins; the last one continues."""
    return fold(f"a{char}a")[1:-1].split(" ")
