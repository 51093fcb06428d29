"""The proxy in front of the emulator: HTTP/1.1 on a loopback port, with a thread for each connection.

For each request it determines the user and the call, counts the cost, and applies a fault if one is armed. Then it calls the
emulator, and adds missing parts. It answers 401 to a token that it didn't see being issued, checks scopes, and compresses with
gzip if allowed.
"""

import base64
import gzip
import http.server
import socket
import socketserver
import threading
import time
import traceback
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from tests.gmail import google_errors
from tests.gmail.calls import API, Asked, Call, CallLog, Kind, classify
from tests.gmail.faults import Fault, Faults
from tests.gmail.google_errors import Answer
from tests.gmail.oauth import OAuth
from tests.gmail.quota import Quota
from tests.gmail.tokens import Grant, Tokens
from tests.gmail.upstream import Upstream
from tests.gmail.view import View

_MOST_BODY_BYTES = 50_000_000
_SCOPES = "https://www.googleapis.com/auth/gmail."
_READ_SCOPES = frozenset({"https://mail.google.com/", f"{_SCOPES}readonly", f"{_SCOPES}modify"})
_METADATA_SCOPE = f"{_SCOPES}metadata"
_FORBIDDEN_TO_METADATA = frozenset({Kind.GET_FULL, Kind.GET_RAW})


@dataclass(frozen=True)
class Request:
    """A completely read request. A POST in place of a GET (X-HTTP-Method-Override) is that GET here."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def parameters(self) -> dict[str, list[str]]:
        """The query's parameters."""
        return urllib.parse.parse_qs(self.query, keep_blank_values=True)

    @property
    def fields(self) -> dict[str, str]:
        """The fields of the query and, for a form, of the body; the first value of each. A client may identify itself by HTTP
        Basic (RFC 6749 2.3.1)."""
        found = self.parameters
        if "form" in self.headers.get("content-type", ""):
            found |= urllib.parse.parse_qs(self.body.decode("utf-8", "replace"), keep_blank_values=True)
        return {name: values[0] for name, values in found.items()} | self._basic()

    def _basic(self) -> dict[str, str]:
        scheme, _, encoded = self.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return {}
        name, _, secret = base64.b64decode(encoded).decode().partition(":")
        return {"client_id": urllib.parse.unquote_plus(name), "client_secret": urllib.parse.unquote_plus(secret)}

    @property
    def bearer(self) -> str:
        """The access token, or ''."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""


@dataclass(frozen=True)
class Outcome:
    """The answer, and how much of it is sent (Fault.keep, Fault.silent)."""

    answer: Answer
    fault: Fault | None = None


class Brain:
    """Answers requests; knows no sockets."""

    def __init__(self, upstream: Upstream, view: View, oauth: OAuth, tokens: Tokens) -> None:
        self.faults = Faults()
        self.quota = Quota()
        self.calls = CallLog()
        self.posted_gets = 0
        self.gzip = True
        self._upstream = upstream
        self._view = view
        self._oauth = oauth
        self._tokens = tokens

    def handle(self, request: Request) -> Outcome:
        """Answers a request, and adds it to the log of calls."""
        message_format = request.parameters.get("format", ["full"])[0]
        asked = classify(request.method, request.path, message_format)
        grant = self._tokens.holder(request.bearer)
        user = grant.address if grant else self._oauth.user_of(request.path, request.fields)
        outcome = self._outcome(request, asked, grant, user)
        cut = outcome.fault is not None and (outcome.fault.silent or outcome.fault.keep is not None)
        status = 0 if cut else outcome.answer.status
        self.calls.add(Call(time.monotonic(), user, asked.kind, asked.message_id, request.query, status))
        return outcome

    def _outcome(self, request: Request, asked: Asked, grant: Grant | None, user: str | None) -> Outcome:
        if asked.kind not in API:
            return self._struck(request, asked, user, None)
        if grant is None:
            return Outcome(google_errors.unauthorized())
        with self.quota.flight(grant.address) as may_fly:
            if not may_fly:
                message = "Too many concurrent requests for user"
                return Outcome(google_errors.api_error(429, message, "rateLimitExceeded", domain="usageLimits"))
            if not self.quota.charge(grant.address, asked.kind):
                message = "User Rate Limit Exceeded"
                return Outcome(google_errors.api_error(403, message, "userRateLimitExceeded", domain="usageLimits"))
            return self._struck(request, asked, user, grant)

    def _struck(self, request: Request, asked: Asked, user: str | None, grant: Grant | None) -> Outcome:
        fault = self.faults.striking(user, asked)
        if fault is not None and fault.delay_seconds:
            time.sleep(fault.delay_seconds)
        if fault is not None and fault.answer is not None:
            return Outcome(fault.answer, fault)
        if grant is None:
            return Outcome(self._sign_in(request, asked), fault)
        bare = fault is not None and fault.bare_page
        return Outcome(self._forbidden(request, asked, grant) or self._api(request, asked, grant, bare), fault)

    def _sign_in(self, request: Request, asked: Asked) -> Answer:
        if asked.kind is Kind.CONSENT:
            return self._oauth.page(request.fields)
        if asked.kind is Kind.TOKEN:
            return self._oauth.token(request.fields)
        return self._oauth.revoke(request.fields)

    @staticmethod
    def _forbidden(request: Request, asked: Asked, grant: Grant) -> Answer | None:
        if asked.mailbox not in (None, "me", grant.address):
            message = f"Delegation denied for {grant.address}"
            return google_errors.api_error(403, message, "forbidden", status="PERMISSION_DENIED")
        if grant.scopes & _READ_SCOPES:
            return None
        if _METADATA_SCOPE not in grant.scopes:
            return google_errors.forbidden_scope()
        if request.parameters.get("q"):
            return google_errors.forbidden_scope("Metadata scope does not support 'q' parameter")
        if asked.kind in _FORBIDDEN_TO_METADATA:
            return google_errors.forbidden_scope("Metadata scope doesn't allow format FULL or RAW")
        return None

    def _api(self, request: Request, asked: Asked, grant: Grant, bare: bool) -> Answer:
        if asked.kind is Kind.PROFILE:
            return self._view.profile(grant.address)
        if asked.kind is Kind.HISTORY:
            return self._view.history(grant.address, request.parameters, bare=bare)
        if asked.kind is Kind.LIST:
            return self._view.messages(grant.address, request.parameters, bare=bare)
        if asked.kind is Kind.GET_METADATA:
            return self._view.metadata(grant.address, asked.message_id or "", request.parameters)
        return self._passed_on(request, grant)

    def _passed_on(self, request: Request, grant: Grant) -> Answer:
        headers = {"Authorization": f"Bearer {self._upstream.own_token(grant.address)}"}
        if "content-type" in request.headers:
            headers["Content-Type"] = request.headers["content-type"]
        target = f"{request.path}?{request.query}" if request.query else request.path
        return self._upstream.ask(request.method, target, headers, request.body)

    def consent(self, request: Request) -> Answer:
        """The form that the page of consent posts: a person posts it, not a client."""
        return self._oauth.consent(request.fields)


class Proxy:
    """The listening socket. failures: tracebacks of requests that broke the proxy itself; there should be none."""

    def __init__(self, port: int = 0) -> None:
        self.failures: list[str] = []
        self._server = _Server(self, port)
        self.base = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def start(self, brain: Brain) -> None:
        """Serves from now on."""
        self._server.brain = brain
        self._thread.start()

    def stop(self) -> None:
        """Closes the port and all connections."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._server.close_connections()


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
    brain: Brain

    def __init__(self, proxy: Proxy, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self._proxy = proxy
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._open.discard(request)

    def close_connections(self) -> None:
        """Closes the connections that clients keep."""
        with self._lock:
            for one in self._open:
                _shut(one)

    def handle_error(self, request: Any, client_address: Any) -> None:
        text = traceback.format_exc()
        if "ConnectionResetError" not in text and "BrokenPipeError" not in text:
            self._proxy.failures.append(text)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Logs nothing: the log of calls has it."""

    def _serve(self) -> None:
        request = self._read()
        brain = self.server.brain
        if request.path == "/o/oauth2/v2/auth/callback" and request.method == "POST":
            self._write(brain.consent(request), request)
            return
        outcome = brain.handle(request)
        if outcome.fault is not None and outcome.fault.silent:
            self._hang_up()
            return
        self._write(outcome.answer, request, outcome.fault.keep if outcome.fault else None)

    def _read(self) -> Request:
        length = int(self.headers.get("Content-Length") or 0)
        assert length <= _MOST_BODY_BYTES
        body = self.rfile.read(length)
        headers = {name.lower(): value for name, value in self.headers.items()}
        split = urllib.parse.urlsplit(self.path)
        if headers.get("x-http-method-override") == "GET":
            self.server.brain.posted_gets += 1
            return Request("GET", split.path, body.decode(), headers, b"")
        return Request(self.command, split.path, split.query, headers, body)

    def _write(self, answer: Answer, request: Request, keep: float | None = None) -> None:
        body = answer.body
        headers = dict(answer.headers)
        packs = self.server.brain.gzip and "gzip" in request.headers.get("accept-encoding", "")
        if packs and body and "Content-Encoding" not in headers:
            body = gzip.compress(body, compresslevel=1)
            headers["Content-Encoding"] = "gzip"
        lines = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines += [f"Content-Length: {len(body)}", "", ""]
        if keep is not None:
            body = body[: int(len(body) * keep)]
        self.wfile.write("\r\n".join(lines).encode("latin-1") + body)
        if keep is not None:
            self._hang_up()

    def _hang_up(self) -> None:
        self.close_connection = True
        _shut(self.connection)


def _shut(one: socket.socket) -> None:
    try:
        one.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
