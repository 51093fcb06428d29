"""Leaves the database to other writers: capture has priority over the digest. Called by `outcomes`.

SQLite has one write lock. A waiting writer polls it with growing pauses, so it gets the lock some time after it is free.
PostgreSQL locks rows, but its server works for all writers: on two cores, the digest at full speed slowed capture to 0.6 of the
speed that it has alone. So the digest writes for a small share of the time while others write. If nobody else writes, it never
waits.
"""

import time
from collections.abc import Callable

from mailweir.store.database import others
from mailweir.store.database.connection import Database

SHARE = 0.2  # of the time, while others write
FLOOD_SHARE = 0.06  # while much mail is captured: capture keeps 0.95 of its speed (bench.digest_beside)
FLOOD = 50.0  # captured messages a second; below, capture needs a small part of one core
_LONGEST_SECONDS = 0.25  # a long transaction on a slow disk must not stop the digest
_MEASURED_SECONDS = 1.0
_OTHERS_SECONDS = 1.0  # others count as writing for this long after their last commit


class GivingWay:
    """Call `give_way` before each transaction, and `has_taken` with its duration after it. clock: monotonic seconds."""

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
        self._captured: int | None = None
        self._captured_at = float("-inf")
        self._share = SHARE

    def give_way(self) -> None:
        """Waits if the digest has used up its share. DatabaseUnavailable."""
        self._look()
        now = self._clock()
        if now < self._others_until and now < self._free_at:
            self._sleep(self._free_at - now)

    @property
    def is_alone(self) -> bool:
        """Has nobody else written lately, as far as the last look showed?"""
        return self._clock() >= self._others_until

    def has_taken(self, seconds: float) -> None:
        """Records that a transaction took this long, up to now."""
        pause = seconds * (1 / self._share - 1)
        self._free_at = self._clock() + min(pause, _LONGEST_SECONDS)

    def _look(self) -> None:
        """Notes whether anybody else has written since the last look."""
        version = others.version_by_others(self._database)
        if self._seen is not None and version != self._seen:
            self._others_until = self._clock() + _OTHERS_SECONDS
        self._seen = version
        self._measure_flood()

    def _measure_flood(self) -> None:
        """Measures once a second how much mail is captured."""
        passed = self._clock() - self._captured_at
        if passed < _MEASURED_SECONDS:
            return
        captured = others.last_captured(self._database)
        if self._captured is not None:
            self._share = FLOOD_SHARE if (captured - self._captured) / passed >= FLOOD else SHARE
        self._captured, self._captured_at = captured, self._clock()
