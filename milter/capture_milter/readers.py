"""Connections for reading, shared by the filter's threads: there is a thread for each SMTP connection, and few read at once.

Called by `session` when it matches a message.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mailweir.errors import DatabaseUnavailable
from mailweir.store.connection import Database
from mailweir.store.directory import SqlDirectory

MAX_READERS = 8  # PostgreSQL has 100 connections for all hosts; a stall must not take them
WAIT_SECONDS = 20.0


class Readers:
    """Lends out directories; a broken connection is closed, so that the next borrower opens a new one."""

    def __init__(self, open_database: Callable[[], Database]) -> None:
        self._open_database = open_database
        self._idle: deque[Database] = deque()
        self._places = threading.BoundedSemaphore(MAX_READERS)

    @contextmanager
    def directory(self) -> Iterator[SqlDirectory]:
        """A directory for one message's questions. DatabaseUnavailable also where others hold all of them for too long."""
        if not self._places.acquire(timeout=WAIT_SECONDS):
            raise DatabaseUnavailable(f"all {MAX_READERS} connections for reading are busy")
        try:
            with self._lent() as directory:
                yield directory
        finally:
            self._places.release()

    @contextmanager
    def _lent(self) -> Iterator[SqlDirectory]:
        try:
            database = self._idle.pop()
        except IndexError:
            database = self._open_database()
        try:
            with database.reading():
                yield SqlDirectory(database)
        except DatabaseUnavailable:
            database.close()
            raise
        finally:
            self._idle.append(database)
