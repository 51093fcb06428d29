"""Which activity goes on where one was joined to another: an id that somebody kept still leads to its mail. In plain SQL.

Called by whoever finds an activity by an id that comes from outside.
"""

from mailweir.store.database.connection import Database


def current(database: Database, activity_id: int) -> int | None:
    """The activity that this one was joined to; None where it was joined to none. Who may read it is asked of that one."""
    if abs(activity_id) >= 2**63:
        return None
    sql = "SELECT activity_id FROM joined_activities WHERE old_id = ? AND joined_at IS NOT NULL"
    row = database.execute(sql, (activity_id,)).fetchone()
    return int(row[0]) if row else None
