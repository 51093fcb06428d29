"""Health of the database: its size, damage, and whether it is writable. Changes nothing. Called by `mailweir doctor`."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mailweir.store.database.connection import Database


def size_bytes(database: Database) -> int:
    """The size of SQLite's file with its log, or of PostgreSQL's database."""
    if not database.is_sqlite:
        (size,) = database.execute("SELECT pg_database_size(current_database())").fetchone()
        return int(size)
    files = (database.path.with_name(database.path.name + suffix) for suffix in ("", "-wal"))
    return sum(file.stat().st_size for file in files if file.exists())


def find_damage(database: Database, seconds: float) -> str | None:
    """The damage that SQLite's quick check finds, or None. None for PostgreSQL, which checks its pages itself.

    DatabaseUnavailable ("interrupted") if the check takes longer.
    """
    if not database.is_sqlite:
        return None
    with limited(database, seconds):
        (found,) = database.execute("PRAGMA quick_check(1)").fetchone()
    return None if found == "ok" else " ".join(str(found).split())


@contextmanager
def limited(database: Database, seconds: float) -> Iterator[None]:
    """Interrupts statements that run longer: DatabaseUnavailable. PostgreSQL's connections have a statement_timeout instead."""
    if not database.is_sqlite:
        yield
        return
    deadline = time.monotonic() + seconds
    database.open()
    connection = database.peewee.connection()
    connection.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)
    try:
        yield
    finally:
        connection.set_progress_handler(None, 0)


def try_writing(database: Database) -> None:
    """Takes the write lock, and releases it. DatabaseUnavailable if it isn't available within the busy time-out."""
    with database.transaction():
        database.execute("UPDATE deployments SET name = name WHERE id = -1")


def owner_of(path: Path) -> list[tuple[Path, int]]:
    """The files that a writer needs, each with the uid of its owner."""
    files = [path.parent, *(path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm"))]
    found = []
    for file in files:
        try:
            found.append((file, os.lstat(file).st_uid))
        except FileNotFoundError:
            continue
    return found
