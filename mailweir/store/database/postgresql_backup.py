"""A backup of PostgreSQL's database by its own programs: `pg_dump` in its custom format, read back by `pg_restore`.

`pg_dump` reads one snapshot, and no writer waits for it. `pg_restore` runs as one transaction: all of it or nothing. Both are
PostgreSQL's client programs, and must be no older than the server. The password is passed in the environment, never on the
command line. Called by `admin_cli.backups`.
"""

import contextlib
import os
import shutil
import subprocess
from contextlib import closing
from datetime import datetime
from pathlib import Path

from mailweir.database_url import Postgresql
from mailweir.errors import BackupError
from mailweir.store.database import versions
from mailweir.store.database.backup import COUNTED, OURS
from mailweir.store.database.connection import Database
from mailweir.store.web import retention

_DEBIAN_PROGRAMS = Path("/usr/lib/postgresql")
_MAGIC = b"PGDMP"


def dump(database_url: Postgresql, target: Path) -> dict[str, int]:
    """Dumps the whole database into an existing empty file; returns the rows in each table of `COUNTED`. BackupError."""
    with closing(Database(database_url)) as database:
        versions.check(database)
        database.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        database.execute("SET LOCAL statement_timeout = 0")
        (snapshot,) = database.execute("SELECT pg_export_snapshot()").fetchone()
        counts = _count(database)
        arguments = ["--format=custom", "--no-owner", "--no-privileges", "--schema=public", f"--snapshot={snapshot}"]
        _run(database_url, "pg_dump", *arguments, f"--file={target}", f"--dbname={database_url.url}")
    refuse_foreign(target)
    return counts


def refuse_foreign(file: Path, named: Path | None = None) -> None:
    """BackupError if the file isn't a complete dump of ours."""
    name = named or file
    with file.open("rb") as opened:
        if opened.read(len(_MAGIC)) != _MAGIC:
            raise BackupError(f"{name} is no backup of a PostgreSQL database")
    listed = _run(None, "pg_restore", "--list", str(file))
    missing = [table for table in (*OURS, "schema_migration") if f" TABLE DATA public {table} " not in listed]
    if missing:
        raise BackupError(f"{name} is a database, but none of mailweir's: it lacks {', '.join(missing)}")
    _run(None, "pg_restore", "--file=/dev/null", str(file))  # reads every row


def count_users(database_url: Postgresql) -> int:
    """How many other connections the database has."""
    sql = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with closing(Database(database_url)) as database:
        return int(database.execute(sql).fetchone()[0])


def load(database_url: Postgresql, file: Path, now: datetime) -> tuple[str | None, list[str], dict[str, int]]:
    """Fills the database from the file, without the page's sessions; returns the schema that keeps the old content (None if there
    was none), the migrations that ran, and the number of rows in each table of `COUNTED`.

    BackupError or DatabaseVersionError (the backup is newer), and then the database is unchanged.
    """
    kept = _set_aside(database_url, now)
    try:
        arguments = [
            "--single-transaction",
            "--exit-on-error",
            "--no-owner",
            "--no-privileges",
            f"--dbname={database_url.url}",
        ]
        _run(database_url, "pg_restore", *arguments, str(file))
        applied = versions.upgrade(database_url)
        with closing(Database(database_url)) as database:
            versions.check(database)
            retention.end_all(database)
            return kept, applied, _count(database)
    except BaseException:
        _bring_back(database_url, kept)
        raise


def _set_aside(database_url: Postgresql, now: datetime) -> str | None:
    """Renames the schema `public` if it contains tables, and drops it otherwise; returns its new name, or None."""
    name = f"before_restore_{now:%Y%m%dt%H%M%Sz}"
    with closing(Database(database_url)) as database, database.transaction():
        held = database.execute("SELECT 1 FROM pg_tables WHERE schemaname = 'public'").fetchone()
        database.execute(f"ALTER SCHEMA public RENAME TO {name}" if held else "DROP SCHEMA public")
        # pg_restore makes it again
    return name if held else None


def _bring_back(database_url: Postgresql, kept: str | None) -> None:
    with closing(Database(database_url)) as database, database.transaction():
        database.execute("DROP SCHEMA IF EXISTS public CASCADE")
        database.execute(f"ALTER SCHEMA {kept} RENAME TO public" if kept else "CREATE SCHEMA public")


def _count(database: Database) -> dict[str, int]:
    sql = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    tables = {table for (table,) in database.execute(sql).fetchall()}
    counted = [table for table in COUNTED if table in tables]  # a backup may be older than some
    return {table: int(database.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]) for table in counted}


def _run(database_url: Postgresql | None, name: str, *arguments: str) -> str:
    password = database_url.password() if database_url else None
    environment = {**os.environ, "LC_ALL": "C.UTF-8", **({"PGPASSWORD": password} if password else {})}
    done = subprocess.run(
        [_program(name), *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        raise BackupError(f"{name} failed: {' '.join(done.stderr.split())[:500]}")
    return done.stdout


def _program(name: str) -> str:
    """The path of the program's newest installed version. Debian's `pg_dump` on the PATH takes the version of a local cluster,
    which may be the wrong one."""
    with contextlib.suppress(OSError, ValueError):
        versioned = sorted(_DEBIAN_PROGRAMS.glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
        if versioned:
            return str(versioned[-1])
    found = shutil.which(name)
    if found is None:
        raise BackupError(
            f"the program '{name}' isn't here: install PostgreSQL's client ('postgresql-client' on Debian)"
        )
    return found
