"""A message's text as its page shows it: in parts where it is long, with what is folded away apart. Pure. Called by `message`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mailweir.reading.folds import Fold, FoldKind

PART_CHARS = 40_000
_MOST_MORE = 2_000  # characters, up to the end of a line
_LONG_LINES, _LONG_CHARS = 25, 2_000  # of what a screen shows at once


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the text. fold: what it is, where it is folded away; None where it is shown. lines: how many it has."""

    text: str
    fold: FoldKind | None
    lines: int


@dataclass(frozen=True, slots=True)
class Part:
    """What one page shows. start: of the whole, in characters. further: where the next part begins, or None."""

    pieces: tuple[Piece, ...]
    start: int
    further: int | None

    @property
    def is_long(self) -> bool:
        """Is what isn't folded away more than a screen of text, as a rule?"""
        shown = [one for one in self.pieces if one.fold is None]
        return sum(one.lines for one in shown) > _LONG_LINES or sum(len(one.text) for one in shown) > _LONG_CHARS


def part(text: str, folds: Sequence[Fold], start: int) -> Part:
    """The part of a text that begins at a character; the first one where that is beyond it."""
    start = start if 0 <= start < len(text) else 0
    end = _end(text, start)
    pieces = (_piece(text[begin:until], kind) for kind, begin, until in _stretches(folds, start, end))
    shown = tuple(one for one in pieces if one.text)
    return Part(shown, start, end if end < len(text) else None)


def _end(text: str, start: int) -> int:
    """Behind a line, where one ends soon."""
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
