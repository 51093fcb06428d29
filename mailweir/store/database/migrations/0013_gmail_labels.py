"""The labels that a decision of the sync used (`mailweir.gmail_labels`), and until when a message in its queue is held.

NULL: decided before labels were stored, or not by the sync.
"""

from typing import Any

STATEMENTS = (
    "ALTER TABLE decisions ADD COLUMN labels INTEGER",
    "ALTER TABLE gmail_queue ADD COLUMN held_until TEXT",
)


def up(migrator: Any, db: Any) -> None:
    """Adds the columns."""
    is_sqlite = type(db).__name__ == "SqliteDatabase"
    for statement in STATEMENTS:
        db.execute_sql(statement if is_sqlite else statement.replace(" INTEGER", " BIGINT"))
