"""A reading as a person and a program get it from the command line. Called by `activity`."""

import re
import shutil
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from admin_cli import output
from mailweir.printable import printable
from mailweir.reading import labels
from mailweir.reading.folds import Fold, FoldKind
from mailweir.reading.invitation import Invitation
from mailweir.sender_verdict import VerdictReason
from mailweir.store.record.forwarded_versions import Said
from mailweir.store.record.readings import KeptReading

MOST_COPIES = 5  # at most so many other activities with the same file are named
_FOLDED = {
    FoldKind.QUOTE: "quoted",
    FoldKind.SIGNATURE: "of a signature",
    FoldKind.DISCLAIMER: "of a disclaimer",
    FoldKind.FORWARDED: "of a forwarded header",
}
_EMPTY_LINES = re.compile(r"\n(?:[^\S\n]*+\n){2,}+")
_METHODS = {
    "REQUEST": "invites",
    "PUBLISH": "tells of",
    "REPLY": "answers",
    "CANCEL": "calls off",
    "COUNTER": "proposes",
}


def as_json(reading: KeptReading | None, said: Said | None) -> dict[str, Any]:
    """The keys that a reading adds to an activity's JSON. Without a reading, `text` is null. said: the forwarder's statements
    about the original, which replace those that were read."""
    original = said or (reading.original if reading else None)
    told = (
        {"author": original.author, "date": output.json_value(original.date), "subject": original.subject}
        if original
        else None
    )
    if reading is None:
        return {"text": None, "original": told, "invitation": None, "unreadable": False, "folds": []}
    return {
        "text": reading.text,
        "original": told,
        "invitation": _event(reading.invitation) if reading.invitation else None,
        "unreadable": reading.is_unreadable,
        "folds": [{"kind": str(one.kind), "start": one.start, "end": one.end} for one in reading.folds],
    }


def _event(event: Invitation) -> dict[str, Any]:
    """The times are in UTC; `zone` has the sender's zone."""
    return {
        "method": event.method,
        "summary": event.summary,
        "location": event.location,
        "starts_at": output.json_value(event.starts_at),
        "ends_at": output.json_value(event.ends_at),
        "all_day": event.is_all_day,
        "zone": event.zone,
    }


def lines(
    reading: KeptReading, copies: Mapping[int, Sequence[int]], *, is_full: bool, is_told: bool = False
) -> Iterator[str]:
    """Facts, an empty line, the text. copies: other activities with the same file, by the file's number. is_full: also shows
    folded parts. is_told: the caller has shown the original already."""
    if reading.labels:
        yield f"  {'labels':<11} {', '.join(labels.in_order(reading.labels))}"
    if reading.original and not is_told:
        original = reading.original
        yield f"  {'original':<11} {original.author or original.author_name or '?'}, {output.moment(original.date)}"
    if reading.invitation:
        event = reading.invitation
        yield f"  {'invitation':<11} {_METHODS.get(event.method, event.method.lower() or 'tells of')}: {event.summary or '-'}"
        yield f"  {'':<11} {times(event)}" + (f", {event.location}" if event.location else "")
    for number, file in enumerate(reading.attachments, 1):
        shown = ", in the text" if file.is_inline else ""
        yield f"  {'attachment':<11} {number}: {file.name} ({file.media_type}, {file.size_bytes} bytes{shown})"
        if others := copies.get(number):
            more = " and more" if len(others) > MOST_COPIES else ""
            yield f"  {'':<11}    also in activity {', '.join(map(str, others[:MOST_COPIES]))}{more}"
    if reading.is_unreadable:
        is_damaged = VerdictReason.DAMAGED in reading.problems
        lost, kept = "its bytes are damaged in the database", "'mailweir activity raw' has the message itself"
        yield f"  could not be read: {lost if is_damaged else kept}"
        return
    yield ""
    if not reading.text.strip():
        yield "(no text)"
        return
    yield from _whole(reading.text) if is_full else _folded(reading.text, reading.folds)


def times(event: Invitation) -> str:
    """The time by the local clock of the event, and in UTC if that differs."""
    start, end = event.starts_at, event.ends_at
    if start is None:
        return "no time is given"
    again = ", repeated" if event.repeats else ""
    if event.is_all_day:
        last = end - timedelta(days=1) if end and end - start > timedelta(days=1) else start
        return f"{start:%Y-%m-%d}" + (f" to {last:%Y-%m-%d}" if last.date() != start.date() else "") + again
    zone = event.zone or "by the local clock"
    here = f"{_span(start, end)} {zone}{again}"
    if not event.zone or zone == "UTC":
        return here
    return f"{here} ({output.moment(start)[:16]}Z)"


def _span(start: datetime, end: datetime | None) -> str:
    if end is None or end <= start:
        return f"{start:%Y-%m-%d %H:%M}"
    return f"{start:%Y-%m-%d %H:%M} to " + (f"{end:%H:%M}" if end.date() == start.date() else f"{end:%Y-%m-%d %H:%M}")


def _folded(text: str, folds: tuple[Fold, ...]) -> Iterator[str]:
    at = 0
    for fold in folds:
        yield from _shown(text[at : fold.start])
        count = len(text[fold.start : fold.end].strip("\n").split("\n"))
        yield f"[{count} {'line' if count == 1 else 'lines'} {_FOLDED[fold.kind]}: --full shows all]"
        at = fold.end
    yield from _shown(text[at:])


def _shown(part: str) -> Iterator[str]:
    """The lines; several empty lines in a row become one."""
    if part.strip():
        yield from _whole(_EMPTY_LINES.sub("\n\n", part))


def _whole(text: str) -> Iterator[str]:
    """All lines. A terminal would break words, so long lines are broken between words there."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    wrap = textwrap.TextWrapper(
        max(width, 1), replace_whitespace=False, break_long_words=False, break_on_hyphens=False
    ).wrap
    for line in text.strip("\n").split("\n"):
        shown = printable(line.expandtabs())  # a tab would show as a code
        if 0 < width < len(shown):
            yield from wrap(shown)
        else:
            yield shown
