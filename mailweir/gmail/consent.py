"""A user's consent at Google: the address for the browser, and the token in exchange for its answer. Uses google-auth-oauthlib.

PKCE with S256 (RFC 7636) binds the code to the client that asked for it; `state` (RFC 6749 10.12) binds the answer to the
request. Asks only for gmail.readonly. The caller decides where the browser comes back: the command line listens on this host, and
the page has an address of its own.
"""

import io
import logging
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from google_auth_oauthlib.flow import Flow
from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from mailweir.gmail import tokens, transport
from mailweir.gmail.errors import ConsentFailed, NotTaken, Throttled
from mailweir.gmail.oauth_files import OAuthClient
from mailweir.gmail.one_line import plain
from mailweir.gmail.patience import patiently
from mailweir.gmail.refusals import Asked
from mailweir.gmail.transport import Connections
from mailweir.sentence import said

_LASTING_SECONDS = 86_400 * 365  # a consent that lasts longer counts as permanent
_DECLINED = "access_denied"
_IN_THE_CLEAR = "OAUTHLIB_INSECURE_TRANSPORT"

for _name in ("requests_oauthlib", "oauthlib"):
    logging.getLogger(_name).setLevel(logging.WARNING)  # below that they log codes and tokens


@dataclass(frozen=True, slots=True)
class Question:
    """One request for consent: the address for the browser, and the values that distinguish the answer from a forged one."""

    url: str = field(repr=False)
    redirect_uri: str
    state: str = field(repr=False)
    verifier: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Consent:
    """The result of a consent. ends_at: when it expires, if the app is "in testing" at Google; else None."""

    refresh_token: str = field(repr=False)
    ends_at: datetime | None = None


def question(client: OAuthClient, redirect_uri: str, login_hint: str) -> Question:
    """Prepares a request for consent. login_hint: the intended mailbox."""
    flow = _flow(client, redirect_uri)
    with _own_host_in_the_clear(client.auth_uri):
        url, state = flow.authorization_url(
            state=secrets.token_urlsafe(32),
            access_type="offline",  # otherwise there is no refresh token,
            prompt="consent",  # and none for a user who consented before
            login_hint=login_hint,
        )
    return Question(url, redirect_uri, state, flow.code_verifier)


def code_of(fields: Mapping[str, str]) -> str:
    """The code that a browser brings back; ConsentFailed if it brings an error (RFC 6749 4.1.2.1)."""
    if fields.get("error") == _DECLINED:
        raise ConsentFailed(said("the consent was declined at Google"))
    if "error" in fields:
        raise ConsentFailed(said("Google gave no consent: {error}", error=plain(fields["error"])))
    if not fields.get("code"):
        raise ConsentFailed(said("Google sent no code"))
    return fields["code"]


def exchange(client: OAuthClient, asked: Question, code: str, timeout_seconds: float) -> Consent:
    """The refresh token for a consent's code (RFC 6749 4.1.3, RFC 7636 4.5).

    ConsentFailed if Google rejects the code, or the consent covers less than requested; also Unreachable, AppRefused.
    """
    # A code is valid once: retry only if Google says that it didn't process the request, not if its answer got lost.
    answer = patiently(lambda: _exchanged(client, asked, code, timeout_seconds), (Throttled, NotTaken))
    token = answer.get("refresh_token")
    if not isinstance(token, str) or not token:
        raise ConsentFailed(
            said("Google gave no lasting token: withdraw the app's access in the Google account, and connect again")
        )
    seconds = answer.get("refresh_token_expires_in")
    lasts = not isinstance(seconds, int) or not 0 < seconds < _LASTING_SECONDS
    return Consent(token, None if lasts else datetime.now(UTC) + timedelta(seconds=int(seconds or 0)))


def _exchanged(client: OAuthClient, asked: Question, code: str, timeout_seconds: float) -> dict[str, Any]:
    flow = _flow(client, asked.redirect_uri, asked.verifier)
    flow.oauth2session.trust_env = False
    adapter = _Adapter(client, code, asked.verifier, timeout_seconds)
    flow.oauth2session.mount(client.token_uri, adapter)
    try:
        with flow.oauth2session, _own_host_in_the_clear(client.token_uri):
            return dict(flow.fetch_token(code=code, include_client_id=True))
    except Warning as other_scope:  # oauthlib raises it for another scope; `_Adapter` has refused a smaller one
        return dict(getattr(other_scope, "token", {}))
    except (ValueError, TypeError) as error:  # such as an invalid lifetime
        raise transport.garbled(error, client.token_uri) from error


def _flow(client: OAuthClient, redirect_uri: str, verifier: str | None = None) -> Any:
    known = {
        "client_id": client.client_id,
        "client_secret": client.client_secret,
        "auth_uri": client.auth_uri,
        "token_uri": client.token_uri,
    }
    return Flow.from_client_config(
        {"installed": known}, [tokens.SCOPE], redirect_uri=redirect_uri, code_verifier=verifier
    )


@contextmanager
def _own_host_in_the_clear(url: str) -> Iterator[None]:
    """Lets oauthlib, which refuses http, accept it for this very host. `oauth_files` allows no other http."""
    before = os.environ.get(_IN_THE_CLEAR)
    if not transport.is_own_host(url):
        yield
        return
    os.environ[_IN_THE_CLEAR] = "1"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(_IN_THE_CLEAR, None)
        else:
            os.environ[_IN_THE_CLEAR] = before


class _Adapter(BaseAdapter):
    """Lets the library `requests`, which oauthlib uses, send by our own connections: bounded, with the system's certificates,
    without redirects. An answer that isn't a token becomes one of our errors."""

    def __init__(self, client: OAuthClient, code: str, verifier: str, timeout_seconds: float) -> None:
        super().__init__()
        self._connections = Connections(timeout_seconds)
        self._secrets = [client.client_secret, code, verifier]

    def send(self, request: PreparedRequest, *_: Any, **__: Any) -> Response:
        """See requests.adapters.BaseAdapter."""
        url, form = str(request.url), str(request.body).encode("ascii")
        answer = self._connections(url, str(request.method), form, tokens.FORM)
        tokens.refuse_failed(Asked.CODE, answer, self._secrets)
        tokens.refuse_less(tokens.granted(answer.data, url), ConsentFailed)
        made = Response()
        made.status_code, made.url, made.request, made.raw = answer.status, url, request, io.BytesIO(answer.data)
        made.headers = CaseInsensitiveDict(answer.headers.items())
        made.encoding = "utf-8"
        return made

    def close(self) -> None:
        """See requests.adapters.BaseAdapter."""
        self._connections.close()
