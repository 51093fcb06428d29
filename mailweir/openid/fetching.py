"""One request to a provider, and its answer, in bounded time and size. No redirect is followed, no connection is reused.

Called by `provider`.
"""

import contextlib
import http.client
import json
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlencode, urlsplit

from mailweir.gmail import dialing
from mailweir.openid.refusals import ProviderRefusal, Why

PAUSE_SECONDS = 4.0  # between two bytes; an answer takes at most twice as long
_MOST_BYTES = 1_000_000
_LOOPBACK = frozenset({"127.0.0.1", "localhost"})


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer whose body is a JSON object. values: the object's."""

    status: int
    values: dict[str, Any]


def refuse_insecure(url: object, what: str) -> str:
    """Returns an allowed address: https, or this host's own. ProviderRefusal for any other, and for an invalid one."""
    parts = _split(url)
    if parts is None or not parts.hostname or parts.fragment or parts.username:
        raise ProviderRefusal(Why.UNREACHABLE, f"{what} is no address")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise ProviderRefusal(Why.UNREACHABLE, f"{what} isn't https")
    return str(url)


def _split(url: object) -> SplitResult | None:
    try:
        return urlsplit(url) if isinstance(url, str) and url.isprintable() and url.isascii() else None
    except ValueError:
        return None


def fetch(
    url: str,
    form: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    *,
    pause_seconds: float = PAUSE_SECONDS,
) -> Answer:
    """GET, or POST of a form. ProviderRefusal (UNREACHABLE) if no answer comes in time, or it is too long, or isn't JSON."""
    parts = urlsplit(url)
    try:
        with _connected(parts, pause_seconds) as connection:
            path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
            body = None if form is None else urlencode(form)
            kind = {} if form is None else {"Content-Type": "application/x-www-form-urlencoded"}
            named = {"Accept": "application/json", "User-Agent": "mailweir", **kind, **(headers or {})}
            connection.request("GET" if form is None else "POST", path, body=body, headers=named)
            answer = connection.getresponse()
            content = answer.read(_MOST_BYTES + 1)
    except (OSError, http.client.HTTPException, ValueError) as error:
        said = str(error) or type(error).__name__
        raise ProviderRefusal(Why.UNREACHABLE, f"{parts.netloc}: {' '.join(said.split())[:200]}") from error
    return Answer(answer.status, _object(parts.netloc, answer.status, content))


def _object(host: str, status: int, content: bytes) -> dict[str, Any]:
    if len(content) > _MOST_BYTES:
        raise ProviderRefusal(Why.UNREACHABLE, f"{host}: an answer of more than {_MOST_BYTES} bytes")
    try:
        values = json.loads(content)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise ProviderRefusal(Why.UNREACHABLE, f"{host}: {status}, and no JSON object")
    return values


@contextlib.contextmanager
def _connected(parts: SplitResult, pause_seconds: float) -> Iterator[http.client.HTTPConnection]:
    """A connection that is closed when its time is over: otherwise a server that sends each byte just before the time-out could
    occupy a thread for days."""
    host = parts.hostname or ""
    is_tls = parts.scheme == "https"
    made: socket.socket = dialing.dial(host, parts.port or (443 if is_tls else 80), pause_seconds)
    if is_tls:
        made = dialing.trust().wrap_socket(made, server_hostname=host, do_handshake_on_connect=False)
    end = threading.Timer(2 * pause_seconds, _cut, [made])
    end.daemon = True
    end.start()
    connection = http.client.HTTPConnection(host, parts.port or (443 if is_tls else 80))
    try:
        if isinstance(made, ssl.SSLSocket):
            made.do_handshake()
        connection.sock = made
        yield connection
    finally:
        end.cancel()
        connection.close()
        made.close()


def _cut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
