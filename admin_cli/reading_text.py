"""A reading as a person and a program get it from the command line. Called by `activity`."""

from collections.abc import Iterator
from typing import Any

from admin_cli import output
from mailweir.reading import labels
from mailweir.reading.folds import Fold, FoldKind
from mailweir.sender_verdict import VerdictReason
from mailweir.store.record.readings import KeptReading

_FOLDED = {
    FoldKind.QUOTE: "quoted",
    FoldKind.SIGNATURE: "of a signature",
    FoldKind.DISCLAIMER: "of a disclaimer",
    FoldKind.FORWARDED: "of a forwarded header",
}


def as_json(reading: KeptReading | None) -> dict[str, Any]:
    """The keys that it adds to an activity's. Without a reading text is null."""
    if reading is None:
        return {"text": None, "original": None, "unreadable": False, "folds": []}
    original = reading.original
    return {
        "text": reading.text,
        "original": {"author": original.author, "date": output.json_value(original.date), "subject": original.subject}
        if original
        else None,
        "unreadable": reading.is_unreadable,
        "folds": [{"kind": str(one.kind), "start": one.start, "end": one.end} for one in reading.folds],
    }


def lines(reading: KeptReading, *, is_full: bool) -> Iterator[str]:
    """Facts, an empty line, the text. is_full: with what is folded away else."""
    if reading.labels:
        yield f"  {'labels':<11} {', '.join(labels.in_order(reading.labels))}"
    if reading.original:
        original = reading.original
        yield f"  {'original':<11} {original.author or original.author_name or '?'}, {output.moment(original.date)}"
    if reading.invitation:
        event = reading.invitation
        times = output.moment(event.starts_at) + (f" to {output.moment(event.ends_at)}" if event.ends_at else "")
        yield f"  {'invitation':<11} {event.summary}, {times}, {event.location or 'no place'}"
    for number, file in enumerate(reading.attachments, 1):
        shown = ", in the text" if file.is_inline else ""
        yield f"  {'attachment':<11} {number}: {file.name} ({file.media_type}, {file.size_bytes} bytes{shown})"
    if reading.is_unreadable:
        is_damaged = VerdictReason.DAMAGED in reading.problems
        lost, kept = "its bytes are damaged in the database", "'mailweir activity raw' has the message itself"
        yield f"  could not be read: {lost if is_damaged else kept}"
        return
    yield ""
    yield from _text(reading.text, () if is_full else reading.folds)


def _text(text: str, folds: tuple[Fold, ...]) -> Iterator[str]:
    at = 0
    for fold in folds:
        if text[at : fold.start].strip():
            yield from text[at : fold.start].rstrip("\n").split("\n")
        count = len(text[fold.start : fold.end].strip("\n").split("\n"))
        yield f"[{count} {'line' if count == 1 else 'lines'} {_FOLDED[fold.kind]}: --full shows all]"
        at = fold.end
    if text[at:].strip():
        yield from text[at:].strip("\n").split("\n")
