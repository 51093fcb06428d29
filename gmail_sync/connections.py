"""Connections to the database, shared by the sweeping threads: each borrows one for as long as it asks or writes, never while it
waits for Gmail. Called by `sweep` and `scheduler`.
"""

import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager

from mailweir.errors import DatabaseUnavailable
from mailweir.matching import DeploymentRef, People, UserRef
from mailweir.store.connection import Database
from mailweir.store.directory import SqlDirectory

MAX_CONNECTIONS = 6
WAIT_SECONDS = 30.0


class Connections:
    """Lends out connections; a broken one is closed, so that the next borrower opens a new one."""

    def __init__(self, open_database: Callable[[], Database]) -> None:
        self._open_database = open_database
        self._idle: deque[Database] = deque()
        self._places = threading.BoundedSemaphore(MAX_CONNECTIONS)

    @contextmanager
    def lent(self) -> Iterator[Database]:
        """A connection. DatabaseUnavailable also where others hold all of them for too long."""
        if not self._places.acquire(timeout=WAIT_SECONDS):
            raise DatabaseUnavailable(f"all {MAX_CONNECTIONS} connections are busy")
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
        """Closes those that nobody has."""
        while self._idle:
            self._idle.pop().close()


class Directory:
    """matching.Directory over borrowed connections."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    @contextmanager
    def _lent(self) -> Iterator[SqlDirectory]:
        with self._connections.lent() as database, database.reading():
            yield SqlDirectory(database)

    def deployments(self, domains: Collection[str]) -> Mapping[str, DeploymentRef]:
        """See matching.Directory."""
        with self._lent() as directory:
            return directory.deployments(domains)

    def users_named(self, deployment_id: int, usernames: Collection[str]) -> Mapping[str, UserRef]:
        """See matching.Directory."""
        with self._lent() as directory:
            return directory.users_named(deployment_id, usernames)

    def people_with(self, deployment_id: int, keys: Collection[str]) -> People:
        """See matching.Directory."""
        with self._lent() as directory:
            return directory.people_with(deployment_id, keys)
