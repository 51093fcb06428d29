"""The connections to Google: one `httplib2.Http` for a thread, and what can go wrong with an answer before it is one.

Never follows a redirect, never caches. httplib2 isn't thread-safe. Whoever makes a request closes the connections when it fails:
the thread's next question may be another mailbox's, and what is left of a late or cut answer is nobody's. Called by `api` and
`tokens`.
"""

import http.client
import logging
import zlib
from urllib.parse import urlsplit

import httplib2
from google.auth.exceptions import TransportError
from googleapiclient.errors import Error as ClientError

from gmail_sync.errors import Unreachable
from mailweir.errors import SettingsError

# What the client and httplib2 raise for answers that are cut, no gzip, no JSON or of another shape; EOFError: a cut gzip
FAULTS = (
    OSError,
    EOFError,
    zlib.error,
    http.client.HTTPException,
    httplib2.HttpLib2Error,
    TransportError,
    ClientError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    RecursionError,
)
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

# Both warn of what is raised to the caller anyway
logging.getLogger("googleapiclient.http").setLevel(logging.ERROR)
logging.getLogger("google_auth_httplib2").setLevel(logging.ERROR)

_to_uri = httplib2.iri2uri


def _to_uri_where_it_is_none(text: str) -> str:
    return text if text.isascii() else str(_to_uri(text))


# It looks at each character of an address, a fifth of an idle sweep; those of ours are ASCII already
httplib2.iri2uri = _to_uri_where_it_is_none


def connections(timeout_seconds: float) -> httplib2.Http:
    """Connections for one thread. timeout_seconds: for each answer to begin, and for each pause within it."""
    # no proxy of the environment: httplib2 takes it or not by what else happens to be installed
    made = httplib2.Http(timeout=timeout_seconds, proxy_info=None)
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
        return Unreachable(f"{host} can't be reached: {' '.join(str(words).split())[:200]}")
    return Unreachable(
        f"{host} gave a cut or garbled answer ({type(cause).__name__}: {' '.join(str(cause).split())[:100]})"
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
