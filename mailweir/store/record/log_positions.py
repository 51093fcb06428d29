"""Each host's position in its Postfix log, and the recent numbers of refusals taken from the log. Called by `refusal_chore`."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from mailweir.store.database.connection import Database
from mailweir.store.database.moments import rfc3339

_KEPT = timedelta(days=30)  # for a host that no longer reads its log
_MOST = 2**63 - 1  # the column's largest number


@dataclass(frozen=True, slots=True)
class LogPosition:
    """The position up to which a log was read. head: digest of the file's first bytes, which identifies the file under another
    name or inode."""

    inode: int
    offset: int
    head: bytes


def find(database: Database, host: str, log: str) -> tuple[LogPosition, str] | None:
    """The position, and the counts as stored; None if the log wasn't read yet."""
    row = database.execute(
        "SELECT inode, offset_bytes, head, counts FROM log_positions WHERE host = ? AND log = ?", (host, log)
    ).fetchone()
    return None if row is None else (LogPosition(int(row[0]), int(row[1]), bytes(row[2])), str(row[3]))


def put(database: Database, host: str, log: str, position: LogPosition, counts: str, now: datetime) -> None:
    """Stores the position and the counts, within the caller's transaction, after the refusals read up to there."""
    execute = database.fast_execute()
    execute(
        "INSERT INTO log_positions (host, log, inode, offset_bytes, head, counts, at) VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (host, log) DO UPDATE SET inode = excluded.inode, offset_bytes = excluded.offset_bytes,"
        " head = excluded.head, counts = excluded.counts, at = excluded.at",
        (host, log, position.inode & _MOST, position.offset, position.head, counts, rfc3339(now)),
    )
    execute("DELETE FROM log_positions WHERE at < ?", (rfc3339(now - _KEPT),))
