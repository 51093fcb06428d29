"""Consent, tokens and revocation: the proxy's checks and additions before and after the emulator."""

import html
import json
import urllib.parse
from collections.abc import Mapping

from tests.gmail.emulator import CLIENT_ID, REDIRECT, SERVICE_CLIENT_ID, WEB_CLIENT_ID
from tests.gmail.google_errors import Answer, token_error
from tests.gmail.service_account import GRANT_TYPE, Denied, ServiceAccount
from tests.gmail.tokens import Grant, Tokens
from tests.gmail.upstream import Upstream

_LOOPBACK = ("localhost", "127.0.0.1", "[::1]", "::1")
_HTML = {"Content-Type": "text/html; charset=UTF-8"}

Fields = Mapping[str, str]


class OAuth:
    """The endpoints below /o/oauth2 and /oauth2. token_uri: the token endpoint's address as clients know it."""

    def __init__(self, upstream: Upstream, tokens: Tokens, account: ServiceAccount, token_uri: str) -> None:
        self._upstream = upstream
        self._tokens = tokens
        self._account = account
        self._token_uri = token_uri
        self.web_redirects: set[str] = set()

    def user_of(self, path: str, fields: Fields) -> str | None:
        """The user of a request to these endpoints, if known."""
        grant = None
        if path == "/oauth2/token":
            grant = self._tokens.refreshable(fields.get("refresh_token", ""))
        elif path == "/oauth2/revoke":
            grant = self._tokens.refreshable(fields.get("token", "")) or self._tokens.holder(fields.get("token", ""))
        return grant.address if grant else None

    def page(self, fields: Fields) -> Answer:
        """The page on which a user consents. Loopback redirects may have any port and path, as at Google. A client of type Web
        may only use its registered redirects."""
        redirect = fields.get("redirect_uri", "")
        split = urllib.parse.urlsplit(redirect)
        is_loopback = split.scheme == "http" and split.hostname in _LOOPBACK
        if not (redirect in self.web_redirects if fields.get("client_id") == WEB_CLIENT_ID else is_loopback):
            return Answer(400, b"<p>Error 400: redirect_uri_mismatch</p>", _HTML)
        if fields.get("response_type") != "code" or not fields.get("scope"):
            return Answer(400, b"<p>Error 400: invalid_request</p>", _HTML)
        self._tokens.page_asked(fields.get("state", ""), offline=fields.get("access_type") == "offline")
        query = urllib.parse.urlencode({**fields, "redirect_uri": REDIRECT})
        answer = self._upstream.ask("GET", f"/o/oauth2/v2/auth?{query}", {})
        ours = f'value="{html.escape(redirect)}"'.encode()
        return Answer(answer.status, answer.body.replace(f'value="{REDIRECT}"'.encode(), ours), answer.headers)

    def consent(self, fields: Fields) -> Answer:
        """A user agrees on that page."""
        answer = self._upstream.consent(fields)
        if answer.status == 302:
            query = urllib.parse.parse_qs(urllib.parse.urlsplit(answer.headers["Location"]).query)
            self._tokens.consented(
                query["code"][0],
                fields.get("email", ""),
                fields.get("scope", ""),
                fields.get("redirect_uri", ""),
                fields.get("state", ""),
            )
        return answer

    def token(self, fields: Fields) -> Answer:
        """The token endpoint."""
        if fields.get("grant_type") == GRANT_TYPE:
            return self._assertion(fields)
        if fields.get("grant_type") == "refresh_token":
            return self._refresh(fields)
        return self._exchange(fields)

    def _exchange(self, fields: Fields) -> Answer:
        consent = self._tokens.take_code(fields.get("code", ""))
        if consent is not None and consent.redirect_uri != fields.get("redirect_uri", ""):
            return token_error("redirect_uri_mismatch", "Bad Request")
        answer = self._upstream.form("/oauth2/token", fields)
        if answer.status != 200 or consent is None:
            return answer
        body = json.loads(answer.body)
        if not consent.offline:
            del body["refresh_token"]
        grant = Grant(consent.address, consent.scope, body.get("refresh_token"), client_id=fields.get("client_id", ""))
        self._tokens.issued(grant, body["access_token"])
        return Answer(200, json.dumps(body).encode())

    def _refresh(self, fields: Fields) -> Answer:
        grant = self._tokens.refreshable(fields.get("refresh_token", ""))
        if grant is None:
            return token_error("invalid_grant", "Token has been expired or revoked.")
        if grant.client_id != fields.get("client_id", ""):
            return token_error("unauthorized_client", "Unauthorized", 401)
        answer = self._upstream.form("/oauth2/token", fields)
        if answer.status == 200:
            self._tokens.issued(grant, json.loads(answer.body)["access_token"])
        return answer

    def _assertion(self, fields: Fields) -> Answer:
        try:
            address, scope = self._account.subject(fields.get("assertion", ""), self._token_uri)
        except Denied as denied:
            return token_error(denied.error, str(denied), 401 if denied.error == "unauthorized_client" else 400)
        try:
            granted = self._upstream.grant(SERVICE_CLIENT_ID, address, scope)
        except AssertionError:  # the emulator has no such user
            return token_error("invalid_grant", "Invalid email or User ID")
        self._tokens.issued(Grant(address, scope), granted.access_token)
        body = {"access_token": granted.access_token, "expires_in": 3599, "token_type": "Bearer"}
        return Answer(200, json.dumps(body).encode())

    def revoke(self, fields: Fields) -> Answer:
        """Revokes the whole consent, whichever of its tokens the request names."""
        token = fields.get("token", "")
        grant = self._tokens.revoke(token)
        if grant is None:
            return token_error("invalid_token", "Token expired or revoked")
        self.end(grant)
        return Answer(200, b"{}")

    def end(self, grant: Grant) -> None:
        """The emulator forgets a grant's tokens, too."""
        for token in {grant.refresh_token, *grant.access_tokens} - {None}:
            self._upstream.form("/oauth2/revoke", {"token": str(token)})


def web_client_file_body(base: str, redirect: str) -> dict[str, object]:
    """The same for the type "Web application", which is bound to one redirect."""
    (values,) = client_file_body(base).values()
    assert isinstance(values, dict)
    return {"web": {**values, "client_id": WEB_CLIENT_ID, "redirect_uris": [redirect]}}


def client_file_body(base: str) -> dict[str, object]:
    """An OAuth client in the form in which Google's console gives it ("Desktop app"), for a server at `base`."""
    return {
        "installed": {
            "client_id": CLIENT_ID,
            "project_id": "mailweir-tests",
            "auth_uri": f"{base}/o/oauth2/v2/auth",
            "token_uri": f"{base}/oauth2/token",
            "auth_provider_x509_cert_url": f"{base}/oauth2/v3/certs",
            "client_secret": "a-secret-of-the-tests",
            "redirect_uris": [REDIRECT],
        }
    }
