"""Postfix's socketmap protocol on a unix socket: netstrings in, netstrings out (socketmap_table(5)).

Knows nothing of mail: a function answers. A malformed request ends its own connection and nothing else. A client is
trusted as far as it could open the socket. Called by `lookups`.
"""

import asyncio
import contextlib
import os
import re
import socket
import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from mailweir.errors import BadInput

MAX_REQUEST_BYTES = 10_000  # Postfix's line_length_limit is 2,048, and an address is no longer than a line
_LENGTH = re.compile(rb"(0|[1-9][0-9]{0,4}):")
_MAX_LENGTH_BYTES = 6
BACKLOG = 1024
_STDIN = 0

NOT_FOUND = "NOTFOUND "

Answer = Callable[[str, str], str]  # map, key -> one of the replies below


def found(value: str) -> str:
    """The reply that the key has this value."""
    return f"OK {value}"


def temporary(reason: str) -> str:
    """The reply that the question can't be answered now; Postfix turns it into a 451."""
    return f"TEMP {reason}"


class MalformedRequest(Exception):
    """What a client sent is no request."""


def encode(text: str) -> bytes:
    """A netstring."""
    payload = text.encode("utf-8", "surrogateescape")
    return b"%d:%b," % (len(payload), payload)


def decode(buffer: bytearray) -> str | None:
    """Takes the first netstring off the buffer; None where it hasn't come whole yet. MalformedRequest where it can't be one."""
    match = _LENGTH.match(buffer)
    if match is None:
        if len(buffer) >= _MAX_LENGTH_BYTES or not re.fullmatch(rb"(0|[1-9][0-9]*)?", buffer):
            raise MalformedRequest("no netstring")
        return None
    size_bytes = int(match[1])
    if size_bytes > MAX_REQUEST_BYTES:
        raise MalformedRequest(f"{size_bytes} bytes are too many")
    start = match.end()
    end = start + size_bytes
    if len(buffer) <= end:
        return None
    if buffer[end] != ord(","):
        raise MalformedRequest("no comma at the end")
    text = bytes(buffer[start:end]).decode("utf-8", "surrogateescape")
    del buffer[: end + 1]
    return text


class Connection(asyncio.Protocol):
    """One client: answers its requests in their order."""

    def __init__(self, answer: Answer, complain: Callable[[str], None], open_ones: set["Connection"]) -> None:
        self._answer = answer
        self._complain = complain
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

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        assert self._transport is not None
        self._buffer += data
        try:
            while self._buffer and (request := decode(self._buffer)) is not None:
                map_name, space, key = request.partition(" ")
                if not space:
                    raise MalformedRequest("no key")
                self._transport.write(encode(self._answer(map_name, key)))
        except MalformedRequest as error:
            self._complain(str(error))
            self._buffer.clear()
            self._transport.close()

    def close(self) -> None:
        """Ends the connection once what was answered is sent."""
        if self._transport is not None:
            self._transport.close()


def protocol(answer: Answer, complain: Callable[[str], None]) -> Callable[[set[Connection]], asyncio.Protocol]:
    """What `serving` makes connections with."""
    return lambda open_ones: Connection(answer, complain, open_ones)


@contextlib.asynccontextmanager
async def serving(path: Path, connection: Callable[[set[Connection]], asyncio.Protocol]) -> AsyncIterator[None]:
    """Answers on a unix socket of mode 0660 for as long as the block runs; then the socket is gone.

    connection: makes one, which keeps itself in the set while it is open. A socket left behind by a killed process is replaced;
    one that somebody answers on is BadInput. One that was handed over stays, for who comes after us.
    """
    given = handed_over(path)
    listener = given or listening(path)
    own = path.stat().st_ino if given is None else None
    open_ones: set[Connection] = set()
    # not create_unix_server: newer ones remove the file of a socket, also of one that isn't theirs
    server = await asyncio.get_running_loop().create_server(
        lambda: connection(open_ones), sock=listener, backlog=BACKLOG
    )
    try:
        yield
    finally:
        server.close()
        for open_one in list(open_ones):
            open_one.close()
        with contextlib.suppress(OSError):
            if own is not None and path.stat().st_ino == own:
                path.unlink()
        await server.wait_closed()


def listening(path: Path) -> socket.socket:
    """A listening unix socket of mode 0660. Who connects before anybody accepts waits. BadInput where it can't be made."""
    _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    umask = os.umask(0o117)
    try:
        listener.bind(str(path))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise BadInput(f"can't make the socket {path}: {error.strerror or error}") from error
    finally:
        os.umask(umask)
    return listener


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
