"""An SMTP client that sends a message's bytes unchanged: it repairs no line end, and leaves no byte out.

smtplib normalises line ends by itself, which would hide Postfix's treatment of them. Used by the tests of corpus and limits.
"""

import re
import socket
from types import TracebackType
from typing import Self

TIMEOUT_SECONDS = 180.0  # the machine may be busy with other things
_QUEUE_ID = re.compile(r"queued as (\S+)")


def lines_of(raw: bytes) -> bytes:
    """A file's bytes as an SMTP client must send them: lines end in CRLF (RFC 5321 2.3.8), including the last one. Bare CRs
    stay."""
    lined = re.sub(rb"\r?\n", b"\r\n", raw)
    return lined if lined.endswith(b"\r\n") or not lined else lined + b"\r\n"


def stuffed(lined: bytes) -> bytes:
    """The data with the dots of RFC 5321 4.5.2, and its end."""
    return re.sub(rb"(?:\A|(?<=\r\n))\.", b"..", lined) + b".\r\n"


def queue_id(text: str) -> str:
    """The queue id in the reply to an accepted message."""
    found = _QUEUE_ID.search(text)
    assert found, text
    return found[1]


class Connection:
    """An SMTP session after EHLO."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS)
        self._replies = self._socket.makefile("rb")
        self.greeting = self.reply()
        if self.greeting[0] == 220:
            self.command("EHLO client.example")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hangs up."""
        self._replies.close()
        self._socket.close()

    def command(self, line: str) -> tuple[int, str]:
        """Sends a command; returns code and text of the reply."""
        self._socket.sendall(line.encode() + b"\r\n")
        return self.reply()

    def send(self, sender: str, recipient: str, lined: bytes) -> tuple[int, str]:
        """Delivers a message whose lines end in CRLF; returns the reply at its end, or the first reply that isn't a success."""
        for line in (f"MAIL FROM:<{sender}> BODY=8BITMIME", f"RCPT TO:<{recipient}>", "DATA"):
            code, text = self.command(line)
            if code not in (250, 354):
                return code, text
        return self.finish(lined)

    def finish(self, lined: bytes) -> tuple[int, str]:
        """After 354 to DATA, sends the data, or the rest of it; returns the reply at its end."""
        self._socket.sendall(stuffed(lined))
        return self.reply()

    def send_part(self, lined: bytes) -> None:
        """Sends these bytes and doesn't wait."""
        self._socket.sendall(lined)

    def reply(self) -> tuple[int, str]:
        """Code and text of the next reply."""
        lines: list[str] = []
        while True:
            line = self._replies.readline().decode("utf-8", "replace")
            if not line:
                raise ConnectionError(f"the server hung up after {lines}")
            lines.append(line.strip())
            if line[3:4] != "-":
                return int(line[:3]), "\n".join(lines)
