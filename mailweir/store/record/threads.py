"""Conversations: which thread an activity belongs to, by the ids that its message has and names (`reading.thread_keys`).

A message may come before the one that it answers, so an id is known as soon as it is named. What names two threads merges them,
and the older one goes on; whoever kept the other's id finds it by `current`. In plain SQL, in the caller's transaction, which
writers of one deployment's threads pass through one after the other. Called by the digest and by `retraction`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from mailweir.reading.thread_keys import ThreadKeys, subject_digest
from mailweir.store.database import batches
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import rfc3339

FALLBACK_DAYS = 7
_NOT_WRITTEN = 2**62
_THREAD_COLUMNS = ("activity_id", "deployment_id", "thread_id", "subject_digest")
_ID_COLUMNS = ("deployment_id", "id_digest", "thread_id", "named_by", "subject_digest", "held_by")
_LOCK_CLASS = 7_305  # of PostgreSQL's advisory locks of two numbers: ours, and the deployment


@dataclass(frozen=True, slots=True)
class Joining:
    """An activity that is to have a thread. keys: of its leading version. author: its own, in normal form."""

    activity_id: int
    keys: ThreadKeys
    author: str
    is_proven: bool


def assign(database: Database, deployment_id: int, wanted: Sequence[Joining], now: datetime) -> dict[int, int]:
    """The threads of activities of one deployment, found or made, by activity; in the caller's transaction, one after the other.
    An activity that has one keeps it, and merges what it names.

    Only an author who is proven, and has a message in each of the threads, merges them; else his joins the first.
    """
    _lock(database, deployment_id)
    batch = _Batch(database, deployment_id, wanted, now)
    for one in wanted:
        batch.assign(one)
    batch.write()
    return {one.activity_id: batch.threads[one.activity_id] for one in wanted}


def current(database: Database, thread_id: int) -> int:
    """The thread that goes on where this one was merged into another; itself where it wasn't, or never was."""
    row = database.execute("SELECT merged_into FROM threads WHERE id = ?", (thread_id,)).fetchone()
    return int(row[0]) if row and row[0] is not None else thread_id


def of(database: Database, activity_id: int) -> int | None:
    """An activity's thread; None where it isn't read yet."""
    row = database.execute("SELECT thread_id FROM activity_threads WHERE activity_id = ?", (activity_id,)).fetchone()
    return int(row[0]) if row else None


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


class _Known(NamedTuple):
    """An id of a message: how it is known, what the message was about, and the activity that has it."""

    thread_id: int
    named_by: str
    subject: bytes
    held_by: int | None


class _Batch:
    """What the database knows of some activities' threads and ids, read at once, and what is to be written, written at once.

    A thread that isn't written yet has a number of its own, higher than any id. Where it takes more than that (to merge, to look
    for a subject), what is to be written is written first.
    """

    def __init__(self, database: Database, deployment_id: int, wanted: Sequence[Joining], now: datetime) -> None:
        self._database = database
        self._deployment_id = deployment_id
        self._now = now
        self._digests = list(
            dict.fromkeys(
                digest
                for one in wanted
                for digest in (*((one.keys.own,) if one.keys.own else ()), *one.keys.in_reply_to, *one.keys.references)
            )
        )
        self._activity_ids = [one.activity_id for one in wanted]
        self.threads: dict[int, int] = {}
        self._known: dict[bytes, _Known] = {}
        self._made = 0
        self._new_activities: dict[int, bytes] = {}
        self._new_ids: set[bytes] = set()
        self._read()

    def assign(self, one: Joining) -> None:
        """Finds an activity's thread or makes it, and remembers the ids that its message has and names."""
        keys, subject = one.keys, subject_digest(one.keys.base_subject)
        found = self._found(one, subject)
        if not found and keys.is_reply and not keys.has_ids and keys.base_subject:
            self.write()
            found = _by_subject(self._database, self._deployment_id, one.activity_id, subject, self._now)
        thread_id = found[0] if found else self._make()
        if len(found) > 1 and one.is_proven:
            thread_id = self._merged(one, subject)
        if one.activity_id not in self.threads:
            self._new_activities[one.activity_id] = subject
        self.threads[one.activity_id] = thread_id
        self._note(one, thread_id, subject)

    def write(self) -> None:
        """Writes what is new."""
        if self._made:
            self._write_threads()
        rows: list[tuple[Any, ...]] = [
            (activity_id, self._deployment_id, self.threads[activity_id], subject)
            for activity_id, subject in self._new_activities.items()
        ]
        batches.insert(self._database, "activity_threads", _THREAD_COLUMNS, rows)
        rows = [(self._deployment_id, digest, *self._known[digest]) for digest in sorted(self._new_ids)]
        ending = (
            "ON CONFLICT (deployment_id, id_digest) DO UPDATE SET thread_id = excluded.thread_id,"
            " named_by = excluded.named_by, subject_digest = excluded.subject_digest, held_by = excluded.held_by"
            " WHERE thread_message_ids.held_by IS NULL"
        )
        batches.insert(self._database, "thread_message_ids", _ID_COLUMNS, rows, ending)
        self._new_activities.clear()
        self._new_ids.clear()

    def _read(self) -> None:
        sql = (
            "SELECT id_digest, thread_id, named_by, subject_digest, held_by FROM thread_message_ids"
            " WHERE deployment_id = ? AND id_digest IN ({})"
        )
        found = batches.among(self._database, sql, (self._deployment_id,), self._digests)
        self._known = {
            bytes(one): _Known(thread_id, named_by, bytes(subject), held_by)
            for one, thread_id, named_by, subject, held_by in found
        }
        sql = "SELECT activity_id, thread_id FROM activity_threads WHERE activity_id IN ({})"
        self.threads = dict(batches.among(self._database, sql, (), self._activity_ids))

    def _found(self, one: Joining, subject: bytes) -> list[int]:
        """Its own thread, and the others that it names, the oldest first."""
        own = self.threads.get(one.activity_id)
        return list(dict.fromkeys(([own] if own else []) + sorted(self._named(one, subject))))

    def _named(self, one: Joining, subject: bytes) -> set[int]:
        """The threads that a message names, by the ids of others or its own."""
        keys, known = one.keys, self._known
        named = {known[digest].thread_id for digest in keys.in_reply_to if digest in known}
        for digest in keys.references:
            if digest in known and known[digest].subject == subject:
                named.add(known[digest].thread_id)
        own = known.get(keys.own) if keys.own else None
        # an id that another activity has says nothing: programs write one into many mails
        if own and own.held_by in (None, one.activity_id) and (own.named_by != "references" or own.subject == subject):
            named.add(own.thread_id)
        return named

    def _make(self) -> int:
        self._made += 1
        return _NOT_WRITTEN + self._made

    def _write_threads(self) -> None:
        row = (self._deployment_id, rfc3339(self._now))
        made = batches.insert(
            self._database, "threads", ("deployment_id", "created_at"), [row] * self._made, "RETURNING id"
        )
        ids = {_NOT_WRITTEN + number: thread_id for number, (thread_id,) in enumerate(sorted(made), 1)}
        self.threads = {one: ids.get(thread_id, thread_id) for one, thread_id in self.threads.items()}
        self._known = {
            digest: one._replace(thread_id=ids.get(one.thread_id, one.thread_id)) for digest, one in self._known.items()
        }
        self._made = 0

    def _merged(self, one: Joining, subject: bytes) -> int:
        """The thread that goes on of those that its author may merge; the first, where that isn't among them."""
        self.write()
        found = self._found(one, subject)
        before = self.threads.get(one.activity_id)
        mergeable = [
            thread_id
            for thread_id in found
            if _takes_part(self._database, thread_id, one.author, one.activity_id, is_own=thread_id == before)
        ]
        if found[0] not in mergeable or len(mergeable) < 2:
            return found[0]
        survivor = _merge(self._database, sorted(mergeable))
        self._read()
        return survivor

    def _note(self, one: Joining, thread_id: int, subject: bytes) -> None:
        """Remembers the ids that the message has and names. Which thread a known one belongs to stays, but for its own."""
        for named_by, digests in (("in_reply_to", one.keys.in_reply_to), ("references", one.keys.references)):
            for digest in digests:
                if digest not in self._known:
                    self._known[digest] = _Known(thread_id, named_by, subject, None)
                    self._new_ids.add(digest)
        own = one.keys.own
        if own and (own not in self._known or self._known[own].held_by is None):
            self._known[own] = _Known(thread_id, "own", subject, one.activity_id)
            self._new_ids.add(own)


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
