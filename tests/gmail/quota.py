"""Google's quota as Google counts it: units of a user and of the project in any 60 seconds, requests of a user at a time.

It only observes: it refuses nothing unless `enforce` is set, and the fixture fails a test that exceeded a limit.
"""

import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.gmail.calls import Kind, default_costs

_MINUTE_SECONDS = 60.0


class Window:
    """Units within the last minute."""

    def __init__(self) -> None:
        self._spent: deque[tuple[float, int]] = deque()
        self._sum = 0

    def at(self, now: float) -> int:
        """The units spent in the minute before `now`."""
        while self._spent and self._spent[0][0] <= now - _MINUTE_SECONDS:
            self._sum -= self._spent.popleft()[1]
        return self._sum

    def add(self, now: float, units: int) -> None:
        """Spends these units."""
        self._spent.append((now, units))
        self._sum += units


class Quota:
    """The limits, and their use. You may set each at any time: units, units a minute, requests."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.costs = default_costs()
        self.user_per_minute = 6_000
        self.project_per_minute = 1_200_000
        self.in_flight = 5
        self.enforce = False
        self.passed: list[str] = []
        self.clock = clock
        self._lock = threading.Lock()
        self._users: defaultdict[str, Window] = defaultdict(Window)
        self._project = Window()
        self._flying: Counter[str] = Counter()
        self._most: Counter[str] = Counter()
        self._units: Counter[str] = Counter()

    def units(self, user: str | None = None) -> int:
        """A user's total units since the start; without a user, those of all."""
        with self._lock:
            return self._units[user] if user is not None else self._units.total()

    def most_in_flight(self, user: str) -> int:
        """The most requests of a user that were in progress at a time."""
        with self._lock:
            return self._most[user]

    def charge(self, user: str, kind: Kind) -> bool:
        """Counts a call. False if `enforce` is set and a limit would be exceeded; then the call doesn't count against the
        caller."""
        units = self.costs.get(kind, 0)
        with self._lock:
            now = self.clock()
            over = self._over(user, units, now)
            if over and self.enforce:
                return False
            self.passed.extend(over)
            self._users[user].add(now, units)
            self._project.add(now, units)
            self._units[user] += units
        return True

    def _over(self, user: str, units: int, now: float) -> list[str]:
        found = []
        if (spent := self._users[user].at(now) + units) > self.user_per_minute:
            found.append(f"{user}: {spent} units within a minute, of {self.user_per_minute}")
        if (spent := self._project.at(now) + units) > self.project_per_minute:
            found.append(f"the project: {spent} units within a minute, of {self.project_per_minute}")
        return found

    @contextmanager
    def flight(self, user: str) -> Iterator[bool]:
        """A request in progress; False if there are too many and `enforce` is set."""
        with self._lock:
            self._flying[user] += 1
            now = self._flying[user]
            self._most[user] = max(self._most[user], now)
            over = now > self.in_flight
            if over and not self.enforce:
                self.passed.append(f"{user}: {now} requests at a time, of {self.in_flight}")
        try:
            yield not (over and self.enforce)
        finally:
            with self._lock:
                self._flying[user] -= 1
