"""Postfix's socketmap protocol on a unix socket: netstrings in, netstrings out (socketmap_table(5)).

Independent of mail: a given function answers. A malformed request closes its own connection and nothing else. Any client that
could open the socket is trusted. Called by `lookups`.
"""

import re
from collections.abc import Callable

import structlog

from postfix import connections
from postfix.malformed import Malformed

MAX_REQUEST_BYTES = 10_000  # Postfix's line_length_limit is 2,048, and an address is no longer than a line
_LENGTH = re.compile(rb"(0|[1-9][0-9]{0,4}):")
_MAX_LENGTH_BYTES = 6

NOT_FOUND = "NOTFOUND "

Answer = Callable[[str, str], str]  # map, key -> one of the replies below


def found(value: str) -> str:
    """The reply with the key's value."""
    return f"OK {value}"


def temporary(reason: str) -> str:
    """The reply that the query can't be answered now; Postfix turns it into a 451."""
    return f"TEMP {reason}"


def encode(text: str) -> bytes:
    """A netstring."""
    payload = text.encode("utf-8", "surrogateescape")
    return b"%d:%b," % (len(payload), payload)


def decode(buffer: bytearray) -> str | None:
    """Takes the first netstring off the buffer; None if it is incomplete. Malformed if it can't become one."""
    match = _LENGTH.match(buffer)
    if match is None:
        if len(buffer) >= _MAX_LENGTH_BYTES or not re.fullmatch(rb"(0|[1-9][0-9]*)?", buffer):
            raise Malformed("no netstring")
        return None
    size_bytes = int(match[1])
    if size_bytes > MAX_REQUEST_BYTES:
        raise Malformed(f"{size_bytes} bytes are too many")
    start = match.end()
    end = start + size_bytes
    if len(buffer) <= end:
        return None
    if buffer[end] != ord(","):
        raise Malformed("no comma at the end")
    text = bytes(buffer[start:end]).decode("utf-8", "surrogateescape")
    del buffer[: end + 1]
    return text


class Connection(connections.Connection):
    """One client: its requests are answered as they arrive."""

    def __init__(
        self, answer: Answer, logger: structlog.stdlib.BoundLogger, open_ones: set[connections.Connection]
    ) -> None:
        super().__init__(MAX_REQUEST_BYTES, logger, open_ones)
        self._answer = answer

    def step(self) -> bool:
        """See connections.Connection."""
        request = decode(self._buffer)
        if request is None:
            return False
        map_name, space, key = request.partition(" ")
        if not space:
            raise Malformed("no key")
        self.send(encode(self._answer(map_name, key)))
        return True

    def log_malformed(self, reason: str) -> None:
        """See connections.Connection."""
        self._logger.warning("closed a connection on a malformed request", reason=reason)
