"""A provider of OpenID Connect for tests: real HTTP on loopback, discovery, consent, tokens and keys, and faults on request.

It signs everybody in as `person`, at once. `joserfc` makes its signatures. It checks PKCE, secret and redirect URI itself.
"""

import base64
import hashlib
import hmac
import http.client
import json
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from mailweir.settings_openid import OpenId

CLIENT_ID, CLIENT_SECRET = "mailweir-page", "s3cret:with%signs"
Claims = dict[str, Any]
Sign = Callable[["OpenIdProvider", Claims], str]


@dataclass(frozen=True)
class SigningKey:
    """A key pair, and its algorithm."""

    kid: str
    algorithm: str
    key: Any

    def public(self) -> dict[str, Any]:
        """The public key, as in the key set."""
        return {**self.key.as_dict(private=False), "kid": self.kid, "use": "sig", "alg": self.algorithm}


@cache
def rsa_key(kid: str = "rsa-1") -> SigningKey:
    """A key for RS256."""
    return SigningKey(kid, "RS256", RSAKey.generate_key(2048))


@cache
def ec_key(kid: str = "ec-1") -> SigningKey:
    """A key for ES256."""
    return SigningKey(kid, "ES256", ECKey.generate_key("P-256"))


def signed(provider: "OpenIdProvider", claims: Claims) -> str:
    """A correct token, signed with the first key."""
    own = provider.keys[0]
    return jwt.encode({"alg": own.algorithm, "kid": own.kid}, claims, own.key, algorithms=[own.algorithm])


def unsigned(provider: "OpenIdProvider", claims: Claims) -> str:
    """A token with `alg: none`."""
    parts = ({"alg": "none", "kid": provider.keys[0].kid}, claims)
    return ".".join([*(_base64(json.dumps(part).encode()) for part in parts), ""])


def signed_with_the_public_key(provider: "OpenIdProvider", claims: Claims) -> str:
    """A token with HS256 and a publicly known key."""
    return _hs256(provider, claims, provider.keys[0].key.as_pem(private=False))


def signed_with_the_client_secret(provider: "OpenIdProvider", claims: Claims) -> str:
    """A token with HS256 and a shared secret."""
    return _hs256(provider, claims, CLIENT_SECRET.encode())


def _hs256(provider: "OpenIdProvider", claims: Claims, secret: bytes) -> str:
    parts = ({"alg": "HS256", "kid": provider.keys[0].kid}, claims)
    content = ".".join(_base64(json.dumps(part).encode()) for part in parts)
    return f"{content}.{_base64(hmac.digest(secret, content.encode(), 'sha256'))}"


def signed_by_another(provider: "OpenIdProvider", claims: Claims) -> str:
    """A token signed with another key under the key id of the provider's."""
    other = rsa_key("another")
    return jwt.encode({"alg": "RS256", "kid": provider.keys[0].kid}, claims, other.key, algorithms=["RS256"])


def with_its_own_key(provider: "OpenIdProvider", claims: Claims) -> str:
    """The key comes with the token (`jwk` in its header)."""
    other = rsa_key("own")
    header = {"alg": "RS256", "kid": "own", "jwk": other.public()}
    return jwt.encode(header, claims, other.key, algorithms=["RS256"])


def signed_by_no_known_key(provider: "OpenIdProvider", claims: Claims) -> str:
    """It names a key that isn't in the key set."""
    own = provider.keys[0]
    return jwt.encode({"alg": own.algorithm, "kid": "gone"}, claims, own.key, algorithms=[own.algorithm])


def cut(provider: "OpenIdProvider", claims: Claims) -> str:
    """Two of the three parts of a token."""
    return signed(provider, claims).rpartition(".")[0]


@dataclass
class OpenIdProvider:
    """person: claims of the person who signs in. claims: replace a token's usual ones; None leaves one out. status: by path.
    broken: paths that answer with invalid JSON. hanging: paths that never answer. asked: the requested paths, in order."""

    url: str
    clock: Callable[[], float]
    keys: list[SigningKey] = field(default_factory=lambda: [rsa_key()])
    person: Claims = field(
        default_factory=lambda: {"sub": "1001", "email": "richard@firm.example", "email_verified": True}
    )
    claims: Claims = field(default_factory=dict)
    discovery: Claims = field(default_factory=dict)
    sign: Sign = signed
    status: dict[str, int] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    hanging: set[str] = field(default_factory=set)
    denial: str = ""
    asked: list[str] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    released: threading.Event = field(default_factory=threading.Event)

    def settings(self, folder: Path, **more: Any) -> OpenId:
        """The page's settings for this provider, with the file of the secret."""
        file = folder / "client-secret"
        file.write_text(f"{CLIENT_SECRET}\n")
        file.chmod(0o600)
        return OpenId(issuer=self.url, client_id=CLIENT_ID, client_secret_file=str(file), label="Example", **more)

    def send_browser(self, location: str) -> str:
        """Follows this address to the provider as a browser; returns where the provider sends it."""
        parts = urlsplit(location)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
        connection.request("GET", f"{parts.path}?{parts.query}")
        answer = connection.getresponse()
        answer.read()
        connection.close()
        assert answer.status == 302, answer.status
        return answer.headers["Location"]

    def answer(self, path: str, query: dict[str, str], form: dict[str, str], credentials: str) -> tuple[int, Any]:
        """The status, and JSON or an address to redirect to."""
        if path == "/.well-known/openid-configuration":
            return 200, self._discovery()
        if path == "/jwks":
            return 200, {"keys": [{"kty": "oct", "k": "AAAA"}, {"kty": "new"}, *(one.public() for one in self.keys)]}
        if path == "/authorize":
            return 302, self._consent(query)
        return self._token(form, credentials) if path == "/token" else (404, {})

    def _discovery(self) -> Claims:
        found = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize?realm=firm",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks",
            **self.discovery,
        }
        return {key: value for key, value in found.items() if value is not None}

    def _consent(self, query: dict[str, str]) -> str:
        wanted = {"response_type": "code", "client_id": CLIENT_ID, "code_challenge_method": "S256", "realm": "firm"}
        assert wanted.items() <= query.items()
        assert "openid" in query["scope"].split()
        if self.denial:
            return f"{query['redirect_uri']}?{urlencode({'error': self.denial, 'state': query['state']})}"
        code = secrets.token_urlsafe(16)
        self.codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def _token(self, form: dict[str, str], credentials: str) -> tuple[int, Claims]:
        given = [unquote(part) for part in credentials.split(":")] if credentials else []
        given = given or [form.get("client_id", ""), form.get("client_secret", "")]
        if given != [CLIENT_ID, CLIENT_SECRET]:
            return 401, {"error": "invalid_client"}
        asked = self.codes.pop(form.get("code", ""), None)
        challenge = _base64(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if asked is None or asked["code_challenge"] != challenge or asked["redirect_uri"] != form["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        now = int(self.clock())
        claims = {
            "iss": self.url,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            **self.person,
            **self.claims,
        }
        token = self.sign(self, {key: value for key, value in claims.items() if value is not None})
        return 200, {"access_token": "a", "token_type": "Bearer", "id_token": token}


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _handler(provider: OpenIdProvider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 20

        def log_message(self, *_: Any) -> None:
            """Logs nothing."""

        def do_GET(self) -> None:
            self._respond({})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
            self._respond({key: values[0] for key, values in parse_qs(body).items()})

        def _respond(self, form: dict[str, str]) -> None:
            parts = urlsplit(self.path)
            provider.asked.append(parts.path)
            if parts.path in provider.hanging:
                provider.released.wait(20)
                return
            query = {key: values[0] for key, values in parse_qs(parts.query).items()}
            kind, _, given = self.headers.get("Authorization", "").partition(" ")
            credentials = base64.b64decode(given).decode() if kind == "Basic" else ""
            status, found = provider.answer(parts.path, query, form, credentials)
            status = provider.status.get(parts.path, status)
            body = b"<html>no" if parts.path in provider.broken else json.dumps(found).encode()
            self.send_response(status)
            if status == 302:
                self.send_header("Location", found)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler


@contextmanager
def running(clock: Callable[[], float]) -> Iterator[OpenIdProvider]:
    """A running provider on loopback."""
    provider = OpenIdProvider("", clock)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(provider))
    server.daemon_threads = True
    provider.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        provider.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def openid_provider(page_clock: Callable[[], Any]) -> Iterator[OpenIdProvider]:
    """A provider that uses the page's clock."""
    with running(lambda: page_clock().timestamp()) as provider:
        yield provider
