"""The connections to Google: one for each host, kept open, for one thread; and bounded reading of each answer.

urllib3 speaks TLS and HTTP. What is ours: an answer has its time and its size, a kept connection that a firewall forgot is no
failure, and no redirect is followed. `Connections` stands where google-auth wants an "http": it has its `urlopen` and `request`.
Called by `api`, `tokens` and `consent`.
"""

import http.client
import io
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, ProtocolError, ReadTimeoutError

from mailweir.errors import SettingsError
from mailweir.gmail import dialing
from mailweir.gmail.errors import Unreachable
from mailweir.gmail.one_line import plain

MAX_ANSWER_BYTES = 100 << 20  # the largest message that Workspace takes in is 50 MB, in base64
_LEAST_BYTES_A_SECOND = 10_000
_PIECE_BYTES = 1 << 18
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, whole. headers: by name, in any case. data: the body, without its gzip."""

    status: int
    headers: Mapping[str, str]
    data: bytes


class _Endless(Exception):
    """More than MAX_ANSWER_BYTES."""


class _Limited(io.RawIOBase):
    """One answer's bytes. TimeoutError where they come too slowly: each byte in time, they could hold a thread for days.
    _Endless where they are too many."""

    def __init__(self, raw: Any, timeout_seconds: float) -> None:
        self._raw = raw
        self._patience = 2 * timeout_seconds
        self._began = time.monotonic()
        self._bytes = 0

    @property
    def has_begun(self) -> bool:
        """Did a byte come?"""
        return self._bytes > 0

    def readable(self) -> bool:
        """They can be read."""
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
        """Ends it, with the socket's own file."""
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: Any, *arguments: Any, **named: Any) -> None:
        super().__init__(sock, *arguments, **named)
        reader: Any = self.fp
        self.limited = _Limited(reader.detach(), sock.gettimeout())
        self.fp = io.BufferedReader(self.limited)


class _Noticing(HTTPConnection):
    """A connection that dials as we do, and knows whether a byte of the answer to its last request came."""

    limited: _Limited | None = None

    def _new_conn(self) -> Any:
        return dialing.dial(self.host, self.port, float(self.timeout or 0.0))

    def response_class(  # type: ignore[override]
        self, sock: Any, *arguments: Any, **named: Any
    ) -> _Response:
        """See http.client.HTTPConnection."""
        made = _Response(sock, *arguments, **named)
        self.limited = made.limited
        return made

    @property
    def was_answered(self) -> bool:
        """Did a byte come?"""
        return self.limited is not None and self.limited.has_begun


class _Secure(_Noticing, HTTPSConnection):
    pass


class Connections:
    """Connections for one thread.

    timeout_seconds: for each answer to begin, and for each pause within it. max_idle_seconds: after which a connection isn't used
    again.
    """

    def __init__(self, timeout_seconds: float, max_idle_seconds: float = 60.0) -> None:
        self._timeout_seconds = timeout_seconds
        self._max_idle_seconds = max_idle_seconds
        self._lines: dict[str, _Noticing] = {}
        self._used_at = 0.0

    def urlopen(
        self,
        method: str,
        url: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        may_repeat: bool | None = None,
    ) -> Answer:
        """Asks, and reads the whole answer.

        may_repeat: may it be asked twice, where nobody knows whether it came the first time; a GET may. Errors: Unreachable.
        """
        origin, path = _split(url)
        question = (method, path, body, headers or {})
        if time.monotonic() - self._used_at > self._max_idle_seconds:
            self.hang_up()
        line = self._lines.get(origin) or self._opened(origin)
        try:
            is_kept = line.is_connected
            if not is_kept:
                line.close()  # what came unasked is nobody's answer
            return self._ask(line, question, is_kept and (method == "GET" if may_repeat is None else may_repeat))
        except (OSError, http.client.HTTPException, HTTPError, _Endless) as error:
            raise _unreachable(error, url) from error
        finally:
            self._used_at = time.monotonic()

    request = urlopen

    def hang_up(self) -> None:
        """Closes them all. The next question opens one again. (Not `close`: google-auth calls that after each question.)"""
        for line in self._lines.values():
            line.close()

    def _opened(self, origin: str) -> _Noticing:
        parts = urlsplit(origin)
        if parts.scheme == "https":
            made: _Noticing = _Secure(
                parts.hostname or "", parts.port, timeout=self._timeout_seconds, ssl_context=dialing.trust()
            )
        else:
            made = _Noticing(parts.hostname or "", parts.port, timeout=self._timeout_seconds)
        self._lines[origin] = made
        return made

    def _ask(self, line: _Noticing, question: tuple[Any, ...], may_repeat: bool) -> Answer:
        try:
            return _answer(line, *question)
        except (OSError, http.client.HTTPException, HTTPError):
            # A firewall forgets idle connections, with or without a word. Nothing came back on this one since it was kept, so
            # the question is asked once more: it changes nothing at Google.
            if line.was_answered or not may_repeat:
                raise
        self.hang_up()
        return _answer(line, *question)


def _answer(line: _Noticing, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
    """The whole answer. Whatever fails, the connection is closed: nobody may read the rest of this answer for another one."""
    line.limited = None
    try:
        line.request(method, path, body=body, headers=headers, preload_content=False)
        response = line.getresponse()
        content, size = io.BytesIO(), 0
        while piece := response.read(_PIECE_BYTES):
            size += content.write(piece)
            if size > MAX_ANSWER_BYTES:
                raise _Endless("an answer without end")
        return Answer(response.status, response.headers, content.getvalue())
    except BaseException:
        line.close()
        raise


def _split(url: str) -> tuple[str, str]:
    """`https://host:443` and the rest."""
    at = url.find("/", url.index("//") + 2)
    return (url, "/") if at < 0 else (url[:at], url[at:])


def _unreachable(error: BaseException, url: str) -> Unreachable:
    # urllib3 wraps what went wrong while it read
    cause = error.args[-1] if isinstance(error, ProtocolError) and isinstance(error.args[-1], Exception) else error
    host = urlsplit(url).netloc
    if isinstance(cause, TimeoutError | ReadTimeoutError):
        return Unreachable(f"no answer from {host} in time")
    if isinstance(cause, OSError):
        return Unreachable(f"{host} can't be reached: {plain(str(cause.strerror or cause))}")
    return garbled(cause, url)


def garbled(error: BaseException, url: str) -> Unreachable:
    """An answer that can't be read. url: who was asked."""
    said = f"{type(error).__name__.lstrip('_')}: {plain(str(error))[:100]}"
    return Unreachable(f"{urlsplit(url).netloc} gave a cut or garbled answer ({said})")


def refuse_insecure(url: str, where: str) -> None:
    """SettingsError where a token would cross a network in the clear, or nobody can be asked there. where: who names the URL."""
    if not _is_secure(url) and not is_own_host(url):
        raise SettingsError(f"{where}: '{url}' must be an https:// address")


def _is_secure(url: str) -> bool:
    try:
        parts = urlsplit(url)
        # looked at, a port that is none is a ValueError, as is a name that DNS can't have
        return parts.scheme == "https" and bool(parts.hostname and parts.hostname.encode("idna")) and parts.port != 0
    except ValueError:
        return False


def is_own_host(url: str) -> bool:
    """Is it http on this very host (RFC 8252 8.3)?"""
    try:
        parts = urlsplit(url)
        return parts.scheme == "http" and parts.hostname in _LOOPBACK and parts.port != 0
    except ValueError:
        return False
