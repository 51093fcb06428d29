"""Reads a message: other modules each read one subject, and this one combines them.

The same bytes always give the same reading. Never raises, on any bytes. Pure; called by the digest's children.
"""

import re
from collections.abc import Iterator, Sequence

from mailweir import headers, raw_message
from mailweir.headers import HeaderView
from mailweir.reading import (
    attachments,
    body,
    folds,
    forwarded,
    html_view,
    invitation,
    labels,
    openings,
    part_text,
    parts,
    thread_keys,
    transfer,
)
from mailweir.reading.attachments import Attachment
from mailweir.reading.folds import Fold
from mailweir.reading.html_view import View
from mailweir.reading.invitation import Invitation
from mailweir.reading.openings import Context
from mailweir.reading.parts import Part
from mailweir.reading.reading import HTML_CUT, TEXT_CUT, Reading
from mailweir.reading.word_ends import SNIPPET_CHARS, shortened

_SNIPPET_READ_CHARS = 2_000  # of each piece between folds
_MAX_HEAD_BYTES = 1_000_000
_MAX_CALENDAR_BYTES = 1_000_000
_ZONE = re.compile(rb"[ \t]([+-]\d{4})(?!\d)")


def read(raw: bytes, *, envelope_sender: str | None = None) -> Reading:
    """The reading of a whole message. envelope_sender: empty for the null sender, None if unknown."""
    found = parts.walk(raw)
    view = _headers(raw, found[0], envelope_sender)
    written = body.read(raw, found)
    files = attachments.index(raw, found, written.html)
    event = _invitation(raw, found)
    method = event.method if event else None
    subject = part_text.clean(view.subject).strip()
    keys = thread_keys.read(view)
    people = None if keys.has_ids else frozenset((*view.candidates, *view.recipients))
    outline = openings.outline(written.text, Context(subject=subject, people=people))
    spans = folds.of(outline)
    shown = _view(written.html, files)
    return Reading(
        subject=subject,
        snippet=_snippet(written.text, spans),
        text=written.text,
        view=shown,
        sanitizer_version=html_view.SANITIZER_VERSION,
        folds=spans,
        original=forwarded.of(outline, _zone(view)),
        labels=labels.of(view, found, envelope_sender, text=written.text, method=method),
        attachments=files,
        invitation=event,
        thread_keys=keys,
        problems=tuple(_problems(written.text, shown)),
    )


def _headers(raw: bytes, root: Part, envelope_sender: str | None) -> HeaderView:
    """Reads only the head: a copy of the whole message would take as much memory again."""
    end = min(root.offset, root.header_offset + _MAX_HEAD_BYTES)
    lines, _ = raw_message.split(raw[root.header_offset : end])
    return headers.look(lines, may_be_cut=False, envelope_sender=envelope_sender)


def _view(html: str | None, files: Sequence[Attachment]) -> View | None:
    if html is None:
        return None
    numbers = {one.content_id: number for number, one in enumerate(files, start=1) if one.content_id}
    return html_view.sanitise(html, numbers)


def _invitation(raw: bytes, found: Sequence[Part]) -> Invitation | None:
    """The first calendar with an event."""
    calendars = (part for part in found if part.media_type == "text/calendar")
    for _, part in zip(range(3), calendars, strict=False):
        ics = transfer.decode(raw, part, max_bytes=_MAX_CALENDAR_BYTES)
        event = invitation.read(ics, part.parameters.get("method", ""))
        if event:
            return event
    return None


def _zone(view: HeaderView) -> str:
    """The zone of the Date header, as `+0200`; '' if there is none. Programs write the dates of forwarded mail in it."""
    zones = _ZONE.findall(view.raw_date[:1_000])
    return str(zones[-1], "ascii") if zones else ""


def _snippet(text: str, spans: Sequence[Fold]) -> str:
    """The beginning of the text outside of folds, on one line, up to a word's end; if all text is folded, the beginning of the
    whole text."""
    unfolded = " ".join(" ".join(_pieces(text, spans)).split())
    return shortened(unfolded or " ".join(text[:_SNIPPET_READ_CHARS].split()), SNIPPET_CHARS)


def _pieces(text: str, spans: Sequence[Fold]) -> Iterator[str]:
    """The pieces between folds: the first ones with content are enough."""
    at, chars = 0, 0
    for start, end in (*((one.start, one.end) for one in spans), (len(text), len(text))):
        piece = " ".join(text[at : min(start, at + _SNIPPET_READ_CHARS)].split())
        yield piece
        at, chars = end, chars + len(piece)
        if chars >= SNIPPET_CHARS:
            return


def _problems(text: str, shown: View | None) -> Iterator[str]:
    if text.endswith(body.CUT_MARK):
        yield TEXT_CUT
    if shown and shown.is_cut:
        yield HTML_CUT
