"""The parts of a mail's text that a reader folds away: quotes with their attributions, signatures, disclaimers, forwarded
headers.

Folds are spans beside the text, which is stored whole. The search begins at the end of the text: quotes, signatures and
disclaimers are folded there, up to text that somebody wrote. So a quote with text below it stays visible, because it was answered
inline, unless it is the only quote and stands above the whole answer. The folds never hide everything (decision 0030). Pure;
called by `message`. Source: RFC 3676 4.3 and 4.5, and the practice of mail programs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from mailweir.reading import attribution, disclaimer, openings, signature
from mailweir.reading.lines import MAX_LINES, Line, has_picture, says_something
from mailweir.reading.openings import Context, Outline

_ANY_DEPTH = 1_000_000
_MAX_ATTRIBUTION_LINES = 5
_MIN_WRAPPED = 56  # characters: programs break only quoted lines that are at least this long


class FoldKind(StrEnum):
    """The content of a fold. If a message was forwarded, only its header is folded."""

    QUOTE = "quote"
    SIGNATURE = "signature"
    DISCLAIMER = "disclaimer"
    FORWARDED = "forwarded"


# a kind, and a half-open range of lines of the text
_Span = tuple[FoldKind, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """A half-open span of characters of the text."""

    kind: FoldKind
    start: int
    end: int


def find(text: str, subject: str = "", *, people: frozenset[str] | None = None) -> tuple[Fold, ...]:
    """The folds, ascending and without overlaps. If there are words outside of quotes, some of them stay visible.

    subject: the mail's. If it has the prefix of a forward, the first header in the text is that of a forwarded message. people:
    see `openings.Context`.
    """
    return of(openings.outline(text, Context(subject=subject, people=people)))


def of(outline: Outline) -> tuple[Fold, ...]:
    """The same for a text with a known outline."""
    text, lines, opening = outline
    spans: list[_Span] = []
    high = opening.first
    if high < MAX_LINES:  # beyond MAX_LINES, the end of the text is unknown
        spans, high = _peeled(opening.lines, high)
    if opening.is_forwarded:
        spans.append((FoldKind.FORWARDED, opening.first, opening.end))
        is_whole = not _is_said(opening.lines, opening.end, len(lines), max_depth=_ANY_DEPTH)
    else:
        if opening.phones_line is not None:
            spans.append((FoldKind.SIGNATURE, opening.phones_line, opening.phones_line + 1))
        if opening.quote is not None:
            spans.append((FoldKind.QUOTE, opening.quote, len(lines)))
        is_whole = True
        spans.extend(_leading(opening.lines, high))
    if is_whole and not _is_said(opening.lines, 0, high):
        spans = _without_all(opening.lines, spans)
    end_of_last = len(text) if opening.quote is not None and len(lines) == MAX_LINES else None
    return tuple(_fold(lines, span, end_of_last) for span in _merged(spans))


def _merged(spans: Sequence[_Span]) -> list[_Span]:
    """In text order; touching spans of one kind become one."""
    merged: list[_Span] = []
    for kind, first, end in sorted(spans, key=lambda span: span[1]):
        if merged and merged[-1][0] is kind and merged[-1][2] == first:
            merged[-1] = (kind, merged[-1][1], end)
        else:
            merged.append((kind, first, end))
    return merged


def _peeled(lines: Sequence[Line], high: int) -> tuple[list[_Span], int]:
    """The foldable spans at the end of the lines before `high`, the last one first; and the end of the remaining lines."""
    spans: list[_Span] = []
    while high:
        span = _last(lines, high)
        if span is None:
            break
        spans.append(span)
        high = span[1]
    return spans, high


def _leading(lines: Sequence[Line], high: int) -> list[_Span]:
    """The quote above the answer, if it is the only one and has an attribution."""
    last = next((index for index in range(min(high, _MAX_ATTRIBUTION_LINES)) if _ends_attribution(lines, index)), None)
    if last is None or last + 1 >= high:
        return []
    end = last + 1
    while end < high and (lines[end].depth or (end + 1 < high and _is_wrapped(lines, end))):
        end += 1
    has_quote = any(line.depth for line in lines[last + 1 : end])
    if not has_quote or any(line.depth for line in lines[end:high]) or not _is_said(lines, end, high):
        return []
    return [(FoldKind.QUOTE, 0, end)]


def _ends_attribution(lines: Sequence[Line], last: int) -> bool:
    is_above_quote = last + 1 < len(lines) and lines[last + 1].depth > 0
    return (
        attribution.could_end(lines[last].body)
        and attribution.ending_at(lines, last, is_above_quote=is_above_quote) == 0
    )


def _last(lines: Sequence[Line], high: int) -> _Span | None:
    """The quote, disclaimer or signature that ends with the line before `high`."""
    if lines[high - 1].depth:
        first = _quote_begins(lines, high)
        above = attribution.ending_at(lines, first - 1, is_above_quote=True) if first else None
        return FoldKind.QUOTE, first if above is None else above, high
    first_line = disclaimer.begins(lines, 0, high)
    if first_line is not None and not _is_greeting(lines, first_line):
        return FoldKind.DISCLAIMER, first_line, high
    first_line = signature.begins(lines, 0, high)
    return None if first_line is None else (FoldKind.SIGNATURE, first_line, high)


def _is_greeting(lines: Sequence[Line], high: int) -> bool:
    """Is there only one line above, with a comma or colon at its end? Then the message follows it."""
    return high == 1 and lines[0].body.endswith((",", "，", "、", ":", "："))


def _quote_begins(lines: Sequence[Line], high: int) -> int:
    first = high - 1
    while first and (lines[first - 1].depth or _is_wrapped(lines, first - 1)):
        first -= 1
    while not lines[first].depth:
        first += 1
    return first


def _is_wrapped(lines: Sequence[Line], index: int) -> bool:
    """Is an unquoted line the rest of the quoted line before it, broken by a program? Then another quoted line follows at
    once."""
    if index < 1 or not lines[index - 1].depth or not lines[index + 1].depth:
        return False
    before, line, after = lines[index - 1].body, lines[index], lines[index + 1]
    has_gap = line.after_blank or after.start - line.end > 1
    return (
        not has_gap and line.body[:1].islower() and len(before) >= _MIN_WRAPPED and not before.endswith(("?", "!", ":"))
    )


def _is_said(lines: Sequence[Line], low: int, high: int, max_depth: int = 0) -> bool:
    return any(line.depth <= max_depth and says_something(line.body) for line in lines[low:high])


def _without_all(lines: Sequence[Line], spans: Sequence[_Span]) -> list[_Span]:
    """For spans that would hide everything: returns only the quotes if there are words outside of them, otherwise none."""
    quotes = [span for span in spans if span[0] is FoldKind.QUOTE]
    covered = {index for _, first, end in quotes for index in range(first, end)}
    said = any(
        not line.depth and index not in covered and (says_something(line.body) or has_picture(line.body))
        for index, line in enumerate(lines)
    )
    return quotes if said else []


def _fold(lines: Sequence[Line], span: _Span, end_of_last: int | None) -> Fold:
    kind, first, end = span
    is_last = end == len(lines) and end_of_last is not None
    return Fold(kind=kind, start=lines[first].start, end=end_of_last if is_last and end_of_last else lines[end - 1].end)
