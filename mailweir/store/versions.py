"""The database's version: upgrading it, and refusing one that doesn't fit this code.

`upgrade` is called by `mailweir up` and `mailweir db upgrade`; `check` by every process before it serves.
"""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from mailweir.errors import DatabaseUnavailable, DatabaseVersionError
from mailweir.store.connection import Database

_FOLDER = Path(__file__).parent / "migrations"
_HISTORY = "schema_migration"  # playhouse.migrations' own name


def upgrade(path: Path) -> list[str]:
    """Makes the file where there is none and runs the steps that it lacks; their names.

    Only one process at a time: the others wait and find nothing left to do. Each step is a transaction.
    """
    # playhouse.migrations costs the daemons memory for nothing
    from playhouse.migrations import Runner

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            _locked(path.with_name(path.name + ".upgrade-lock")),
            contextlib.closing(Database(path, create=True)) as database,
        ):
            database.open()
            _refuse_newer(database)
            with database.bound():
                names: list[str] = Runner(database.peewee, str(_FOLDER), table_name=_HISTORY).up()
            return names
    except OSError as error:
        raise DatabaseUnavailable(f"database {path}: {error.strerror or error}") from error


def check(database: Database) -> None:
    """Returns if the database has exactly this code's shape; else DatabaseVersionError, which says what to do."""
    if not database.path.is_file():
        raise DatabaseVersionError(f"there is no database at {database.path}: run 'mailweir db upgrade' to make it")
    _refuse_newer(database)
    missing = _known() - _applied(database)
    if missing:
        raise DatabaseVersionError(
            f"the database {database.path} is older than this program (it lacks {', '.join(sorted(missing))}): "
            "run 'mailweir db upgrade'"
        )


def _refuse_newer(database: Database) -> None:
    unknown = _applied(database) - _known()
    if unknown:
        raise DatabaseVersionError(
            f"the database {database.path} is newer than this program (it has {', '.join(sorted(unknown))}): "
            "install the version of mailweir that it was last used with, or a newer one"
        )


def _known() -> set[str]:
    return {file.stem for file in _FOLDER.glob("[0-9]*.py")}


def _applied(database: Database) -> set[str]:
    table = database.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (_HISTORY,)).fetchone()
    if table is None:
        return set()
    return {name for (name,) in database.execute(f"SELECT name FROM {_HISTORY}").fetchall()}


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
