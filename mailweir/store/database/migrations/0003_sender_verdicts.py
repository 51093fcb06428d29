"""The sender verdict of each body: was its author proven, and when is it to be asked next.

The index holds only bodies that wait, so that looking for one costs nothing where there is none. Every body recorded so far
waits.
"""

from typing import Any

STATEMENTS = (
    "ALTER TABLE raw_messages ADD COLUMN verdict TEXT NOT NULL DEFAULT 'pending'"
    " CHECK (verdict IN ('pending', 'pass', 'fail', 'none'))",
    "ALTER TABLE raw_messages ADD COLUMN examined_at TEXT",
    "ALTER TABLE raw_messages ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0",
    # empty sorts before every time: at once
    "ALTER TABLE raw_messages ADD COLUMN next_try_at TEXT NOT NULL DEFAULT ''",
    # verdict is in it, so that SQLite doesn't look for it in the row, behind megabytes of content
    "CREATE INDEX raw_messages_pending ON raw_messages(verdict, next_try_at, id) WHERE verdict = 'pending'",
)


def up(migrator: Any, db: Any) -> None:
    """Adds the columns and their index."""
    for statement in STATEMENTS:
        db.execute_sql(statement)
