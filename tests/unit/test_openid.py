"""Requests to a provider of OpenID: in bounded time and size, by one thread at a time, and repeated after an outage."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from mailweir.openid import fetching
from mailweir.openid.kept import AGAIN_SECONDS, FRESH_SECONDS, RENEW_SECONDS, Kept
from mailweir.openid.refusals import ProviderRefusal, Why
from tests.imports import REPOSITORY

Serve = Callable[[Callable[[socket.socket], None]], str]


def test_the_page_starts_without_authlib() -> None:
    """It takes a tenth of a second and 15 MB, at the first such sign-in."""
    code = "import sys, webapp.application; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    ran = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    loaded = set(ran.stdout.split())
    assert "flask" in loaded
    assert loaded & {"authlib", "joserfc"} == set()


@pytest.fixture
def serve() -> Iterator[Serve]:
    """A server that does this with each connection, after it has read a request; its address."""
    listeners: list[socket.socket] = []

    def start(speak: Callable[[socket.socket], None]) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def run() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, suppress(OSError):
                        connection.recv(10_000)
                        speak(connection)

        threading.Thread(target=run, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}/"

    yield start
    for one in listeners:
        one.close()


def _trickle(connection: socket.socket) -> None:
    """Sends a byte at a time without end; each byte comes soon enough."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"x")
        time.sleep(0.02)


def _flood(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b" " * 65_536)


def _redirect(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 2\r\n\r\nhi")


def _hang_up(connection: socket.socket) -> None:
    """Hangs up without an answer."""


def _babble(connection: socket.socket) -> None:
    connection.sendall(b"220 mail.example.net ESMTP\r\n")


def _nest(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 200_000)


@pytest.mark.parametrize("speak", [_trickle, _flood, _redirect, _hang_up, _babble, _nest])
def test_an_answer_that_is_none_is_refused_in_time(serve: Serve, speak: Callable[[socket.socket], None]) -> None:
    began = time.monotonic()
    with pytest.raises(ProviderRefusal) as caught:
        fetching.fetch(serve(speak), pause_seconds=1.0)
    assert caught.value.why is Why.UNREACHABLE
    assert "\n" not in str(caught.value)
    assert time.monotonic() - began < 10


def test_nobody_there_is_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ProviderRefusal, match="refused"):
        fetching.fetch(f"http://127.0.0.1:{port}/", pause_seconds=1.0)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://id.example/",
            "ftp://id.example/",
            "https://",
            "https://a@id.example/",
            "https://id.example/#x",
            7,
            None,
        ),
        *("https://id.example/\r\nX: y", "https://[::1", "//id.example", "http://127.0.0.1.evil.example/"),
    ],
)
def test_an_address_that_is_not_safe_is_not_asked(url: object) -> None:
    with pytest.raises(ProviderRefusal):
        fetching.refuse_insecure(url, "it")
    assert fetching.refuse_insecure("http://127.0.0.1:1/a", "it") == "http://127.0.0.1:1/a"


class Source:
    """The source of a document: it returns numbers, or refuses while it is down."""

    def __init__(self) -> None:
        self.at = 0.0
        self.count = 0
        self.is_down = False

    def fetch(self) -> int:
        """Returns another number each time."""
        self.count += 1
        if self.is_down:
            raise ProviderRefusal(Why.UNREACHABLE, "down")
        return self.count

    def kept(self) -> Kept[int]:
        """The cached document of the source."""
        return Kept(self.fetch, lambda: self.at)


def test_a_document_is_kept_for_an_hour() -> None:
    source = Source()
    kept = source.kept()
    assert [kept.get(), kept.get()] == [1, 1]
    source.at = FRESH_SECONDS
    assert kept.get() == 2


def test_a_failure_is_not_final_and_is_not_tried_by_everybody() -> None:
    source = Source()
    kept = source.kept()
    source.is_down = True
    for _ in range(3):
        with pytest.raises(ProviderRefusal):
            kept.get()
    assert source.count == 1
    source.is_down, source.at = False, AGAIN_SECONDS
    assert kept.get() == 2


def test_an_old_document_serves_while_there_is_no_new_one() -> None:
    source = Source()
    kept = source.kept()
    kept.get()
    source.is_down, source.at = True, FRESH_SECONDS
    assert [kept.get(), kept.get()] == [1, 1]
    assert source.count == 2
    source.is_down, source.at = False, FRESH_SECONDS + AGAIN_SECONDS
    assert kept.get() == 3


def test_a_document_that_lacks_something_is_renewed_now_and_then() -> None:
    source = Source()
    kept = source.kept()
    assert [kept.get(), kept.renewed(), kept.renewed(), kept.get()] == [1, 2, 2, 2]
    source.at = RENEW_SECONDS
    assert kept.renewed() == 3


def test_a_renewal_that_failed_is_tried_again() -> None:
    source = Source()
    kept = source.kept()
    kept.get()
    source.is_down = True
    assert kept.renewed() == 1
    source.is_down, source.at = False, AGAIN_SECONDS
    assert kept.renewed() == 3


def test_one_thread_fetches_for_all() -> None:
    counts: list[int] = []

    def fetch() -> int:
        counts.append(1)
        time.sleep(0.1)
        return 7

    kept = Kept(fetch, lambda: 0.0)
    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(lambda _: kept.get(), range(6))) == {7}
    assert len(counts) == 1


def test_who_would_wait_for_long_is_told_so() -> None:
    release = threading.Event()

    def fetch() -> int:
        release.wait(20)
        return 7

    kept = Kept(fetch, lambda: 0.0)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(kept.get)
        while not first.running():
            time.sleep(0.01)
        time.sleep(0.1)
        with pytest.raises(ProviderRefusal) as caught:
            kept.get()
        release.set()
        assert (caught.value.why, first.result()) == (Why.BUSY, 7)
