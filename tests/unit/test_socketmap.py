"""The socketmap protocol: netstrings in one piece, in several, and malformed, on a real unix socket; and the maps' answers."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import CapturingLogger

from mailweir.errors import DatabaseUnavailable
from mailweir.store.people.directory import Standing
from postfix import connections, lookups, socketmap
from postfix.malformed import Malformed

ADMIN = "admin@host.example"


class People:
    """A directory in memory. down: the error that each query raises."""

    def __init__(self) -> None:
        self.standings = {
            "richard@demo.example.net": Standing.USER,
            "log@demo.example.net": Standing.LOG,
            "postmaster@demo.example.net": Standing.ROLE,
            "bounce+token@demo.example.net": Standing.BOUNCE,
        }
        self.owners: list[str] = []
        self.down: Exception | None = None
        self.asked: list[str] = []

    def relay_owners(self, sender: str) -> list[str]:
        """The same owners for every address."""
        return self.owners

    def standing(self, text: str) -> Standing:
        """Like SqlDirectory, but without the normal form."""
        self.asked.append(text)
        if self.down:
            raise self.down
        text = text.lower()
        return self.standings.get(text, Standing.UNKNOWN if text.endswith("@demo.example.net") else Standing.FOREIGN)


@pytest.fixture
def people() -> People:
    return People()


@pytest.fixture
def maps(people: People) -> lookups.Lookups:
    return lookups.Lookups(people, hostname="MX.host.example", admin_address="Admin@Host.example")


@pytest.mark.parametrize(
    ("key", "answer"),
    [
        ("richard@demo.example.net", "OK permit"),
        ("log@demo.example.net", "OK permit"),
        ("postmaster@demo.example.net", "OK permit"),
        ("bounce+token@demo.example.net", "OK permit"),
        ("nobody@demo.example.net", "OK 550 5.1.1 nobody by that name here"),
        ("richard@elsewhere.example", "OK 554 5.7.1 not a domain of ours, and nothing is relayed here"),
    ],
)
def test_may_it_come_in(maps: lookups.Lookups, key: str, answer: str) -> None:
    assert maps.answer("rcpt", key) == answer


@pytest.mark.parametrize("map_name", ["rcpt", "transport", "alias"])
@pytest.mark.parametrize("key", ["*", "demo.example.net", ".example.net", "richard", ""])
def test_a_key_that_is_no_address_is_in_no_map(maps: lookups.Lookups, people: People, map_name: str, key: str) -> None:
    assert maps.answer(map_name, key) == "NOTFOUND "
    assert people.asked == []


@pytest.mark.parametrize("local", ["richard", "nobody", "log", "postmaster", '"any ( thing"', "a@b", ""])
def test_mail_for_a_capture_domain_is_deferred(maps: lookups.Lookups, local: str) -> None:
    assert maps.answer("transport", f"{local}@demo.example.net").startswith("OK retry:4.3.0 ")
    assert maps.answer("transport", f"{local}@elsewhere.example") == "NOTFOUND "


@pytest.mark.parametrize("key", ["postmaster@demo.example.net", "postmaster@mx.host.example", "Abuse@MX.Host.example"])
def test_the_admin_is_behind_the_roles(maps: lookups.Lookups, key: str) -> None:
    assert maps.answer("alias", key) == f"OK {ADMIN}"


@pytest.mark.parametrize("key", ["postmaster@elsewhere.example", "richard@demo.example.net", "richard@mx.host.example"])
def test_nobody_else_is_an_alias(maps: lookups.Lookups, key: str) -> None:
    assert maps.answer("alias", key) == "NOTFOUND "


def test_an_admin_behind_his_own_role_is_no_loop(people: People) -> None:
    maps = lookups.Lookups(people, hostname="mx.host.example", admin_address="postmaster@demo.example.net")
    assert maps.answer("alias", "postmaster@demo.example.net") == "NOTFOUND "


def test_an_unknown_map(maps: lookups.Lookups) -> None:
    assert maps.answer("secrets", "a@b.example").startswith("PERM ")


@pytest.mark.parametrize("fault", [DatabaseUnavailable("locked"), RuntimeError("a fault of ours")])
def test_a_question_that_fails_is_temporary_and_the_next_one_reconnects(
    maps: lookups.Lookups, people: People, fault: Exception
) -> None:
    disconnects: list[None] = []
    answer = lookups.guarded(maps.answer, lambda: disconnects.append(None), structlog.get_logger())
    people.down = fault
    assert answer("rcpt", "richard@demo.example.net").startswith("TEMP ")
    assert len(disconnects) == 1
    people.down = None
    assert answer("rcpt", "richard@demo.example.net") == "OK permit"
    assert len(disconnects) == 1


@given(st.lists(st.text(max_size=200), max_size=5), st.integers(1, 50))
def test_netstrings_come_back_whole_however_they_are_cut(texts: list[str], piece_bytes: int) -> None:
    wire = b"".join(socketmap.encode(text) for text in texts)
    buffer, found = bytearray(), []
    for start in range(0, len(wire), piece_bytes):
        buffer += wire[start : start + piece_bytes]
        while buffer and (text := socketmap.decode(buffer)) is not None:
            found.append(text)
    assert found == texts
    assert not buffer


@given(st.binary(max_size=300))
def test_decoding_takes_any_bytes(junk: bytes) -> None:
    buffer = bytearray(junk)
    with contextlib.suppress(Malformed):
        text = socketmap.decode(buffer)
        assert (len(buffer) < len(junk)) == (text is not None)


def test_bytes_that_are_no_utf_8_come_back(maps: lookups.Lookups) -> None:
    buffer = bytearray(b"3:\xff a,")
    text = socketmap.decode(buffer)
    assert text is not None
    assert socketmap.encode(text) == b"3:\xff a,"


def test_the_owners_of_a_sender(people: People, maps: lookups.Lookups) -> None:
    assert maps.answer("sender", "a@firm.example") == "NOTFOUND "
    people.owners = ["richard@demo.example.net", "rick@b.example.org"]
    assert maps.answer("sender", "a@firm.example") == "OK richard@demo.example.net,rick@b.example.org"
    assert maps.answer("sender", "@firm.example") == "OK richard@demo.example.net,rick@b.example.org"


@pytest.mark.parametrize(
    ("key", "answer"),
    [
        ("richard@demo.example.net", "NOTFOUND "),
        ("x@stranger.example", "NOTFOUND "),
        ("nobody@demo.example.net", "OK 550 5.1.1 nobody by that name here"),
    ],
)
def test_a_capture_address_of_nobodys_on_the_relay(maps: lookups.Lookups, key: str, answer: str) -> None:
    assert maps.answer("relayed", key) == answer


class Server:
    """The server in a thread of its own, until `close`."""

    def __init__(self, path: Path, answer: socketmap.Answer) -> None:
        self.said = CapturingLogger()
        self._up = threading.Event()
        self._path, self._answer = path, answer
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        assert self._up.wait(10)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        logger = structlog.wrap_logger(self.said, processors=[], wrapper_class=structlog.stdlib.BoundLogger)
        async with connections.serving(self._path, partial(socketmap.Connection, self._answer, logger)):
            self._up.set()
            await self._stop.wait()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        assert not self._thread.is_alive()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lookups.sock"


@pytest.fixture
def server(path: Path) -> Iterator[Server]:
    one = Server(path, lambda map_name, key: f"OK {map_name}/{key}")
    yield one
    one.close()


Connect = Callable[[], socket.socket]


@pytest.fixture
def connect(server: Server, path: Path) -> Iterator[Connect]:
    opened: list[socket.socket] = []

    def make() -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        opened.append(client)
        client.settimeout(10)
        client.connect(str(path))
        return client

    yield make
    for client in opened:
        client.close()


def test_questions_are_answered_in_their_order(connect: Connect) -> None:
    client = connect()
    client.sendall(b"".join(socketmap.encode(f"rcpt {number}@a.example") for number in range(100)))
    expected = b"".join(socketmap.encode(f"OK rcpt/{number}@a.example") for number in range(100))
    answers = b""
    while len(answers) < len(expected):
        answers += client.recv(65536)
    assert answers == expected


def test_a_question_byte_by_byte(connect: Connect) -> None:
    client = connect()
    for byte in socketmap.encode("rcpt a@b.example"):
        client.send(bytes([byte]))
    assert client.recv(1000) == socketmap.encode("OK rcpt/a@b.example")


@pytest.mark.parametrize(
    "junk",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"5:abcdef",
        b"05:rcpt ,",
        b"99999:",
        b"999999",
        b":,",
        b"-1:a,",
        b"4:rcpt,",
        b"10001:" + b"a" * 10,
    ],
)
def test_a_malformed_request_ends_its_connection_only(connect: Connect, server: Server, junk: bytes) -> None:
    good, bad = connect(), connect()
    bad.sendall(junk)
    assert bad.recv(1000) == b""
    good.sendall(socketmap.encode("rcpt a@b.example"))
    assert good.recv(1000) == socketmap.encode("OK rcpt/a@b.example")
    (said,) = server.said.calls
    assert (said.method_name, said.kwargs["event"]) == ("warning", "closed a connection on a malformed request")


def test_more_connections_than_there_may_be_are_hung_up_on(
    connect: Connect, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the process runs out of files for the database, it hangs up. The other connections are answered as before."""
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 2)
    good, other = connect(), connect()
    for one in (good, other):
        one.sendall(socketmap.encode("rcpt a@b.example"))
        assert one.recv(1000) == socketmap.encode("OK rcpt/a@b.example")
    third = connect()
    with contextlib.suppress(ConnectionResetError):
        assert third.recv(1000) == b""
    (said,) = server.said.calls
    assert (said.method_name, said.kwargs["event"]) == ("error", "closed a connection: too many are open")
    other.close()
    assert any(_is_answered(connect()) for _ in range(100)), "a closed connection frees its place"
    assert _is_answered(good)


def _is_answered(client: socket.socket) -> bool:
    with contextlib.suppress(ConnectionError):
        client.sendall(socketmap.encode("rcpt c@b.example"))
        if client.recv(1000) == socketmap.encode("OK rcpt/c@b.example"):
            return True
    time.sleep(0.02)
    return False


def test_the_longest_request(connect: Connect) -> None:
    client = connect()
    question = "rcpt " + "a" * (socketmap.MAX_REQUEST_BYTES - 5)
    client.sendall(socketmap.encode(question))
    expected = socketmap.encode("OK " + question.replace(" ", "/"))
    answer = b""
    while len(answer) < len(expected):
        answer += client.recv(65536)
    assert answer == expected


@pytest.mark.slow
def test_a_client_that_reads_nothing_costs_no_memory_and_no_other_its_answer(connect: Connect) -> None:
    greedy, good = connect(), connect()
    greedy.settimeout(1)
    questions = socketmap.encode("rcpt " + "a" * 9000) * 10_000  # 90 MB; the server stops reading long before that
    with pytest.raises(TimeoutError):
        greedy.sendall(questions)
    good.sendall(socketmap.encode("rcpt a@b.example"))
    assert good.recv(1000) == socketmap.encode("OK rcpt/a@b.example")
