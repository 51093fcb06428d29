"""Quota kept: what one mailbox and the whole project may use of Gmail, as leaky buckets. Nobody sleeps: who is over it waits
outside.

A bucket holds a quarter of a minute's units and refills three quarters of them a minute, so that no sixty seconds see more than
the limit, whenever they begin. A mailbox's bucket goes with it from process to process (`gmail_leases`); the project's is shared
out among the processes that are alive. Called by `sweep` and `scheduler`.
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
    """Units for one minute's limit. clock: seconds that never go back. left: what is in it; None: it is full."""

    def __init__(self, units_per_minute: float, clock: Callable[[], float], left: float | None = None) -> None:
        self._clock = clock
        self._at = clock()
        self._rate = self._capacity = 0.0
        self.resize(units_per_minute)
        self._left = self._capacity if left is None else max(0.0, min(left, self._capacity))

    def resize(self, units_per_minute: float) -> None:
        """Another limit from now on."""
        self._capacity = units_per_minute * _HELD
        self._rate = units_per_minute * (1 - _HELD) / 60

    @property
    def left(self) -> float:
        """What may be used now."""
        now = self._clock()
        self._left = min(self._capacity, self._left + (now - self._at) * self._rate)
        self._at = now
        return self._left

    def refill(self, seconds: float) -> None:
        """So much time went by unseen; less than none is none."""
        self._left = min(self._capacity, self.left + max(0.0, seconds) * self._rate)

    @property
    def share_left(self) -> float:
        """0 to 1."""
        return self.left / self._capacity

    def seconds_until(self, units: float) -> float:
        """How long until so many may be used; 0 where they may be now. A call that costs more than a bucket holds needs a full
        one."""
        lacking = min(units, self._capacity) - self.left
        return max(0.0, lacking / self._rate)

    def take(self, units: float) -> None:
        """Uses them."""
        self._left = self.left - units


class Project:
    """The project's quota, as far as it is this process's; many threads use it. used: since `collect` was called last."""

    def __init__(self, units_per_minute: float, units_per_day: int, clock: Callable[[], float]) -> None:
        self._lock = threading.Lock()
        self._per_minute = units_per_minute
        self._per_day = units_per_day
        self._bucket = Bucket(units_per_minute, clock)
        self._used = 0
        self._used_today = 0

    def take(self, units: int) -> None:
        """Uses them. OverBudget."""
        with self._lock:
            if self._used_today + self._used + units > self._per_day:
                raise OverBudget("the project's quota for today is used up", 600.0, whole_project=True)
            wait = self._bucket.seconds_until(units)
            if wait > 0:
                raise OverBudget("the project's quota for this minute is used up", wait, whole_project=True)
            self._bucket.take(units)
            self._used += units

    def allows_low_priority(self) -> bool:
        """Is there enough left for what can wait?"""
        with self._lock:
            used = self._used_today + self._used
            return self._bucket.share_left > LOW_PRIORITY_SHARE and used < self._per_day * LOW_PRIORITY_DAY_SHARE

    def collect(self) -> int:
        """What was used since the last time."""
        with self._lock:
            used, self._used = self._used, 0
            self._used_today += used
            return used

    def share_out(self, workers: int, units_today: int) -> None:
        """There are so many processes, and all of them used so much today."""
        with self._lock:
            self._bucket.resize(self._per_minute / workers)
            self._used_today = units_today


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
