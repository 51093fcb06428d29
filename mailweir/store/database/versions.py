"""The database's version: upgrading it, and refusing a version that doesn't fit this code.

Each module in `migrations/` is a step. A step with `ONLY_ADDS = True` adds tables, columns with a default and indexes, and
changes nothing existing. The previous program version continues to work with a database that has such steps besides its own:
hosts can be upgraded one after the other. `upgrade` is called by `mailweir up` and `mailweir db upgrade`; `check` by every
process before it serves.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mailweir.database_url import DatabaseUrl
from mailweir.errors import DatabaseUnavailable, DatabaseVersionError
from mailweir.sentence import said
from mailweir.store.database.connection import Database

STEPS = Path(__file__).parent / "migrations"
HISTORY_TABLE = "schema_migration"  # playhouse.migrations' own name
ADDITIONS_TABLE = "schema_additions"  # the names of steps that only add
_UPGRADE_KEY = 7_305_805  # of PostgreSQL's advisory lock
_UPGRADE_SECONDS = 3600.0  # a step may rewrite a large table
_POLL_SECONDS = 0.2


def upgrade(database_url: DatabaseUrl) -> list[str]:
    """Makes SQLite's file if there is none, and runs the steps that the database lacks; returns their names.

    Only one process does so at a time, on all hosts: the others wait and find nothing left to do. A step that isn't a transaction
    can be run again. The steps that only add are recorded before they are run, because programs may start meanwhile.
    """
    # Imported here: daemons don't need playhouse.migrations, which costs memory.
    from playhouse.migrations import Runner

    with _locked(database_url) as database:
        _refuse_newer(database)
        with database.bound():
            runner = Runner(database.peewee, str(STEPS), table_name=HISTORY_TABLE)
            additions = _only_adding(runner)
            _note_additions(database, additions)
            names: list[str] = runner.up()
            _note_additions(database, additions)
        return names


def pending(database_url: DatabaseUrl) -> list[str]:
    """The names of the steps that `upgrade` would run; changes nothing. DatabaseVersionError if the database is newer."""
    if isinstance(database_url, Path) and not database_url.is_file():
        return sorted(_known())
    with contextlib.closing(Database(database_url)) as database:
        _refuse_newer(database)
        return sorted(_known() - _applied(database))


def check(database: Database) -> None:
    """Returns if the database has all of this code's steps, and no others except steps that only add; else DatabaseVersionError,
    which says what to do."""
    if database.is_sqlite and not database.path.is_file():
        raise DatabaseVersionError(
            said("there is no database at {path}: run 'mailweir db upgrade' to create it", path=database.path)
        )
    _refuse_newer(database)
    missing = _known() - _applied(database)
    if missing:
        raise DatabaseVersionError(
            said(
                "the database {url} is older than this program (it lacks {missing}): run 'mailweir db upgrade'",
                url=database.url,
                missing=", ".join(sorted(missing)),
            )
        )


def _refuse_newer(database: Database) -> None:
    unknown = _applied(database) - _known()
    if unknown:
        unknown -= _names_in(database, ADDITIONS_TABLE)
    if unknown:
        raise DatabaseVersionError(
            said(
                "the database {url} is newer than this program (it has {unknown}): install the version of mailweir "
                "that it was last used with, or a newer one",
                url=database.url,
                unknown=", ".join(sorted(unknown)),
            )
        )


def _known() -> set[str]:
    return {file.stem for file in STEPS.glob("[0-9]*.py")}


def _applied(database: Database) -> set[str]:
    return _names_in(database, HISTORY_TABLE)


def _names_in(database: Database, table: str) -> set[str]:
    """The names of steps; empty if there is no such table."""
    if not _has(database, table):
        return set()
    return {name for (name,) in database.execute(f"SELECT name FROM {table}").fetchall()}


def _has(database: Database, table: str) -> bool:
    on_sqlite, on_postgresql = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", "SELECT to_regclass(?)"
    row = database.execute(on_sqlite if database.is_sqlite else on_postgresql, (table,)).fetchone()
    return row is not None and row[0] is not None


def _only_adding(runner: Any) -> list[str]:
    """The names of this code's steps that only add."""
    return [step.name for step in runner.migrations() if getattr(step.load(), "ONLY_ADDS", False)]


def _note_additions(database: Database, names: list[str]) -> None:
    """Records the names of steps that only add. Does nothing until a step has made the table: older programs don't read it."""
    if not _has(database, ADDITIONS_TABLE):
        return
    for name in names:
        database.execute(f"INSERT INTO {ADDITIONS_TABLE} (name) VALUES (?) ON CONFLICT (name) DO NOTHING", (name,))


@contextlib.contextmanager
def _locked(database_url: DatabaseUrl) -> Iterator[Database]:
    """The open database, which no other process upgrades meanwhile."""
    if isinstance(database_url, Path):
        with _locked_file(database_url) as database:
            yield database
        return
    with contextlib.closing(Database(database_url, busy_timeout_seconds=_UPGRADE_SECONDS)) as database:
        _wait_for_the_lock(database)
        yield database


def _wait_for_the_lock(database: Database) -> None:
    """The lock belongs to the session, because each step is a transaction of its own. It always ends with the connection.

    It is polled: a statement that waits for it would make another process's CREATE INDEX CONCURRENTLY wait.
    """
    give_up_at = time.monotonic() + _UPGRADE_SECONDS
    while not database.execute("SELECT pg_try_advisory_lock(?)", (_UPGRADE_KEY,)).fetchone()[0]:
        if time.monotonic() > give_up_at:
            raise DatabaseUnavailable(
                said("database {url}: another process upgrades it; try again later", url=database.url)
            )
        time.sleep(_POLL_SECONDS)


@contextlib.contextmanager
def _locked_file(path: Path) -> Iterator[Database]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            open(f"{path}.upgrade-lock", "w", opener=_for_the_owner) as file,
            contextlib.closing(Database(path, create=True)) as database,
        ):
            fcntl.flock(file, fcntl.LOCK_EX)
            database.open()
            yield database
    except OSError as error:
        raise DatabaseUnavailable(said("database {path}: {what}", path=path, what=error.strerror or error)) from error


def _for_the_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
