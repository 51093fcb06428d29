"""Google's refusal of the app (the OAuth client, the service account, the project), for any mailbox.

At most one row, because all mailboxes share the app. Written by the sync, shown by the command line and `doctor`.
"""

from dataclasses import dataclass
from datetime import datetime

from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse, rfc3339


@dataclass(frozen=True, slots=True)
class AppRefusal:
    """error: the refusal in words, with its remedy. since: when it was first refused, UTC."""

    error: str
    since: datetime


def put(database: Database, error: str, now: datetime) -> None:
    """Records that the app is refused; the time of the first refusal stays."""
    with database.transaction(alone=False):
        database.fast_execute()(
            "INSERT INTO gmail_app (id, error, since) VALUES (1, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET error = excluded.error",
            (error, rfc3339(now)),
        )


def clear(database: Database) -> bool:
    """Records that the app is accepted; returns whether it was refused before."""
    with database.transaction(alone=False):
        return bool(database.fast_execute()("DELETE FROM gmail_app").rowcount)


def find(database: Database) -> AppRefusal | None:
    """Google's current refusal of the app, or None."""
    row = database.execute("SELECT error, since FROM gmail_app").fetchone()
    return AppRefusal(row[0], parse(row[1])) if row else None
