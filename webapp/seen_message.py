"""One activity as the reader may see it. Called by the pages that show a message or give its bytes."""

from dataclasses import dataclass

import flask

from mailweir.store.record import activities, joined, raw_messages, readings, taking_part, visibility
from mailweir.store.record.activities import Activity
from mailweir.store.record.readings import KeptReading
from mailweir.store.record.visibility import Access
from mailweir.store.web import reader_log
from mailweir.store.web.reader_log import What
from webapp import here

_MAX_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Seen:
    """activity: only the parts that the reader may see. is_whole: if not, these are the people, the time and the direction.
    takes_part: is it on the reader's own record?"""

    activity: Activity
    is_whole: bool
    takes_part: bool


def find(activity_id: int) -> Seen:
    """The activity. 404 if it doesn't exist, or if the reader may not know of it."""
    if not 0 < activity_id <= _MAX_ID:
        flask.abort(404)
    database, reader = here.database(), here.reader()
    may = visibility.access(database, reader, [activity_id]).get(activity_id)
    shown = activities.shown_to(database, here.deployment(), reader, [activity_id]) if may else []
    if not shown:
        _lead_on(activity_id)
        flask.abort(404)
    return Seen(shown[0], may is Access.WHOLE, taking_part.takes_part(database, reader, activity_id))


def _lead_on(activity_id: int) -> None:
    """Redirects to the activity that this one was joined to, if the reader may know of that."""
    now_id = joined.current(here.database(), activity_id)
    if now_id is not None and visibility.access(here.database(), here.reader(), [now_id]):
        endpoint, values = flask.request.endpoint, {**(flask.request.view_args or {}), "activity_id": now_id}
        flask.abort(flask.redirect(flask.url_for(str(endpoint), **values), 307))


def find_whole(activity_id: int) -> Seen:
    """The activity, if the reader may see all of it; else 404."""
    seen = find(activity_id)
    if not seen.is_whole:
        flask.abort(404)
    return seen


def reading(seen: Seen, version: int | None = None) -> KeptReading | None:
    """The reading of the leading version, or of another by its number; None if it isn't read yet. 404 for an unknown number."""
    if version is None:
        return readings.leading(here.database(), seen.activity.id)
    return readings.read(here.database(), raw_id(seen, version))


def raw_id(seen: Seen, version: int) -> int:
    """The id of the version with this number. 404."""
    ids = raw_messages.ids(here.database(), seen.activity)
    if not 1 <= version <= len(ids):
        flask.abort(404)
    return ids[version - 1]


def leading_id(seen: Seen) -> int | None:
    """The id of the leading version; None if none is kept."""
    return raw_messages.leading_id(here.database(), seen.activity)


def is_author(seen: Seen) -> bool:
    """Did the reader write the message?"""
    return taking_part.is_author(here.database(), here.deployment(), here.reader(), seen.activity)


def note(seen: Seen, what: What) -> None:
    """Notes in the reader log that the account reads this part of the message now."""
    reader_log.note(here.database(), here.deployment().id, here.account().id, seen.activity.id, what, here.now())
