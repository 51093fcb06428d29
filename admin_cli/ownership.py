"""Root acting as the owner of the database's folder.

The daemons run as an unprivileged user who owns that folder. Files that root made there would shut them out, and one who took a
daemon over could lay a symbolic link that root then follows: SQLite opens, makes and chowns its -wal without asking. So root
steps down for as long as the database is open. Called by `context` and `db upgrade`.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def acting_as_owner(folder: Path) -> Iterator[None]:
    """Steps down to the folder's owner and back; does nothing for others than root.

    Also does nothing where the owner can't reach the folder (one within /root, say): nobody else can lay anything there then.
    """
    owner = _owner(folder)
    if os.geteuid() != 0 or owner is None or owner[0] == 0:
        yield
        return
    groups, gid = os.getgroups(), os.getegid()
    try:
        _become(*owner, [owner[1]])
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
            _return(gid, groups)
        yield
    finally:
        _return(gid, groups)


def _owner(folder: Path) -> tuple[int, int] | None:
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_uid, found.st_gid


def _become(uid: int, gid: int, groups: list[int]) -> None:
    os.setgroups(groups)
    os.setegid(gid)
    os.seteuid(uid)


def _return(gid: int, groups: list[int]) -> None:
    os.seteuid(0)
    os.setegid(gid)
    os.setgroups(groups)
