"""Unix sockets for Postfix's programs: created, inherited from the parent, monitored and removed.

`connections` handles the clients. Called by `connections`, by `auth` and by `mailweir up`.
"""

import contextlib
import os
import socket
import stat
from pathlib import Path

from mailweir.errors import BadInput

BACKLOG = 1024
STDIN = 0


def listening(path: Path) -> socket.socket:
    """A listening unix socket of mode 0660. Clients that connect before anybody accepts have to wait. BadInput if it can't be
    created."""
    _remove_stale(path)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    umask = os.umask(0o117)
    try:
        made.bind(str(path))
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        raise BadInput(f"can't make the socket {path}: {error.strerror or error}") from error
    finally:
        os.umask(umask)
    return made


def is_there(path: Path, inode: int) -> bool:
    """Is the socket's file still the created or inherited one?"""
    with contextlib.suppress(OSError):
        return path.stat().st_ino == inode
    return False


def remove(path: Path, inode: int) -> None:
    """Removes the socket's file, unless it is already a successor's."""
    if is_there(path, inode):
        with contextlib.suppress(OSError):
            path.unlink()


def handed_over(path: Path, descriptor: int = STDIN) -> socket.socket | None:
    """The listening socket of this path, if it is our standard input: our parent keeps it open while we restart."""
    try:
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            return None
    except OSError:  # closed
        return None
    found = socket.socket(fileno=os.dup(descriptor))
    if found.getsockname() == str(path) and found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return found
    found.close()
    return None


def _remove_stale(path: Path) -> None:
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise BadInput(f"{path} is there and is no socket; move it away")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except TimeoutError:
            pass
        except OSError:
            path.unlink(missing_ok=True)
            return
    raise BadInput(f"another process answers on {path}; stop it first")
