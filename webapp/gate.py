"""How many passwords are looked at at the same time: each takes 64 MiB and a third of a second, and a flood of them shall take
neither the host's memory nor all of the page's threads. Called by the sign-in."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_AT_ONCE = 2


class Full(Exception):
    """As many wait as may."""


class Gate:
    """at_once: so many are within. waiting: so many more wait before it; the next one is sent away. Safe for threads."""

    def __init__(self, at_once: int, waiting: int) -> None:
        self.at_once, self.waiting = at_once, waiting
        self._within = threading.BoundedSemaphore(at_once)
        self._places = threading.BoundedSemaphore(at_once + waiting)

    @classmethod
    def of(cls, threads: int) -> "Gate":
        """For so many threads of the page: half of them at most are here."""
        at_once = min(_AT_ONCE, max(1, threads // 2))
        return cls(at_once, max(0, threads // 2 - at_once))

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Within it. Full."""
        if not self._places.acquire(blocking=False):
            raise Full
        try:
            with self._within:
                yield
        finally:
            self._places.release()
