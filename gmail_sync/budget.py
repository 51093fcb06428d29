"""Quota kept: what one mailbox and the whole project may use of Gmail, as leaky buckets. Nobody sleeps: who is over it waits
outside.

A bucket gives a quarter of a minute's units at once and refills three quarters of them a minute, so that no sixty seconds see
more than the limit, whenever they begin. A mailbox's bucket goes with it from process to process (`gmail_leases`); the project's
is shared out among the processes that are alive. Called by `sweep` and `scheduler`.
"""

import threading
from collections.abc import Callable

from gmail_sync.errors import Throttled

_HELD = 0.25
_REST = 0.5
LOW_PRIORITY_SHARE = 0.5  # of the project's bucket that backfills leave to live mail
LOW_PRIORITY_DAY_SHARE = 0.9


class OverBudget(Throttled):
    """It isn't Gmail that says so: by our own count there is no more for now."""


class Bucket:
    """Units for one minute's limit. clock: seconds that never go back. left: what is in it; None: as much as it gives at once.

    More than that gathers only for a call that costs more than that, which has to wait for its like and leaves a debt.
    """

    def __init__(self, units_per_minute: float, clock: Callable[[], float], left: float | None = None) -> None:
        self._clock = clock
        self._at = clock()
        self._level = 0.0
        self._limit = units_per_minute
        self._level = self._capacity if left is None else min(left, self._capacity)

    @property
    def _capacity(self) -> float:
        return self._limit * _HELD

    @property
    def _rate(self) -> float:
        return self._limit * (1 - _HELD) / 60

    def resize(self, units_per_minute: float) -> None:
        """Another limit from now on."""
        self._settle()
        self._limit = units_per_minute
        self._level = min(self._level, self._capacity)

    @property
    def left(self) -> float:
        """What may be used now; less than nothing after a call that cost more than there is at once."""
        self._settle()
        return min(self._level, self._capacity)

    def _settle(self) -> None:
        now = self._clock()
        self._fill(now - self._at)
        self._at = now

    def _fill(self, seconds: float) -> None:
        self._level = min(self._limit, self._level + max(0.0, seconds) * self._rate)

    def refill(self, seconds: float) -> None:
        """So much time went by unseen; less than none is none."""
        self._settle()
        self._fill(seconds)

    @property
    def share_left(self) -> float:
        """1 at most."""
        return self.left / self._capacity

    def seconds_until(self, units: float) -> float:
        """How long until so many may be used; 0 where they may be now. A call that costs more than the limit needs a minute
        without any."""
        self._settle()
        return max(0.0, (min(units, self._limit) - self._level) / self._rate)

    def take(self, units: float) -> None:
        """Uses them."""
        self._level = self.left - units


class Project:
    """The project's quota, as far as it is this process's; many threads use it."""

    def __init__(self, units_per_minute: float, units_per_day: int, clock: Callable[[], float]) -> None:
        self._lock = threading.Lock()
        self._per_minute = units_per_minute
        self._per_day = units_per_day
        self._bucket = Bucket(units_per_minute, clock)
        self._used = 0  # since `collect` was called last
        self._collected = 0  # that nobody has confirmed yet
        self._used_today = 0  # by all processes, as far as is known

    def take(self, units: int) -> None:
        """Uses them. OverBudget."""
        with self._lock:
            if self._today + units > self._per_day:
                raise OverBudget("the project's quota for today is used up", 600.0, whole_project=True)
            wait = self._bucket.seconds_until(units)
            if wait > 0:
                raise OverBudget("the project's quota for this minute is used up", wait, whole_project=True)
            self._bucket.take(units)
            self._used += units

    def allows_low_priority(self) -> bool:
        """Is there enough left for what can wait?"""
        with self._lock:
            is_early = self._today < self._per_day * LOW_PRIORITY_DAY_SHARE
            return is_early and self._bucket.share_left > LOW_PRIORITY_SHARE

    @property
    def _today(self) -> int:
        return self._used_today + self._collected + self._used

    def collect(self) -> int:
        """What was used and isn't noted down yet; `share_out` says that it is by now."""
        with self._lock:
            self._collected += self._used
            self._used = 0
            return self._collected

    def share_out(self, workers: int, units_today: int) -> None:
        """There are so many processes, and all of them used so much today, what was collected included."""
        with self._lock:
            self._bucket.resize(self._per_minute / workers)
            self._collected, self._used_today = 0, units_today


class Spending:
    """What one sweep uses: of its mailbox's quota, and of the project's."""

    def __init__(self, bucket: Bucket, project: Project) -> None:
        self.bucket = bucket
        self._project = project

    def reserve(self, units: int) -> None:
        """Before what takes several calls and is worth nothing half done. OverBudget where it has to wait."""
        wait = self.bucket.seconds_until(units)
        if wait > 0:
            raise OverBudget("the user's quota for this minute is used up", wait)

    def __call__(self, units: int) -> None:
        """Before each call to Gmail. OverBudget where it has to wait."""
        self.reserve(units)
        self._project.take(units)
        self.bucket.take(units)

    def allows_low_priority(self) -> bool:
        """Is there enough left for what can wait?"""
        return self.bucket.share_left > LOW_PRIORITY_SHARE and self._project.allows_low_priority()
