"""When a consent expires: those of an app "in testing" do after seven days. NULL: it lasts, or that isn't known."""

from typing import Any


def up(migrator: Any, db: Any) -> None:
    """Adds the column."""
    db.execute_sql("ALTER TABLE gmail_mailboxes ADD COLUMN consent_ends_at TEXT")
