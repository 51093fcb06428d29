"""Tokens: access tokens, which are short-lived and kept in memory alone, and the refresh tokens that they come from.

A refresh token lies sealed in the database (`secrets_file`), a service account needs none. No token is in a log, a repr or an
error's text. Google's own classes would sleep and ask again by themselves, so the questions of RFC 6749 and 7523 are asked here.
Called by `sweep`, `consent` and the command line.
"""

import json
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urlencode

import google.auth.credentials
from google.auth import jwt
from google_auth_httplib2 import Request

from gmail_sync import faults, transport
from gmail_sync.errors import ConsentFailed, NeedsReconnect, Throttled, Unreachable
from gmail_sync.oauth_files import OAuthClient, ServiceAccount

SCOPE = "https://www.googleapis.com/auth/gmail.readonly"
_FORM = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
_JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_ASSERTION_SECONDS = 3_600
_LEAST_SECONDS = 60
_LASTING_SECONDS = 86_400 * 365  # a consent that ends later than that lasts
PAUSES = (1.0, 3.0, 9.0)  # in seconds, between tries while somebody waits
_LONGEST_PAUSE_SECONDS = 20.0
_SECRET = ("refresh_token", "client_secret", "code", "code_verifier", "assertion")

_Answer = TypeVar("_Answer")


class Credentials(google.auth.credentials.Credentials):
    """What one mailbox is asked with. Takes a new access token when there is none, or it is about to end, or Gmail refuses it.

    Used by one thread at a time. Errors of `refresh`: NeedsReconnect, AppRefused, Unreachable, Throttled.
    """

    @abstractmethod
    def _question(self) -> tuple[str, dict[str, str]]:
        """Where to ask for a token, and the form."""

    @property
    @abstractmethod
    def _delegated(self) -> bool: ...

    def refresh(self, request: Any) -> None:
        """Asks for an access token, with google.auth's transport."""
        url, form = self._question()
        status, headers, content = _post(request, url, form)
        if status != 200:
            raise faults.of_token_answer(
                status, headers, content, datetime.now(UTC), _secrets(form), delegated=self._delegated
            )
        answer = _granted(content, url)
        _refuse_less(answer, NeedsReconnect)
        self.token, self.expiry = answer["access_token"], _expiry(answer)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class UserCredentials(Credentials):
    """By a user's consent."""

    def __init__(self, client: OAuthClient, refresh_token: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._client = client
        self._refresh_token = refresh_token

    def _question(self) -> tuple[str, dict[str, str]]:
        form = {"grant_type": "refresh_token", "refresh_token": self._refresh_token}
        return self._client.token_uri, {**form, **_identity(self._client)}

    @property
    def _delegated(self) -> bool:
        return False


class DelegatedCredentials(Credentials):
    """By the Workspace's leave: the service account asks on behalf of a mailbox's address (RFC 7523, with Google's `sub`)."""

    def __init__(self, account: ServiceAccount, address: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._account = account
        self._address = address

    def _question(self) -> tuple[str, dict[str, str]]:
        account, now = self._account, int(time.time())
        claims = {
            "iss": account.email,
            "sub": self._address,
            "scope": SCOPE,
            "aud": account.token_uri,
            "iat": now,
            "exp": now + _ASSERTION_SECONDS,
        }
        assertion = str(jwt.encode(account.signer, claims), "ascii")  # type: ignore[no-untyped-call]
        return account.token_uri, {"grant_type": _JWT_GRANT, "assertion": assertion}

    @property
    def _delegated(self) -> bool:
        return True


def credentials(identity: OAuthClient | ServiceAccount, address: str, refresh_token: str | None) -> Credentials:
    """What a mailbox is asked with. NeedsReconnect where it was connected another way than the settings are for now."""
    if isinstance(identity, ServiceAccount):
        return DelegatedCredentials(identity, address)
    if refresh_token is None:
        raise NeedsReconnect(
            "it was read by a service account, and the settings name an OAuth client now: connect it again"
        )
    return UserCredentials(identity, refresh_token)


@dataclass(frozen=True, slots=True)
class Consent:
    """What a consent gives. ends_at: when it ends by itself, as those of an app "in testing" do; else None."""

    refresh_token: str = field(repr=False)
    ends_at: datetime | None = None


class _NotNow(Unreachable):
    """Google's own word that it has a bad moment."""


def patiently(
    ask: Callable[[], _Answer], passing: tuple[type[Throttled | Unreachable], ...] = (Throttled, Unreachable)
) -> _Answer:
    """Asks again where Google has a bad moment: somebody has just consented, and would have to anew. Errors: of the last try."""
    for pause in PAUSES:
        try:
            return ask()
        except passing as error:
            time.sleep(min(max(pause, error.retry_after_seconds or 0.0), _LONGEST_PAUSE_SECONDS))
    return ask()


def exchange(client: OAuthClient, code: str, redirect_uri: str, verifier: str, timeout_seconds: float) -> Consent:
    """The refresh token for a consent's code (RFC 6749 4.1.3, RFC 7636 4.5).

    ConsentFailed where Google takes the code for none, or the consent covers less than asked; also Unreachable, AppRefused.
    """
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": verifier,
        **_identity(client),
    }
    # a code counts once: asked again is only where Google says that it didn't come to it, not where its answer got lost
    answer = patiently(lambda: _exchanged(client, form, timeout_seconds), (Throttled, _NotNow))
    _refuse_less(answer, ConsentFailed)
    token = answer.get("refresh_token")
    if not isinstance(token, str) or not token:
        raise ConsentFailed(
            "Google gave no lasting token: withdraw the app's access in the Google account, and connect again"
        )
    seconds = answer.get("refresh_token_expires_in")
    lasts = not isinstance(seconds, int) or not 0 < seconds < _LASTING_SECONDS
    return Consent(token, None if lasts else datetime.now(UTC) + timedelta(seconds=int(seconds or 0)))


def _exchanged(client: OAuthClient, form: dict[str, str], timeout_seconds: float) -> dict[str, Any]:
    status, headers, content = _post_once(client.token_uri, form, timeout_seconds)
    if status != 200:
        refusal = faults.of_token_answer(status, headers, content, datetime.now(UTC), _secrets(form), delegated=False)
        if isinstance(refusal, NeedsReconnect):
            raise ConsentFailed("Google doesn't take the code: it counts once, and for some minutes; try again")
        if isinstance(refusal, Unreachable) and status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise _NotNow(str(refusal), refusal.retry_after_seconds)
        raise refusal
    return _granted(content, client.token_uri)


def revoke(client: OAuthClient, refresh_token: str, timeout_seconds: float) -> None:
    """Gives a consent back (RFC 7009): every token of this user for this client ends. One that has ended is no error.

    Unreachable, Throttled, NeedsReconnect, AppRefused where Google didn't do it.
    """
    status, headers, content = _post_once(client.revoke_uri, {"token": refresh_token}, timeout_seconds)
    if status == 200 or (status == 400 and b'"invalid_token"' in content):
        return
    raise faults.of_token_answer(status, headers, content, datetime.now(UTC), [refresh_token], delegated=False)


def _secrets(form: Mapping[str, str]) -> list[str]:
    return [form[name] for name in _SECRET if form.get(name)]


def _identity(client: OAuthClient) -> dict[str, str]:
    return {"client_id": client.client_id, "client_secret": client.client_secret}


def _post_once(url: str, form: dict[str, str], timeout_seconds: float) -> tuple[int, Mapping[str, str], bytes]:
    connections = transport.connections(timeout_seconds)
    try:
        return _post(Request(connections), url, form)
    except transport.FAULTS as error:
        raise transport.unreachable(error, url) from error
    finally:
        connections.close()


def _post(request: Any, url: str, form: dict[str, str]) -> tuple[int, Mapping[str, str], bytes]:
    response = request(url=url, method="POST", headers=dict(_FORM), body=urlencode(form).encode("ascii"))
    return response.status, response.headers, response.data


def _granted(content: bytes, url: str) -> dict[str, Any]:
    """The token endpoint's answer (RFC 6749 5.1). Its text is never quoted."""
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        answer = None
    token = answer.get("access_token") if isinstance(answer, dict) else None
    # what goes into a header holds no line end
    if not isinstance(answer, dict) or not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise Unreachable(f"{url} answered without a token") from None
    return answer


def _refuse_less(answer: dict[str, Any], kind: type[NeedsReconnect] | type[ConsentFailed]) -> None:
    scope = answer.get("scope") or SCOPE  # RFC 6749 5.1: left out where it is what was asked for
    if SCOPE not in str(scope).split():
        raise kind("the consent doesn't cover reading mail: connect again, and leave the box for reading mail ticked")


def _expiry(answer: dict[str, Any]) -> datetime:
    """When the token ends, UTC and naive, as google.auth wants it. A missing time is a short one."""
    seconds = answer.get("expires_in")
    whole = seconds if isinstance(seconds, int) and 0 < seconds <= 86_400 else _LEAST_SECONDS
    return datetime.now(UTC).replace(tzinfo=None) + timedelta(seconds=whole)
