"""How a consent at Google comes back to the command line: by a browser on this host (RFC 8252), or by hand.

`mailweir.gmail.consent` makes the request and exchanges the code. google-auth-oauthlib's own listener ends with the first
request, whoever sends it. Here only the answer to our request ends the wait.
"""

import hmac
import html
import queue
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from mailweir.errors import SettingsError
from mailweir.gmail.consent import Consent, code_of, exchange, question
from mailweir.gmail.errors import ConsentFailed
from mailweir.gmail.oauth_files import OAuthClient

WAIT_SECONDS = 600.0
_HOST = "127.0.0.1"
_REQUEST_SECONDS = 10.0  # for a browser to send its request
_MAX_TYPED_CHARS = 8_000
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Mailweir</title></head>
<body><p>{text}</p></body></html>
"""
_PAGE_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Connection": "close",
}


def by_browser(
    client: OAuthClient,
    login_hint: str,
    show: Callable[[str], None],
    *,
    timeout_seconds: float,
    wait_seconds: float = WAIT_SECONDS,
) -> Consent:
    """The consent that a browser on this host brings back.

    show: gets the address to open. timeout_seconds: for Google's answers; wait_seconds: for the user. ConsentFailed, Unreachable,
    NeedsReconnect; SettingsError if the client is bound to an address that isn't free here.
    """
    with _listening(client) as (redirect_uri, listen):
        asked = question(client, redirect_uri, login_hint)
        answers = listen(asked.state)
        show(asked.url)
        try:
            code = answers.get(timeout=wait_seconds)
        except queue.Empty:
            raise ConsentFailed(
                f"nobody consented within {wait_seconds:.0f} s; try again, or with --no-browser"
            ) from None
    if isinstance(code, ConsentFailed):
        raise code
    return exchange(client, asked, code, timeout_seconds)


def by_hand(
    client: OAuthClient,
    login_hint: str,
    show: Callable[[str], None],
    read_line: Callable[[int], str],
    *,
    timeout_seconds: float,
) -> Consent:
    """The consent by hand: the user types its code, or the whole address at which the browser ended.

    show: gets the address to open, on any machine. read_line: reads a line of at most the given number of characters. Errors: as
    for `by_browser`.
    """
    redirect_uri = (
        client.redirects[0] if client.redirects else f"http://{_HOST}:{_free_port()}/"
    )  # nobody listens there
    asked = question(client, redirect_uri, login_hint)
    show(asked.url)
    code = _typed_code(read_line(_MAX_TYPED_CHARS).strip().strip("<>\"'"), asked.state)
    return exchange(client, asked, code, timeout_seconds)


def _typed_code(typed: str, state: str) -> str:
    if not typed:
        raise ConsentFailed("no code was given")
    if "?" not in typed and "&" not in typed:
        # A bare code has no state to check: the code of another consent is useless, because our verifier belongs to this consent.
        # A code that was copied out of an address may be percent-encoded.
        return unquote(typed.removeprefix("code="))
    fields = _fields(typed.partition("?")[2] or typed)
    if "response_type" in fields:
        raise ConsentFailed("this is the address to open: give the address where the browser ends after the consent")
    if not _same(fields.get("state", ""), state):
        raise ConsentFailed(
            "this address belongs to another consent: open the address above, and give the address where the browser ends"
        )
    return code_of(fields)


def _fields(query: str) -> dict[str, str]:
    try:
        return {name: values[0] for name, values in parse_qs(query, max_num_fields=50).items()}
    except ValueError:
        return {}


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode("ascii"))


def _free_port() -> int:
    with socket.create_server((_HOST, 0)) as server:
        return int(server.getsockname()[1])


_Listen = Callable[[str], "queue.Queue[str | ConsentFailed]"]


@contextmanager
def _listening(client: OAuthClient) -> Iterator[tuple[str, _Listen]]:
    """Runs a server on loopback. Yields its redirect URI, and a function that takes our state and returns the queue of answers.

    Only an answer with this state gets into the queue: nobody else can end the wait.
    """
    wanted = urlsplit(client.redirects[0]) if client.redirects else None
    path = (wanted.path or "/") if wanted else "/"
    answers: queue.Queue[str | ConsentFailed] = queue.Queue()
    handler = type("_OurHandler", (_Handler,), {"path_wanted": path, "state": "", "answers": answers})
    try:
        server = _Server((_HOST, wanted.port or 80 if wanted else 0), handler)
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"can't listen at {client.redirects[0] if wanted else _HOST}, where the consent comes back to: {error}; use an "
            "OAuth client of the type Desktop app, or --no-browser"
        ) from error
    threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()

    def listen(state: str) -> "queue.Queue[str | ConsentFailed]":
        handler.state = state  # type: ignore[attr-defined]
        return answers

    try:
        yield client.redirects[0] if wanted else f"http://{_HOST}:{server.server_port}/", listen
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def server_bind(self) -> None:
        """Binds as HTTPServer does, but doesn't ask DNS for our own name."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = _HOST, self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Logs nothing: a browser hung up, or another program sent nonsense."""


class _Handler(BaseHTTPRequestHandler):
    """Answers the browser with a small page that repeats nothing of the request."""

    timeout = _REQUEST_SECONDS
    server_version, sys_version = "Mailweir", ""
    path_wanted: str
    state: str
    answers: "queue.Queue[str | ConsentFailed]"

    def do_GET(self) -> None:
        """Takes the answer from the redirect with our state. All other requests get 404."""
        parts = urlsplit(self.path)
        fields = _fields(parts.query)
        if parts.path != self.path_wanted or not self.state or not _same(fields.get("state", ""), self.state):
            self._page(404, "There is nothing here.")
            return
        answer: str | ConsentFailed
        try:
            answer = code_of(fields)
        except ConsentFailed as error:
            answer = error
        failed = isinstance(answer, ConsentFailed)
        text = "Mailweir may not read this mailbox." if failed else "Mailweir has Google's answer."
        try:
            self._page(200, f"{text} You can close this page and go back to the command line.")
        finally:
            self.answers.put(answer)  # even if the browser didn't wait for its page

    def _page(self, status: int, text: str) -> None:
        content = _PAGE.format(text=html.escape(text)).encode()
        self.send_response(status)
        for name, value in {**_PAGE_HEADERS, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Logs nothing: the code is in the address."""
