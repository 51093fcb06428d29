"""Is a proof of a version's author over the ids of its conversation, too (`raw_messages.proves_ids`): 1, or 0.

NULL: examined before that was kept, or not yet.
"""

from typing import Any

ONLY_ADDS = True


def up(migrator: Any, db: Any) -> None:
    """Adds the column."""
    integer = "INTEGER" if type(db).__name__ == "SqliteDatabase" else "BIGINT"
    db.execute_sql(f"ALTER TABLE raw_messages ADD COLUMN proves_ids {integer}")
