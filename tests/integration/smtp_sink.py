"""An SMTP server on loopback that stores its mail, and refuses on a test's request."""

import contextlib
import socketserver
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.integration.waiting import WAIT_SECONDS, wait_until


@dataclass(frozen=True)
class Received:
    """A message as it came over the wire: only SMTP's dots and CRLF are undone."""

    sender: str
    recipients: tuple[str, ...]
    raw: bytes


@dataclass
class Sink:
    """An SMTP server on loopback that stores its mail.

    eight_bit: offers 8BITMIME. utf8: offers SMTPUTF8. refuse: the reply to every RCPT, instead of 250. replies: the same for
    single addresses.
    """

    eight_bit: bool = True
    utf8: bool = False
    refuse: str = ""
    replies: dict[str, str] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    port: int = 0

    def wait(self, count: int = 1, seconds: float = WAIT_SECONDS) -> list[Received]:
        """Waits until there are so many messages; returns them."""
        wait_until(lambda: len(self.received) >= count, f"{count} messages at the sink", seconds)
        return list(self.received)


class _SinkServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, sink: Sink) -> None:
        super().__init__(("127.0.0.1", 0), _SinkSession)
        self.sink = sink


class _SinkSession(socketserver.StreamRequestHandler):
    """RFC 5321, as much of it as Postfix's client needs."""

    def handle(self) -> None:
        assert isinstance(self.server, _SinkServer)
        sink = self.server.sink
        sender = ""
        recipients: list[str] = []
        self._reply("220 sink.example ESMTP")
        while line := self.rfile.readline():
            sink.commands.append(line.decode().strip())
            verb, _, argument = sink.commands[-1].partition(" ")
            match verb.upper():
                case "EHLO":
                    offered = ["8BITMIME"] * sink.eight_bit + ["SMTPUTF8"] * sink.utf8
                    self._reply("\r\n".join([*(f"250-{one}" for one in ["sink.example", *offered]), "250 HELP"]))
                case "MAIL":
                    sender, recipients = _path(argument), []
                    self._reply("250 ok")
                case "RCPT":
                    refused = sink.refuse or sink.replies.get(_path(argument), "")
                    recipients += [] if refused else [_path(argument)]
                    self._reply(refused or "250 ok")
                case "DATA" if recipients:
                    self._reply("354 go on")
                    sink.received.append(Received(sender, tuple(recipients), self._data()))
                    self._reply("250 kept")
                case "QUIT":
                    self._reply("221 bye")
                    return
                case "RSET" | "NOOP":
                    self._reply("250 ok")
                case _:
                    self._reply("503 no")

    def _reply(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")

    def _data(self) -> bytes:
        raw = bytearray()
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            raw += line[1:] if line.startswith(b".") else line
        return bytes(raw)


def _path(argument: str) -> str:
    return argument[argument.index("<") + 1 : argument.index(">")]


MakeSink = Callable[..., Sink]


@contextlib.contextmanager
def sink_maker() -> Iterator[MakeSink]:
    """Makes sinks, which run until the end of the block."""
    with contextlib.ExitStack() as kept:

        def make(**options: Any) -> Sink:
            sink = Sink(**options)
            server = kept.enter_context(_SinkServer(sink))
            sink.port = server.server_address[1]
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
            kept.callback(server.shutdown)
            return sink

        yield make
