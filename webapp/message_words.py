"""Words about one message: its sender verdict, folds, an invitation, a size.

Called by `message` and its templates.
"""

from datetime import datetime, timedelta

import flask_babel
from flask_babel import gettext, ngettext
from markupsafe import Markup

from mailweir.explain import record
from mailweir.reading.folds import FoldKind
from mailweir.reading.invitation import Invitation
from mailweir.sender_verdict import Verdict
from webapp import explained, times
from webapp.message_text import Piece

_DECIMAL = 1_000
_PENDING = "pending"  # stored until the author is examined


def verdict(stored: str, reason: str | None, domain: str | None) -> tuple[str, str]:
    """The sender verdict and its reason as a part of a sentence, and the CSS class of the verdict."""
    why = record.verdict_reason(reason, domain)
    if stored == Verdict.PASS:
        return (explained.said(why) if why else gettext("proven")), "good"
    if stored == _PENDING:
        return gettext("not examined yet"), ""
    state = "bad" if stored == Verdict.FAIL else "warn"
    if why is None:
        return gettext("not proven"), state
    return gettext("not proven: %(reason)s", reason=explained.said(why)), state


def fold(piece: Piece) -> str:
    """The words that are shown for a folded piece."""
    count = piece.lines
    said = {
        FoldKind.QUOTE: ngettext("%(num)d quoted line", "%(num)d quoted lines", count),
        FoldKind.SIGNATURE: ngettext("Signature, %(num)d line", "Signature, %(num)d lines", count),
        FoldKind.DISCLAIMER: ngettext("Disclaimer, %(num)d line", "Disclaimer, %(num)d lines", count),
        FoldKind.FORWARDED: ngettext("Forwarded header, %(num)d line", "Forwarded header, %(num)d lines", count),
    }
    return said[piece.fold] if piece.fold else ""


def size(count: int) -> str:
    """Bytes, for people."""
    if count < _DECIMAL:
        return str(ngettext("%(num)d byte", "%(num)d bytes", count))
    if count < _DECIMAL**2:
        return str(gettext("%(number)s KB", number=flask_babel.format_decimal(round(count / _DECIMAL))))
    return str(gettext("%(number)s MB", number=flask_babel.format_decimal(round(count / _DECIMAL**2, 1))))


def method(event: Invitation) -> str:
    """The purpose of an invitation."""
    said = {
        "REQUEST": gettext("Invitation"),
        "PUBLISH": gettext("Event"),
        "REPLY": gettext("Answer to an invitation"),
        "CANCEL": gettext("Cancelled"),
        "COUNTER": gettext("Another time is proposed"),
    }
    return str(said.get(event.method, gettext("Event")))


def when(event: Invitation) -> Markup:
    """The time of an event, in the reader's zone. A whole day is shown as a day, and a time without a zone as local time."""
    start, end = event.starts_at, event.ends_at
    if start is None:
        return Markup(gettext("no time is given"))
    if event.is_all_day:
        last = end - timedelta(days=1) if end and end - start > timedelta(days=1) else start
        shown = _date(start) if last == start else gettext("%(start)s to %(end)s", start=_date(start), end=_date(last))
        found = Markup("{}").format(shown)
    elif not event.zone:
        found = Markup("{}").format(gettext("%(time)s, local time", time=_span(start, end)))
    else:
        found = times.until(start, end) if end and end > start else times.moment(start, is_long=True)
    return found + Markup("{}").format(gettext(", repeated")) if event.repeats else found


def _date(value: datetime) -> str:
    return str(flask_babel.format_datetime(value, gettext("EEEE, d MMMM y"), rebase=False))


def _span(start: datetime, end: datetime | None) -> str:
    shown = str(flask_babel.format_datetime(start, gettext("EEEE, d MMMM y, HH:mm"), rebase=False))
    return f"{shown}–{end:%H:%M}" if end and end > start else shown
