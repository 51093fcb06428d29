"""The scheduler process: it sweeps by itself, ends on request, loses nothing when killed, and shares work with another
process."""

import random
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gmail_sync.scheduler import BEAT_SECONDS
from mailweir.store.gmail import gmail_workers
from mailweir.store.gmail.gmail_leases import LEASE_SECONDS
from tests.gmail import faults
from tests.gmail.processes import SyncProcess, wait_until
from tests.gmail.world import JANE, STRANGER, World, mail

BOXES = ("richard", "mary", "olga")


@pytest.fixture
def lively(world: World) -> World:
    """The same world, but swept each second."""
    text = world.settings_file.read_text().replace("timeout_seconds = 5", "timeout_seconds = 5\nsweep_seconds = 1")
    world.settings_file.write_text(text)
    return world


@pytest.fixture
def process(lively: World, tmp_path: Path) -> Iterator[SyncProcess]:
    """A running process."""
    started = SyncProcess(lively.settings_file, tmp_path / "sync.log")
    yield started
    started.kill()


def test_it_sweeps_by_itself_and_ends_when_asked(lively: World, process: SyncProcess) -> None:
    box = lively.connect()
    wait_until(lambda: lively.state().swept_at is not None, "the first sweep")
    box.insert(mail("one"))
    box.insert(mail("two", STRANGER))
    wait_until(lambda: lively.subjects() == ["one"], "the message is on the record")
    assert process.stop() == 0
    assert "stopped" in process.text()
    row = lively.database.execute("SELECT lease_owner FROM gmail_mailboxes").fetchone()
    assert row[0] is None


def _kill_perhaps(running: list[SyncProcess], chance: random.Random) -> int:
    """In two of five calls, kills one process and starts it again; returns how many it killed."""
    if chance.random() >= 0.4:
        return 0
    one = chance.choice(running)
    time.sleep(chance.uniform(0.0, 0.3))
    one.kill()
    one.restart()
    return 1


def test_4_a_kill_at_any_moment_loses_and_doubles_nothing(lively: World, tmp_path: Path) -> None:
    """A kill could lose ids that were taken from a queue and not saved yet. Two processes run at once, on one database."""
    boxes = [lively.connect(name) for name in BOXES]
    chance = random.Random(4)
    running = [SyncProcess(lively.settings_file, tmp_path / f"{number}.log") for number in range(2)]
    expected = []
    try:
        kills, started = 0, time.monotonic()
        for number in range(60):
            box = boxes[number % 3]
            name = box.address.partition("@")[0]
            expected.append((f"m{number}", name))
            box.insert(mail(f"m{number}", JANE, box.address))
            box.insert(mail(f"s{number}", STRANGER, box.address))
            kills += _kill_perhaps(running, chance)
        assert kills > 10
        with lively.database.transaction():  # leases of killed processes run out after two minutes
            lively.database.execute("UPDATE gmail_mailboxes SET lease_until = NULL")
        wait_until(lambda: len(lively.record()) >= len(expected), f"{len(expected)} on the record", 90)
        wait_until(lambda: lively.queued() == [], "nothing waits")
        found = Counter((one.subject, *one.users) for one in lively.record())
        assert found == Counter(expected)
        assert time.monotonic() - started < 120
    finally:
        for one in running:
            one.kill()


def test_one_that_is_killed_again_and_again_is_followed_at_once(lively: World, tmp_path: Path) -> None:
    """A crash loop swept nothing: each dead process counted as alive for a minute, and a joining process begins with a wait."""
    box = lively.connect()
    running = SyncProcess(lively.settings_file, tmp_path / "sync.log")
    try:
        for number in range(3):
            box.insert(mail(f"m{number}"))
            wait_until(lambda: len(lively.record()) > number, "it is on the record", BEAT_SECONDS - 1)  # noqa: B023
            assert gmail_workers.alive(lively.database, datetime.now(UTC)) == 1
            running.kill()
            running.restart()
    finally:
        running.kill()


def test_what_a_killed_one_held_waits_for_no_lease(lively: World, tmp_path: Path) -> None:
    """Otherwise each life of a process in a crash loop would keep its mailboxes from everybody for two minutes."""
    box = lively.connect()
    box.insert(mail("one"))
    lively.gmail.faults.add(faults.delay(4.0), user=box.address, times=1)
    running = SyncProcess(lively.settings_file, tmp_path / "sync.log")
    try:
        wait_until(lambda: _holder(lively) is not None, "it is leased")
        running.kill()
        dead = _holder(lively)
        assert dead is not None
        running.restart()
        wait_until(lambda: lively.subjects() == ["one"], "the message is on the record", LEASE_SECONDS / 4)
        assert _holder(lively) != dead
    finally:
        running.kill()


def _holder(world: World) -> str | None:
    row = world.database.execute("SELECT lease_owner FROM gmail_mailboxes").fetchone()
    return None if row[0] is None else str(row[0])
