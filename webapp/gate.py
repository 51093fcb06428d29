"""Limits how many passwords are checked at the same time. Each check takes 64 MiB and a third of a second. A flood of sign-ins
must take neither the host's memory nor all of the page's threads. Called by the sign-in."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_AT_ONCE = 2


class Full(Exception):
    """Too many checks wait already."""


class Gate:
    """at_once: how many checks may run. waiting: how many more may wait; the next one gets Full. Safe for threads."""

    def __init__(self, at_once: int, waiting: int) -> None:
        self.at_once, self.waiting = at_once, waiting
        self._within = threading.BoundedSemaphore(at_once)
        self._places = threading.BoundedSemaphore(at_once + waiting)

    @classmethod
    def of(cls, threads: int) -> "Gate":
        """A gate for at most half of the page's threads, but for at least one. threads: the page's."""
        at_once = min(_AT_ONCE, max(1, threads // 2))
        return cls(at_once, max(0, threads // 2 - at_once))

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Waits until a check may run; the block is the check. Full."""
        if not self._places.acquire(blocking=False):
            raise Full
        try:
            with self._within:
                yield
        finally:
            self._places.release()
