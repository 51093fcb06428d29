"""Makes a backup file, or puts a backup in place of the database. Nothing is ever half done.

Root reads and writes the file that the admin names. Files in the database's folder are opened, made and renamed as that folder's
owner (see `ownership`). Called by `mailweir db backup` and `db restore`.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from admin_cli.ownership import acting_as_owner, give_to_owner
from admin_cli.processes import CannotStart, Lock, users_of
from admin_cli.target_files import refuse_foreign_links
from mailweir.database_url import DatabaseUrl, Postgresql
from mailweir.errors import BackupError
from mailweir.settings import Settings
from mailweir.store.database import backup, postgresql_backup
from mailweir.store.database.backup import Progress

_SUFFIXES = ("", "-wal", "-shm")


@dataclass(frozen=True)
class Made:
    """A backup that was made. counts: rows of each kind."""

    file: Path
    size_bytes: int
    counts: dict[str, int]


@dataclass(frozen=True)
class Restored:
    """A restored database. kept: where the previous database is now, or None. applied: the upgrade's steps."""

    database: DatabaseUrl
    kept: str | None
    applied: list[str]
    counts: dict[str, int]


def make(database_url: DatabaseUrl, file: Path, *, force: bool, progress: Progress) -> Made:
    """Backs up while mail flows. The file is whole, or isn't there. BackupError, DatabaseUnavailable."""
    refuse_foreign_links(file.parent)
    _refuse_overwriting(file, database_url, force)
    with _folder_beside(file) as folder:
        part = folder / file.name
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        counts = _copy_database(database_url, part, progress)
        _sync(part)
        _refuse_overwriting(file, database_url, force)
        part.replace(file)
        _sync(file.parent)
    return Made(file, file.stat().st_size, counts)


def _copy_database(database_url: DatabaseUrl, part: Path, progress: Progress) -> dict[str, int]:
    if not isinstance(database_url, Path):
        return postgresql_backup.dump(database_url, part)
    with _snapshot(database_url) as snapshot:
        snapshot.copy(part, progress)
    return backup.verify(part)


def _refuse_overwriting(file: Path, database_url: DatabaseUrl, force: bool) -> None:
    own = {one.resolve() for one in _files(database_url)}
    if file.resolve() in own:
        raise BackupError(f"{file} is the database itself: name another file")
    if file.is_dir():
        raise BackupError(f"{file} is a folder: name a file")
    if not force and (file.exists() or file.is_symlink()):
        raise BackupError(f"there is a file {file} already: name another one, or overwrite it with --force")


@contextlib.contextmanager
def _snapshot(database: Path) -> Iterator[backup.Snapshot]:
    with acting_as_owner(database.parent):
        if not database.is_file():
            raise BackupError(f"there is no database at {database}")
        snapshot = backup.Snapshot(database)
    try:
        yield snapshot
    finally:
        with acting_as_owner(database.parent):  # the last connection that closes removes the -wal file
            snapshot.close()


@contextlib.contextmanager
def _folder_beside(file: Path) -> Iterator[Path]:
    """A folder in which nobody else can put anything."""
    try:
        folder = Path(tempfile.mkdtemp(prefix=f".{file.name}.", dir=file.parent))
    except OSError as error:
        raise BackupError(f"can't write in {file.parent}: {error.strerror}") from error
    try:
        yield folder
    except OSError as error:
        raise BackupError(f"can't write {file}: {error.strerror}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def restore(settings: Settings, file: Path, now: datetime, progress: Progress) -> Restored:
    """Puts the backup in the database's place, upgraded if it is older. After a BackupError nothing is changed."""
    database_url = settings.database_url
    with _stopped(settings):
        return (
            _restore_file(database_url, file, now, progress)
            if isinstance(database_url, Path)
            else _restore_rows(database_url, file, now)
        )


def _restore_file(database: Path, file: Path, now: datetime, progress: Progress) -> Restored:
    with _opened(file) as source, acting_as_owner(database.parent) as stepped_down:
        if not database.parent.is_dir():
            raise BackupError(f"there is no folder {database.parent}: make it with 'mailweir db upgrade'")
        with _folder_beside(database) as folder:
            part = folder / database.name
            _copy(source, part, progress)
            backup.verify(part, named=file)
            applied = backup.make_current(part)
            counts = backup.verify(part, named=file)
            _sync(part)
            kept = _swap(part, database, now)
        if not stepped_down:
            give_to_owner(database.parent, [database])
    return Restored(database, str(kept) if kept else None, applied, counts)


def _restore_rows(database_url: Postgresql, file: Path, now: datetime) -> Restored:
    with _opened(file):  # a BackupError of one line if the file can't be read
        postgresql_backup.refuse_foreign(file)
    others = postgresql_backup.count_users(database_url)
    if others:
        raise BackupError(
            f"can't restore now: {others} other connections to {database_url}; stop 'mailweir up' on every host first"
        )
    kept, applied, counts = postgresql_backup.load(database_url, file, now)
    return Restored(database_url, f"the schema {kept}" if kept else None, applied, counts)


def _files(database_url: DatabaseUrl) -> list[Path]:
    if not isinstance(database_url, Path):
        return []
    return [database_url.with_name(database_url.name + suffix) for suffix in _SUFFIXES]


@contextlib.contextmanager
def _stopped(settings: Settings) -> Iterator[None]:
    """Makes sure that nobody uses the database and that no `mailweir up` starts during the block. BackupError."""
    lock = Lock(settings.milter_socket.with_name("up.lock"))
    if settings.milter_socket.parent.is_dir():
        try:
            lock.take()
        except CannotStart as error:
            raise BackupError(f"can't restore now: {error}") from error
    try:
        users = users_of(_files(settings.database_url))
        if users:
            raise BackupError(f"can't restore now: the database is in use by {', '.join(users)}; stop that first")
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[int]:
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise BackupError(f"can't read {file}: {error.strerror}") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _copy(source: int, target: Path, progress: Progress) -> None:
    total = os.fstat(source).st_size
    done = 0
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as copy:
        while block := os.read(source, 1 << 20):
            copy.write(block)
            done += len(block)
            progress(done, total)


def _swap(part: Path, database: Path, now: datetime) -> Path | None:
    """Keeps the existing database under another name, and puts the new file in its place in one step."""
    kept = database.with_name(f"{database.name}.before-restore-{now:%Y%m%dT%H%M%SZ}")
    if database.exists():
        backup.settle(database)
        for suffix in ("", "-wal"):
            with contextlib.suppress(FileNotFoundError):
                os.link(database.with_name(database.name + suffix), kept.with_name(kept.name + suffix))
    # the old file's log is removed first, because SQLite would apply it to the new file
    for suffix in ("-wal", "-shm"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)
    part.replace(database)
    _sync(database.parent)
    return kept if kept.exists() else None


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
