"""Quota kept: what one mailbox and the whole project may use of Gmail, as leaky buckets. Nobody sleeps: who is over it waits
outside.

A bucket gives a quarter of a minute's units at once and refills three quarters of them a minute, so that no sixty seconds see
more than the limit, whenever they begin. A mailbox's bucket goes with it from process to process (`gmail_leases`); the project's
is shared out among the processes that are alive.

Who comes back as soon as the next call can be paid would spend it all on asking what is new, and never get to a message: a bucket
gives one message's calls at least, a message is begun only where all of them can be paid, and one comes back to a bucket that is
half full. Used by `job`, `job_factory` and `scheduler`.
"""

import threading
from collections.abc import Callable

from mailweir.gmail.errors import Throttled, Whose
from mailweir.sentence import said

_HELD, _MOST_HELD = 0.25, 0.75
LOW_PRIORITY_SHARE = 0.5  # of a bucket that backfills leave to live mail
_ROOM_SHARE = 0.75  # backfills go on from here
_BACK_SHARE = 0.5
_DAY_WAIT_SECONDS = 600.0
_HOLD_SECONDS, _LONGEST_HOLD_SECONDS = 60.0, 600.0  # after a limit of the whole project that Gmail says is reached
LOW_PRIORITY_DAY_SHARE = 0.9


class OverBudget(Throttled):
    """It isn't Gmail that says so now: by our own count there is no more, or it has said so of the whole project."""


class Bucket:
    """Units for one minute's limit. clock: seconds that never go back. left: what is in it; None: as much as it gives at once.

    least: it gives so much at once, however low the limit. More than it gives at once gathers only for a call that costs more
    than that, which has to wait for its like and leaves a debt.
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
        """Another limit from now on."""
        self._settle()
        self._limit = units_per_minute
        self._level = min(self._level, self._capacity)

    def empty(self, behind_seconds: float) -> None:
        """There is nothing in it, and won't be for so long."""
        self._settle()
        self._level = min(self._level, -behind_seconds * self._rate)

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

    def share_of(self, units: float) -> float:
        """What part of all that it gives at once so many are."""
        return units / self._capacity

    def seconds_until(self, units: float) -> float:
        """How long until so many may be used; 0 where they may be now. A call that costs more than the limit needs a minute
        without any."""
        self._settle()
        return max(0.0, (min(units, self._limit) - self._level) / self._rate)

    def seconds_until_share(self, share: float) -> float:
        """How long until it is so full; 0 where it is."""
        return self.seconds_until(share * self._capacity)

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
        self._clock = clock
        self._held_until = float("-inf")
        self._held_for = ""
        self._is_closed = False
        self._is_new = True

    def take(self, units: int, opening_units: int = 0) -> None:
        """Uses them. OverBudget; a sweep that waits for them uses opening_units before them."""
        with self._lock:
            self._check_open()
            self._check_room(units, opening_units)
            self._bucket.take(units)
            self._used += units

    def give_back(self, units: int) -> None:
        """They were taken, and weren't used."""
        with self._lock:
            self._bucket.take(-units)
            self._used -= units

    def check_open(self) -> None:
        """OverBudget where nothing may be asked now, also if it was paid for."""
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
        """Gmail says that a limit of the whole project is reached: nobody asks for some time, each would only hear the same."""
        asked = _HOLD_SECONDS if error.retry_after_seconds is None else error.retry_after_seconds
        with self._lock:
            self._held_until = max(self._held_until, self._clock() + min(asked, _LONGEST_HOLD_SECONDS))
            self._held_for = str(error)

    def close(self) -> None:
        """Nothing is used from now on: the process ends."""
        with self._lock:
            self._is_closed = True

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
            used = max(self._used, 0)  # less than none: of what was collected, some was given back
            self._collected += used
            self._used -= used
            return self._collected

    def share_out(self, workers: int, units_today: int, beat_seconds: float = 0.0, *, follows: bool = False) -> None:
        """There are so many processes, and all of them used so much today, what was collected included. beat_seconds: for
        how long the others may not know it; 0: they do.

        One that joins others has nothing to begin with, for they go by their larger shares until they are told of it.
        follows: it takes the place of one that died, of whose share nobody knows how much is left.
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
    """What one sweep uses: of its mailbox's quota, and of the project's. opening_units: what a sweep uses before it gets to
    messages."""

    def __init__(self, bucket: Bucket, project: Project, opening_units: int = 0) -> None:
        self.bucket = bucket
        self._project = project
        self._opening_units = opening_units
        self._reserved = 0  # of the project's

    def __call__(self, units: int) -> None:
        """Before each call to Gmail. OverBudget where it has to wait."""
        self._check(units)
        if units <= self._reserved:
            self._project.check_open()
            self._reserved -= units
        else:
            self._project.take(units)
        self.bucket.take(units)

    def hold(self, error: Throttled) -> None:
        """What Gmail says of the whole project; see `Project`."""
        self._project.hold(error)

    def reserve(self, units: int) -> None:
        """Before several calls that are of no use without each other. OverBudget where all of them can't be paid now.

        Other threads can't use the project's units meanwhile. What was reserved before, and not used, is given back.
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
            # the one more is what is lost where a bucket's rest is written down as a whole number
            wait = self.bucket.seconds_until(units + self._opening_units + 1)
            wait = max(wait, self.bucket.seconds_until_share(_BACK_SHARE))
            raise OverBudget(said("the user's quota for this minute is used up"), wait)

    def allows_low_priority(self) -> bool:
        """Is there enough left for what can wait?"""
        return self.bucket.share_left > LOW_PRIORITY_SHARE and self._project.allows_low_priority()

    def seconds_to_room(self) -> float:
        """How long what can wait leaves the rest to live mail."""
        if not self._project.allows_low_priority():
            return _DAY_WAIT_SECONDS
        return self.bucket.seconds_until_share(_ROOM_SHARE)
