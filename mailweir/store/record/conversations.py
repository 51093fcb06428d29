"""An activity's conversation: the mails of its thread that a reader may see. Never writes. Called by the command line and the
page."""

from dataclasses import dataclass
from datetime import datetime

from mailweir.store.database.connection import Database
from mailweir.store.people.deployments import Deployment
from mailweir.store.record import activities, threads, visibility
from mailweir.store.record.activities import Activity
from mailweir.store.record.visibility import Access


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """thread: its id, which stays when other threads are merged into it; None if the activity isn't read yet, or the reader sees
    only its metadata. activities: the first sent first, including the requested activity."""

    thread: int | None
    activities: tuple[Activity, ...]


def of(database: Database, deployment: Deployment, activity_id: int, reader: str | None = None) -> Conversation:
    """The conversation of an activity. NotFound, also if the reader may not know of it.

    reader: a username; None is an operator, who sees all. The mails in a conversation reveal each other's subject matter. So an
    activity of which the reader sees only the metadata (law 13) is in no conversation.
    """
    asked = activities.find(database, activity_id, deployment)
    thread = threads.of(database, asked.id)
    ids = threads.activities(database, deployment.id, thread) if thread is not None else [asked.id]
    if reader is None:
        found = activities.load(database, ids)
        return Conversation(thread=thread, activities=_in_order(list(found.values())))
    shown = activities.seen_by(database, deployment, reader, [asked.id])
    if not shown:
        raise activities.no_such(activity_id, deployment)
    may = visibility.access(database, activities.reader_named(database, deployment, reader), ids)
    if may[asked.id] is not Access.WHOLE:
        return Conversation(thread=None, activities=tuple(shown))
    whole = [one for one in ids if may.get(one) is Access.WHOLE]
    return Conversation(thread=thread, activities=_in_order(activities.seen_by(database, deployment, reader, whole)))


def _in_order(found: list[Activity]) -> tuple[Activity, ...]:
    return tuple(sorted(found, key=_sent))


def _sent(activity: Activity) -> tuple[datetime, int]:
    """The time of sending, but no later than the recording: a mailbox's old mail is recorded late, and Date may contain
    anything."""
    return min(activity.sent_at or activity.recorded_at, activity.recorded_at), activity.id
