"""Tokens: access tokens, which are short-lived and stay in memory, and the refresh tokens that they come from.

A refresh token is sealed in the database (`secrets_file`); a service account needs none. No token appears in a log, a repr or an
error's text. Google's own classes would sleep and retry by themselves, so the requests of RFC 6749 and 7523 are made here. Used
by the sync, `consent` and the command line.
"""

import json
import time
from abc import abstractmethod
from collections.abc import Collection, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import google.auth.credentials
from google.auth import jwt

from mailweir.gmail import error_mapping
from mailweir.gmail.errors import ConsentFailed, NeedsReconnect, Unreachable
from mailweir.gmail.oauth_files import Identities, OAuthClient, ServiceAccount
from mailweir.gmail.refusals import Asked
from mailweir.gmail.transport import Answer, Connections
from mailweir.sentence import said

SCOPE = "https://www.googleapis.com/auth/gmail.readonly"
FORM = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
_JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_ASSERTION_SECONDS = 3_600
_LEAST_SECONDS = 60
_SECRET = ("refresh_token", "client_secret", "code", "code_verifier", "assertion")


class Credentials(google.auth.credentials.Credentials):
    """The credentials for one mailbox. They get a new access token if there is none, or it is about to expire, or Gmail refuses
    it.

    Used by one thread at a time. Errors of `refresh`: NeedsReconnect, AppRefused, Unreachable, Throttled.
    """

    @abstractmethod
    def _question(self) -> tuple[str, dict[str, str]]:
        """The token endpoint's address, and the form."""

    @property
    @abstractmethod
    def _asked(self) -> Asked: ...

    def refresh(self, request: Connections) -> None:
        """Requests an access token."""
        url, form = self._question()
        # Repeating the request for a token does no harm.
        answer = request(url, "POST", urlencode(form).encode("ascii"), FORM, may_repeat=True)
        refuse_failed(self._asked, answer, secrets_of(form))
        found = granted(answer.data, url)
        refuse_less(found, NeedsReconnect)
        self.token, self.expiry = found["access_token"], _expiry(found)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class UserCredentials(Credentials):
    """Authorised by a user's consent."""

    def __init__(self, client: OAuthClient, refresh_token: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._client = client
        self._refresh_token = refresh_token

    def _question(self) -> tuple[str, dict[str, str]]:
        form = {"grant_type": "refresh_token", "refresh_token": self._refresh_token}
        return self._client.token_uri, {**form, **_identity(self._client)}

    @property
    def _asked(self) -> Asked:
        return Asked.USER_TOKEN


class DelegatedCredentials(Credentials):
    """Authorised by the Workspace: the service account acts for a mailbox's address (RFC 7523, with Google's `sub`)."""

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
    def _asked(self) -> Asked:
        return Asked.ROBOT_TOKEN


def credentials(identity: OAuthClient | ServiceAccount, address: str, refresh_token: str | None) -> Credentials:
    """The credentials for a mailbox. NeedsReconnect if the mailbox was connected by a service account, and the settings now name
    an OAuth client."""
    if isinstance(identity, ServiceAccount):
        return DelegatedCredentials(identity, address)
    if refresh_token is None:
        raise NeedsReconnect(
            said("it was read by a service account, and the settings name an OAuth client now: connect it again")
        )
    return UserCredentials(identity, refresh_token)


def credentials_of(
    identities: Identities, address: str, refresh_token: str | None, client_id: str | None
) -> Credentials:
    """The credentials for a connected mailbox: each token with its own client. NeedsReconnect if the settings name no suitable
    client."""
    identity = identities.of(client_id)
    if identity is None:
        raise NeedsReconnect(
            said(
                "it was connected by another OAuth client than the one in gmail.web_client_file: connect it again, "
                "or put that client's file into gmail.oauth_client_file"
            )
        )
    return credentials(identity, address, refresh_token)


def revoke(client: OAuthClient, refresh_token: str, timeout_seconds: float) -> None:
    """Revokes a consent (RFC 7009): every token of this user for this client ends. A token that has already ended is no error.

    Unreachable, Throttled, NeedsReconnect, AppRefused if Google didn't do it.
    """
    body = urlencode({"token": refresh_token}).encode("ascii")
    with closing(Connections(timeout_seconds)) as connections:
        answer = connections(client.revoke_uri, "POST", body, FORM)
    if answer.status != HTTPStatus.BAD_REQUEST or b'"invalid_token"' not in answer.data:
        refuse_failed(Asked.END, answer, [refresh_token])


def secrets_of(form: Mapping[str, str]) -> list[str]:
    """The parts of a request that must not appear in any text."""
    return [form[name] for name in _SECRET if form.get(name)]


def refuse_failed(asked: Asked, answer: Answer, secrets: Collection[str]) -> None:
    """Raises one of our errors if the token endpoint failed."""
    if answer.status != HTTPStatus.OK:
        raise error_mapping.of_token(asked, answer, datetime.now(UTC), secrets)


def _identity(client: OAuthClient) -> dict[str, str]:
    return {"client_id": client.client_id, "client_secret": client.client_secret}


def granted(content: bytes, url: str) -> dict[str, Any]:
    """The token endpoint's answer (RFC 6749 5.1). Its text is never quoted."""
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        answer = None
    token = answer.get("access_token") if isinstance(answer, dict) else None
    # A header value must not contain a line end.
    if not isinstance(answer, dict) or not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise Unreachable(said("{url} answered without a token", url=url)) from None
    return answer


def refuse_less(answer: dict[str, Any], kind: type[NeedsReconnect] | type[ConsentFailed]) -> None:
    """Raises an error of this kind if the consent covers less than requested."""
    scope = answer.get("scope") or SCOPE  # RFC 6749 5.1: omitted if it equals the request
    if SCOPE not in str(scope).split():
        raise kind(
            said("the consent doesn't cover reading mail: connect again, and leave the box for reading mail ticked")
        )


def _expiry(answer: dict[str, Any]) -> datetime:
    """When the token ends, UTC and naive, as google.auth expects. If the lifetime is missing, a short one is assumed."""
    seconds = answer.get("expires_in")
    whole = seconds if isinstance(seconds, int) and 0 < seconds <= 86_400 else _LEAST_SECONDS
    return datetime.now(UTC).replace(tzinfo=None) + timedelta(seconds=whole)
