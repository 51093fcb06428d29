"""`mailweir-digest` as a process: through kill -9, and a stop in the middle of its work."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mailweir.store.database.connection import Database
from tests import programs

Put = Callable[..., int]
JANE = "jane@client.example"
COMMAND = [sys.executable, "-c", "from mailweir.digest.server import main; main()"]
MAIL = b"""From: Jane <jane@client.example>\r
To: richard@firm.example\r
Subject: x\r
Message-ID: <%d@client.example>\r
\r
hello\r
"""
COUNT = 60
# A mail with one of these words makes its child spin, or eat memory, instead of reading or examining it
HOSTILE = """
from mailweir.digest import children, server
from mailweir.store.record import raw_messages

def trap(work):
    def do(about, content_zstd):
        raw = raw_messages.decompress(content_zstd, about["size"], about["activity"])
        while b"spin" in raw:
            pass
        eaten = []
        while b"eat" in raw:
            eaten.append(bytearray(b"x") * 10_000_000)
        return work(about, content_zstd)
    return do

class Examiner(children.Examiner):
    def __call__(self, about, content_zstd):
        return trap(super().__call__)(about, content_zstd)

children.read = trap(children.read)
children.Examiner = Examiner
server.main()
"""


@pytest.fixture
def demo(mailweir: Any, database: Database) -> Database:
    """A database that knows richard and Jane, and a digest that looks often."""
    mailweir("deployment", "add", "demo", "--domain", "demo.example.net")
    mailweir("user", "add", "richard", "--email", "richard@firm.example")
    mailweir("contact", "add", "Jane", JANE)
    with Path(os.environ["MAILWEIR_CONFIG"]).open("a") as config:
        config.write("[digest]\npoll_seconds = 0.05\n")
    return database


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., "subprocess.Popen[bytes]"]]:
    """Starts the process; all running ones end with the test."""
    made: list[subprocess.Popen[bytes]] = []

    def run(command: list[str] = COMMAND) -> "subprocess.Popen[bytes]":
        made.append(programs.start("mailweir-digest", command, tmp_path / "digest.log"))
        return made[-1]

    yield run
    for process in made:
        process.kill()
        process.wait()


def _count(database: Database, table: str) -> int:
    return int(database.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])


def _wait(is_so: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _children(process: "subprocess.Popen[bytes]") -> list[str]:
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return listed.read_text().split() if listed.exists() else []


def _is_whole(database: Database) -> bool:
    """Each version has one reading and one verdict, and no version waits."""
    pending = "raw_messages WHERE verdict = 'pending'"
    return (_count(database, "readings"), _count(database, "digest_queue"), _count(database, pending)) == (COUNT, 0, 0)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_law_1_nothing_is_lost_through_kill_9(
    demo: Database, record: Put, start: Callable[[], "subprocess.Popen[bytes]"]
) -> None:
    """The digest's children end with it."""
    for number in range(1, COUNT + 1):
        record("demo", "richard", JANE, number=number, raw=MAIL % number)
    for done in (1, 15, 30):
        process = start()
        _wait(lambda wanted=done: _count(demo, "readings") >= wanted)  # type: ignore[misc]
        children = _children(process)
        process.send_signal(signal.SIGKILL)
        process.wait()
        _wait(lambda pids=children: not [pid for pid in pids if Path(f"/proc/{pid}").exists()])  # type: ignore[misc]
    start()
    _wait(lambda: _is_whole(demo))
    assert demo.execute("SELECT DISTINCT state FROM readings").fetchall() == [("read",)]
    assert demo.execute("SELECT DISTINCT verdict FROM raw_messages").fetchall() == [("none",)]
    assert _count(demo, "activity_threads") == COUNT


def test_what_a_stopped_digest_had_in_hand_is_done_by_the_next_one_at_once(
    demo: Database, record: Put, start: Callable[[], "subprocess.Popen[bytes]"]
) -> None:
    """The next digest doesn't wait until a lease is over."""
    for number in range(1, COUNT + 1):
        record("demo", "richard", JANE, number=number, raw=MAIL % number)
    process = start()
    _wait(lambda: _count(demo, "readings") >= 1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    start()
    _wait(lambda: _is_whole(demo), 30.0)


def test_one_child_that_is_killed_harms_nothing(
    demo: Database, record: Put, start: Callable[[], "subprocess.Popen[bytes]"]
) -> None:
    """The child had nothing to do, so no mail is blamed."""
    record("demo", "richard", JANE, number=1, raw=MAIL % 1)
    process = start()
    _wait(lambda: _count(demo, "readings") == 1 and _count(demo, "digest_queue") == 0)
    for pid in _children(process):
        os.kill(int(pid), signal.SIGKILL)
    for number in range(2, COUNT + 1):
        record("demo", "richard", JANE, number=number, raw=MAIL % number)
    _wait(lambda: _is_whole(demo))
    assert process.poll() is None


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_two_hostile_mails_at_once_delay_others_by_less_than_30_seconds(
    demo: Database, record: Put, start: Callable[..., "subprocess.Popen[bytes]"], workers: int
) -> None:
    """The process with its own limits. One mail spins and one eats memory; ordinary mail comes meanwhile."""
    with Path(os.environ["MAILWEIR_CONFIG"]).open("a") as config:
        config.write(f"workers = {workers}\n")
    start([sys.executable, "-c", HOSTILE])
    record("demo", "richard", JANE, number=COUNT + 1, raw=MAIL % 1)
    _wait(lambda: _count(demo, "readings") == 1)
    for number, said in ((COUNT + 2, b"spin"), (COUNT + 3, b"eat")):
        record("demo", "richard", JANE, number=number, raw=MAIL.replace(b"hello", said) % number)
    for number in range(1, COUNT + 1):
        record("demo", "richard", JANE, number=number, raw=MAIL % number)
    pending = "raw_messages WHERE verdict = 'pending'"
    _wait(lambda: (_count(demo, "readings"), _count(demo, pending)) == (COUNT + 1, 2), 30.0)
