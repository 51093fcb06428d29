"""The connections to Google: one `httplib2.Http` for a thread, and what can go wrong with an answer before it is one.

Never follows a redirect, never caches; reads no answer that is endless or trickles in. httplib2 isn't thread-safe. Whoever makes
a request closes the connections when it fails: the thread's next question may be another mailbox's, and what is left of a late or
cut answer is nobody's. Called by `api` and `tokens`.
"""

import http.client
import io
import logging
import time
import zlib
from typing import Any
from urllib.parse import urlsplit

import httplib2
import httplib2.decode
from google.auth.exceptions import TransportError
from googleapiclient.errors import Error as ClientError

from gmail_sync import dialing, faults
from gmail_sync.errors import Unreachable
from mailweir.errors import SettingsError

# What the client and httplib2 raise for answers that are cut, no gzip, no JSON or of another shape; EOFError: a cut gzip
FAULTS = (
    OSError,
    EOFError,
    zlib.error,
    http.client.HTTPException,
    httplib2.HttpLib2Error,
    httplib2.decode.DecodeRatioError,
    httplib2.decode.DecodeLimitError,
    TransportError,
    ClientError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    RecursionError,
    OverflowError,  # JSON as Python reads it knows Infinity
)
MAX_ANSWER_BYTES = 100 << 20  # the largest message that Workspace takes in is 50 MB, in base64
_LEAST_BYTES_A_SECOND = 10_000
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

# Both warn of what is raised to the caller anyway
logging.getLogger("googleapiclient.http").setLevel(logging.ERROR)
logging.getLogger("google_auth_httplib2").setLevel(logging.ERROR)

_to_uri = httplib2.iri2uri


def _to_uri_where_it_is_none(text: str) -> str:
    return text if text.isascii() else str(_to_uri(text))


# It looks at each character of an address, a fifth of an idle sweep; those of ours are ASCII already
httplib2.iri2uri = _to_uri_where_it_is_none


class _Limited(io.RawIOBase):
    """One answer's bytes. TimeoutError where they come too slowly: each byte in time, they could hold a thread for days.
    ValueError where they are too many."""

    def __init__(self, raw: Any, timeout_seconds: float) -> None:
        self._raw = raw
        self._patience = 2 * timeout_seconds
        self._began = time.monotonic()
        self._bytes = 0
        self.has_begun = False

    def readable(self) -> bool:
        """They can be read."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """See io.RawIOBase."""
        if time.monotonic() - self._began > self._patience + self._bytes / _LEAST_BYTES_A_SECOND:
            raise TimeoutError("the answer trickles in")
        count: int | None = self._raw.readinto(buffer)
        self._bytes += count or 0
        self.has_begun = self._bytes > 0
        if self._bytes > MAX_ANSWER_BYTES:
            raise ValueError("an answer without end")
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


class _Noticing:
    """A connection that knows whether a byte of the answer to its last request came."""

    limited: _Limited | None = None

    def response_class(self, sock: Any, *arguments: Any, **named: Any) -> _Response:
        """See http.client.HTTPConnection."""
        made = _Response(sock, *arguments, **named)
        self.limited = made.limited
        return made

    @property
    def was_answered(self) -> bool:
        """Did a byte come?"""
        return self.limited is not None and self.limited.has_begun


class _Plain(_Noticing, httplib2.HTTPConnectionWithTimeout):  # type: ignore[misc]
    def connect(self) -> None:
        """See http.client.HTTPConnection."""
        self.sock = dialing.dial(self.host, self.port, self.timeout)


class _Secure(_Noticing, httplib2.HTTPSConnectionWithTimeout):  # type: ignore[misc]
    def connect(self) -> None:
        """See http.client.HTTPConnection."""
        line = dialing.dial(self.host, self.port, self.timeout)
        try:
            self.sock = dialing.trust().wrap_socket(line, server_hostname=self.host)
        except BaseException:
            line.close()
            raise


class _Http(httplib2.Http):  # type: ignore[misc]
    """Kept connections: one that idled for long isn't used again, and one that turns out to be dead is no failure."""

    max_idle_seconds = 0.0
    _used_at = 0.0

    def request(self, uri: str, method: str = "GET", *arguments: Any, connection_type: Any = None, **named: Any) -> Any:
        """See httplib2.Http."""
        kind = connection_type or (_Plain if uri.startswith("http:") else _Secure)
        if self.connections and time.monotonic() - self._used_at > self.max_idle_seconds:
            self.close()
        kept = self._kept(uri)
        try:
            return super().request(uri, method, *arguments, connection_type=kind, **named)
        except http.client.BadStatusLine:
            raise  # closed without a word: httplib2 has asked once more by itself
        except (OSError, http.client.HTTPException):
            # A firewall forgets idle connections, with or without a word. Nothing came back on this one since it was kept, so
            # the question is asked once more: it changes nothing at Google.
            if kept is None or kept.was_answered or not _may_be_repeated(method, arguments, named):
                raise
            self.close()
            return super().request(uri, method, *arguments, connection_type=kind, **named)
        finally:
            self._used_at = time.monotonic()

    def _kept(self, uri: str) -> _Noticing | None:
        """The open connection that this will be asked on, if there is one."""
        parts = urlsplit(uri)
        found = self.connections.get(f"{parts.scheme}:{parts.netloc}")
        if found is None or found.sock is None:
            return None
        found.limited = None
        return found  # type: ignore[no-any-return]


def _may_be_repeated(method: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> bool:
    """Is it a GET, or the question for an access token? A consent's code counts once."""
    body = named.get("body") or (arguments[0] if arguments else None) or b""
    text = body if isinstance(body, bytes) else str(body).encode()
    return method == "GET" or (b"grant_type=" in text and b"grant_type=authorization_code" not in text)


def connections(timeout_seconds: float, max_idle_seconds: float = 60.0) -> httplib2.Http:
    """Connections for one thread.

    timeout_seconds: for each answer to begin, and for each pause within it. max_idle_seconds: after which one isn't used again.
    """
    # no proxy of the environment: httplib2 takes it or not by what else happens to be installed
    made = _Http(timeout=timeout_seconds, proxy_info=None, decode_limit_hard=MAX_ANSWER_BYTES)
    made.max_idle_seconds = max_idle_seconds
    made.follow_redirects = False
    return made


def unreachable(error: BaseException, url: str) -> Unreachable:
    """One of the FAULTS in words. url: who was asked."""
    cause = error.args[0] if isinstance(error, TransportError) and error.args else error
    host = urlsplit(url).netloc
    if isinstance(cause, TimeoutError):
        return Unreachable(f"no answer from {host} in time")
    if isinstance(cause, OSError | httplib2.ServerNotFoundError):
        words = getattr(cause, "strerror", None) or cause
        return Unreachable(f"{host} can't be reached: {faults.plain(str(words))}")
    return Unreachable(
        f"{host} gave a cut or garbled answer ({type(cause).__name__}: {faults.plain(str(cause))[:100]})"
    )


def refuse_insecure(url: str, where: str) -> None:
    """SettingsError where a token would cross a network in the clear. where: who names the URL, for the error."""
    if not url.startswith("https://") and not is_own_host(url):
        raise SettingsError(f"{where}: '{url}' must be an https:// address")


def is_own_host(url: str) -> bool:
    """Is it http on this very host (RFC 8252 8.3)?"""
    try:
        parts = urlsplit(url)
        return parts.scheme == "http" and parts.hostname in _LOOPBACK
    except ValueError:
        return False
