"""The server of the tests' browser, and the trap for its connections to other hosts."""

import socket
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from tests.unit.reading.mails import PNG


class Site:
    """Pages on 127.0.0.1, by path. A request for an unknown path gets a picture."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {}
        pages = self.pages

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                page = pages.get(self.path)
                self.send_response(200)
                self.send_header("Content-Type", "image/png" if page is None else "text/html; charset=utf-8")
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                with suppress(OSError):  # the browser navigated elsewhere
                    self.wfile.write(PNG if page is None else page)

            def log_message(self, *_: object) -> None:
                """Logs nothing: the tests report the requests."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class Trap:
    """The names of the samples lead here. connections: the first bytes of each connection, empty if none came."""

    def __init__(self) -> None:
        self.connections: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:  # closed
                return
            with connection:
                connection.settimeout(0.2)
                try:
                    self.connections.append(connection.recv(300))
                except OSError:
                    self.connections.append(b"")
