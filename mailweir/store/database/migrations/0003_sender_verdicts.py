"""The sender verdict of each body: was its author proven, and when is the next try?

The index contains only waiting bodies, so that looking for one costs nothing if none waits. All existing bodies wait.
"""

from typing import Any

STATEMENTS = (
    "ALTER TABLE raw_messages ADD COLUMN verdict TEXT NOT NULL DEFAULT 'pending'"
    " CHECK (verdict IN ('pending', 'pass', 'fail', 'none'))",
    "ALTER TABLE raw_messages ADD COLUMN examined_at TEXT",
    "ALTER TABLE raw_messages ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0",
    # The empty string sorts before every time: due at once.
    "ALTER TABLE raw_messages ADD COLUMN next_try_at TEXT NOT NULL DEFAULT ''",
    # The index includes verdict, so that SQLite doesn't read it from the row, where it is behind megabytes of content.
    "CREATE INDEX raw_messages_pending ON raw_messages(verdict, next_try_at, id) WHERE verdict = 'pending'",
)


def up(migrator: Any, db: Any) -> None:
    """Adds the columns and their index."""
    for statement in STATEMENTS:
        db.execute_sql(statement)
