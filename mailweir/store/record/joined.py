"""The surviving activity of a joined one: an old id still leads to its mail. In plain SQL.

Called by functions that find an activity by an id from outside.
"""

from mailweir.store.database.connection import Database


def current(database: Database, activity_id: int) -> int | None:
    """The activity that this one was joined to; None if it wasn't joined. The access check applies to the surviving one."""
    if abs(activity_id) >= 2**63:
        return None
    sql = "SELECT activity_id FROM joined_activities WHERE old_id = ? AND joined_at IS NOT NULL"
    row = database.execute(sql, (activity_id,)).fetchone()
    return int(row[0]) if row else None
