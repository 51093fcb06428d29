"""Does the proof of a version's author also cover the headers that name its thread (`raw_messages.proves_ids`)? 1, or 0.

NULL: examined before this was stored, or not yet.
"""

from typing import Any

ONLY_ADDS = True


def up(migrator: Any, db: Any) -> None:
    """Adds the column."""
    integer = "INTEGER" if type(db).__name__ == "SqliteDatabase" else "BIGINT"
    db.execute_sql(f"ALTER TABLE raw_messages ADD COLUMN proves_ids {integer}")
