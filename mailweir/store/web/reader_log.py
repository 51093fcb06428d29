"""The log of readers and the messages that they read: ids only, once for each hour and kind of reading. Lists aren't logged.

Entries stay when the activity is erased. Called by the page: where it sends text, HTML, the raw message or an attachment, and
where an admin views the log.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mailweir.store.database import rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse, rfc3339

MAX_LIMIT = 200
_HOUR_CHARS = len("2026-11-24T03")


class What(StrEnum):
    """The part that was read."""

    ATTACHMENT = "attachment"
    HTML = "html"
    RAW = "raw"
    TEXT = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """One line of the log. account: its name, also of a removed account. read_at: UTC, the first time in that hour."""

    id: int
    account_id: int
    account: str
    activity_id: int
    what: What
    read_at: datetime


def note(database: Database, deployment_id: int, account_id: int, activity_id: int, what: What, now: datetime) -> None:
    """Records that an account read a part; does nothing if this hour has that entry. Outside of a transaction."""
    hour = rfc3339(now)[:_HOUR_CHARS]
    asked = "SELECT 1 FROM reader_log WHERE activity_id = ? AND account_id = ? AND what = ? AND hour = ?"
    # Without a transaction, so that a reader doesn't wait for a writer.
    if database.execute(asked, (activity_id, account_id, str(what), hour)).fetchone() is not None:
        return
    with database.transaction():
        database.execute(
            "INSERT INTO reader_log (deployment_id, account_id, activity_id, what, hour, read_at) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (activity_id, account_id, what, hour) DO NOTHING",
            (deployment_id, account_id, activity_id, str(what), hour, rfc3339(now)),
        )


def select(database: Database, deployment_id: int, before: int | None = None, limit: int = 50) -> list[Read]:
    """A deployment's log, the newest line first. before: only lines with a smaller id. limit: 1 to MAX_LIMIT, else ValueError."""
    if not 1 <= limit <= MAX_LIMIT:
        raise ValueError(f"a page has 1 to {MAX_LIMIT} lines")
    sql = (
        "SELECT l.id, l.account_id, a.name, l.activity_id, l.what, l.read_at FROM reader_log l"
        " JOIN web_accounts a ON a.id = l.account_id WHERE l.deployment_id = ? AND l.id < ? ORDER BY l.id DESC LIMIT ?"
    )
    last = 2**63 - 1 if before is None else min(max(before, 0), 2**63 - 1)
    return [
        Read(
            id=row["id"],
            account_id=row["account_id"],
            account=row["name"],
            activity_id=row["activity_id"],
            what=What(row["what"]),
            read_at=parse(row["read_at"]),
        )
        for row in rows.named(database.execute(sql, (deployment_id, last, limit)))
    ]
