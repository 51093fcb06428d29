"""One connection to the database, and the transaction that fits it.

A `Database` belongs to one thread at a time and is opened after a fork, never before. Reads see what was committed last,
so a contact added by the command line counts at the next message. Called by every process that reads or records.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import peewee

from mailweir.errors import DatabaseUnavailable
from mailweir.store import models

BUSY_TIMEOUT_SECONDS = 5.0


class Database:
    """A connection, opened at first use. SQL has `?` for a parameter.

    Errors: DatabaseUnavailable where the database can't be opened, is locked for longer than the time-out, is full or gone.
    """

    def __init__(self, path: Path, *, busy_timeout_seconds: float = BUSY_TIMEOUT_SECONDS, create: bool = False) -> None:
        self.path = path
        mode = "rwc" if create else "rw"
        # thread_safe=False: peewee would keep a connection for each thread, and the filter has a thread a connection
        self.peewee = peewee.SqliteDatabase(
            f"file:{quote(str(path))}?mode={mode}",
            uri=True,
            timeout=busy_timeout_seconds,
            check_same_thread=False,
            thread_safe=False,
            autoconnect=False,
            pragmas={
                "journal_mode": "wal",
                "synchronous": "full",  # law 1: a commit is on the disk
                "wal_autocheckpoint": 4000,  # pages: with 1,000 a busy filter writes the same pages into the file four times
                "cache_size": -8000,  # kB; the default 2 MB doesn't hold the inner pages of a large record's indexes
                "foreign_keys": 1,
                "busy_timeout": int(busy_timeout_seconds * 1000),
            },
        )

    def open(self) -> None:
        """Connects where it isn't connected."""
        if self.peewee.is_closed():
            with self._translated():
                self.peewee.connect()

    def close(self) -> None:
        """Disconnects where it is connected."""
        if not self.peewee.is_closed():
            self.peewee.close()

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """Runs one statement; the cursor gives plain tuples."""
        self.open()
        with self._translated():
            return self.fast_execute()(sql, parameters)

    def fast_execute(self) -> Callable[..., Any]:
        """The driver's own `execute`, for the path of every message: a third of the time of `execute`.

        To be used within `transaction` or `reading`, which open the connection and translate the errors.
        """
        connection: Any = self.peewee.connection()  # type: ignore[no-untyped-call]
        execute: Callable[..., Any] = connection.execute
        return execute

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Several reads with `fast_execute`."""
        with self._translated():
            self.open()
            yield

    @contextmanager
    def bound(self) -> Iterator[None]:
        """Lets the models of `store/` speak over this connection."""
        self.open()
        with self._translated(), self.peewee.bind_ctx(models.ALL):
            yield

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A transaction that writes: takes the write lock at once, for a read that turns into a write fails as 'locked'."""
        self.open()
        with self._translated(), self.peewee.atomic("IMMEDIATE"):
            yield

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A part of a transaction that can fail alone."""
        execute = self.fast_execute()
        execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            execute("ROLLBACK TO part")
            raise
        finally:
            execute("RELEASE part")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (peewee.OperationalError, peewee.InterfaceError, sqlite3.OperationalError) as error:
            raise DatabaseUnavailable(f"database {self.path}: {error}") from error
        except (peewee.DatabaseError, sqlite3.DatabaseError) as error:
            # the class itself stands for a file that is no database or is damaged; its subclasses for a row that can't be
            if type(error) not in (peewee.DatabaseError, sqlite3.DatabaseError):
                raise
            raise DatabaseUnavailable(f"database {self.path}: {error}") from error
