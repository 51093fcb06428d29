"""The lines above a quote: `On Mon, Jun 3, 2024 at 10:00, Jane <jane@client.example> wrote:`, in any language.

An attribution usually ends in a colon, has at most five lines, and contains two of: an address, a date with its time, a word for
"wrote". Pure. Called by `folds` and `openings`.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from mailweir.reading import moments
from mailweir.reading.label_words import MAY_HOLD_WROTE, WROTE
from mailweir.reading.lines import Line

MAX_LINES = 5
_MAX_CHARS = 350
_MAX_LEAD_WORDS = 3  # before a date at the start of an attribution: `In data 11 ottobre`, `El lun., 3 jun`
_MAX_BARE_CHARS = 40  # of a line with neither an address nor a number
_MAX_BARE_WORDS = 6  # `Jane Doe wrote:`
_ADDRESS = re.compile(
    r"(?<![^\s<>\[\]()\"',;:@])[^\s<>\[\]()\"',;:@]{1,64}@[^\s<>\[\]()\"',;:@]{2,255}|&lt;\S{1,80}@\S{1,80}&gt;"
)
_ADDRESS_LAST = re.compile(r"@[^\s<>]{1,255}?[>\])\"'*;]{0,4}(?:&gt;)?[ \t]{0,3}[:：]$")
_COLON = re.compile(r"[:：][*_ \t]{0,3}$")
# Gmail's form for languages that it doesn't know: `2024-06-03 10:00 GMT+02:00 Jane`
_ISO_ZONE = re.compile(r"\d{4}[-/]\d{1,2}[-/]\d{1,2} \d{1,2}:\d{2} (?:GMT|UTC)[+-]\d{1,2}:\d{2} \S")
# Nextcloud's: `Jane Roe <jane@client.example> – 3 June 2024 10:00`
_NAME_FIRST = re.compile(r"[^\n<>]{0,60}<[^\s<>]{1,80}@[^\s<>]{1,80}>[^\n<>]{1,60}\d")
_NUMBER = re.compile(r"\d")
_RULED = re.compile(r"-{3,10} ?(?P<words>.{10,300}?) ?-{3,10}")


class Evidence(NamedTuple):
    """The evidence for an attribution."""

    address: bool
    date: bool
    time: bool
    wrote: bool

    @property
    def weight(self) -> int:
        return sum(self)


def ending_at(lines: Sequence[Line], last: int, *, is_above_quote: bool) -> int | None:
    """The first line of the attribution that ends in the line `last`; None if there is none.

    is_above_quote: does the next line begin with a quote mark? Then less evidence is required.
    """
    line = lines[last]
    if line.depth or not could_end(line.body):
        return None
    if _is_divider(line.body):
        return last if moments.has_date(line.body) and moments.has_time(line.body) else None
    best: tuple[int, int] | None = None
    spans = _spans(lines, last)
    for first, text in spans:
        if _is_attribution(text, is_above_quote=is_above_quote) and (is_above_quote or _is_apart(lines, first, text)):
            weight = _evidence(text).weight
            if best is None or weight > best[0]:
                best = (weight, first)
    return best[1] if best else None


def _is_apart(lines: Sequence[Line], first: int, text: str) -> bool:
    """Is the text a separate paragraph with a complete date, and not a line of prose? Always true with a time, an address or
    rules."""
    found = _evidence(text)
    if found.time or found.address or _RULED.fullmatch(text):
        return True
    return (first == 0 or lines[first].after_blank) and moments.has_year(text)


def could_end(body: str) -> bool:
    """Could an attribution end in this line? A cheap check before `ending_at`."""
    if body.endswith((":", "：", ":*", ":_")) or _is_divider(body):
        return True
    if len(body) > _MAX_BARE_CHARS and "@" not in body and _NUMBER.search(body) is None:
        return False
    if "@" in body and _NUMBER.search(body):
        return True
    tail = body[-40:]
    return bool(
        (MAY_HOLD_WROTE.of(tail) and WROTE.search(tail))
        or _ISO_ZONE.match(body)
        or (body.endswith(">") and "@" in body)
    )


def _is_divider(body: str) -> bool:
    return body.startswith(">>>") and body.endswith(">>>")


def _spans(lines: Sequence[Line], last: int) -> list[tuple[int, str]]:
    """The texts that end with this line: the line alone, then with one more line above in each step; each with its first line."""
    spans = []
    text = ""
    for first in range(last, max(-1, last - MAX_LINES), -1):
        line = lines[first]
        if line.depth or not line.body:
            break
        text = f"{line.body} {text}".strip()
        if len(text) > _MAX_CHARS:
            break
        spans.append((first, text))
        if line.after_blank and not _is_broken_address(lines, first):
            break
    return spans


def _is_broken_address(lines: Sequence[Line], first: int) -> bool:
    """Did a program put blank lines around the angle brackets of an address?"""
    return lines[first].body.startswith(("<", ">")) or (
        first > 0 and lines[first - 1].body.endswith("<") and not lines[first - 1].depth
    )


@lru_cache(maxsize=64)  # of one mail: the searches for folds check the same few lines
def _evidence(text: str) -> Evidence:
    return Evidence(
        address=_ADDRESS.search(text) is not None,
        date=moments.has_date(text),
        time=moments.has_time(text),
        wrote=MAY_HOLD_WROTE.of(text) > 0 and WROTE.search(_ADDRESS.sub(" ", text)) is not None,
    )


def _is_attribution(text: str, *, is_above_quote: bool) -> bool:
    ruled = _RULED.fullmatch(text)
    if ruled:
        text = ruled["words"]
        if WROTE.search(text[-30:]):
            return True
    found = _evidence(text)
    has_colon = _COLON.search(text) is not None
    if not has_colon:
        return _is_without_colon(text, found, is_above_quote=is_above_quote)
    if is_above_quote and (found.address or (found.date and found.time)):
        return True
    if found.wrote and (found.address or (found.date and found.time)):
        return True
    if found.wrote and found.date:
        return _begins_with_date(text) or is_above_quote
    if found.wrote and is_above_quote:
        return len(text.split()) <= _MAX_BARE_WORDS
    # Some programs write no word for "wrote": a date, a time, and the author right before the colon.
    return (
        found.address
        and found.date
        and found.time
        and _begins_with_date(text)
        and _ADDRESS_LAST.search(text) is not None
    )


def _is_without_colon(text: str, found: Evidence, *, is_above_quote: bool) -> bool:
    if _ISO_ZONE.match(text):
        return True
    if found.wrote and found.address and found.date:
        return WROTE.search(text[-30:]) is not None
    if not (is_above_quote and found.date and found.address):
        return False
    return _begins_with_date(text) or (found.time and _NAME_FIRST.fullmatch(text) is not None)


def _begins_with_date(text: str) -> bool:
    start = moments.date_start(text)
    return start is not None and len(text[:start].split()) <= _MAX_LEAD_WORDS
