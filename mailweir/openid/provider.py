"""A provider: the address for signing in, and the identity that it returns. Code flow with PKCE, state and nonce.

Its documents are fetched on first use. A single failure isn't final (law 11). Called by the page.
"""

import base64
import hashlib
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from mailweir import address, secrets_file
from mailweir.errors import SettingsError
from mailweir.openid import fetching
from mailweir.openid.kept import Kept
from mailweir.openid.refusals import ProviderRefusal, Why
from mailweir.settings_openid import OpenId

if TYPE_CHECKING:
    from joserfc.jwk import Key

_EXCHANGES = 3  # at a time, so that a hanging provider doesn't occupy all of the page's threads
_WAIT_SECONDS = 1.0
_MAX_SECRET_BYTES = 10_000
_MAX_SUBJECT_CHARS = 255


@dataclass(frozen=True, slots=True)
class Discovery:
    """The provider's own metadata (OpenID Connect Discovery 1.0)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    takes_basic: bool
    names_itself: bool


@dataclass(frozen=True, slots=True)
class Begun:
    """The values to remember until the browser comes back. verifier: PKCE's."""

    nonce: str
    verifier: str


@dataclass(frozen=True, slots=True)
class Identity:
    """A person's identity at a provider. email: in its normal form, and only if the provider has verified it. hosted_domain: the
    person's Workspace, Google's `hd`."""

    issuer: str
    subject: str
    email: str | None
    hosted_domain: str | None


def begun() -> Begun:
    """New values for one sign-in."""
    return Begun(secrets.token_urlsafe(32), secrets.token_urlsafe(48))


class Provider:
    """name: as in the settings. clock: monotonic seconds. pause_seconds: see `fetching`. Thread-safe."""

    def __init__(
        self,
        name: str,
        config: OpenId,
        clock: Callable[[], float] = time.monotonic,
        pause_seconds: float = fetching.PAUSE_SECONDS,
    ) -> None:
        self.name = name
        self.label = config.label or name
        self.hosted_domain = config.hosted_domain
        self._config = config
        self._pause_seconds = pause_seconds
        self._discovery = Kept(self._discover, clock)
        self._keys: Kept[tuple[Key, ...]] = Kept(self._fetch_keys, clock)
        self._exchanges = threading.BoundedSemaphore(_EXCHANGES)

    def login_url(self, redirect_uri: str, state: str, begun: Begun, *, asks_which: bool = False) -> str:
        """The address for the browser. asks_which: lets the person choose an account at the provider, because the last one was
        wrong. ProviderRefusal if the provider doesn't answer."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(begun.verifier.encode()).digest()).rstrip(b"=").decode()
        fields = {
            "response_type": "code",
            "client_id": self._config.client_id,
            "redirect_uri": redirect_uri,
            "scope": "openid email",
            "state": state,
            "nonce": begun.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            **({"hd": self.hosted_domain} if self.hosted_domain else {}),
            **({"prompt": "select_account"} if asks_which else {}),
        }
        endpoint = self._discovery.get().authorization_endpoint
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(fields)}"

    def identify(self, code: str, redirect_uri: str, begun: Begun, issuer: str | None, now: datetime) -> Identity:
        """The identity of the person. issuer: from the answer (RFC 9207), if present. ProviderRefusal."""
        discovery = self._discovery.get()
        if issuer != discovery.issuer and (issuer is not None or discovery.names_itself):
            raise ProviderRefusal(Why.TOKEN, "the answer is another provider's")
        if not self._exchanges.acquire(timeout=_WAIT_SECONDS):
            raise ProviderRefusal(Why.BUSY, "others wait for the provider")
        try:
            token, access_token = self._exchange(discovery, code, redirect_uri, begun.verifier)
            return self._identity(discovery, self._claims(discovery, token, access_token, begun.nonce, now))
        finally:
            self._exchanges.release()

    def _discover(self) -> Discovery:
        wanted = self._config.issuer.rstrip("/")
        answer = fetching.fetch(f"{wanted}/.well-known/openid-configuration", pause_seconds=self._pause_seconds)
        values = answer.values
        if answer.status != 200:
            raise ProviderRefusal(Why.UNREACHABLE, f"{wanted}: its discovery document is a {answer.status}")
        if str(values.get("issuer")).rstrip("/") != wanted:
            raise ProviderRefusal(Why.SETTINGS, f"{wanted} calls itself {str(values.get('issuer'))[:200]!r}")
        found = {
            key: fetching.refuse_insecure(values.get(key), f"{wanted}: its {key}")
            for key in ("authorization_endpoint", "token_endpoint", "jwks_uri")
        }
        methods = values.get("token_endpoint_auth_methods_supported")
        return Discovery(
            issuer=str(values["issuer"]),
            takes_basic=not isinstance(methods, list) or "client_secret_basic" in methods,
            names_itself=values.get("authorization_response_iss_parameter_supported") is True,
            **found,
        )

    def _fetch_keys(self) -> "tuple[Key, ...]":
        from mailweir.openid import id_token  # Authlib: a tenth of a second and 15 MB, only for this kind of sign-in

        answer = fetching.fetch(self._discovery.get().jwks_uri, pause_seconds=self._pause_seconds)
        if answer.status != 200:
            raise ProviderRefusal(Why.UNREACHABLE, f"{self.name}: its keys are a {answer.status}")
        return id_token.keys_of(answer.values)

    def _secret(self) -> str:
        """The client's secret. Read from its file each time, so that a new secret takes effect at once."""
        try:
            text = secrets_file.read_private(Path(self._config.client_secret_file), "client secret", _MAX_SECRET_BYTES)
            secret = text.decode().strip()
        except (SettingsError, ValueError) as error:
            raise ProviderRefusal(Why.SETTINGS, f"{self.name}: {error}") from error
        if not secret:
            raise ProviderRefusal(Why.SETTINGS, f"{self._config.client_secret_file} is empty")
        return secret

    def _exchange(self, discovery: Discovery, code: str, redirect_uri: str, verifier: str) -> tuple[str, str | None]:
        """Exchanges a code for the ID token, and the access token to which the ID token may refer."""
        client, secret = self._config.client_id, self._secret()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        headers = {}
        if discovery.takes_basic:
            pair = f"{quote(client, safe='')}:{quote(secret, safe='')}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        else:
            form |= {"client_id": client, "client_secret": secret}
        answer = fetching.fetch(discovery.token_endpoint, form, headers, pause_seconds=self._pause_seconds)
        token, access_token = answer.values.get("id_token"), answer.values.get("access_token")
        if answer.status != 200 or not isinstance(token, str):
            raise self._refused(answer)
        return token, access_token if isinstance(access_token, str) else None

    def _refused(self, answer: fetching.Answer) -> ProviderRefusal:
        said = str(answer.values.get("error", ""))[:60]
        why = Why.UNREACHABLE
        if said in ("invalid_client", "unauthorized_client", "redirect_uri_mismatch"):
            why = Why.SETTINGS
        elif said == "invalid_grant":
            why = Why.CODE
        return ProviderRefusal(why, f"{self.name}: its token endpoint says {answer.status} {said!r}")

    def _claims(
        self, discovery: Discovery, token: str, access_token: str | None, nonce: str, now: datetime
    ) -> dict[str, Any]:
        from mailweir.openid import id_token

        def read(keys: "tuple[Key, ...]") -> dict[str, Any]:
            return id_token.claims(
                token,
                keys,
                issuer=discovery.issuer,
                client_id=self._config.client_id,
                nonce=nonce,
                access_token=access_token,
                now=now.timestamp(),
            )

        try:
            return read(self._keys.get())
        except id_token.UnknownKey:
            pass
        try:
            return read(self._keys.renewed())
        except id_token.UnknownKey:
            raise ProviderRefusal(Why.TOKEN, f"{self.name}: the ID token is signed with an unknown key") from None

    def _identity(self, discovery: Discovery, claims: dict[str, Any]) -> Identity:
        subject = claims["sub"]
        if not isinstance(subject, str) or not 0 < len(subject) <= _MAX_SUBJECT_CHARS or not subject.isprintable():
            raise ProviderRefusal(Why.TOKEN, f"{self.name}: the ID token's sub can't be one")
        domain = claims.get("hd")
        given = claims.get("email")
        is_proven = claims.get("email_verified") is True and isinstance(given, str)
        email = address.typed(given.strip()) if is_proven and isinstance(given, str) else None
        return Identity(discovery.issuer, subject, email, domain.lower() if isinstance(domain, str) else None)
