"""The database's version: upgrading it, and refusing one that doesn't fit this code.

`upgrade` is called by `mailweir up` and `mailweir db upgrade`; `check` by every process before it serves.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from mailweir.database_url import DatabaseUrl
from mailweir.errors import DatabaseUnavailable, DatabaseVersionError
from mailweir.store.database.connection import Database

STEPS = Path(__file__).parent / "migrations"
HISTORY_TABLE = "schema_migration"  # playhouse.migrations' own name
_UPGRADE_KEY = 7_305_805  # of PostgreSQL's advisory lock
_UPGRADE_SECONDS = 3600.0  # a step may rewrite a large table


def upgrade(database_url: DatabaseUrl) -> list[str]:
    """Makes SQLite's file where there is none, and runs the steps that the database lacks; their names.

    Only one process at a time, on whichever host: the others wait and find nothing left to do. Each step is a transaction.
    """
    # playhouse.migrations costs the daemons memory for nothing
    from playhouse.migrations import Runner

    with _locked(database_url) as database:
        _refuse_newer(database)
        with database.bound():
            names: list[str] = Runner(database.peewee, str(STEPS), table_name=HISTORY_TABLE).up()
        return names


def pending(database_url: DatabaseUrl) -> list[str]:
    """The names of the steps that `upgrade` would run; nothing is made. DatabaseVersionError where it is newer than this code."""
    if isinstance(database_url, Path) and not database_url.is_file():
        return sorted(_known())
    with contextlib.closing(Database(database_url)) as database:
        _refuse_newer(database)
        return sorted(_known() - _applied(database))


def check(database: Database) -> None:
    """Returns if the database has exactly this code's shape; else DatabaseVersionError, which says what to do."""
    if database.is_sqlite and not database.path.is_file():
        raise DatabaseVersionError(f"there is no database at {database.path}: run 'mailweir db upgrade' to make it")
    _refuse_newer(database)
    missing = _known() - _applied(database)
    if missing:
        raise DatabaseVersionError(
            f"the database {database.url} is older than this program (it lacks {', '.join(sorted(missing))}): "
            "run 'mailweir db upgrade'"
        )


def _refuse_newer(database: Database) -> None:
    unknown = _applied(database) - _known()
    if unknown:
        raise DatabaseVersionError(
            f"the database {database.url} is newer than this program (it has {', '.join(sorted(unknown))}): "
            "install the version of mailweir that it was last used with, or a newer one"
        )


def _known() -> set[str]:
    return {file.stem for file in STEPS.glob("[0-9]*.py")}


def _applied(database: Database) -> set[str]:
    on_sqlite, on_postgresql = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", "SELECT to_regclass(?)"
    table = database.execute(on_sqlite if database.is_sqlite else on_postgresql, (HISTORY_TABLE,)).fetchone()
    if table is None or table[0] is None:
        return set()
    return {name for (name,) in database.execute(f"SELECT name FROM {HISTORY_TABLE}").fetchall()}


@contextlib.contextmanager
def _locked(database_url: DatabaseUrl) -> Iterator[Database]:
    """The open database, which no other process upgrades meanwhile."""
    if isinstance(database_url, Path):
        with _locked_file(database_url) as database:
            yield database
        return
    with contextlib.closing(Database(database_url, busy_timeout_seconds=_UPGRADE_SECONDS)) as database:
        # of the session, for each step is a transaction of its own; it goes with the connection, however that ends
        database.execute("SELECT pg_advisory_lock(?)", (_UPGRADE_KEY,))
        yield database


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
        raise DatabaseUnavailable(f"database {path}: {error.strerror or error}") from error


def _for_the_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
