"""Limits how many passwords are checked at the same time. Each check takes 64 MiB and a third of a second. A flood of them must
take neither the host's memory nor all of the page's threads. Called by the sign-in."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_AT_ONCE = 2


class Full(Exception):
    """No more may wait before the gate."""


class Gate:
    """at_once: how many may be within. waiting: how many more may wait before it; the next one is sent away. Safe for threads."""

    def __init__(self, at_once: int, waiting: int) -> None:
        self.at_once, self.waiting = at_once, waiting
        self._within = threading.BoundedSemaphore(at_once)
        self._places = threading.BoundedSemaphore(at_once + waiting)

    @classmethod
    def of(cls, threads: int) -> "Gate":
        """The gate of a page with so many threads: at most half of them are here."""
        at_once = min(_AT_ONCE, max(1, threads // 2))
        return cls(at_once, max(0, threads // 2 - at_once))

    @contextmanager
    def entered(self) -> Iterator[None]:
        """A place within the gate. Full."""
        if not self._places.acquire(blocking=False):
            raise Full
        try:
            with self._within:
                yield
        finally:
            self._places.release()
