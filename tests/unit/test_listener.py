"""Sockets that daemons answer on: made, left behind, somebody else's, or handed over by the process that started the daemon."""

import asyncio
import contextlib
import socket
import stat
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from mailweir import log
from mailweir.errors import BadInput
from postfix import connections, listener


class Echo(connections.Connection):
    """Sends its input back."""

    def __init__(self, open_ones: set[connections.Connection]) -> None:
        super().__init__(1000, log.silent(), open_ones)

    def step(self) -> bool:
        """See connections.Connection."""
        self.send(bytes(self._buffer))
        self._buffer.clear()
        return False

    def log_malformed(self, reason: str) -> None:
        """See connections.Connection."""
        raise AssertionError(reason)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s.sock"


def _asked(path: Path) -> bytes:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(path))
        client.sendall(b"hello")
        return client.recv(100)


@contextlib.asynccontextmanager
async def _serving(path: Path) -> AsyncIterator[None]:
    async with connections.serving(path, Echo):
        assert await asyncio.to_thread(_asked, path) == b"hello"
        yield


async def _serve_once(path: Path) -> None:
    async with _serving(path):
        pass


@contextlib.contextmanager
def _bound(path: Path, *, listens: bool = False) -> Iterator[None]:
    """A socket as another process would hold it."""
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))
        if listens:
            one.listen()
        yield


def test_the_socket_is_there_while_it_serves(path: Path) -> None:
    async def serve() -> None:
        async with _serving(path):
            assert stat.S_IMODE(path.stat().st_mode) == 0o660

    asyncio.run(serve())
    assert not path.exists()


def test_a_socket_left_behind_is_replaced(path: Path) -> None:
    with _bound(path):
        pass
    asyncio.run(_serve_once(path))


def test_a_socket_that_somebody_answers_on_is_left_alone(path: Path) -> None:
    with _bound(path, listens=True):
        with pytest.raises(BadInput, match="another process answers"):
            asyncio.run(_serve_once(path))
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))


def test_a_file_in_the_place_of_the_socket_is_left_alone(path: Path) -> None:
    path.write_text("mine")
    with pytest.raises(BadInput, match="is no socket"):
        asyncio.run(_serve_once(path))
    assert path.read_text() == "mine"


def test_a_successors_socket_is_not_removed(path: Path) -> None:
    async def serve() -> None:
        async with _serving(path):
            path.unlink()
            with _bound(path):
                pass

    asyncio.run(serve())
    assert path.exists()


async def _answer(given: socket.socket, path: Path) -> bytes:
    async with connections.answering(given, Echo):
        return await asyncio.to_thread(_asked, path)


def test_a_socket_that_was_handed_over_outlives_who_answers_on_it(path: Path) -> None:
    with listener.listening(path) as kept:
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        for _ in range(2):
            with socket.socket(socket.AF_UNIX) as early:
                early.settimeout(10)
                early.connect(str(path))  # no answer yet, and no error
                early.sendall(b"early")
                given = listener.handed_over(path, kept.fileno())
                assert given is not None
                assert asyncio.run(_answer(given, path)) == b"hello"
                assert early.recv(100) == b"early"
        assert path.exists()


def test_another_socket_on_stdin_is_none_of_ours(path: Path) -> None:
    one, other = socket.socketpair()
    with one, other, listener.listening(path.with_name("another")) as another:
        for number in (one.fileno(), another.fileno(), 9_999):
            assert listener.handed_over(path, number) is None
