"""A stand-in for Google on loopback: the token endpoint and one mailbox, as far as the sync asks. For the demo only.

Answers GET profile, history, messages (a list) and one message (metadata or raw), and the exchange of a refresh token. Remembers
which messages were downloaded whole. Never listens elsewhere than on 127.0.0.1. Called by `scenario`.
"""

import base64
import json
import os
import threading
from collections.abc import Sequence
from datetime import datetime
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

HOST = "127.0.0.1"
REFRESH_TOKEN = "the demo's"
_CURSOR = "1000"


class MailboxServer:
    """Serves while it is entered as a context. mails: (raw bytes, labels) of each; its id is its place in hexadecimal, from 1."""

    def __init__(self, address: str, mails: Sequence[tuple[bytes, tuple[str, ...]]], now: datetime) -> None:
        self.address = address
        self._mails = {f"{number:016x}": mail for number, mail in enumerate(mails, 1)}
        self._milliseconds = str(int(now.timestamp() * 1000))
        self.downloaded: list[str] = []
        self._server = ThreadingHTTPServer((HOST, 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def base(self) -> str:
        """The address of the server, without a slash at the end."""
        return f"http://{HOST}:{self._server.server_address[1]}"

    def write_client(self, path: Path, owner: tuple[int, int]) -> None:
        """The file of an OAuth client in the form of Google's console, readable only by this owner."""
        client = {
            "client_id": "demo",
            "client_secret": "demo",
            "auth_uri": f"{self.base}/auth",
            "token_uri": f"{self.base}/token",
            "redirect_uris": ["http://localhost"],
        }
        path.touch(mode=0o600)
        path.write_text(json.dumps({"installed": client}))
        os.chown(path, *owner)

    def answer(self, path: str, query: dict[str, list[str]]) -> dict[str, Any] | None:
        """The body of the reply; None for a 404."""
        _, _, what = path.partition("/users/me/")
        if path == "/token":
            return {"access_token": "demo", "expires_in": 3600, "token_type": "Bearer"}
        if what == "profile":
            return {"emailAddress": self.address, "historyId": _CURSOR, "messagesTotal": len(self._mails)}
        if what == "history":
            return {"historyId": _CURSOR}
        if what == "messages":
            return {"messages": [{"id": message_id} for message_id in self._mails]}
        return self._message(what.removeprefix("messages/"), query.get("format", ["full"])[0])

    def _message(self, message_id: str, form: str) -> dict[str, Any] | None:
        if message_id not in self._mails:
            return None
        raw, labels = self._mails[message_id]
        shown: dict[str, Any] = {
            "id": message_id,
            "labelIds": list(labels),
            "internalDate": self._milliseconds,
            "sizeEstimate": len(raw),
            "historyId": _CURSOR,
        }
        if form == "raw":
            self.downloaded.append(message_id)
            return {**shown, "raw": base64.urlsafe_b64encode(raw).decode()}
        fields = [{"name": name, "value": str(value)} for name, value in message_from_bytes(raw).items()]
        return {**shown, "payload": {"headers": fields}}


def _handler(mailbox: MailboxServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            split = urlsplit(self.path)
            self._send(mailbox.answer(split.path, parse_qs(split.query)))

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self._send(mailbox.answer(urlsplit(self.path).path, {}))

        def _send(self, found: dict[str, Any] | None) -> None:
            body = json.dumps(found or {"error": {"code": 404, "message": "Not Found"}}).encode()
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "application/json; charset=UTF-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler
