"""Which activities have others in their conversation that a reader sees, so that a list leads there. Never writes. Called by the
page."""

from collections.abc import Sequence

from mailweir.store.database import batches
from mailweir.store.database.connection import Database
from mailweir.store.record.visibility import Reader

LOOKED_AT = 20  # others of each thread, the newest: a thread may be a program's, with thousands


def with_others(database: Database, reader: Reader, activity_ids: Sequence[int]) -> frozenset[int]:
    """Those of these activities in whose thread the reader sees all of another one, among the newest of it (law 13: what the
    reader sees no more than the metadata of belongs to no thread)."""
    found: set[int] = set()
    of_reader = ",".join("?" * len(reader.user_ids))
    for part in batches.parts(activity_ids):
        marks = ",".join("?" * len(part))
        sql = (
            f"SELECT own.activity_id FROM activity_threads own WHERE own.activity_id IN ({marks}) AND EXISTS ("
            # joined, not asked by IN: PostgreSQL would try all of the deployment's activities against it
            "SELECT 1 FROM (SELECT near.activity_id FROM activity_threads near WHERE near.thread_id = own.thread_id"
            " AND near.activity_id <> own.activity_id ORDER BY near.activity_id DESC LIMIT ?) near"
            " JOIN activities a ON a.id = near.activity_id WHERE a.deployment_id = ? AND (a.visibility = 'everyone'"
            # counted: for EXISTS it would gather all that the reader takes part in
            " OR (SELECT COUNT(*) FROM activity_users mine WHERE mine.activity_id = a.id"
            f" AND mine.user_id IN ({of_reader})) > 0))"
        )
        rows = database.execute(sql, (*part, LOOKED_AT, reader.deployment_id, *reader.user_ids)).fetchall()
        found.update(activity_id for (activity_id,) in rows)
    return frozenset(found)
