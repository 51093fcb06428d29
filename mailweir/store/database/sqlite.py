"""SQLite as a back end: how its connection is made, and which of its errors mean that it can't be asked now.

Called by `connection`.
"""

import contextlib
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import peewee


class Sqlite:
    """One connection to a file."""

    def __init__(self, path: Path, busy_timeout_seconds: float, *, create: bool, durable: bool) -> None:
        self._path = path
        self._create = create
        self._file: tuple[int, int] | None = None
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
                "synchronous": "full" if durable else "normal",  # law 1: a commit is on the disk
                # Pages, 64 MB. Mail changes the leaves of a large record's indexes in no order. The longer the log, the more
                # messages share one write of a leaf into the file: 16,000 cost half the CPU that 4,000 do.
                "wal_autocheckpoint": 16000,
                "cache_size": -8000,  # kB; the default 2 MB doesn't hold the inner pages of a large record's indexes
                "foreign_keys": 1,
                # What is deleted is overwritten: without it, 2,992 of 3,000 deleted mails could be read out of the file. It is
                # Debian's default, and not everybody's. All that write need it: a page that is parted leaves copies behind.
                "secure_delete": 1,
                "busy_timeout": int(busy_timeout_seconds * 1000),
            },
        )
        # a transaction that writes takes the write lock at once, for a read that turns into a write fails as 'locked'
        self.begin: tuple[str, ...] = ("IMMEDIATE",)
        self.serialise: str | None = None

    def connect(self) -> None:
        """Opens the file, and remembers which one it is. A new one is its owner's alone, and so are the files beside it."""
        if self._create:
            with contextlib.suppress(OSError):  # SQLite says why it can't be made
                os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        self.peewee.connect()
        self._file = _identity(self._path)

    def is_stale(self) -> bool:
        """Is the open file no longer the one of that name? What is written to a removed file is gone with its last user."""
        return _identity(self._path) != self._file

    def refuse_lost_transaction(self) -> None:
        """Before a commit. Where SQLite has rolled back by itself, COMMIT fails; a removed file would take it."""
        if self.is_stale():
            raise peewee.OperationalError("the file was removed or replaced")

    def writes(self) -> int:
        """A number that another one follows where rows are changed."""
        connection: Any = self.peewee.connection()  # type: ignore[no-untyped-call]
        return int(connection.total_changes)

    def executor(self) -> Callable[..., Any]:
        """The driver's own `execute`."""
        connection: Any = self.peewee.connection()  # type: ignore[no-untyped-call]
        execute: Callable[..., Any] = connection.execute
        return execute

    def together(self) -> contextlib.AbstractContextManager[object]:
        """Nothing travels here."""
        return contextlib.nullcontext()

    def is_outage(self, error: BaseException) -> bool:
        """Is it the database that fails, and not a row that can't be?"""
        if isinstance(error, (peewee.OperationalError, peewee.InterfaceError, sqlite3.OperationalError)):
            return True
        # the class itself stands for a file that is no database or is damaged; its subclasses for a row that can't be
        return type(error) in (peewee.DatabaseError, sqlite3.DatabaseError)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116  on the path of every message: pathlib takes twice the time
    except OSError:
        return None
    return found.st_dev, found.st_ino
