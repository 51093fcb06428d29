"""Backs up SQLite's file while it is in use, and checks a backup before it is restored.

One read transaction holds a snapshot while the file is copied. With the write-ahead log no writer waits for it, and writes don't
make the copying start again. The copy is one file without a log beside it. A backup never writes to the database itself.
PostgreSQL's counterpart is `postgresql_backup`. Called by `mailweir db backup` and `db restore`.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from mailweir.errors import BackupError, DatabaseUnavailable
from mailweir.store.database import versions
from mailweir.store.database.connection import BUSY_TIMEOUT_SECONDS, Database
from mailweir.store.web import retention

# Tables that each version of ours has had, which identify a database as ours.
OURS = ("deployments", "users", "contacts", "activities", "raw_messages", "todos", "decisions")
COUNTED = (*OURS, "readings")
PAGES_A_STEP = 2_000  # 8 MB: small enough for a progress bar to move, and for Ctrl-C to be noticed

Progress = Callable[[int, int], None]


class Snapshot:
    """The database as it was when this object was made. Close it after use."""

    def __init__(self, path: Path) -> None:
        """DatabaseUnavailable if it can't be read."""
        with _translated(f"database {path}"):
            self._connection = sqlite3.connect(
                f"file:{quote(str(path))}?mode=rw", uri=True, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None
            )
            try:
                self._connection.execute("BEGIN")
                self._connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()  # the snapshot is taken here
            except BaseException:
                self._connection.close()
                raise

    def copy(self, target: Path, progress: Progress, pages: int = PAGES_A_STEP) -> None:
        """Copies it into a file, which may exist and be empty. progress: pages done, pages in all. BackupError."""
        with _failing(target), closing(sqlite3.connect(target, isolation_level=None)) as copy:
            copy.execute("PRAGMA synchronous = OFF")  # the caller syncs the whole file once
            self._connection.backup(
                copy, pages=pages, progress=lambda _, left, total: progress(total - left, total), sleep=0
            )
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it

    def close(self) -> None:
        """Releases the snapshot."""
        self._connection.close()


def verify(path: Path, named: Path | None = None) -> dict[str, int]:
    """Checks a copy, and returns the number of rows in each table of `COUNTED`. BackupError if it is damaged or isn't ours.

    named: the path that errors show.
    """
    name = named or path
    with _failing(name), closing(sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True)) as copy:
        found = [row[0] for row in copy.execute("PRAGMA integrity_check(1)")]
        if found != ["ok"]:
            raise BackupError(f"{name} is damaged: {' '.join(str(found[0]).split())}")
        tables = {row[0] for row in copy.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not tables.issuperset(OURS):
            raise BackupError(f"{name} is none of mailweir's databases")
        counted = [table for table in COUNTED if table in tables]  # an older backup may lack some
        return {table: copy.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in counted}


def make_current(path: Path) -> list[str]:
    """Upgrades a copy that is about to be restored, and ends the page's sessions in it; returns the migrations that it lacked.

    DatabaseVersionError if the copy is newer than this program.
    """
    applied = versions.upgrade(path)
    with closing(Database(path)) as database:
        versions.check(database)
        retention.end_all(database)
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return applied


def settle(path: Path) -> None:
    """Moves the content of the write-ahead log of an unused database into its file, if possible."""
    with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True, timeout=1.0)) as database:
        try:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.Error:
            return  # damaged: the log stays beside it


@contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise DatabaseUnavailable(f"{what}: {error}") from error


@contextmanager
def _failing(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise BackupError(f"{path}: {error}") from error
