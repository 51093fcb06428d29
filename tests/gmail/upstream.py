"""HTTP to the emulator: a kept connection for each thread."""

import base64
import http.client
import json
import threading
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.gmail.emulator import CLIENT_SECRET, REDIRECT, SERVICE_CLIENT_ID
from tests.gmail.google_errors import Answer

FULL_SCOPE = "https://mail.google.com/"
_TIMEOUT_SECONDS = 60.0
_USES_OF_A_TOKEN = 4_000
_BACK = ("content-type", "location")


@dataclass(frozen=True)
class Granted:
    """The result of a consent."""

    refresh_token: str
    access_token: str


class Upstream:
    """The emulator's port on loopback, and a realm in it: addresses here are without its mark.

    It answers a token 5,000 times an hour, so that ours are changed before.
    """

    def __init__(self, port: int, realm_mark: str = "") -> None:
        self._port = port
        self._mark = realm_mark
        self._kept = threading.local()
        self._lock = threading.Lock()
        self._ours: dict[str, tuple[str, int]] = {}

    def own_token(self, address: str) -> str:
        """An access token for a mailbox, independent of the user's consents."""
        with self._lock:
            token, uses = self._ours.get(address, ("", _USES_OF_A_TOKEN))
        if uses >= _USES_OF_A_TOKEN:
            token, uses = self.grant(SERVICE_CLIENT_ID, address, FULL_SCOPE).access_token, 0
        with self._lock:
            self._ours[address] = (token, uses + 1)
        return token

    def ask(self, method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        """A request, passed on unchanged. target: path and query."""
        for last in (False, True):
            fresh = getattr(self._kept, "connection", None) is None
            try:
                return self._ask_once(method, target, headers, body)
            except (http.client.HTTPException, ConnectionError):
                self._kept.connection = None
                if fresh or last:
                    raise
        raise AssertionError("unreachable")

    def _ask_once(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        connection = getattr(self._kept, "connection", None)
        if connection is None:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_TIMEOUT_SECONDS)
            self._kept.connection = connection
        connection.request(method, target, body or None, dict(headers))
        response = connection.getresponse()
        kept = {name.title(): value for name, value in response.getheaders() if name.lower() in _BACK}
        return Answer(response.status, response.read().replace(self._mark.encode(), b""), kept)

    def consent(self, fields: Mapping[str, str]) -> Answer:
        """Posts the form of the page of consent, which has the field `email`."""
        return self.form("/o/oauth2/v2/auth/callback", {**fields, "email": self._mark + fields.get("email", "")})

    def close(self) -> None:
        """Closes this thread's connection."""
        if (connection := getattr(self._kept, "connection", None)) is not None:
            connection.close()
            self._kept.connection = None

    def json(
        self,
        address: str,
        path: str,
        query: Mapping[str, str | list[str]] | None = None,
        body: Mapping[str, object] | None = None,
        method: str | None = None,
    ) -> Any:
        """Makes a call below users/me/ as that user, which must succeed. Returns its JSON, or None. With `body`: POST.

        Raises LookupError if it isn't found.
        """
        headers = {"Authorization": f"Bearer {self.own_token(address)}"}
        encoded = b""
        if body is not None:
            headers["Content-Type"] = "application/json"
            encoded = json.dumps(body).encode()
        target = f"/gmail/v1/users/me/{path}"
        if query:
            target += "?" + urllib.parse.urlencode(query, doseq=True)
        answer = self.ask(method or ("POST" if body is not None else "GET"), target, headers, encoded)
        if answer.status == 404:
            raise LookupError(f"{target}: not found")
        assert answer.status < 300, f"{target}: {answer.status} {answer.body!r}"
        return json.loads(answer.body) if answer.body else None

    def form(self, path: str, fields: Mapping[str, str]) -> Answer:
        """POSTs a form."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.ask("POST", path, headers, urllib.parse.urlencode(fields).encode())

    def grant(self, client_id: str, address: str, scope: str) -> Granted:
        """A user's consent, without a browser and without the proxy."""
        fields = {"email": address, "redirect_uri": REDIRECT, "scope": scope, "state": "", "client_id": client_id}
        consent = self.consent(fields)
        query = urllib.parse.urlsplit(consent.headers["Location"]).query
        code = urllib.parse.parse_qs(query)["code"][0]
        answer = self.form(
            "/oauth2/token",
            {
                "grant_type": "authorization_code",
                "code": code,
                "client_id": client_id,
                "client_secret": CLIENT_SECRET,
                "redirect_uri": REDIRECT,
            },
        )
        assert answer.status == 200, f"no consent of {address}: {answer.body!r}"
        got = json.loads(answer.body)
        return Granted(got["refresh_token"], got["access_token"])


def raw_text(raw: bytes) -> str:
    """A message's bytes as the API writes them (base64url with padding)."""
    return base64.urlsafe_b64encode(raw).decode()


def raw_bytes(text: str) -> bytes:
    """Bytes from the API's form; padding may be absent."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
