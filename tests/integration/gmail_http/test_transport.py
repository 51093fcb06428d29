"""Answers of malicious servers: endless, slow, a decompression bomb, or with content unfit for logs and rows."""

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from mailweir.gmail import dialing, transport
from mailweir.gmail.errors import Unreachable
from mailweir.gmail.transport import Connections

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@contextmanager
def raw_server(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that handles each connection with this function; its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def one(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                connection.recv(65_536)
                answer(connection)

        def serve() -> None:
            with suppress(OSError):
                while True:
                    threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def ask(url: str, timeout_seconds: float = 0.2) -> bytes:
    """The result of one request."""
    return Connections(timeout_seconds)(f"{url}/").data


def trickle(connection: socket.socket, before: bytes, drop: bytes, count: int = 200) -> None:
    connection.sendall(before)
    for _ in range(count):
        time.sleep(0.05)
        connection.sendall(drop)


@pytest.mark.parametrize(
    ("before", "drop"),
    [(HEAD + b"Content-Length: 999\r\n\r\n", b"x"), (b"", b"H"), (HEAD, b"A: b\r\n")],
    ids=["body", "first line", "headers"],
)
def test_an_answer_that_trickles_holds_no_thread(before: bytes, drop: bytes) -> None:
    with raw_server(lambda connection: trickle(connection, before, drop)) as url:
        began = time.monotonic()
        with pytest.raises(Unreachable, match="in time"):
            ask(url)
        assert time.monotonic() - began < 3


def test_a_slow_line_is_no_trickle() -> None:
    piece = b"x" * 2_000
    head = HEAD + b"Content-Length: %d\r\n\r\n" % (20 * len(piece))
    with raw_server(lambda connection: trickle(connection, head, piece, 20)) as url:
        assert len(ask(url)) == 20 * len(piece)


def test_an_answer_without_end_fills_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MAX_ANSWER_BYTES", 1_000_000)
    head = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"

    def flood(connection: socket.socket) -> None:
        connection.sendall(head)
        for _ in range(1_000):
            connection.sendall(chunk)

    with raw_server(flood) as url, pytest.raises(Unreachable, match="without end"):
        ask(url, 2)


@pytest.mark.parametrize("packed", [gzip.compress(b" " * (30 << 20)), gzip.compress(b" " * 2_000_000)])
def test_a_gzip_bomb_is_a_garbled_answer(packed: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MAX_ANSWER_BYTES", 1_000_000)
    head = HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    with (
        raw_server(lambda connection: connection.sendall(head + packed)) as url,
        pytest.raises(Unreachable, match="garbled"),
    ):
        ask(url, 2)


@pytest.mark.parametrize(
    "head",
    [
        HEAD + b"Content-Length: 999999\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nfffff\r\n",
        HEAD + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"{}" * 99)[:-9],
        HEAD + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n\x1f\x8b\x08\x00\x00\r\n0\r\n\r\n",
    ],
    ids=["length", "chunks", "gzip", "gzip in whole chunks"],
)
def test_an_answer_that_is_cut_is_none(head: bytes) -> None:
    with (
        raw_server(lambda connection: connection.sendall(head + b"{")) as url,
        pytest.raises(Unreachable, match="garbled"),
    ):
        ask(url)


def test_an_answer_that_nobody_asked_for_is_not_the_next_ones() -> None:
    answer = HEAD + b"Content-Length: 3\r\n\r\n"

    def answer_twice(connection: socket.socket) -> None:
        connection.sendall(answer + b"own")
        time.sleep(0.1)
        connection.sendall(answer + b"two")
        connection.recv(1)

    with raw_server(answer_twice) as url:
        connections = Connections(1)
        for _ in range(3):
            assert connections(url).data == b"own"
            time.sleep(0.2)


def test_what_an_answer_says_reaches_logs_and_rows_as_one_plain_line() -> None:
    with raw_server(lambda connection: connection.sendall(b"\x1b[2J\x00\x07 evil \r\n\r\n")) as url:
        with pytest.raises(Unreachable, match="evil") as caught:
            ask(url, 2)
        assert str(caught.value).isprintable()


def test_what_the_system_says_is_one_plain_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("a\x00\x1b[2Jb")

    monkeypatch.setattr(dialing, "dial", fail)
    with pytest.raises(Unreachable, match=r"reached: a \[2Jb") as caught:
        ask("http://127.0.0.1:1")
    assert str(caught.value).isprintable()
