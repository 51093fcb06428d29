"""The OAuth client that a mailbox's token belongs to, and the public half of the key file's pair.

`client_id`: NULL for the client of `gmail.oauth_client_file`, to which all existing tokens belong. `sealing_keys`: one row. With
its public key the page seals tokens, but it can't open them. The processes that read the key file write the row.
"""

from typing import Any

ONLY_ADDS = True

_TABLE = """CREATE TABLE sealing_keys (
    id {kind} NOT NULL PRIMARY KEY CHECK (id = 1),
    public_key TEXT NOT NULL,
    noted_at TEXT NOT NULL)"""


def up(migrator: Any, db: Any) -> None:
    """Adds the column and the table."""
    kind = "INTEGER" if type(db).__name__ == "SqliteDatabase" else "BIGINT"
    db.execute_sql("ALTER TABLE gmail_mailboxes ADD COLUMN client_id TEXT")
    db.execute_sql(_TABLE.format(kind=kind))
