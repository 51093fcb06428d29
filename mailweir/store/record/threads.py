"""Conversations: which thread an activity belongs to, by the ids that its message has and names (`reading.thread_keys`).

A message may come before the one that it answers, so an id is known as soon as it is named. What names two threads merges them,
and the older one goes on; whoever kept the other's id finds it by `current`. In plain SQL, in the caller's transaction, which
writers of one deployment's threads pass through one after the other. Called by the digest and by `retraction`.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from mailweir.reading.thread_keys import ThreadKeys, subject_digest
from mailweir.store.database import batches
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import rfc3339

FALLBACK_DAYS = 7
_LOCK_CLASS = 7_305  # of PostgreSQL's advisory locks of two numbers: ours, and the deployment


def assign(
    database: Database,
    activity_id: int,
    deployment_id: int,
    keys: ThreadKeys,
    *,
    author: str,
    is_proven: bool,
    now: datetime,
) -> int:
    """The thread of an activity, found or made; in the caller's transaction. One that it has it keeps, and merges what it names.

    author: the activity's. Only one who is proven, and has a message in each of the threads, merges them; else it joins the
    first.
    """
    _lock(database, deployment_id)
    subject = subject_digest(keys.base_subject)
    known = _rows(database, deployment_id, (*((keys.own,) if keys.own else ()), *keys.in_reply_to, *keys.references))
    named = [known[one][0] for one in keys.in_reply_to if one in known]
    named += [known[one][0] for one in keys.references if one in known and known[one][2] == subject]
    row = known.get(keys.own) if keys.own else None
    # an id that another activity has says nothing: programs write one into many mails
    if row and row[3] in (None, activity_id) and (row[1] != "references" or row[2] == subject):
        named.append(row[0])
    before = database.execute("SELECT thread_id FROM activity_threads WHERE activity_id = ?", (activity_id,)).fetchone()
    found = list(dict.fromkeys(([before[0]] if before else []) + sorted(set(named))))
    if not found and keys.is_reply and not keys.has_ids and keys.base_subject:
        found = _by_subject(database, deployment_id, activity_id, subject, now)
    thread_id = found[0] if found else _make(database, deployment_id, now)
    own = before[0] if before else None
    mergeable = [
        one for one in found if is_proven and _takes_part(database, one, author, activity_id, is_own=one == own)
    ]
    if len(found) > 1 and thread_id in mergeable:
        thread_id = _merge(database, sorted({thread_id, *mergeable}))
    if before is None:
        sql = "INSERT INTO activity_threads (activity_id, deployment_id, thread_id, subject_digest) VALUES (?, ?, ?, ?)"
        database.execute(sql, (activity_id, deployment_id, thread_id, subject))
    _note(database, deployment_id, activity_id, thread_id, keys, subject)
    return thread_id


def current(database: Database, thread_id: int) -> int:
    """The thread that goes on where this one was merged into another; itself where it wasn't, or never was."""
    row = database.execute("SELECT merged_into FROM threads WHERE id = ?", (thread_id,)).fetchone()
    return int(row[0]) if row and row[0] is not None else thread_id


def activities(database: Database, deployment_id: int, thread_id: int) -> list[int]:
    """The ids of a thread's activities in a deployment, the first recorded first."""
    sql = "SELECT activity_id FROM activity_threads WHERE thread_id = ? AND deployment_id = ? ORDER BY activity_id"
    return [row[0] for row in database.execute(sql, (current(database, thread_id), deployment_id)).fetchall()]


def release(database: Database, activity_id: int) -> None:
    """Forgets which ids an activity has, before it is erased. Its thread's id stays taken."""
    database.execute("DELETE FROM thread_message_ids WHERE held_by = ?", (activity_id,))


def _lock(database: Database, deployment_id: int) -> None:
    if not database.is_sqlite:
        database.execute("SELECT pg_advisory_xact_lock(?, CAST(? AS integer))", (_LOCK_CLASS, deployment_id % 2**31))


def _rows(
    database: Database, deployment_id: int, digests: Iterable[bytes]
) -> dict[bytes, tuple[int, str, bytes, int | None]]:
    """Thread, how it is known, subject and activity, by digest."""
    sql = (
        "SELECT id_digest, thread_id, named_by, subject_digest, held_by FROM thread_message_ids"
        " WHERE deployment_id = ? AND id_digest IN ({})"
    )
    found = batches.among(database, sql, (deployment_id,), list(dict.fromkeys(digests)))
    return {
        bytes(one): (thread, named_by, bytes(subject), held_by) for one, thread, named_by, subject, held_by in found
    }


def _by_subject(database: Database, deployment_id: int, activity_id: int, subject: bytes, now: datetime) -> list[int]:
    sql = (
        "SELECT t.thread_id FROM activity_threads t JOIN activities a ON a.id = t.activity_id"
        " WHERE t.deployment_id = ? AND t.subject_digest = ? AND a.recorded_at >= ? AND a.id <> ? AND EXISTS"
        " (SELECT 1 FROM activity_contacts mine JOIN activity_contacts other ON other.contact_id = mine.contact_id"
        " WHERE mine.activity_id = ? AND other.activity_id = a.id) ORDER BY a.id DESC LIMIT 1"
    )
    since = rfc3339(now - timedelta(days=FALLBACK_DAYS))
    return [
        row[0] for row in database.execute(sql, (deployment_id, subject, since, activity_id, activity_id)).fetchall()
    ]


def _make(database: Database, deployment_id: int, now: datetime) -> int:
    sql = "INSERT INTO threads (deployment_id, created_at) VALUES (?, ?) RETURNING id"
    return int(database.execute(sql, (deployment_id, rfc3339(now))).fetchone()[0])


def _takes_part(database: Database, thread_id: int, author: str, without: int, *, is_own: bool) -> bool:
    """Has the author a proven message in it besides this one? is_own: this one is in it, and may be all that is."""
    others = "SELECT 1 FROM activity_threads WHERE thread_id = ? AND activity_id <> ? LIMIT 1"
    if is_own and database.execute(others, (thread_id, without)).fetchone() is None:
        return True
    sql = (
        "SELECT 1 FROM activity_threads t JOIN activities a ON a.id = t.activity_id WHERE t.thread_id = ? AND a.author = ?"
        " AND a.sender_verdict = 'pass' AND a.id <> ? LIMIT 1"
    )
    return database.execute(sql, (thread_id, author, without)).fetchone() is not None


def _merge(database: Database, thread_ids: list[int]) -> int:
    """The oldest, which all others are part of now; none points at one that was merged itself."""
    survivor, *others = thread_ids
    for sql in (
        "UPDATE activity_threads SET thread_id = ? WHERE thread_id IN ({})",
        "UPDATE thread_message_ids SET thread_id = ? WHERE thread_id IN ({})",
        "UPDATE threads SET merged_into = ? WHERE merged_into IN ({})",
        "UPDATE threads SET merged_into = ? WHERE id IN ({})",
    ):
        batches.change(database, sql, (survivor,), others)
    return survivor


def _note(
    database: Database, deployment_id: int, activity_id: int, thread_id: int, keys: ThreadKeys, subject: bytes
) -> None:
    """Remembers the ids that the message has and names. Which thread a known one belongs to stays, but for its own."""
    rows = [(deployment_id, one, thread_id, "in_reply_to", subject, None) for one in keys.in_reply_to]
    rows += [(deployment_id, one, thread_id, "references", subject, None) for one in keys.references]
    columns = ("deployment_id", "id_digest", "thread_id", "named_by", "subject_digest", "held_by")
    batches.insert(database, "thread_message_ids", columns, rows, "ON CONFLICT (deployment_id, id_digest) DO NOTHING")
    if keys.own:
        own = [(deployment_id, keys.own, thread_id, "own", subject, activity_id)]
        ending = (
            "ON CONFLICT (deployment_id, id_digest) DO UPDATE SET thread_id = excluded.thread_id, named_by = 'own',"
            " subject_digest = excluded.subject_digest, held_by = excluded.held_by WHERE thread_message_ids.held_by IS NULL"
        )
        batches.insert(database, "thread_message_ids", columns, own, ending)
