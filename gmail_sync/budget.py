"""Quota limits: how much one mailbox and the whole project may use of Gmail, as leaky buckets. Nothing sleeps here: a caller over
the limit waits elsewhere.

A bucket holds a quarter of the units of a minute, and three quarters of them flow in each minute. So no sixty seconds exceed the
limit, whenever they begin. A mailbox's bucket moves with the mailbox from process to process (`gmail_leases`); the project's is
divided among the live processes.

If a sweep resumed as soon as it could pay for its next call, it would spend all units on asking for news, and never get to a
message. So a bucket holds enough for the calls of one message, a message is begun only if the bucket can pay all of its calls,
and a sweep resumes at a half-full bucket. Used by `job`, `job_factory` and `scheduler`.
"""

import threading
from collections.abc import Callable

from mailweir.gmail.errors import Throttled, Whose
from mailweir.sentence import said

_HELD, _MOST_HELD = 0.25, 0.75
LOW_PRIORITY_SHARE = 0.5  # of a bucket; backfills leave this share to live mail
_ROOM_SHARE = 0.75  # backfills resume at this share
_BACK_SHARE = 0.5
_DAY_WAIT_SECONDS = 600.0
_HOLD_SECONDS, _LONGEST_HOLD_SECONDS = 60.0, 600.0  # after Gmail reports a limit of the whole project
LOW_PRIORITY_DAY_SHARE = 0.9


class OverBudget(Throttled):
    """This isn't an answer of Gmail's: by our own count the quota is used up, or Gmail has refused the whole project."""


class Bucket:
    """Units for one minute's limit. clock: monotonic seconds. left: the units in it; None: it is full.

    least: it holds this much, even if that is more than a quarter of the limit, up to three quarters. For a call that costs more
    than it holds, it fills further; that call leaves a debt.
    """

    def __init__(
        self, units_per_minute: float, clock: Callable[[], float], left: float | None = None, least: float = 0.0
    ) -> None:
        self._clock = clock
        self._at = clock()
        self._least = least
        self._limit = units_per_minute
        self._level = self._capacity if left is None else min(left, self._capacity)

    @property
    def _capacity(self) -> float:
        return min(max(self._limit * _HELD, self._least), self._limit * _MOST_HELD)

    @property
    def _rate(self) -> float:
        return (self._limit - self._capacity) / 60

    def resize(self, units_per_minute: float) -> None:
        """Sets another limit from now on."""
        self._settle()
        self._limit = units_per_minute
        self._level = min(self._level, self._capacity)

    def empty(self, behind_seconds: float) -> None:
        """Empties the bucket; it stays empty for this many seconds."""
        self._settle()
        self._level = min(self._level, -behind_seconds * self._rate)

    @property
    def left(self) -> float:
        """The units available now; negative after a call that cost more than the bucket holds."""
        self._settle()
        return min(self._level, self._capacity)

    def _settle(self) -> None:
        now = self._clock()
        self._fill(now - self._at)
        self._at = now

    def _fill(self, seconds: float) -> None:
        self._level = min(self._limit, self._level + max(0.0, seconds) * self._rate)

    def refill(self, seconds: float) -> None:
        """Adds the units of so many seconds, in which nobody watched the bucket; a negative number adds none."""
        self._settle()
        self._fill(seconds)

    @property
    def share_left(self) -> float:
        """At most 1."""
        return self.left / self._capacity

    def share_of(self, units: float) -> float:
        """These units as a share of the amount that the bucket holds."""
        return units / self._capacity

    def seconds_until(self, units: float) -> float:
        """How long until this many units are available; 0 if they are now. A call that costs more than the limit waits for units
        of the whole limit."""
        self._settle()
        return max(0.0, (min(units, self._limit) - self._level) / self._rate)

    def seconds_until_share(self, share: float) -> float:
        """How long until the bucket is this full; 0 if it is."""
        return self.seconds_until(share * self._capacity)

    def take(self, units: float) -> None:
        """Uses the units."""
        self._level = self.left - units


class Project:
    """This process's part of the project's quota; many threads use it."""

    def __init__(self, units_per_minute: float, units_per_day: int, clock: Callable[[], float]) -> None:
        self._lock = threading.Lock()
        self._per_minute = units_per_minute
        self._per_day = units_per_day
        self._bucket = Bucket(units_per_minute, clock)
        self._used = 0  # since the last call of `collect`
        self._collected = 0  # not yet confirmed
        self._used_today = 0  # by all processes, as far as known
        self._clock = clock
        self._held_until = float("-inf")
        self._held_for = ""
        self._is_closed = False
        self._is_new = True

    def take(self, units: int, opening_units: int = 0) -> None:
        """Uses the units. Errors: OverBudget, with a wait for opening_units, too: a sweep that resumes uses those first."""
        with self._lock:
            self._check_open()
            self._check_room(units, opening_units)
            self._bucket.take(units)
            self._used += units

    def give_back(self, units: int) -> None:
        """Returns units that were taken but not used."""
        with self._lock:
            self._bucket.take(-units)
            self._used -= units

    def check_open(self) -> None:
        """Errors: OverBudget if no requests may be made now, even with reserved units."""
        with self._lock:
            self._check_open()

    def _check_open(self) -> None:
        if self._is_closed:
            raise OverBudget(said("this process ends"), 1.0, whose=Whose.PROJECT)
        if self._held_until > self._clock():
            raise OverBudget(self._held_for, self._held_until - self._clock(), whose=Whose.PROJECT)

    def _check_room(self, units: int, opening_units: int) -> None:
        if self._today + units > self._per_day:
            raise OverBudget(said("the project's quota for today is used up"), _DAY_WAIT_SECONDS, whose=Whose.PROJECT)
        if self._bucket.seconds_until(units) > 0:
            wait = self._bucket.seconds_until(units + opening_units)
            raise OverBudget(said("the project's quota for this minute is used up"), wait, whose=Whose.PROJECT)

    def hold(self, error: Throttled) -> None:
        """Gmail reports that a limit of the whole project is reached: all requests pause, because each would get the same
        answer."""
        asked = _HOLD_SECONDS if error.retry_after_seconds is None else error.retry_after_seconds
        with self._lock:
            self._held_until = max(self._held_until, self._clock() + min(asked, _LONGEST_HOLD_SECONDS))
            self._held_for = str(error)

    def close(self) -> None:
        """Uses nothing from now on, because the process ends."""
        with self._lock:
            self._is_closed = True

    def allows_low_priority(self) -> bool:
        """Is there enough left for low-priority work?"""
        with self._lock:
            is_early = self._today < self._per_day * LOW_PRIORITY_DAY_SHARE
            return is_early and self._bucket.share_left > LOW_PRIORITY_SHARE

    @property
    def _today(self) -> int:
        return self._used_today + self._collected + self._used

    def collect(self) -> int:
        """The used units that aren't recorded yet; `share_out` confirms them."""
        with self._lock:
            used = max(self._used, 0)  # negative: some of the collected units were given back
            self._collected += used
            self._used -= used
            return self._collected

    def share_out(self, workers: int, units_today: int, beat_seconds: float = 0.0, *, follows: bool = False) -> None:
        """Sets the number of processes, and their total use today, including the collected units. beat_seconds: how long the
        others may still use an earlier number; 0: they know the new one.

        A process that joins others starts with an empty bucket, because they use their larger shares until they learn of it.
        follows: it replaces a dead process, whose remaining share is unknown.
        """
        with self._lock:
            self._bucket.resize(self._per_minute / workers)
            self._collected, self._used_today = 0, units_today
            if self._is_new and follows:
                self._bucket.empty(0.0)
            elif self._is_new and workers > 1 and beat_seconds > 0:
                self._bucket.empty(beat_seconds)
            self._is_new = False


class Spending:
    """The use of one sweep: of its mailbox's quota, and of the project's. opening_units: the sweep's use before it gets to
    messages."""

    def __init__(self, bucket: Bucket, project: Project, opening_units: int = 0) -> None:
        self.bucket = bucket
        self._project = project
        self._opening_units = opening_units
        self._reserved = 0  # of the project's quota

    def __call__(self, units: int) -> None:
        """Call it before each call to Gmail. Errors: OverBudget if the caller has to wait."""
        self._check(units)
        if units <= self._reserved:
            self._project.check_open()
            self._reserved -= units
        else:
            self._project.take(units)
        self.bucket.take(units)

    def hold(self, error: Throttled) -> None:
        """Gmail's answer about the whole project; see `Project`."""
        self._project.hold(error)

    def reserve(self, units: int) -> None:
        """Call it before several calls that are useless without each other. Errors: OverBudget if the units don't suffice for all
        of them now.

        Other threads can't use the project's units meanwhile. The unused rest of an earlier reservation is given back.
        """
        self.give_back()
        self._check(units)
        self._project.take(units, self._opening_units)
        self._reserved = units

    def give_back(self) -> None:
        """Ends the reservation."""
        unused, self._reserved = self._reserved, 0
        if unused:
            self._project.give_back(unused)

    def _check(self, units: int) -> None:
        if self.bucket.seconds_until(units) > 0:
            # One unit more, for the fraction that is lost when a bucket's content is stored as a whole number.
            wait = self.bucket.seconds_until(units + self._opening_units + 1)
            wait = max(wait, self.bucket.seconds_until_share(_BACK_SHARE))
            raise OverBudget(said("the user's quota for this minute is used up"), wait)

    def allows_low_priority(self) -> bool:
        """Is there enough left for low-priority work?"""
        return self.bucket.share_left > LOW_PRIORITY_SHARE and self._project.allows_low_priority()

    def seconds_to_room(self) -> float:
        """How long low-priority work waits, and leaves the remaining units to live mail."""
        if not self._project.allows_low_priority():
            return _DAY_WAIT_SECONDS
        return self.bucket.seconds_until_share(_ROOM_SHARE)
