"""SQLite as a back end: how its connection is made, and which of its errors mean that it isn't available now.

Called by `connection`.
"""

import contextlib
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mailweir.store.database import like
from mailweir.store.database.lean_peewee import peewee


class Sqlite:
    """One connection to a file."""

    def __init__(self, path: Path, busy_timeout_seconds: float, *, create: bool, durable: bool) -> None:
        self._path = path
        self._create = create
        self._file: tuple[int, int] | None = None
        mode = "rwc" if create else "rw"
        # With thread_safe=True peewee would keep a connection for each thread, and the filter has a thread for each SMTP session.
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
                # Pages, 64 MB. Mail changes the leaves of a large record's indexes in random order. The longer the log, the more
                # messages share one write of a leaf into the file: 16,000 cost half the CPU that 4,000 do.
                "wal_autocheckpoint": 16000,
                # kB; the default 2 MB is too small for the inner pages of a large record's indexes
                "cache_size": -8000,
                "foreign_keys": 1,
                # Overwrites deleted content: without it, 2,992 of 3,000 deleted mails could be read from the file. It is the
                # default of Debian's SQLite, but not of every other. All writers need it: a page split leaves copies behind.
                "secure_delete": 1,
                "busy_timeout": int(busy_timeout_seconds * 1000),
            },
        )
        self.peewee.register_function(like.folded, like.FOLDED, 1)
        # A transaction that writes takes the write lock at once: after a read in it, a write could fail as 'locked'.
        self.begin: tuple[str, ...] = ("IMMEDIATE",)
        self.serialise: str | None = None

    def connect(self) -> None:
        """Opens the file, and remembers its identity. Only the owner can access a new file and SQLite's files beside it."""
        if self._create:
            with contextlib.suppress(OSError):  # SQLite reports why it can't be created
                os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        self.peewee.connect()
        self._file = _identity(self._path)

    def is_stale(self) -> bool:
        """Has the open file been replaced or removed? A removed file's data is lost once no process has it open."""
        return _identity(self._path) != self._file

    def refuse_lost_transaction(self) -> None:
        """Called before a commit; raises an error if the file was removed or replaced, because COMMIT would succeed. It fails by
        itself if SQLite has rolled back."""
        if self.is_stale():
            raise peewee.OperationalError("the file was removed or replaced")

    def writes(self) -> int:
        """A number that changes when rows are changed."""
        connection: Any = self.peewee.connection()  # type: ignore[no-untyped-call]
        return int(connection.total_changes)

    def executor(self) -> Callable[..., Any]:
        """The driver's own `execute`."""
        connection: Any = self.peewee.connection()  # type: ignore[no-untyped-call]
        execute: Callable[..., Any] = connection.execute
        return execute

    def together(self) -> contextlib.AbstractContextManager[object]:
        """Does nothing here."""
        return contextlib.nullcontext()

    def is_outage(self, error: BaseException) -> bool:
        """Is it a failure of the database, and not an invalid row?"""
        if isinstance(error, (peewee.OperationalError, peewee.InterfaceError, sqlite3.OperationalError)):
            return True
        # The class itself means a file that isn't a database or is damaged; its subclasses mean an invalid row.
        return type(error) in (peewee.DatabaseError, sqlite3.DatabaseError)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116  on the path of every message: pathlib takes twice the time
    except OSError:
        return None
    return found.st_dev, found.st_ino
