"""Gmail for a test: the emulator, the proxy in front of it, and the interface for tests.

    richard = gmail.mailbox("richard")                 # richard@firm.example
    id = richard.insert(b"From: jane@client.example\\r\\n…", at=now)
    richard.credentials()                              # for the client library; the whole consent: gmail.approve(page, …)
    gmail.faults.add(faults.history_expired(), user=richard.address, times=1)
    gmail.calls.counts(richard.address)[Kind.GET_RAW]

The owner's actions on a mailbox (insert, send, modify …) bypass the proxy: they are neither counted nor disturbed.
"""

import html
import json
import re
import urllib.parse
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from google.oauth2.credentials import Credentials

from tests.gmail.emulator import CLIENT_ID, CLIENT_SECRET, REDIRECT, Emulator, mark
from tests.gmail.oauth import OAuth, client_file_body, web_client_file_body
from tests.gmail.proxy import Brain, Proxy
from tests.gmail.service_account import ServiceAccount
from tests.gmail.tokens import Tokens
from tests.gmail.upstream import Upstream, raw_bytes, raw_text
from tests.gmail.view import View

DOMAIN = "firm.example"
PEOPLE = ("richard", "mary", "olga", *(f"box{number:02}" for number in range(20)))
READONLY = "https://www.googleapis.com/auth/gmail.readonly"
METADATA = "https://www.googleapis.com/auth/gmail.metadata"
_FORM = re.compile(r"<form[^>]*>.*?</form>", re.DOTALL)
_HIDDEN = re.compile(r'name="([^"]*)"\s+value="([^"]*)"')


def addresses() -> list[str]:
    """The mailboxes that every server has."""
    return [f"{name}@{DOMAIN}" for name in PEOPLE]


class GmailServer:
    """A server for one test, in an unused realm. port: on 127.0.0.1; 0: a free port. The caller stops it."""

    def __init__(self, emulator: Emulator, realm: int, port: int = 0) -> None:
        self._upstream = Upstream(emulator.port, mark(realm))
        self._proxy = Proxy(port)
        self.tokens = Tokens()
        self.view = View(self._upstream)
        self._account = ServiceAccount(frozenset({READONLY}))
        self._oauth = OAuth(self._upstream, self.tokens, self._account, self.token_uri)
        self._brain = Brain(self._upstream, self.view, self._oauth, self.tokens)
        self.faults = self._brain.faults
        self.quota = self._brain.quota
        self.calls = self._brain.calls
        self._proxy.start(self._brain)

    @property
    def endpoint(self) -> str:
        """The value for `gmail.api_endpoint`; ends in a slash."""
        return f"{self._proxy.base}/"

    @property
    def token_uri(self) -> str:
        """The token endpoint."""
        return f"{self._proxy.base}/oauth2/token"

    @property
    def revoke_uri(self) -> str:
        """The address that revokes a token: beside the token endpoint, as at Google."""
        return f"{self._proxy.base}/oauth2/revoke"

    @property
    def failures(self) -> list[str]:
        """Tracebacks of the proxy itself, and exceeded limits. A test ends with none."""
        return [*self._proxy.failures, *self.quota.passed]

    @property
    def posted_gets(self) -> int:
        """The number of GETs that came as POST, because their address was over 2,048 characters."""
        return self._brain.posted_gets

    @property
    def gzip(self) -> bool:
        """Whether bodies are compressed for clients that accept it; true as at Google."""
        return self._brain.gzip

    @gzip.setter
    def gzip(self, on: bool) -> None:
        self._brain.gzip = on

    def client_file(self, path: Path) -> Path:
        """Writes the OAuth client's file, mode 0600."""
        path.touch(mode=0o600)
        path.write_text(json.dumps(client_file_body(self._proxy.base)))
        return path

    def web_client_file(self, path: Path, redirect: str) -> Path:
        """Writes the file of a client of type Web, mode 0600, and registers its redirect."""
        self._oauth.web_redirects.add(redirect)
        path.touch(mode=0o600)
        path.write_text(json.dumps(web_client_file_body(self._proxy.base, redirect)))
        return path

    def service_account_file(self, path: Path) -> Path:
        """Writes the service account's key file, mode 0600. It may read every mailbox here, with gmail.readonly."""
        self._account.write(path, self.token_uri)
        return path

    def mailbox(self, name: str) -> "Mailbox":
        """The mailbox of one of PEOPLE."""
        return Mailbox(self, self._upstream, f"{name}@{DOMAIN}")

    def approve(self, page: str, address: str) -> str:
        """A user opens the page of consent in a browser and agrees. Returns where the browser is sent (with the code)."""
        split = urllib.parse.urlsplit(page)
        assert f"{split.scheme}://{split.netloc}" == self._proxy.base, f"another server's page: {page}"
        shown = _ask(self._proxy.base, "GET", f"{split.path}?{split.query}")
        assert shown[0] == 200, shown
        for form in _FORM.findall(shown[2]):
            fields = {html.unescape(name): html.unescape(value) for name, value in _HIDDEN.findall(form)}
            if fields.get("email") == address:
                status, location, body = _ask(self._proxy.base, "POST", f"{split.path}/callback", fields)
                assert status == 302, body
                return location
        raise AssertionError(f"the page doesn't offer {address}")

    def decline(self, page: str) -> str:
        """A user opens the page and declines. Returns where the browser is sent."""
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(page).query)
        back = {"error": "access_denied", "state": query.get("state", [""])[0]}
        return f"{query['redirect_uri'][0]}?{urllib.parse.urlencode(back)}"

    def expire_history(self, box: "Mailbox") -> None:
        """From now on, cursors older than the mailbox's newest change get 404."""
        self.view.expire_history(box.address)

    def revoke_access(self, box: "Mailbox") -> None:
        """The user removes the app from his account: the next refresh gets invalid_grant, and an access token gets 401."""
        for grant in self.tokens.revoke_all(box.address):
            self._oauth.end(grant)

    def stop(self) -> None:
        """Ends the proxy. The emulator goes on, for other realms."""
        self._proxy.stop()


class Mailbox:
    """The actions of a mailbox's owner, and of senders."""

    def __init__(self, server: GmailServer, upstream: Upstream, address: str) -> None:
        self.address = address
        self._server = server
        self._upstream = upstream

    def consent(self, scope: str = READONLY) -> str:
        """Consents without a browser; returns a new refresh token each time."""
        state = f"state-of-{self.address}"
        fields = {"email": self.address, "redirect_uri": REDIRECT, "scope": scope, "state": state}
        page = {"response_type": "code", "client_id": CLIENT_ID, "access_type": "offline", **fields}
        base = self._server.token_uri.removesuffix("/oauth2/token")
        location = self._server.approve(f"{base}/o/oauth2/v2/auth?{urllib.parse.urlencode(page)}", self.address)
        code = urllib.parse.parse_qs(urllib.parse.urlsplit(location).query)["code"][0]
        fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT}
        client = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        status, _, body = _ask(base, "POST", "/oauth2/token", {**fields, **client})
        assert status == 200, body
        return str(json.loads(body)["refresh_token"])

    def credentials(self, scope: str = READONLY) -> Credentials:
        """Credentials of a new consent, without an access token yet."""
        return Credentials(  # type: ignore[no-untyped-call]
            None,
            refresh_token=self.consent(scope),
            token_uri=self._server.token_uri,
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
            scopes=[scope],
        )

    @property
    def history_id(self) -> str:
        """The newest history id."""
        return self._server.view.newest(self.address)

    def insert(
        self,
        raw: bytes,
        *,
        labels: Sequence[str] = ("INBOX", "UNREAD"),
        at: datetime | None = None,
        thread: str | None = None,
    ) -> str:
        """Adds mail that comes in, or that was already there (labels); returns its id. at: internalDate, default now."""
        return self._put("messages", raw, labels, at or datetime.now(UTC), thread)

    def import_(self, raw: bytes, *, labels: Sequence[str] = ("INBOX", "UNREAD"), at: datetime | None = None) -> str:
        """Brings mail in from elsewhere (users.messages.import). at: internalDate, default the time of the Date header."""
        return self._put("messages/import", raw, labels, at, None)

    def send(self, raw: bytes) -> str:
        """The owner sends. Returns the id of the copy with SENT. No other mailbox gets it."""
        return self._put("messages/send", raw, (), datetime.now(UTC), None)

    def _put(self, path: str, raw: bytes, labels: Sequence[str], at: datetime | None, thread: str | None) -> str:
        body = _body(raw, at) | {"labelIds": list(labels)}
        if thread is not None:
            body["threadId"] = thread
        return str(self._upstream.json(self.address, path, body=body)["id"])

    def modify(self, message_id: str, *, add: Sequence[str] = (), remove: Sequence[str] = ()) -> None:
        """Changes labels."""
        body = {"addLabelIds": list(add), "removeLabelIds": list(remove)}
        self._upstream.json(self.address, f"messages/{message_id}/modify", body=body)

    def trash(self, message_id: str) -> None:
        """Puts a message into the bin."""
        self._upstream.json(self.address, f"messages/{message_id}/trash", body={})

    def untrash(self, message_id: str) -> None:
        """Takes a message out of the bin."""
        self._upstream.json(self.address, f"messages/{message_id}/untrash", body={})

    def delete(self, message_id: str) -> None:
        """Deletes a message for good."""
        self._upstream.json(self.address, f"messages/{message_id}", method="DELETE")

    def draft(self, raw: bytes) -> str:
        """Begins a draft; returns its draft id."""
        return str(self._upstream.json(self.address, "drafts", body={"message": _body(raw, datetime.now(UTC))})["id"])

    def save_draft(self, draft_id: str, raw: bytes) -> str:
        """Saves a draft again as Gmail does: with a new message id, and the old message is deleted. Returns the new draft id."""
        saved = self.draft(raw)
        self._upstream.json(self.address, f"drafts/{draft_id}", method="DELETE")
        return saved

    def send_draft(self, draft_id: str) -> str:
        """Sends a draft: SENT replaces DRAFT. Returns the message's id."""
        return str(self._upstream.json(self.address, "drafts/send", body={"id": draft_id})["id"])

    def label(self, name: str) -> str:
        """Makes a label of the owner's; returns its id."""
        return str(self._upstream.json(self.address, "labels", body={"name": name})["id"])

    def filter(self, author: str, *, add: Sequence[str] = (), remove: Sequence[str] = ()) -> None:
        """From now on, an author's mail gets other labels as it comes in."""
        body = {
            "criteria": {"from": author},
            "action": {"addLabelIds": list(add), "removeLabelIds": list(remove)},
        }
        self._upstream.json(self.address, "settings/filters", body=body)

    def labels(self, message_id: str) -> set[str]:
        """A message's labels."""
        return set(self.get(message_id, "minimal")["labelIds"])

    def raw(self, message_id: str) -> bytes:
        """A message's bytes."""
        return raw_bytes(self.get(message_id, "raw")["raw"])

    def get(self, message_id: str, message_format: str = "full") -> Any:
        """The message as the emulator has it."""
        return self._upstream.json(self.address, f"messages/{message_id}", {"format": message_format})

    def ids(self) -> set[str]:
        """The ids of all messages, including spam and trash."""
        return self._server.view.ids(self.address)


def _body(raw: bytes, at: datetime | None) -> dict[str, object]:
    body: dict[str, object] = {"raw": raw_text(raw)}
    if at is not None:
        body["internalDate"] = str(int(at.timestamp() * 1000))
    return body


def received(day: int, hour: int = 12) -> datetime:
    """A time in November 2026, UTC: for internalDate."""
    return datetime(2026, 11, day, hour, tzinfo=UTC)


def _ask(base: str, method: str, target: str, form: dict[str, str] | None = None) -> tuple[int, str, str]:
    """Status, Location and body; doesn't follow redirects."""
    port = urllib.parse.urlsplit(base).port
    assert port is not None
    upstream = Upstream(port)
    answer = upstream.form(target, form) if form is not None else upstream.ask(method, target, {})
    upstream.close()
    return answer.status, answer.headers.get("Location", ""), answer.body.decode()
