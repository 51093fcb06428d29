"""Connections that a process's threads share: few threads query at once, and PostgreSQL has few connections for all hosts.

Called by the filter (`readers`) and by the sync (`database_pool`).
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mailweir.errors import DatabaseUnavailable
from mailweir.sentence import said
from mailweir.store.database.connection import Database


class Pool:
    """Lends out a limited number of connections. A broken connection is closed, and opened again at its next use."""

    def __init__(self, open_database: Callable[[], Database], most: int) -> None:
        self._open_database = open_database
        self._most = most
        self._idle: deque[Database] = deque()
        self._places = threading.BoundedSemaphore(most)

    @contextmanager
    def lent(self, wait_seconds: float) -> Iterator[Database]:
        """A connection. DatabaseUnavailable also if other threads hold all connections for longer than `wait_seconds`."""
        if not self._places.acquire(timeout=wait_seconds):
            raise DatabaseUnavailable(said("all {most} connections are busy", most=self._most))
        try:
            try:
                database = self._idle.pop()
            except IndexError:
                database = self._open_database()
            try:
                yield database
            except DatabaseUnavailable:
                database.close()
                raise
            finally:
                self._idle.append(database)
        finally:
            self._places.release()

    def close(self) -> None:
        """Closes the idle connections."""
        while self._idle:
            self._idle.pop().close()
