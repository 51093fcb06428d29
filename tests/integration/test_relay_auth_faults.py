"""AUTH on the real stack while a part is killed, stopped or unavailable: a right password gets 235 or 454, never 535.

535 would make Gmail ask its user for the password; 454 makes it try again.
"""

import contextlib
import os
import random
import shutil
import signal
import smtplib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mailweir import guardian
from postfix import auth, auth_protocol
from tests import postgresql
from tests.integration.relay import Client, connect, people
from tests.needs import lacks
from tests.stopped import standing_still

if TYPE_CHECKING:
    from tests.integration.conftest import MakeStack, Stack
    from tests.postgresql import Cluster

Login = tuple[str, str]
Wait = Callable[..., Any]
POSTFIX_GIVES_UP_SECONDS = 10
AUTH = "mailweir-auth"


@pytest.fixture(scope="module")
def known(make_module_stack: "MakeStack") -> "Stack":
    """A stack with people."""
    stack = make_module_stack()
    people(stack)
    return stack


@pytest.fixture(scope="module")
def login(known: "Stack") -> Login:
    """olga's login."""
    return connect(known, "olga")


@pytest.fixture
def guardian_and_child(known: "Stack", login: Login, wait_until: Wait) -> tuple[int, int]:
    """Both processes, once they run and answer."""
    wait_until(lambda: len(known.pids(AUTH)) == 2, "the guardian and its child run")
    wait_until(lambda: _auth(known, login) == 235, "logins are proven")
    first, second = known.pids(AUTH)
    return (first, second) if _parent(second) == first else (second, first)


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _auth(stack: "Stack", login: Login) -> int:
    with Client(stack) as client:
        return client.auth(*login)[0]


@contextlib.contextmanager
def _asking(stack: "Stack") -> Iterator[Client]:
    """A session whose smtpd is connected to the child that answers now. Other smtpds may hold a dead child's connection."""
    with Client(stack) as client:
        assert client.smtp.docmd("AUTH", "PLAIN")[0] == 334
        assert client.smtp.docmd("*")[0] == 501
        yield client


def _kill(stack: "Stack", pair: tuple[int, int], which: int, wait_until: Wait) -> None:
    """Kills one of both. If the guardian dies, the child dies with it."""
    os.kill(pair[which], signal.SIGKILL)
    wait_until(lambda: pair[1] not in stack.pids(AUTH), "the child is dead")


def _code(stack: "Stack", login: Login) -> int:
    """The code of the reply to AUTH, or 0 if the connection ended: a new smtpd that gets no answer from us hangs up."""
    try:
        return _auth(stack, login)
    except (OSError, smtplib.SMTPException):
        return 0


def test_kills_of_anything_amid_auth_call_no_password_wrong(known: "Stack", login: Login, wait_until: Wait) -> None:
    """Four clients with a session for each AUTH, while the processes involved are killed."""
    seen: list[int] = []
    stop = threading.Event()

    def keep_asking() -> None:
        while not stop.is_set():
            with contextlib.suppress(OSError, smtplib.SMTPException):
                seen.append(_auth(known, login))

    # the guardian and its child have the same name; the supervisor's pause grows with each guardian that dies
    victims = [AUTH] * 16 + ["smtpd"] * 4 + ["mailweir-lookups", "mailweir-milter", "tlsmgr", "anvil"]
    chance = random.Random(7)
    chance.shuffle(victims)
    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(keep_asking) for _ in range(4)]
        try:
            for name in victims:
                wait_until(lambda: len(known.pids(AUTH)) == 2, "the guardian and its child run")
                time.sleep(chance.uniform(0.0, 0.4))
                for pid in known.pids(name)[-1:]:  # of the two the child, unless it has the smaller number
                    os.kill(pid, signal.SIGKILL)
            wait_until(lambda: len(known.pids(AUTH)) == 2, "the guardian and its child run")
            before = seen.count(235)
            wait_until(lambda: seen.count(235) > before, "logins are proven")
        finally:
            stop.set()
        for one in running:
            one.result(60)
    assert set(seen) <= {235, 454}, seen
    assert seen.count(235) > 20


@pytest.mark.parametrize("which", [0, 1], ids=["guardian", "child"])
def test_a_kill_of_either_while_a_password_waits_is_454(
    known: "Stack", login: Login, guardian_and_child: tuple[int, int], which: int, wait_until: Wait
) -> None:
    """The request has arrived, and the kill comes before the answer."""
    with _asking(known) as client, ThreadPoolExecutor(1) as pool, standing_still([guardian_and_child[1]]):
        waiting = pool.submit(client.auth, *login)
        time.sleep(0.5)
        _kill(known, guardian_and_child, which, wait_until)
        assert waiting.result(30)[0] == 454
        assert client.auth(*login)[0] == 235


@pytest.mark.parametrize("which", [0, 1], ids=["guardian", "child"])
def test_a_kill_amid_an_exchange_is_454_and_the_next_try_works(
    known: "Stack", login: Login, guardian_and_child: tuple[int, int], which: int, wait_until: Wait
) -> None:
    """LOGIN has asked for the username, and the process that asked is gone."""
    with _asking(known) as client:
        assert client.smtp.docmd("AUTH", "LOGIN")[0] == 334
        _kill(known, guardian_and_child, which, wait_until)
        assert client.smtp.docmd("b2xnYQ==")[0] == 454  # "olga"
        assert client.auth(*login)[0] == 235


def test_a_child_that_stands_still_is_replaced(
    known: "Stack", login: Login, guardian_and_child: tuple[int, int]
) -> None:
    _, child = guardian_and_child
    with _asking(known) as client, standing_still([child]):
        begun = time.monotonic()
        assert client.auth(*login)[0] == 454
        assert time.monotonic() - begun < POSTFIX_GIVES_UP_SECONDS
        assert client.auth(*login)[0] == 235  # the same session, with the new child
    assert child not in known.pids(AUTH)


def test_who_comes_while_the_child_stands_still_waits_for_the_next(
    known: "Stack", login: Login, guardian_and_child: tuple[int, int], wait_until: Wait
) -> None:
    """A new smtpd asks for the mechanisms at EHLO. Without an answer it would hang up."""
    _, child = guardian_and_child
    for pid in known.pids("smtpd"):
        os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not known.pids("smtpd"), "every smtpd that knows the mechanisms has ended")
    with standing_still([child]):
        assert _auth(known, login) == 235


def test_a_guardian_that_stands_still_is_not_missed(
    known: "Stack", login: Login, guardian_and_child: tuple[int, int]
) -> None:
    with standing_still([guardian_and_child[0]]):
        time.sleep(guardian.MAX_SILENT_LOOKS + 1)
        assert _auth(known, login) == 235
    assert set(known.pids(AUTH)) == set(guardian_and_child)


def test_both_standing_still_is_454_after_postfixs_own_wait(
    known: "Stack", login: Login, guardian_and_child: tuple[int, int], wait_until: Wait
) -> None:
    with _asking(known) as client, standing_still(guardian_and_child):
        assert client.auth(*login)[0] == 454
    wait_until(lambda: _code(known, login) == 235, "logins are proven again")


def _is_refused(held: contextlib.ExitStack, path: Path) -> bool:
    """Is a further connection one too many? It is kept open."""
    waiting = held.enter_context(socket.socket(socket.AF_UNIX))
    waiting.setblocking(False)
    return waiting.connect_ex(str(path)) != 0


def test_a_full_backlog_ends_with_whoever_stood_still(
    known: "Stack", login: Login, guardian_and_child: tuple[int, int], wait_until: Wait
) -> None:
    path = known.settings.auth_socket
    with contextlib.ExitStack() as held, standing_still(guardian_and_child):
        # the kernel's own limit (somaxconn) may be above ours
        assert any(_is_refused(held, path) for _ in range(5_000)), "the backlog is never full"
        assert _code(known, login) in (0, 454)
    wait_until(lambda: _code(known, login) == 235, "logins are proven again", 60)


def test_a_client_that_sends_half_a_line_holds_up_nobody(known: "Stack", login: Login) -> None:
    with contextlib.ExitStack() as held:
        for text in (b"", b"VERSION", b"VERSION\t1\t0\nAUTH\t1\tPLAIN\tsecu", b"x" * auth_protocol.MAX_LINE_BYTES):
            half = held.enter_context(socket.socket(socket.AF_UNIX))
            half.connect(str(known.settings.auth_socket))
            half.sendall(text)
        assert _auth(known, login) == 235
        # one byte more than a line may have
        half.sendall(b"x")
        half.settimeout(10)
        while half.recv(1000):
            pass
        assert _auth(known, login) == 235


def test_a_socket_that_is_removed_is_made_anew(known: "Stack", login: Login, wait_until: Wait) -> None:
    path = known.settings.auth_socket
    with Client(known) as client:
        path.unlink()
        wait_until(path.is_socket, "another child runs")
        assert client.auth(*login)[0] in (235, 454)
    wait_until(lambda: _code(known, login) == 235, "logins are proven again")


def test_a_database_that_is_away_is_454_at_once(make_stack: "MakeStack", wait_until: Wait) -> None:
    stack = make_stack()
    people(stack)
    login = connect(stack, "olga")
    database = stack.settings.database_path
    away = database.with_name("away")
    away.mkdir()
    assert _auth(stack, login) == 235
    files = [file for file in database.parent.iterdir() if file.is_file()]
    for file in files:
        shutil.move(file, away)
    with Client(stack) as client:
        begun = time.monotonic()
        assert client.auth(*login)[0] == 454
        assert client.auth(login[0], "wrong")[0] == 454
        assert time.monotonic() - begun < POSTFIX_GIVES_UP_SECONDS
    for file in files:
        shutil.move(away / file.name, database.parent)
    wait_until(lambda: _code(stack, login) == 235, "logins are proven again")
    assert "Traceback" not in stack.log(AUTH)


@pytest.fixture
def own_cluster() -> Iterator["Cluster"]:
    """A PostgreSQL server for one test, which stops it."""
    if postgresql.server_programs() is None:
        lacks("needs PostgreSQL's server")
    with postgresql.running() as made:
        yield made


def test_a_server_that_stops_or_stands_still_is_454(
    make_stack: "MakeStack", own_cluster: "Cluster", wait_until: Wait
) -> None:
    stack = make_stack(database=str(own_cluster.make_database()))
    people(stack)
    login = connect(stack, "olga")
    assert _auth(stack, login) == 235
    with Client(stack) as client:
        with own_cluster.standing_still():
            begun = time.monotonic()
            assert client.auth(*login)[0] == 454
            assert auth.ANSWER_SECONDS - 1 < time.monotonic() - begun < POSTFIX_GIVES_UP_SECONDS
        wait_until(lambda: _code(stack, login) == 235, "logins are proven again")
        own_cluster.stop()
        begun = time.monotonic()
        assert client.auth(*login)[0] == 454
        assert time.monotonic() - begun < auth.ANSWER_SECONDS
    own_cluster.start()
    wait_until(lambda: _code(stack, login) == 235, "logins are proven again")
