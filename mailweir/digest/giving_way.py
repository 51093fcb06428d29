"""Leaves SQLite's write lock to the others that write: capture goes before the digest. Called by `outcomes`.

SQLite has one write lock. Whoever waits for it asks again and again, with pauses that get longer, and gets it later than it is
free. So the digest holds it for a small share of the time, but only while somebody else writes; alone it never waits.
PostgreSQL locks rows, and there is nothing to leave.
"""

import time
from collections.abc import Callable

from mailweir.store.database import others
from mailweir.store.database.connection import Database

LOCK_SHARE = 0.2  # of the time, while others write
_LONGEST_SECONDS = 0.25  # what a slow disk made long must not make the digest stand still
_OTHERS_SECONDS = 1.0  # for so long after a commit of theirs others count as writing


class GivingWay:
    """To be asked before each transaction, and told how long it took. clock: monotonic seconds."""

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
        """Waits where the digest has had its share by now. DatabaseUnavailable."""
        self._look()
        now = self._clock()
        if now < self._others_until and now < self._free_at:
            self._sleep(self._free_at - now)

    def has_taken(self, seconds: float) -> None:
        """So long the lock was held, up to now."""
        pause = seconds * (1 / LOCK_SHARE - 1)
        self._free_at = self._clock() + min(pause, _LONGEST_SECONDS)

    def _look(self) -> None:
        """Has another connection committed since?"""
        version = others.version_by_others(self._database)
        if self._seen is not None and version != self._seen:
            self._others_until = self._clock() + _OTHERS_SECONDS
        self._seen = version
