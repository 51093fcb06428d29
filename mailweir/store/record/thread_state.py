"""One transaction's view of a deployment's threads, and its pending writes. Few statements read and write the rows of many mails.

It is made after the deployment was locked, so nobody else writes these rows meanwhile. Call `flush` before querying the database
itself. In plain SQL. Called by `threads`.
"""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from mailweir.reading.thread_keys import ThreadKeys
from mailweir.store.database import batches
from mailweir.store.database.connection import Database

JOINED_COLUMNS = ("activity_id", "deployment_id", "thread_id", "subject_digest")
_ID_COLUMNS = ("deployment_id", "id_digest", "thread_id", "named_by", "subject_digest", "held_by")


class Known(NamedTuple):
    """The known facts about a message's id. named_by: the header that named it: `own`, `in_reply_to` or `references`. held_by:
    the activity whose own id it is, or None."""

    thread_id: int
    named_by: str
    subject: bytes
    held_by: int | None


class ThreadState:
    """The threads of these activities, and the known facts about these ids, for one transaction."""

    def __init__(
        self, database: Database, deployment_id: int, activity_ids: Collection[int], digests: Iterable[bytes]
    ) -> None:
        self._database = database
        self._deployment_id = deployment_id
        self._ids = _known(database, deployment_id, list(dict.fromkeys(digests)))
        self._threads = threads_of(database, activity_ids)
        self._new_ids: dict[bytes, None] = {}
        self._new_threads: dict[int, bytes] = {}

    def known(self, digest: bytes) -> Known | None:
        """The known facts about an id; None if there are none."""
        return self._ids.get(digest)

    def thread(self, activity_id: int) -> int | None:
        """The thread of an activity."""
        return self._threads.get(activity_id)

    def join(self, activity_id: int, thread_id: int, subject: bytes) -> None:
        """Puts an activity without a thread into this one."""
        self._threads[activity_id] = thread_id
        self._new_threads[activity_id] = subject

    def note(self, activity_id: int, thread_id: int, keys: ThreadKeys, subject: bytes) -> None:
        """Stores the ids that a message has and names. A known id keeps its thread, except the message's own id, if no other
        activity has that id."""
        for named_by, digests in (("in_reply_to", keys.in_reply_to), ("references", keys.references)):
            for one in digests:
                if one not in self._ids:
                    self._remember(one, Known(thread_id, named_by, subject, None))
        if keys.own:
            own = self._ids.get(keys.own)
            if own is None or own.held_by is None:
                self._remember(keys.own, Known(thread_id, "own", subject, activity_id))

    def released(self, activity_id: int) -> None:
        """Notes that the activity was removed from its thread in the database, and its ids were deleted."""
        self._threads.pop(activity_id, None)
        self._ids = {digest: row for digest, row in self._ids.items() if row.held_by != activity_id}

    def merged(self, survivor: int, others: Collection[int]) -> None:
        """Notes that the other threads were merged into the surviving one in the database."""
        self._threads = {one: survivor if thread in others else thread for one, thread in self._threads.items()}
        self._ids = {
            digest: row._replace(thread_id=survivor) if row.thread_id in others else row
            for digest, row in self._ids.items()
        }

    def flush(self) -> None:
        """Writes the pending rows."""
        new_threads = [
            (activity_id, self._deployment_id, self._threads[activity_id], subject)
            for activity_id, subject in self._new_threads.items()
        ]
        batches.insert(self._database, "activity_threads", JOINED_COLUMNS, new_threads)
        new_ids = [(self._deployment_id, digest, *self._ids[digest]) for digest in self._new_ids]
        ending = (
            "ON CONFLICT (deployment_id, id_digest) DO UPDATE SET thread_id = excluded.thread_id,"
            " named_by = excluded.named_by, subject_digest = excluded.subject_digest, held_by = excluded.held_by"
            " WHERE thread_message_ids.held_by IS NULL"
        )
        batches.insert(self._database, "thread_message_ids", _ID_COLUMNS, new_ids, ending)
        self._new_threads, self._new_ids = {}, {}

    def _remember(self, digest: bytes, row: Known) -> None:
        self._ids[digest] = row
        self._new_ids[digest] = None


def _known(database: Database, deployment_id: int, digests: Collection[bytes]) -> dict[bytes, Known]:
    sql = (
        "SELECT id_digest, thread_id, named_by, subject_digest, held_by FROM thread_message_ids"
        " WHERE deployment_id = ? AND id_digest IN ({})"
    )
    return {
        bytes(digest): Known(thread_id, named_by, bytes(subject), held_by)
        for digest, thread_id, named_by, subject, held_by in batches.among(database, sql, (deployment_id,), digests)
    }


def threads_of(database: Database, activity_ids: Collection[int]) -> dict[int, int]:
    """The threads of activities, by activity, without those that have none yet."""
    sql = "SELECT activity_id, thread_id FROM activity_threads WHERE activity_id IN ({})"
    return dict(batches.among(database, sql, (), activity_ids))
