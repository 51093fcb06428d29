"""Leaves SQLite's write lock to other writers: capture has priority over the digest. Called by `outcomes`.

SQLite has one write lock. A waiting writer polls it with growing pauses, so it gets the lock some time after it is free. So the
digest holds the lock for a small share of the time while others write; alone it never waits. PostgreSQL locks rows, so nothing is
needed there.
"""

import time
from collections.abc import Callable

from mailweir.store.database import others
from mailweir.store.database.connection import Database

LOCK_SHARE = 0.2  # of the time, while others write
_LONGEST_SECONDS = 0.25  # a long transaction on a slow disk must not stop the digest
_OTHERS_SECONDS = 1.0  # others count as writing for this long after their last commit


class GivingWay:
    """Call it before each transaction, and tell it how long the transaction took. clock: monotonic seconds."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._database = database
        self._clock = clock
        self._sleep = sleep
        self._seen: int | None = None
        self._others_until = float("-inf")
        self._free_at = float("-inf")

    def give_way(self) -> None:
        """Waits if the digest has used up its share. DatabaseUnavailable."""
        self._look()
        now = self._clock()
        if now < self._others_until and now < self._free_at:
            self._sleep(self._free_at - now)

    def has_taken(self, seconds: float) -> None:
        """Records that the lock was held for this long, up to now."""
        pause = seconds * (1 / LOCK_SHARE - 1)
        self._free_at = self._clock() + min(pause, _LONGEST_SECONDS)

    def _look(self) -> None:
        """Has another connection committed since the last look?"""
        version = others.version_by_others(self._database)
        if self._seen is not None and version != self._seen:
            self._others_until = self._clock() + _OTHERS_SECONDS
        self._seen = version
