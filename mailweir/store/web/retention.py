"""Retention of the page's rows: sessions, links, states, the throttle, and the log of readers.

Called by `mailweir db prune`, and by `backup` and `postgresql_backup`, which end all sessions of a restored database.
"""

from datetime import datetime, timedelta

from mailweir.store.database.connection import Database
from mailweir.store.database.moments import rfc3339
from mailweir.store.web import attempts, sessions

_BATCH_ROWS = 2_000  # per transaction, for some milliseconds: the filter waits for the write lock meanwhile


def prune(database: Database, now: datetime, reader_log_days: int, batch_rows: int = _BATCH_ROWS) -> None:
    """Deletes expired rows, and entries of the reader log that are older than this many days."""
    with database.transaction():
        sql = "DELETE FROM web_sessions WHERE last_seen_at <= ? OR created_at <= ?"
        database.execute(sql, (rfc3339(now - sessions.IDLE), rfc3339(now - sessions.LONGEST)))
        database.execute("DELETE FROM web_links WHERE expires_at <= ?", (rfc3339(now),))
        database.execute("DELETE FROM web_states WHERE expires_at <= ?", (rfc3339(now),))
        database.execute("DELETE FROM web_attempts WHERE last_at <= ?", (rfc3339(now - attempts.FORGOTTEN),))
    _prune_reader_log(database, now, reader_log_days, batch_rows)


def _prune_reader_log(database: Database, now: datetime, days: int, batch_rows: int) -> None:
    try:
        before = rfc3339(now - timedelta(days=days))
    except OverflowError:
        return  # the period begins before the first possible time
    sql = "DELETE FROM reader_log WHERE id IN (SELECT id FROM reader_log WHERE read_at < ? LIMIT ?)"
    while True:
        with database.transaction():
            count: int = database.execute(sql, (before, batch_rows)).rowcount
        if count < batch_rows:
            return


def end_all(database: Database) -> None:
    """Ends every session, and deletes every link and state: after the backup, some of them may have been ended."""
    with database.transaction():
        database.execute("DELETE FROM web_sessions")
        database.execute("DELETE FROM web_links")
        database.execute("DELETE FROM web_states")
