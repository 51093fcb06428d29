"""Database connections for reading, shared by the filter's threads: there is a thread for each SMTP connection, and few read at
once.

Called by `session` when it matches a message.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mailweir.store.database.connection import Database
from mailweir.store.database.pool import Pool
from mailweir.store.people.directory import SqlDirectory

MAX_READERS = 8  # PostgreSQL has 100 connections for all hosts; a stall must not use them up
WAIT_SECONDS = 20.0


class Readers:
    """Lends out directories."""

    def __init__(self, open_database: Callable[[], Database]) -> None:
        self._lending = Pool(open_database, MAX_READERS)

    @contextmanager
    def directory(self) -> Iterator[SqlDirectory]:
        """A directory for one message's queries. DatabaseUnavailable, also if other threads use all connections for too long."""
        with self._lending.lent(WAIT_SECONDS) as database, database.reading():
            yield SqlDirectory(database)
