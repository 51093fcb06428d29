"""Clients of our unix sockets: accepted, limited in number, answered in order, closed. The part that look-ups and AUTH share.

Independent of the protocols: `socketmap` and `auth` build on this module, each with its own `step`. Each runs in one event loop.
Neither closes silent clients, because an smtpd keeps its connection for its whole life; the number of clients is limited. The two
differ on purpose:

- A look-up is one indexed read over the loop's own database connection, and takes a second at most. If the database can't answer,
  the reply says so (TEMP, a 451), and the sender tries again, as it does without a reply. So look-ups are answered in the loop.
- AUTH can't say "not now" except by closing the connection; its hash takes milliseconds, and a wrong "no" locks a person out. So
  it has threads, each with a connection to the database, turns, a deadline, a penalty, a guardian, and a socket that outlives the
  process (decision 0017). While a request is decided, its connection is still read, so that `auth` notices if the client leaves.

Called by `lookups` and `auth`.
"""

import abc
import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import structlog

from postfix import listener
from postfix.malformed import Malformed

MAX_CONNECTIONS = 900  # by default Postfix runs at most 300 smtpds on three ports; a process may open 1,024 files


class Connection(asyncio.Protocol, abc.ABC):
    """One client. It is in `open_ones` while it is open. max_request_bytes: of an incomplete request."""

    def __init__(
        self, max_request_bytes: int, logger: structlog.stdlib.BoundLogger, open_ones: set["Connection"]
    ) -> None:
        self._max_request_bytes = max_request_bytes
        self._logger = logger
        self._open_ones = open_ones
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    def greet(self) -> None:
        """Sends the server's first lines. By default there are none."""

    @abc.abstractmethod
    def step(self) -> bool:
        """Takes the first request off the buffer, and answers it or begins to; False if it is incomplete. Malformed."""

    @property
    def is_busy(self) -> bool:
        """Is an answer in progress, so that the next request has to wait? Further input is kept, up to one request."""
        return False

    @abc.abstractmethod
    def log_malformed(self, reason: str) -> None:
        """Logs that the connection was closed because of an invalid request."""

    def send(self, data: bytes) -> None:
        """Sends an answer, or a part of one."""
        assert self._transport is not None
        self._transport.write(data)

    def go_on(self) -> None:
        """Processes complete requests, until an answer is in progress."""
        try:
            while not self.is_busy and self.step():
                pass
        except Malformed as error:
            self._refuse(str(error))

    def hang_up(self) -> None:
        """Closes the connection once all answers are sent; unread input is dropped."""
        self._buffer.clear()
        if self._transport is not None:
            self._transport.close()

    def _refuse(self, reason: str) -> None:
        self.log_malformed(reason)
        self.hang_up()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._open_ones.add(self)
        if len(self._open_ones) > MAX_CONNECTIONS:
            self._logger.error("closed a connection: too many are open", open=len(self._open_ones) - 1)
            transport.abort()
            return
        self.greet()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._open_ones.discard(self)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self._buffer += data
        if not self.is_busy:
            self.go_on()
        elif len(self._buffer) > self._max_request_bytes:
            self._refuse("more than a line while one is decided")

    def pause_writing(self) -> None:
        """A client that doesn't read its answers gets no more of them."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        if self._transport is not None:
            self._transport.resume_reading()


MakeConnection = Callable[[set[Connection]], Connection]


@contextlib.asynccontextmanager
async def answering(listening_on: socket.socket, make: MakeConnection) -> AsyncIterator[None]:
    """Serves on this socket for as long as the block runs; then closes its connections."""
    open_ones: set[Connection] = set()
    # Not create_unix_server: newer versions remove the file of a socket, even of a foreign one.
    server = await asyncio.get_running_loop().create_server(
        lambda: make(open_ones), sock=listening_on, backlog=listener.BACKLOG
    )
    try:
        yield
    finally:
        server.close()
        for open_one in list(open_ones):
            open_one.hang_up()
        await server.wait_closed()


@contextlib.asynccontextmanager
async def serving(path: Path, make: MakeConnection) -> AsyncIterator[None]:
    """Serves on a unix socket of mode 0660 for as long as the block runs; then removes the socket.

    A socket left behind by a killed process is replaced; a socket with a running server is BadInput.
    """
    own = listener.listening(path)
    inode = path.stat().st_ino
    try:
        async with answering(own, make):
            yield
    finally:
        listener.remove(path, inode)


def stop_event() -> asyncio.Event:
    """Set at SIGTERM and SIGINT, for as long as the running loop runs."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop
