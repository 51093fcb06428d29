"""mailweir-auth: right passwords, the same work for unknown logins, one request at a time for each address, and protected
memory."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mailweir import log, passwords
from mailweir.store.database.connection import Database
from mailweir.store.people import deployments, relay_logins, users
from postfix import auth, connections
from postfix.auth import CannotAnswer, Desk, Prover, Verdict, network_of
from postfix.auth_protocol import Question

LOGIN, PASSWORD = "richard@demo.example.net", "a password of the tests"
DECOY = passwords.digest(passwords.generate())


@pytest.fixture
def prover(database: Database, now: datetime) -> Prover:
    """A prover with a record that has richard's login."""
    demo = deployments.add(database, "demo", "demo.example.net", now)
    users.add(database, demo, "richard", "richard@firm.example", "", now)
    relay_logins.connect(database, demo, "richard", passwords.digest(PASSWORD), now)
    return Prover(database.url, DECOY, log.silent())


@pytest.mark.parametrize(
    ("login", "password", "verdict"),
    [
        (LOGIN, PASSWORD, Verdict(LOGIN, is_right=True)),
        ("Richard@DEMO.example.net", PASSWORD, Verdict(LOGIN, is_right=True)),
        (LOGIN, PASSWORD + "x", Verdict(LOGIN, is_right=False)),
        (LOGIN, PASSWORD.upper(), Verdict(LOGIN, is_right=False)),
        ("olga@demo.example.net", PASSWORD, Verdict(None, is_right=False)),
        ("richard", PASSWORD, Verdict(None, is_right=False)),
    ],
)
def test_who_is_right(prover: Prover, login: str, password: str, verdict: Verdict) -> None:
    assert prover.prove(login, password.encode()) == verdict


def test_a_login_that_isnt_there_costs_as_much_work(prover: Prover, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []
    really = passwords.is_right

    def is_right(stored: str, password: bytes) -> bool:
        compared.append(stored.rpartition("$")[0].rpartition("$")[0])  # kind, version and costs
        return really(stored, password)

    monkeypatch.setattr(passwords, "is_right", is_right)
    for login in (LOGIN, "nobody@demo.example.net", "richard@other.example", "no address"):
        assert not prover.prove(login, b"wrong").is_right
    assert len(compared) == 4
    assert len(set(compared)) == 1


@pytest.mark.usefixtures("prover")
def test_the_decoys_own_password_lets_nobody_in(database: Database) -> None:
    """Even a correct guess lets nobody in: the password belongs to nobody."""
    known = passwords.digest("known")
    guessed = Prover(database.url, known, log.silent())
    assert guessed.prove("nobody@demo.example.net", b"known") == Verdict(None, is_right=False)


def test_what_cant_be_looked_up_is_no_verdict(prover: Prover, database: Database) -> None:
    database.execute("UPDATE relay_logins SET password_hash = 'nonsense'")
    with pytest.raises(CannotAnswer):
        prover.prove(LOGIN, PASSWORD.encode())


def test_a_database_of_another_version_is_no_verdict(tmp_path: Path) -> None:
    for database_url in (tmp_path / "absent.db", tmp_path):
        with pytest.raises(CannotAnswer):
            Prover(database_url, DECOY, log.silent()).prove(LOGIN, b"x")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("", "192.0.2.1", False),
        ("no address", "no address", True),
    ],
)
def test_whom_an_address_counts_as(one: str, other: str, same: bool) -> None:
    assert (network_of(one) == network_of(other)) == same


def question(client: str, login: str = LOGIN) -> Question:
    return Question(b"1", client, login, PASSWORD.encode())


def test_one_address_is_compared_one_at_a_time_and_the_others_pass_by() -> None:
    together: list[int] = []
    order: list[str] = []
    lock, running = threading.Lock(), 0

    def prove(login: str, password: bytes) -> Verdict:
        nonlocal running
        with lock:
            running += 1
            together.append(running)
            order.append(login)
        time.sleep(0.01)
        with lock:
            running -= 1
        return Verdict(login, is_right=True)

    async def run() -> None:
        desk = Desk(prove, threads=2)
        flood = [asyncio.create_task(desk.decide(question("192.0.2.66", "flood"))) for _ in range(30)]
        await asyncio.sleep(0.03)
        assert (await desk.decide(question("192.0.2.7"))).is_right
        assert sum(task.done() for task in flood) < 15  # it was answered before most of them
        await asyncio.gather(*flood)

    asyncio.run(run())
    assert max(together) == 2
    assert order.count("flood") == 30


def test_what_takes_too_long_is_no_verdict_and_stops_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "ANSWER_SECONDS", 0.2)
    stuck = threading.Event()
    first = {"stuck": lambda: stuck.wait(10)}

    def prove(login: str, password: bytes) -> Verdict:
        first.get(login, bool)()
        return Verdict(login, is_right=True)

    async def run() -> None:
        desk = Desk(prove, threads=2)
        with pytest.raises(CannotAnswer):
            await desk.decide(question("192.0.2.66", "stuck"))
        assert (await desk.decide(question("192.0.2.66"))).is_right
        stuck.set()

    asyncio.run(run())


@contextlib.asynccontextmanager
async def _served(path: Path, decide: Any) -> AsyncIterator[socket.socket]:
    """A client of a Connection that decides in this way, after the greeting."""
    async with connections.serving(path, partial(auth.Connection, decide, log.silent())):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(str(path))
            greeting = b""
            while not greeting.endswith(b"DONE\n"):
                greeting += await asyncio.to_thread(client.recv, 1000)
            client.sendall(b"VERSION\t1\t0\nCPID\t1\n")
            yield client


AUTH = b"AUTH\t%d\tPLAIN\trip=192.0.2.7\tsecured\tresp=AGEAYg==\n"


async def _ask(path: Path, decide: Any, sent: bytes, lines: int) -> bytes:
    async with _served(path, decide) as client:
        client.sendall(sent)
        said = b""
        while said.count(b"\n") < lines and (part := await asyncio.to_thread(client.recv, 1000)):
            said += part
        return said


def _deciding(outcome: Verdict | Exception) -> Any:
    async def decide(_: Question) -> Verdict:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return decide


def test_questions_sent_together_are_answered_in_their_order(tmp_path: Path) -> None:
    said = asyncio.run(_ask(tmp_path / "s", _deciding(Verdict("a", is_right=True)), AUTH % 1 + AUTH % 2 + AUTH % 3, 3))
    assert said == b"OK\t1\tuser=a\nOK\t2\tuser=a\nOK\t3\tuser=a\n"


@pytest.mark.parametrize("verdict", [Verdict("a", is_right=False), Verdict(None, is_right=False)])
def test_a_wrong_password_is_told_late_whether_the_login_is_there_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verdict: Verdict
) -> None:
    monkeypatch.setattr(auth, "PENALTY_SECONDS", 0.5)
    begun = time.monotonic()
    said = asyncio.run(_ask(tmp_path / "s", _deciding(verdict), AUTH % 1, 1))
    assert said.startswith(b"FAIL\t1\t")
    assert time.monotonic() - begun >= 0.5


@pytest.mark.parametrize("why", [CannotAnswer(), ValueError("unforeseen")])
def test_what_cant_be_answered_ends_its_connection(tmp_path: Path, why: Exception) -> None:
    assert asyncio.run(_ask(tmp_path / "s", _deciding(why), AUTH % 1, 1)) == b""


def test_a_client_that_is_gone_gets_no_comparison(tmp_path: Path) -> None:
    """Its request is cancelled, and so are the requests behind it."""
    ended = asyncio.Event()

    async def decide(_: Question) -> Verdict:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()
        return Verdict(None, is_right=False)

    async def run() -> None:
        async with _served(tmp_path / "s", decide) as client:
            client.sendall(AUTH % 1)
            await asyncio.sleep(0.1)
            client.close()
            await asyncio.wait_for(ended.wait(), 10)

    asyncio.run(run())


def test_a_flood_behind_a_question_ends_its_connection(tmp_path: Path) -> None:
    async def decide(_: Question) -> Verdict:
        await asyncio.sleep(60)
        return Verdict(None, is_right=False)

    async def run() -> None:
        async with _served(tmp_path / "s", decide) as client:
            client.sendall(AUTH % 1)
            await asyncio.sleep(0.1)
            with contextlib.suppress(ConnectionError):
                client.sendall(b"x" * 100_000)
            with contextlib.suppress(ConnectionError):
                assert await asyncio.to_thread(client.recv, 1000) == b""

    asyncio.run(run())


def test_too_many_connections_are_hung_up_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 1)

    async def run() -> None:
        async with _served(tmp_path / "s", _deciding(Verdict("a", is_right=True))) as first:
            with socket.socket(socket.AF_UNIX) as second:
                second.settimeout(10)
                second.connect(str(tmp_path / "s"))
                with contextlib.suppress(ConnectionResetError):
                    assert await asyncio.to_thread(second.recv, 1000) == b""
            first.sendall(AUTH % 1)
            assert await asyncio.to_thread(first.recv, 1000) == b"OK\t1\tuser=a\n"

    asyncio.run(run())


@pytest.mark.skipif(os.geteuid() != 0, reason="gives the process to another user, which root can")
def test_its_own_user_looks_into_it_as_little_as_others() -> None:
    """If a process may not be dumped, its /proc/PID/mem belongs to root, and no core dump is made."""
    script = (
        "import resource; from postfix import auth; auth.keep_secrets_in();"
        "print(resource.getrlimit(resource.RLIMIT_CORE));"
        "open('/proc/self/mem', 'rb')"
    )
    nobody = 65534
    done = subprocess.run(
        [sys.executable, "-c", script],
        user=nobody,
        group=nobody,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "(0, 0)\n"
    assert "PermissionError" in done.stderr
