"""The throttle of passwords: each wrong one makes the next try of that name wait longer, up to half a minute. It never locks.

A try is counted before the password is looked at, so that many at once are as slow as one after the other. Names that nobody has
are throttled as others are. Of a name its SHA-256 is kept, for people type passwords there. An address of the network counts for
nothing: many share one. Called by the page's sign-in.
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
    """Under what a try is counted. browser: of one that this account signed in from before, which has a count of its own."""
    return hashlib.sha256(f"{name}\0{browser}".encode(errors="replace")).hexdigest()


def begin(database: Database, counted: str, now: datetime) -> timedelta | None:
    """Counts a try as failed, until `succeeded` says otherwise. Or, where it comes too early, how long it has to wait; it isn't
    counted then."""
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
    """How long after so many wrong passwords the next one is looked at: three at once, then 1, 2, 4 ... 30 seconds apart."""
    if failures < _FREE:
        return timedelta()
    return timedelta(seconds=min(_LONGEST_SECONDS, 2 ** min(failures - _FREE, 10)))


def succeeded(database: Database, counted: str) -> None:
    """The password was right: the count begins anew."""
    with database.transaction():
        database.execute("DELETE FROM web_attempts WHERE name = ?", (counted,))
