"""Root acts as the owner of the database's folder.

The daemons run as an unprivileged user who owns that folder. They couldn't open files that root made there. Also, if somebody
took a daemon over, that person could put a symbolic link there which root then follows: SQLite opens, makes and chowns its -wal
without asking. So root steps down for as long as the database is open. Called by `context` and `db upgrade`.
"""

import os
import pwd
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path

from mailweir.database_url import DatabaseUrl


@contextmanager
def acting_as_owner(folder: Path) -> Iterator[bool]:
    """Steps down to the folder's owner and back; yields whether it did. Does nothing for others than root.

    Also does nothing if the owner can't reach the folder (within /root, for example): then nobody else can put anything there.
    """
    owner = _owner(folder)
    before = os.getegid(), os.getgroups()
    stepped = os.geteuid() == 0 and owner is not None and owner[0] != 0 and _step_down(*owner, before)
    try:
        if stepped and not os.access(folder, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
            stepped = False
            _step_up(*before)
        yield stepped
    finally:
        if stepped:
            _step_up(*before)


def acting_for(database_url: DatabaseUrl) -> AbstractContextManager[bool]:
    """`acting_as_owner` for the folder of SQLite's file. Does nothing for PostgreSQL, which has no such folder."""
    return acting_as_owner(database_url.parent) if isinstance(database_url, Path) else nullcontext(False)


def _owner(folder: Path) -> tuple[int, int] | None:
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_uid, found.st_gid


def _step_down(uid: int, gid: int, before: tuple[int, list[int]]) -> bool:
    try:
        os.setgroups([gid])
        os.setegid(gid)
        os.seteuid(uid)
    except PermissionError:
        # a container may withhold these capabilities; SQLite then still gives its files to the database's owner
        with suppress(PermissionError):
            _step_up(*before)
        return False
    return True


def _step_up(gid: int, groups: list[int]) -> None:
    os.seteuid(0)
    os.setegid(gid)
    os.setgroups(groups)


def make_folder(folder: Path, owner: str) -> None:
    """Makes the folder (0700) if there is none. If root runs this, the folder gets this owner, if there is such a user."""
    if folder.is_dir():
        return
    folder.mkdir(parents=True)
    folder.chmod(0o700)
    if os.geteuid() == 0:
        with suppress(KeyError):
            entry = pwd.getpwnam(owner)
            os.chown(folder, entry.pw_uid, entry.pw_gid)


def give_to_owner(folder: Path, files: Iterable[Path]) -> None:
    """As root, gives files within the folder to the folder's owner. Needed only if root could not step down."""
    owner = _owner(folder)
    if os.geteuid() != 0 or owner is None:
        return
    for file in files:
        with suppress(FileNotFoundError):
            os.chown(file, *owner, follow_symlinks=False)
