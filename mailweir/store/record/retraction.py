"""Takes off the record what was never sent: a scheduled mail that was cancelled, and is a draft again.

What another route has seen, too, stays. Called by the sync, within its transaction; `erase` takes it out of the files afterwards.
"""

from mailweir.store.database.connection import Database
from mailweir.store.record import erase, threads

OF_ACTIVITY = (
    "activity_threads",
    "todos",
    "activity_users",
    "activity_contacts",
    "sightings",
    "decisions",
    "raw_messages",
)


def ends_examination(database: Database, deployment_id: int, source_id: str) -> bool:
    """Has the digest nothing to do with it any more? Else that is ended here, and `retract` waits for what it does just now.

    SQLite gives the number of a deleted row anew, and a verdict on the one must not become the other's.
    """
    pending = (
        "UPDATE raw_messages SET verdict = 'none' WHERE verdict = 'pending' AND activity_id IN"
        " (SELECT activity_id FROM decisions WHERE source_id = ? AND deployment_id = ?)"
    )
    return not database.fast_execute()(pending, (source_id, deployment_id)).rowcount


def retract(database: Database, deployment_id: int, source_id: str) -> int | None:
    """Forgets that this source was recorded; the activity's id where nothing of it is left, else None."""
    execute = database.fast_execute()
    row = execute(
        "SELECT activity_id FROM decisions WHERE source_id = ? AND deployment_id = ?", (source_id, deployment_id)
    ).fetchone()
    if row is None or row[0] is None:
        return None
    activity_id = int(row[0])
    execute("DELETE FROM decisions WHERE source_id = ? AND deployment_id = ?", (source_id, deployment_id))
    execute("DELETE FROM sightings WHERE activity_id = ? AND source_id = ?", (activity_id, source_id))
    if execute("SELECT 1 FROM sightings WHERE activity_id = ? LIMIT 1", (activity_id,)).fetchone():
        return None
    threads.release(database, activity_id)
    execute("UPDATE activities SET leading_raw_id = NULL WHERE id = ?", (activity_id,))
    erase.forget_words(database, activity_id)
    for table in OF_ACTIVITY:
        execute(f"DELETE FROM {table} WHERE activity_id = ?", (activity_id,))
    execute("DELETE FROM activities WHERE id = ?", (activity_id,))
    return activity_id
