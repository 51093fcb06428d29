"""An HTTP server with scripted answers, for tests of requests to Google: real HTTP, also faulty."""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Asked:
    """A request that came in. fields: of the query, or of a form."""

    method: str
    path: str
    fields: dict[str, list[str]]
    headers: dict[str, str]
    connection: int

    def one(self, name: str) -> str:
        """The field's only value."""
        (value,) = self.fields[name]
        return value


@dataclass(frozen=True)
class Answer:
    """An answer. cut_at: sends this many bytes of the body, then closes the connection. delay_seconds: before the first byte."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    cut_at: int | None = None
    delay_seconds: float = 0.0
    hang_up: bool = False


def as_json(value: Any, status: int = 200, **headers: str) -> Answer:
    """A JSON answer; header names with _ for -."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json; charset=UTF-8", **named})


def refusal(status: int, reason: str, message: str = "Said so.", **headers: str) -> Answer:
    """A refusal as Google's APIs give it."""
    errors = [{"message": message, "domain": "global", "reason": reason}]
    return as_json({"error": {"code": status, "message": message, "errors": errors}}, status, **headers)


def raw_answer(message_id: str, raw: bytes, labels: tuple[str, ...] = ("INBOX",)) -> Answer:
    """users.messages.get with format=raw."""
    text = base64.urlsafe_b64encode(raw).decode()
    return as_json({"id": message_id, "labelIds": list(labels), "raw": text, "internalDate": "1700000000000"})


@dataclass
class Server:
    """answer: makes the answer to a request, once the scripted answers are used up. asked: the requests, in order."""

    url: str
    answer: Callable[[Asked], Answer] = lambda asked: as_json({"access_token": "first", "expires_in": 3600})
    script: list[Answer] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)

    @property
    def paths(self) -> list[str]:
        """The paths of the requests."""
        return [one.path for one in self.asked]

    def respond(self, asked: Asked) -> Answer:
        """Answers to token requests aren't scripted, because the time of a token request isn't predictable."""
        self.asked.append(asked)
        return self.script.pop(0) if self.script and asked.path != "/token" else self.answer(asked)


@contextmanager
def running() -> Iterator[Server]:
    """A server on loopback."""
    server: Server

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 10
        wbufsize = 1 << 16  # head and body in one packet: otherwise each answer waits for an ACK
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            form = self.rfile.read(length).decode()
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            fields = parse_qs(form or parts.query, keep_blank_values=True)
            self._send(server.respond(Asked(self.command, parts.path, fields, headers, self.client_address[1])))

        do_POST = do_GET

        def _send(self, answer: Answer) -> None:
            time.sleep(answer.delay_seconds)
            if answer.hang_up:
                self.close_connection = True
                return
            self.send_response_only(answer.status)
            for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body[: answer.cut_at])
            if answer.cut_at is not None:
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None: ...

        def handle(self) -> None:
            with suppress(ConnectionError):  # the client gave up on a slow answer
                super().handle()

    class Quick(ThreadingHTTPServer):
        daemon_threads = True

    with Quick(("127.0.0.1", 0), Handler) as http_server:
        server = Server(f"http://127.0.0.1:{http_server.server_port}")
        threading.Thread(target=http_server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield server
        finally:
            http_server.shutdown()
