"""When a consent expires: after seven days, if the app is "in testing". NULL: it doesn't expire, or the time isn't known."""

from typing import Any


def up(migrator: Any, db: Any) -> None:
    """Adds the column."""
    db.execute_sql("ALTER TABLE gmail_mailboxes ADD COLUMN consent_ends_at TEXT")
