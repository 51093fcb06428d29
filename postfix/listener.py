"""Unix sockets that Postfix's programs ask at: made, taken over from whoever started us, and answered on.

Knows nothing of what is asked: a connection's class does. Called by `lookups`, `auth` and `mailweir up`.
"""

import asyncio
import contextlib
import os
import socket
import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from mailweir.errors import BadInput

BACKLOG = 1024
_STDIN = 0


class Connection(asyncio.Protocol):
    """One client. It keeps itself in `open_ones` while it is open."""

    def __init__(self, open_ones: set["Connection"]) -> None:
        self._open_ones = open_ones
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._open_ones.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._open_ones.discard(self)

    def pause_writing(self) -> None:
        """A client that doesn't read its answers gets no more of them."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        if self._transport is not None:
            self._transport.resume_reading()

    def close(self) -> None:
        """Ends the connection once what was answered is sent."""
        if self._transport is not None:
            self._transport.close()


MakeConnection = Callable[[set[Connection]], Connection]


@contextlib.asynccontextmanager
async def answering(listening_on: socket.socket, make: MakeConnection) -> AsyncIterator[None]:
    """Answers on this socket for as long as the block runs; then its connections end."""
    open_ones: set[Connection] = set()
    # not create_unix_server: newer ones remove the file of a socket, also of one that isn't theirs
    server = await asyncio.get_running_loop().create_server(lambda: make(open_ones), sock=listening_on, backlog=BACKLOG)
    try:
        yield
    finally:
        server.close()
        for open_one in list(open_ones):
            open_one.close()
        await server.wait_closed()


@contextlib.asynccontextmanager
async def serving(path: Path, make: MakeConnection) -> AsyncIterator[None]:
    """Answers on a unix socket of mode 0660 for as long as the block runs; then the socket is gone.

    A socket left behind by a killed process is replaced; one that somebody answers on is BadInput.
    """
    own = listening(path)
    inode = path.stat().st_ino
    try:
        async with answering(own, make):
            yield
    finally:
        _remove(path, inode)


def listening(path: Path) -> socket.socket:
    """A listening unix socket of mode 0660. Who connects before anybody accepts waits. BadInput where it can't be made."""
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


def _remove(path: Path, inode: int) -> None:
    with contextlib.suppress(OSError):
        if path.stat().st_ino == inode:
            path.unlink()


def handed_over(path: Path) -> socket.socket | None:
    """The listening socket of this path, where our standard input is it: whoever started us keeps it open while we are away."""
    try:
        if not stat.S_ISSOCK(os.fstat(_STDIN).st_mode):
            return None
    except OSError:  # closed
        return None
    found = socket.socket(fileno=os.dup(_STDIN))
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
