"""Consents to give back to Google. The processes that read the key file give them back, because the page can't open a token.

`state`: waits, done, kept (another mailbox is read by the same consent) or failed. `token_sealed` is NULL as soon as the row no
longer waits. At most one row per user, until migration 0044.
"""

from typing import Any

ONLY_ADDS = True

_TABLE = """CREATE TABLE gmail_revocations (
    user_id INTEGER NOT NULL PRIMARY KEY REFERENCES users(id),
    address TEXT NOT NULL,
    client_id TEXT,
    token_sealed BLOB,
    state TEXT NOT NULL DEFAULT 'waits' CHECK (state IN ('done', 'failed', 'kept', 'waits')),
    attempts INTEGER NOT NULL DEFAULT 0,
    error TEXT,
    asked_at TEXT NOT NULL,
    next_try_at TEXT NOT NULL,
    ended_at TEXT)"""
_INDEX = "CREATE INDEX gmail_revocations_waiting ON gmail_revocations(next_try_at) WHERE state = 'waits'"


def up(migrator: Any, db: Any) -> None:
    """Makes the table."""
    is_sqlite = type(db).__name__ == "SqliteDatabase"
    table = _TABLE if is_sqlite else _TABLE.replace(" INTEGER", " BIGINT").replace(" BLOB", " BYTEA")
    db.execute_sql(table)
    db.execute_sql(_INDEX)
