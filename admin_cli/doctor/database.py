"""The database: is it there, ours, whole, writable, and is there room for it?"""

import os
import pwd
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from admin_cli.doctor import advice
from admin_cli.doctor.findings import Finding, note, ok, wrong
from mailweir.errors import DatabaseUnavailable, DatabaseVersionError
from mailweir.settings import Settings
from mailweir.store.database import health, versions
from mailweir.store.database.connection import Database
from postfix.rendering import Places

AREA = "database"
_QUICK_CHECK_SECONDS = 10.0
_MIB = 2**20


def check_state(database: Database) -> Iterator[Finding]:
    """Reachable, and of this program's version."""
    try:
        versions.check(database)
    except DatabaseVersionError as error:
        yield wrong(
            AREA,
            str(error),
            "where it was there before: see 'The database is gone' in docs/operations.md, before you do anything",
        )
        return
    except DatabaseUnavailable as error:
        yield wrong(AREA, f"{error}; senders get 451 and come again", "see 'The database' in docs/operations.md")
        return
    size = health.size_bytes(database) / _MIB
    yield ok(AREA, f"{database.url} answers, has this program's version and takes {size:,.1f} MiB")


def check_damage(settings: Settings, database: Database) -> Iterator[Finding]:
    """SQLite's own quick check, for as long as one waits."""
    try:
        damage = health.find_damage(database, _QUICK_CHECK_SECONDS)
    except DatabaseUnavailable as error:
        if "interrupted" not in str(error):
            yield wrong(AREA, f"it can't be read: {error}", "see 'database damaged' in docs/operations.md")
            return
        yield note(
            AREA,
            f"it is too large to be checked for damage within {_QUICK_CHECK_SECONDS:.0f} s",
            "'mailweir db backup' checks its copy in full",
        )
        return
    if damage is None:
        yield ok(AREA, "no damage found")
    else:
        yield wrong(
            AREA,
            f"it is damaged: {damage}",
            f"{advice.stop(settings)}, keep the files, and restore a backup: mailweir db restore FILE",
        )


def check_writing(database: Database) -> Iterator[Finding]:
    """Could the filter write now?"""
    try:
        health.try_writing(database)
    except DatabaseUnavailable as error:
        yield wrong(
            AREA,
            f"it can't be written: {error}; senders get 451 meanwhile and come again",
            "locked: find who holds it (fuser -v FILE) and end that; read-only: see the file's owner and the disk",
        )
    else:
        yield ok(AREA, "it can be written")


def check_owner(settings: Settings) -> Iterator[Finding]:
    """The filter writes as run_as: are the files that user's? SQLite only."""
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
                AREA, f"{file} belongs to uid {owner}, not to {settings.run_as}", f"chown {settings.run_as}: {file}"
            )


def check_room(settings: Settings) -> Iterator[Finding]:
    """Free disk where mail is written: the database, Postfix's queue, the logs."""
    least = settings.smtp.max_message_bytes * 3 // 2  # as Postfix's queue_minfree
    places = Places.of(settings)
    folders = [places.queue_dir, places.log_file.parent]
    if isinstance(settings.database_url, Path):
        folders.insert(0, settings.database_url.parent)
    seen: set[int] = set()
    for folder in folders:
        with suppress(FileNotFoundError, PermissionError):
            device = folder.stat().st_dev
            if device not in seen:
                seen.add(device)
                yield _room(folder, least)


def _room(folder: Path, least: int) -> Finding:
    usage = shutil.disk_usage(folder)
    room = f"{usage.free / _MIB:,.0f} MiB free for {folder}"
    found = os.statvfs(folder)
    if found.f_files and found.f_favail < 1000:
        return wrong(
            "disk", f"only {found.f_favail} files more can be made in {folder}", "remove files, or take a larger disk"
        )
    if usage.free < least:
        return wrong("disk", f"{room}: less than one and a half of the largest message; senders get 452", "make room")
    if usage.free < 4 * least:
        return note("disk", f"only {room}", "make room soon")
    return ok("disk", room)
