"""The throttle of passwords: each wrong one makes the next try for that name wait longer, up to half a minute. Nothing is locked.

A try is counted before the password is checked, so that many at once are as slow as one after the other. Unknown names are
throttled like others. A name is stored as its SHA-256, because people type passwords into its field. Network addresses don't
count: many people share one. Called by the page's sign-in.
"""

import hashlib
from datetime import datetime, timedelta

from mailweir.store.database import rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse, rfc3339

FORGOTTEN = timedelta(days=1)
_FREE = 3
_LONGEST_SECONDS = 30


def key(name: str, browser: str = "") -> str:
    """The key of a count. browser: a browser from which this account signed in before, which has a count of its own."""
    return hashlib.sha256(f"{name}\0{browser}".encode(errors="replace")).hexdigest()


def begin(database: Database, counted: str, now: datetime) -> timedelta | None:
    """Counts a try as failed; `succeeded` takes that back. counted: see `key`. A try that comes too early isn't counted: returns
    how long to wait."""
    with database.transaction():
        sql = "SELECT failures, last_at FROM web_attempts WHERE name = ?"
        found = rows.first(database.execute(sql, (counted,)))
        failures = 0
        if found is not None and now - parse(found["last_at"]) < FORGOTTEN:
            failures = found["failures"]
            left = parse(found["last_at"]) + pause(failures) - now
            if left > timedelta():
                return left
        sql = (
            "INSERT INTO web_attempts (name, failures, last_at) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET"
            " failures = excluded.failures, last_at = excluded.last_at"
        )
        database.execute(sql, (counted, failures + 1, rfc3339(now)))
    return None


def pause(failures: int) -> timedelta:
    """The wait after this many wrong passwords: three at once, then 1, 2, 4 ... 30 seconds apart."""
    if failures < _FREE:
        return timedelta()
    return timedelta(seconds=min(_LONGEST_SECONDS, 2 ** min(failures - _FREE, 10)))


def succeeded(database: Database, counted: str) -> None:
    """The password was right: the count is reset."""
    with database.transaction():
        database.execute("DELETE FROM web_attempts WHERE name = ?", (counted,))
