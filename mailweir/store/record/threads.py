"""Conversations: the thread of an activity, by the ids that its message has and names (`reading.thread_keys`).

A reply may come before the message that it answers, so an id is stored as soon as a message names it. A message that names two
threads merges them, and the older one survives; `current` finds it by the other's id. In plain SQL, in the caller's transaction;
writers of one deployment's threads are serialised. Called by `leading` and by `retraction`.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain

from mailweir.reading.thread_keys import ThreadKeys, subject_digest
from mailweir.store.database import batches
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse, rfc3339
from mailweir.store.record import thread_state
from mailweir.store.record.thread_state import ThreadState

FALLBACK_DAYS = 7
_CLOCK_SLACK = timedelta(hours=1)  # tolerance for senders' clocks
_MAX_OF_SUBJECT = 500  # mails with one subject that are examined, the last recorded ones
_LOCK_CLASS = 7_305  # of PostgreSQL's advisory locks with two numbers: ours, and the deployment's


@dataclass(frozen=True, slots=True, kw_only=True)
class Placing:
    """An activity to be put into a thread. author: the activity's. is_proven: the author is proven for the keys
    (`verdicts.authors`). If the author is proven, the activity merges the threads that it names and in which the author has
    another proven message. Otherwise it keeps its thread, or joins the oldest that it names. is_other: the keys are from another
    version than the keys that determined the activity's thread, so it leaves that thread if the keys don't name it."""

    activity_id: int
    keys: ThreadKeys
    author: str
    is_proven: bool
    is_other: bool = False


def assign(
    database: Database,
    activity_id: int,
    deployment_id: int,
    keys: ThreadKeys,
    *,
    author: str,
    is_proven: bool,
    is_other: bool = False,
    now: datetime,
) -> int:
    """Finds or makes the thread of one activity, as `assign_all` does. See `Placing`."""
    one = Placing(activity_id=activity_id, keys=keys, author=author, is_proven=is_proven, is_other=is_other)
    return assign_all(database, deployment_id, [one], now)[activity_id]


def assign_all(database: Database, deployment_id: int, placings: Sequence[Placing], now: datetime) -> dict[int, int]:
    """Finds or makes the threads of a deployment's activities, one after the other, in the caller's transaction; returns them by
    activity. An activity with a thread keeps it, and merges it with those that it names (see `Placing`)."""
    _lock(database, deployment_id)
    digests = chain.from_iterable(_digests(one.keys) for one in placings)
    state = ThreadState(database, deployment_id, [one.activity_id for one in placings], digests)
    found = {one.activity_id: _assign(database, deployment_id, one, state, now) for one in placings}
    state.flush()
    # A later activity may have merged the thread of an earlier one.
    return {activity_id: state.thread(activity_id) or thread_id for activity_id, thread_id in found.items()}


def _assign(database: Database, deployment_id: int, one: Placing, state: ThreadState, now: datetime) -> int:
    keys, activity_id = one.keys, one.activity_id
    subject = subject_digest(keys.base_subject)
    named = _named(state, keys, subject)
    before = state.thread(activity_id)
    row = state.known(keys.own) if keys.own else None
    by_subject = []
    if (not before or one.is_other) and keys.is_reply and not keys.has_ids and keys.base_subject:
        state.flush()
        by_subject = _by_subject(database, deployment_id, activity_id, subject)
    if before and one.is_other and _leave(database, activity_id, before, [*named, *by_subject], state):
        before = row = None
    # An id that another activity has is no evidence: some programs write one id into many mails.
    if row and row.held_by in (None, activity_id) and (row.named_by != "references" or row.subject == subject):
        named.append(row.thread_id)
    found = list(dict.fromkeys([*([before] if before else ()), *sorted(set(named))])) or by_subject
    thread_id = found[0] if found else _make(database, deployment_id, now)
    if len(found) > 1 and one.is_proven:
        state.flush()
        mergeable = [each for each in found if _takes_part(database, each, one, is_own=each == before)]
        if thread_id in mergeable:
            thread_id = _merge(database, sorted(mergeable), state)
    if before is None:
        state.join(activity_id, thread_id, subject)
    state.note(activity_id, thread_id, keys, subject)
    return thread_id


def current(database: Database, thread_id: int) -> int:
    """The surviving thread if this one was merged into another; itself if it wasn't, or doesn't exist."""
    row = database.execute("SELECT merged_into FROM threads WHERE id = ?", (thread_id,)).fetchone()
    return int(row[0]) if row and row[0] is not None else thread_id


def of(database: Database, activity_id: int) -> int | None:
    """An activity's thread; None if it isn't read yet."""
    row = database.execute("SELECT thread_id FROM activity_threads WHERE activity_id = ?", (activity_id,)).fetchone()
    return int(row[0]) if row else None


def of_all(database: Database, activity_ids: Collection[int]) -> dict[int, int]:
    """The threads of activities, by activity, without those that have none yet."""
    return thread_state.threads_of(database, activity_ids)


def activities(database: Database, deployment_id: int, thread_id: int) -> list[int]:
    """The ids of a thread's activities in a deployment, the first recorded first."""
    sql = "SELECT activity_id FROM activity_threads WHERE thread_id = ? AND deployment_id = ? ORDER BY activity_id"
    return [row[0] for row in database.execute(sql, (current(database, thread_id), deployment_id)).fetchall()]


def put_together(database: Database, deployment_id: int, *, old: int, kept: int, own: int) -> None:
    """Makes two activities one, which is in the thread of `own` from now on; `own` is `old` or `kept`. Call it within the
    transaction that joins them. A thread that contained only the other activity is merged into it."""
    _lock(database, deployment_id)
    found = of_all(database, [old, kept])
    database.execute("UPDATE thread_message_ids SET held_by = ? WHERE held_by = ?", (kept, old))
    wanted, other = found.get(own), found.get(kept if own == old else old)
    sql = "SELECT subject_digest FROM activity_threads WHERE activity_id = ?"
    row = database.execute(sql, (own,)).fetchone()
    database.execute("DELETE FROM activity_threads WHERE activity_id IN (?, ?)", (old, kept))
    if wanted is None or row is None:
        return
    batches.insert(
        database, "activity_threads", thread_state.JOINED_COLUMNS, [(kept, deployment_id, wanted, bytes(row[0]))]
    )
    others = "SELECT 1 FROM activity_threads WHERE thread_id = ? LIMIT 1"
    if other not in (None, wanted) and database.execute(others, (other,)).fetchone() is None:
        _merge(database, sorted((wanted, int(other or 0))), ThreadState(database, deployment_id, (), ()))


def release(database: Database, activity_id: int) -> None:
    """Deletes the ids that an activity has, before it is erased or leaves its thread. The thread's id stays reserved."""
    database.execute("DELETE FROM thread_message_ids WHERE held_by = ?", (activity_id,))


def _leave(database: Database, activity_id: int, thread_id: int, named: Collection[int], state: ThreadState) -> bool:
    """Takes an activity, with its ids, out of a thread that its message doesn't name; returns whether it did.

    Anybody may send a copy of a mail that names another conversation, and the copy may arrive before the mail itself. An activity
    that is alone in its thread stays there if its message names no other thread, because readers may know the thread's id by now.
    """
    state.flush()
    others = "SELECT 1 FROM activity_threads WHERE thread_id = ? AND activity_id <> ? LIMIT 1"
    is_alone = database.execute(others, (thread_id, activity_id)).fetchone() is None
    if thread_id in named or (is_alone and not named):
        return False
    release(database, activity_id)
    database.execute("DELETE FROM activity_threads WHERE activity_id = ?", (activity_id,))
    state.released(activity_id)
    return True


def _digests(keys: ThreadKeys) -> tuple[bytes, ...]:
    return (*((keys.own,) if keys.own else ()), *keys.in_reply_to, *keys.references)


def _named(state: ThreadState, keys: ThreadKeys, subject: bytes) -> list[int]:
    """The threads of the ids that a message names, without its own id."""
    answered = [row.thread_id for one in keys.in_reply_to if (row := state.known(one))]
    return answered + [row.thread_id for one in keys.references if (row := state.known(one)) and row.subject == subject]


def _lock(database: Database, deployment_id: int) -> None:
    if not database.is_sqlite:
        database.execute("SELECT pg_advisory_xact_lock(?, CAST(? AS integer))", (_LOCK_CLASS, deployment_id % 2**31))


def _by_subject(database: Database, deployment_id: int, activity_id: int, subject: bytes) -> list[int]:
    """The thread of the last mail with the same contact and subject, sent in the days before this one.

    The time of sending counts, because a mailbox's mail of several years may be recorded within an hour.
    """
    own = "SELECT COALESCE(sent_at, recorded_at) FROM activities WHERE id = ?"
    row = database.execute(own, (activity_id,)).fetchone()
    if row is None:
        return []
    moment = parse(row[0])
    try:
        since, until = rfc3339(moment - timedelta(days=FALLBACK_DAYS)), rfc3339(moment + _CLOCK_SLACK)
    except OverflowError:  # Date has the year 1 or 9999
        return []
    sql = (
        "SELECT t.thread_id FROM (SELECT activity_id, thread_id FROM activity_threads WHERE deployment_id = ?"
        " AND subject_digest = ? AND activity_id <> ? ORDER BY activity_id DESC LIMIT ?) AS t"
        " JOIN activities a ON a.id = t.activity_id"
        " WHERE COALESCE(a.sent_at, a.recorded_at) >= ? AND COALESCE(a.sent_at, a.recorded_at) <= ? AND EXISTS"
        " (SELECT 1 FROM activity_contacts mine JOIN activity_contacts other ON other.contact_id = mine.contact_id"
        " WHERE mine.activity_id = ? AND other.activity_id = a.id) ORDER BY a.id DESC LIMIT 1"
    )
    values = (deployment_id, subject, activity_id, _MAX_OF_SUBJECT, since, until, activity_id)
    return [found for (found,) in database.execute(sql, values).fetchall()]


def _make(database: Database, deployment_id: int, now: datetime) -> int:
    sql = "INSERT INTO threads (deployment_id, created_at) VALUES (?, ?) RETURNING id"
    return int(database.execute(sql, (deployment_id, rfc3339(now))).fetchone()[0])


def _takes_part(database: Database, thread_id: int, one: Placing, *, is_own: bool) -> bool:
    """Does the activity's author have another proven message in the thread? Also true if the activity is alone in it. is_own: the
    activity is in this thread."""
    others = "SELECT 1 FROM activity_threads WHERE thread_id = ? AND activity_id <> ? LIMIT 1"
    if is_own and database.execute(others, (thread_id, one.activity_id)).fetchone() is None:
        return True
    sql = (
        "SELECT 1 FROM activity_threads t JOIN activities a ON a.id = t.activity_id WHERE t.thread_id = ? AND a.author = ?"
        " AND a.sender_verdict = 'pass' AND a.id <> ? LIMIT 1"
    )
    return database.execute(sql, (thread_id, one.author, one.activity_id)).fetchone() is not None


def _merge(database: Database, thread_ids: list[int], state: ThreadState) -> int:
    """Merges threads into the oldest one, and returns its id. No merged thread refers to another merged thread afterwards."""
    survivor, *others = thread_ids
    for sql in (
        "UPDATE activity_threads SET thread_id = ? WHERE thread_id IN ({})",
        "UPDATE thread_message_ids SET thread_id = ? WHERE thread_id IN ({})",
        "UPDATE threads SET merged_into = ? WHERE merged_into IN ({})",
        "UPDATE threads SET merged_into = ? WHERE id IN ({})",
    ):
        batches.change(database, sql, (survivor,), others)
    state.merged(survivor, others)
    return survivor
