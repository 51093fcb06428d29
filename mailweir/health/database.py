"""The database: is it there, ours, whole and writable?"""

import pwd
from collections.abc import Iterator
from pathlib import Path

from mailweir.errors import DatabaseUnavailable, DatabaseVersionError
from mailweir.health import advice
from mailweir.health.findings import Finding, note, ok, wrong
from mailweir.sentence import said
from mailweir.settings import Settings
from mailweir.store.database import health, versions
from mailweir.store.database.connection import Database

AREA = "database"
_QUICK_CHECK_SECONDS = 10.0
_MIB = 2**20


def check_state(database: Database) -> Iterator[Finding]:
    """Is the database reachable, and of this program's version?"""
    try:
        versions.check(database)
    except DatabaseVersionError as error:
        yield wrong(
            AREA,
            str(error),
            said(
                "if it was there before, see 'The database is gone' in docs/admin/operations.md before you do anything"
            ),
            key="database.version",
            why=str(error),
        )
        return
    except DatabaseUnavailable as error:
        yield wrong(
            AREA,
            said("{error}; senders get 451 and try again", error=error),
            said("see 'The database' in docs/admin/operations.md"),
            key="database.unavailable",
            why=str(error),
        )
        return
    size = health.size_bytes(database) / _MIB
    yield ok(
        AREA,
        said("{url} answers, has this program's version and uses {size:,.1f} MiB", url=database.url, size=size),
        key="database.answers",
        bytes=round(size * _MIB),
    )


def check_damage(settings: Settings, database: Database) -> Iterator[Finding]:
    """SQLite's own quick check, within a bounded time."""
    try:
        damage = health.find_damage(database, _QUICK_CHECK_SECONDS)
    except DatabaseUnavailable as error:
        if "interrupted" not in str(error):
            yield wrong(
                AREA,
                said("it can't be read: {error}", error=error),
                said("see 'The database' in docs/admin/operations.md"),
                key="database.unreadable",
                why=str(error),
            )
            return
        yield note(
            AREA,
            said(
                "it is too large to be checked for damage within {seconds:.0f} s",
                seconds=_QUICK_CHECK_SECONDS,
            ),
            said("'mailweir db backup' checks its copy in full"),
            key="database.damage_not_looked_for",
        )
        return
    if damage is None:
        yield ok(AREA, said("no damage found"), key="database.no_damage")
    else:
        yield wrong(
            AREA,
            said("it is damaged: {damage}", damage=damage),
            said(
                "{stop}, keep the files, and restore a backup: mailweir db restore FILE",
                stop=advice.stop(settings),
            ),
            key="database.damaged",
            why=damage,
        )


def check_writing(database: Database) -> Iterator[Finding]:
    """Could the filter write now?"""
    try:
        health.try_writing(database)
    except DatabaseUnavailable as error:
        yield wrong(
            AREA,
            said("it can't be written: {error}; senders get 451 meanwhile and try again", error=error),
            said(
                "locked: find the process that holds it (fuser -v FILE) and end it; read-only: check the file's owner and "
                "the disk"
            ),
            key="database.not_writable",
            why=str(error),
        )
    else:
        yield ok(AREA, said("it can be written"), key="database.writable")


def check_owner(settings: Settings) -> Iterator[Finding]:
    """The filter runs as the user run_as: do the database's files belong to that user? SQLite only."""
    database_url = settings.database_url
    if not isinstance(database_url, Path):
        return
    try:
        uid = pwd.getpwnam(settings.run_as).pw_uid
    except KeyError:
        return
    for file, owner in health.owner_of(database_url):
        if owner != uid:
            yield wrong(
                AREA,
                said("{file} belongs to uid {owner}, not to {run_as}", file=file, owner=owner, run_as=settings.run_as),
                said("chown {run_as}: {file}", run_as=settings.run_as, file=file),
                key="database.foreign_owner",
                file=str(file),
                uid=owner,
            )
