"""Carries SQLite's write-ahead log into the file, beside those who write: no message waits for it.

A large record's checkpoint takes a tenth of a second, and whoever makes the log full has to make it. A passive one (sqlite.org,
"Write-Ahead Logging") holds nobody up and leaves what it can't have yet. Called by `mailweir-digest`, which always runs where the
record is; without it, writers make their own (`wal_autocheckpoint`).
"""

import time
from collections.abc import Callable

from mailweir.store.database.connection import Database

SECONDS = 2.0  # under full load some 15,000 pages, which is what the writers' own limit is


class Checkpoints:
    """One connection's, made at most every other second. On PostgreSQL none: the server makes its own."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._due_at = clock()

    def step(self) -> bool:
        """Makes one if it is time; did it? Never waits for a lock. Not within a transaction. Errors: DatabaseUnavailable."""
        if not self._database.is_sqlite or self._clock() < self._due_at:
            return False
        self._database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        self._due_at = self._clock() + SECONDS
        return True
