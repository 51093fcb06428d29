"""Cuts a message's text as its page shows it: a long text in parts, and the folds as pieces. Pure. Called by `message`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mailweir.reading.folds import Fold, FoldKind

PART_CHARS = 40_000
_MOST_MORE = 2_000  # further characters in a part, so that it ends with a line
_LONG_LINES, _LONG_CHARS = 25, 2_000  # about a screen of text


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the text. fold: its kind if it is folded away; None if it is shown. lines: the number of its lines."""

    text: str
    fold: FoldKind | None
    lines: int


@dataclass(frozen=True, slots=True)
class Part:
    """The part that one page shows. start: its place in the text, in characters. further: the next part's start, or None."""

    pieces: tuple[Piece, ...]
    start: int
    further: int | None

    @property
    def is_long(self) -> bool:
        """Is the text outside the folds more than a usual screen shows?"""
        shown = [one for one in self.pieces if one.fold is None]
        return sum(one.lines for one in shown) > _LONG_LINES or sum(len(one.text) for one in shown) > _LONG_CHARS


def part(text: str, folds: Sequence[Fold], start: int) -> Part:
    """The part of a text that begins at the character `start`. If there is no such character, the first part."""
    start = start if 0 <= start < len(text) else 0
    end = _end(text, start)
    pieces = (_piece(text[begin:until], kind) for kind, begin, until in _stretches(folds, start, end))
    shown = tuple(one for one in pieces if one.text)
    return Part(shown, start, end if end < len(text) else None)


def _end(text: str, start: int) -> int:
    """The end of a part: after the end of a line, if a line ends soon."""
    end = start + PART_CHARS
    if end >= len(text):
        return len(text)
    line = text.find("\n", end, end + _MOST_MORE)
    return line + 1 if line >= 0 else end


def _stretches(folds: Sequence[Fold], start: int, end: int) -> Iterator[tuple[FoldKind | None, int, int]]:
    at = start
    for fold in folds:
        begin, until = max(fold.start, start), min(fold.end, end)
        if begin >= until:
            continue
        yield None, at, begin
        yield fold.kind, begin, until
        at = until
    yield None, at, end


def _piece(text: str, kind: FoldKind | None) -> Piece:
    shown = text.strip("\n")
    if not shown.strip():
        shown = ""
    return Piece(shown, kind, shown.count("\n") + 1)
