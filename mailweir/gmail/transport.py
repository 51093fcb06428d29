"""The connections to Google: each thread keeps one open for each host. Reading an answer is bounded.

HTTP and TLS come from the standard library, which costs the least (decision 0024). This module adds: limits of time and size for
an answer, recovery if a firewall dropped a kept connection, and no redirects. `Connections` is a transport of google-auth. Called
by `api`, `tokens` and `consent`.
"""

import http.client
import io
import ipaddress
import select
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPMessage
from typing import Any
from urllib.parse import SplitResult, urlsplit

import google.auth.transport

from mailweir import address
from mailweir.errors import SettingsError
from mailweir.gmail import dialing
from mailweir.gmail.errors import Unreachable
from mailweir.gmail.one_line import plain
from mailweir.sentence import said

MAX_ANSWER_BYTES = 100 << 20  # the largest message that Workspace accepts is 50 MB, in base64
_LEAST_BYTES_A_SECOND = 10_000
_PIECE_BYTES = 1 << 18
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer, with the attributes that google-auth expects. headers: by name, case-insensitive. data: the body,
    decompressed."""

    status: int
    headers: HTTPMessage
    data: bytes


class _Endless(Exception):
    """More than MAX_ANSWER_BYTES."""


class _Limited(io.RawIOBase):
    """One answer's bytes. TimeoutError if they come too slowly: otherwise a server that sends each byte just before the time-out
    could occupy a thread for days. _Endless if there are too many."""

    def __init__(self, raw: Any, timeout_seconds: float) -> None:
        self._raw = raw
        self._patience = 2 * timeout_seconds
        self._began = time.monotonic()
        self._bytes = 0

    @property
    def has_begun(self) -> bool:
        """Has a byte arrived?"""
        return self._bytes > 0

    def readable(self) -> bool:
        """Always readable."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """See io.RawIOBase."""
        if time.monotonic() - self._began > self._patience + self._bytes / _LEAST_BYTES_A_SECOND:
            raise TimeoutError("the answer trickles in")
        count: int | None = self._raw.readinto(buffer)
        self._bytes += count or 0
        if self._bytes > MAX_ANSWER_BYTES:
            raise _Endless("an answer without end")
        return count

    def close(self) -> None:
        """Closes it, with the socket's own file."""
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: Any, *arguments: Any, **named: Any) -> None:
        super().__init__(sock, *arguments, **named)
        reader: Any = self.fp
        self.limited = _Limited(reader.detach(), sock.gettimeout())
        self.fp = io.BufferedReader(self.limited)


class _Noticing(http.client.HTTPConnection):
    """A connection made by `dialing`. `was_answered`: has a byte of the answer to the last request arrived?"""

    limited: _Limited | None = None
    used_at = 0.0  # by time.monotonic

    def connect(self) -> None:
        """See http.client.HTTPConnection."""
        self.sock = dialing.dial(self.host, self.port, float(self.timeout or 0.0))

    def response_class(  # type: ignore[override]
        self, sock: Any, *arguments: Any, **named: Any
    ) -> _Response:
        """See http.client.HTTPConnection."""
        made = _Response(sock, *arguments, **named)
        self.limited = made.limited
        return made

    @property
    def is_open(self) -> bool:
        """Is it connected, with nothing to read? Data that nobody requested, or the end of the stream, makes it useless."""
        if self.sock is None:
            return False
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return not poll.poll(0)

    @property
    def was_answered(self) -> bool:
        """Has a byte arrived?"""
        return self.limited is not None and self.limited.has_begun


class _Secure(_Noticing):
    default_port = http.client.HTTPS_PORT

    def connect(self) -> None:
        """See http.client.HTTPConnection."""
        super().connect()
        try:
            self.sock = dialing.trust().wrap_socket(self.sock, server_hostname=self.host)
        except BaseException:
            self.close()
            raise


class Connections(google.auth.transport.Request):
    """Connections for one thread.

    timeout_seconds: for the start of each answer, and for each pause within it. max_idle_seconds: an idle connection isn't reused
    after that.
    """

    def __init__(self, timeout_seconds: float, max_idle_seconds: float = 60.0) -> None:
        self._timeout_seconds = timeout_seconds
        self._max_idle_seconds = max_idle_seconds
        self._lines: dict[str, _Noticing] = {}

    def __call__(  # type: ignore[override]
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        *,
        may_repeat: bool | None = None,
    ) -> Answer:
        """Sends the request, and reads the whole answer, as google-auth expects.

        timeout: ignored; the one of `__init__` counts. may_repeat: may the request be sent twice, if it is unknown whether it
        arrived the first time? None: a GET may. Errors: Unreachable.
        """
        origin, path = _split(url)
        question = (method, path, body, headers or {})
        line = self._lines.get(origin) or self._opened(origin)
        try:
            # Idle time counts for each connection: the one for token requests is used only once an hour.
            is_kept = line.is_open and time.monotonic() - line.used_at <= self._max_idle_seconds
            if not is_kept:
                line.close()
            return self._ask(line, question, is_kept and (method == "GET" if may_repeat is None else may_repeat))
        except (OSError, http.client.HTTPException, zlib.error, _Endless) as error:
            raise _unreachable(error, url) from error
        finally:
            line.used_at = time.monotonic()

    def close(self) -> None:
        """Closes them all. The next request opens a new one."""
        for line in self._lines.values():
            line.close()

    def _opened(self, origin: str) -> _Noticing:
        parts = urlsplit(origin)
        host = _host(parts)
        if not host:
            raise Unreachable(said("{host} is not a host name", host=plain(parts.netloc)))
        kind = _Secure if parts.scheme == "https" else _Noticing
        made = self._lines[origin] = kind(host, parts.port, timeout=self._timeout_seconds)
        return made

    def _ask(self, line: _Noticing, question: tuple[Any, ...], may_repeat: bool) -> Answer:
        try:
            return _answer(line, *question)
        except (OSError, http.client.HTTPException):
            # A firewall drops idle connections, with or without a sign. If no byte of the answer came, a request that may be
            # repeated is repeated once.
            if line.was_answered or not may_repeat:
                raise
        self.close()
        return _answer(line, *question)


def _answer(line: _Noticing, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
    """The whole answer. On any failure the connection is closed, so that the rest of this answer can't be taken for the next
    one."""
    line.limited = None
    try:
        line.request(method, path, body=body, headers=headers)
        with line.getresponse() as response:
            is_plain = response.headers.get("content-encoding", "identity").strip().lower() == "identity"
            content = _content(response, None if is_plain else zlib.decompressobj(_GZIP_OR_ZLIB))
            return Answer(response.status, response.headers, content)
    except BaseException:
        line.close()
        raise


def _content(response: http.client.HTTPResponse, unpacking: Any) -> bytes:
    """The body (RFC 9110 8.4): piece by piece, so that a small answer that decompresses to a huge one doesn't fill the memory."""
    content, size, has_begun = io.BytesIO(), 0, False
    while piece := response.read(_PIECE_BYTES):
        has_begun = True
        while piece:
            unpacked = unpacking.decompress(piece, _PIECE_BYTES) if unpacking else piece
            size += content.write(unpacked)
            if size > MAX_ANSWER_BYTES:
                raise _Endless("an answer without end")
            piece = unpacking.unconsumed_tail if unpacking else b""
    if response.length or (unpacking and has_begun and not unpacking.eof):
        raise http.client.IncompleteRead(b"", response.length)
    return content.getvalue()


def _split(url: str) -> tuple[str, str]:
    """`https://host:443` and the rest."""
    at = url.find("/", url.index("//") + 2)
    return (url, "/") if at < 0 else (url[:at], url[at:])


def _unreachable(error: BaseException, url: str) -> Unreachable:
    host = urlsplit(url).netloc
    if isinstance(error, TimeoutError):
        return Unreachable(said("no answer from {host} in time", host=host))
    if isinstance(error, OSError):
        return Unreachable(said("{host} can't be reached: {what}", host=host, what=plain(str(error.strerror or error))))
    return garbled(error, url)


def garbled(error: BaseException, url: str) -> Unreachable:
    """An error for an unreadable answer. url: of the request."""
    what = f"{type(error).__name__.lstrip('_')}: {plain(str(error))[:100]}"
    return Unreachable(said("{host} gave a cut or garbled answer ({what})", host=urlsplit(url).netloc, what=what))


def refuse_insecure(url: str, where: str) -> None:
    """SettingsError if a token would cross a network in the clear, or the URL has no valid host. where: the source of the URL."""
    if not _is_secure(url) and not is_own_host(url):
        raise SettingsError(said("{where}: '{url}' must be an https:// address", where=where, url=url))


def _is_secure(url: str) -> bool:
    try:
        parts = urlsplit(url)
        # reading .port raises ValueError for an invalid port
        return parts.scheme == "https" and bool(_host(parts)) and parts.port != 0
    except ValueError:
        return False


def _host(parts: SplitResult) -> str:
    """The host of a URL: an IP address, or a DNS name with IDN as A-labels; "" if it can't be a name. Python itself would turn
    some names into others (RFC 3490: `ß` into `ss`), for DNS and for the check of the certificate."""
    name = parts.hostname or ""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return address.typed_domain(name) or ""
    return name


def is_own_host(url: str) -> bool:
    """Is it http on this very host (RFC 8252 8.3)?"""
    try:
        parts = urlsplit(url)
        return parts.scheme == "http" and parts.hostname in _LOOPBACK and parts.port != 0
    except ValueError:
        return False
