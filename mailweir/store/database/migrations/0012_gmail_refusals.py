"""Temporary refusals of a mailbox, and whether Google accepts the app at all.

A mailbox in `reconnect` is probed now and then, so it is due, too. `gmail_app` has at most one row: Google's refusal of the app,
for any mailbox.
"""

from typing import Any

STATEMENTS = (
    "ALTER TABLE gmail_mailboxes ADD COLUMN refused_since TEXT",
    "ALTER TABLE gmail_mailboxes ADD COLUMN refusals INTEGER NOT NULL DEFAULT 0",
    "DROP INDEX gmail_mailboxes_due",
    "CREATE INDEX gmail_mailboxes_due ON gmail_mailboxes(next_sweep_at) WHERE disconnected_at IS NULL",
    """CREATE TABLE gmail_app (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        error TEXT NOT NULL,
        since TEXT NOT NULL)""",
)


def up(migrator: Any, db: Any) -> None:
    """Adds the columns and the table."""
    is_sqlite = type(db).__name__ == "SqliteDatabase"
    for statement in STATEMENTS:
        db.execute_sql(statement if is_sqlite else statement.replace(" INTEGER", " BIGINT"))
