"""Faults on our own side: the clock, the database, the disk, the key file, a stop in the middle."""

import os
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gmail_sync.budget import OverBudget
from gmail_sync.job import Services
from gmail_sync.job_factory import JobFactory
from gmail_sync.memory_limit import MAX_BYTES
from gmail_sync.rests import Rests
from gmail_sync.scheduler import Scheduler
from mailweir import secrets_file
from mailweir.database_url import Postgresql
from mailweir.errors import SettingsError
from mailweir.store.gmail import gmail_leases
from tests import needs
from tests.gmail import faults
from tests.gmail.calls import GETS, Kind
from tests.gmail.processes import SyncProcess, wait_until
from tests.gmail.server import GmailServer
from tests.gmail.world import STRANGER, World, mail
from tests.gmail_rows import rest
from tests.postgresql import Cluster

QUICK = "sweep_seconds = 1\n"


@pytest.fixture
def small(gmail: GmailServer, tmp_path: Path) -> Iterator[World]:
    """A world on SQLite, swept each second."""
    made = World(gmail, tmp_path, None, QUICK)
    yield made
    made.close()


@contextmanager
def process_of(world: World, folder: Path) -> Iterator[SyncProcess]:
    """`mailweir-gmail-sync` in that world."""
    started = SyncProcess(world.settings_file, folder / "sync.log")
    try:
        yield started
    finally:
        started.kill()


class Clock:
    """The wall clock, which may be wrong."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@contextmanager
def scheduler_of(world: World, clock: Clock, name: str = "one") -> Iterator[Scheduler]:
    """A scheduler in a thread, as in its process, with that clock."""
    known = world.services
    services = Services(known.database_pool, known.directory, known.settings, known.log, clock)
    made = Scheduler(services, JobFactory(services), name)
    thread = threading.Thread(target=made.run)
    thread.start()
    try:
        yield made
    finally:
        made.stop()
        thread.join(20)
        assert not thread.is_alive()


@pytest.mark.parametrize("hours", [1.0, 24.0 * 9])
def test_a_clock_that_jumps_forward_and_back_delays_no_mail(small: World, hours: float) -> None:
    box = small.connect()
    clock = Clock()
    with scheduler_of(small, clock):
        wait_until(lambda: small.state().swept_at is not None, "the first sweep")
        for number, ahead in enumerate((hours, 0.0, -hours, 0.0)):
            clock.ahead = timedelta(hours=ahead)
            box.insert(mail(f"m{number}"))
            wait_until(lambda: len(small.record()) == number + 1, f"mail after a jump to {ahead} h", 15)  # noqa: B023
    assert sorted(small.subjects()) == ["m0", "m1", "m2", "m3"]


def test_what_a_clock_did_before_the_process_began_delays_no_mail_either(small: World) -> None:
    box = small.connect()
    small.settle()
    box.insert(mail("waits"))
    with small.database.transaction():
        ahead = datetime.now(UTC) + timedelta(minutes=100)
        small.database.execute(
            "UPDATE gmail_mailboxes SET next_sweep_at = ?, lease_owner = 'gone', lease_until = ?",
            (ahead.isoformat(), (ahead + timedelta(minutes=2)).isoformat()),
        )
    with scheduler_of(small, Clock()):
        wait_until(lambda: small.subjects() == ["waits"], "the mail", 15)


def test_history_that_expired_while_the_clock_was_ahead_skips_nothing(small: World, gmail: GmailServer) -> None:
    box = small.connect()
    now = small.at
    small.later(days=5)
    small.settle()  # its time is five days ahead
    small.at = now + timedelta(minutes=1)
    box.insert(mail("meanwhile"), at=small.at)
    gmail.expire_history(box)
    small.settle()
    assert small.subjects() == ["meanwhile"]


def test_two_schedulers_at_once_look_at_each_message_once(world: World, gmail: GmailServer) -> None:
    boxes = [world.connect(name) for name in ("richard", "mary", "olga")]
    for box in boxes:
        for number in range(12):
            box.insert(mail(f"{box.address} {number}", to=box.address))
        box.insert(mail(f"{box.address} stranger's", STRANGER, box.address))
    clock = Clock()
    with scheduler_of(world, clock), scheduler_of(world, clock, "two"):
        wait_until(lambda: len(world.record()) == 36 and world.queued() == [], "all on the record", 40)
    assert len(Counter(world.subjects())) == 36
    looked = Counter(call.message_id for call in gmail.calls.of(kind=GETS) if call.message_id)
    assert len(looked) == 39
    assert max(looked.values()) == 2  # its headers, and the whole message


# --- the database -----------------------------------------------------------------------------------------------------


def test_a_database_server_that_goes_away_and_comes_back(
    gmail: GmailServer, tmp_path: Path, cluster: Cluster, postgresql_url: Postgresql
) -> None:
    world = World(gmail, tmp_path, postgresql_url, QUICK)
    box = world.connect()
    with process_of(world, tmp_path) as process:
        wait_until(lambda: world.state().swept_at is not None, "the first sweep")
        cluster.stop()
        box.insert(mail("meanwhile"))
        wait_until(lambda: "database unavailable" in process.text(), "it is noticed")
        time.sleep(2.5)
        cluster.start()
        world.database.close()
        wait_until(lambda: world.subjects() == ["meanwhile"], "the mail", 45)
        assert process.is_running
        text = process.text()
        assert text.count("database unavailable") <= 3  # neither once a second nor once a mailbox
        assert "Traceback" not in text
        assert process.stop() == 0
    world.close()


def test_a_database_server_that_ends_in_the_middle_of_many_sweeps(
    gmail: GmailServer, tmp_path: Path, cluster: Cluster, postgresql_url: Postgresql
) -> None:
    world = World(gmail, tmp_path, postgresql_url, QUICK)
    box = world.connect()
    for number in range(40):
        box.insert(mail(f"m{number}"))
    with process_of(world, tmp_path) as process:
        wait_until(lambda: len(world.record()) >= 3, "some are on the record")
        with cluster.cut_off():
            time.sleep(0.5)
        world.database.close()
        wait_until(lambda: len(world.record()) == 40, "all on the record", 60)
        assert process.is_running
    assert len(set(world.subjects())) == 40
    world.close()


def test_a_full_disk_loses_nothing_and_ends(gmail: GmailServer, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    needs.root()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "x", disk], check=False)
    mounted.returncode == 0 or needs.lacks("needs the right to mount a file system")
    try:
        world = World(gmail, tmp_path, disk / "mailweir.db", QUICK)
        box = world.connect()
        with process_of(world, tmp_path) as process:
            box.insert(mail("large") + os.urandom(2_500_000).hex().encode())
            wait_until(lambda: "full" in process.text(), "the disk is full")
            box.insert(mail("another"))
            time.sleep(1.0)
            assert process.is_running
            assert "Traceback" not in process.text()
            subprocess.run(["mount", "-o", "remount,size=60m", disk], check=True)
            wait_until(lambda: sorted(world.subjects()) == ["another", "large"], "both on the record", 60)
            assert world.state().dead == 0
            assert process.text().count("database unavailable") < 10
        world.close()
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


# --- the key file -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("then", [lambda file: None, secrets_file.make], ids=["missing", "another key"])
def test_a_key_file_that_is_wrong_is_one_line_and_no_crash(
    small: World, tmp_path: Path, then: Callable[[Path], object]
) -> None:
    box = small.connect()
    small.settle()
    box.insert(mail("meanwhile"))
    file = small.settings.token_key_path
    good = file.read_bytes()
    file.unlink()
    then(file)
    mailbox = small.state()
    with process_of(small, tmp_path) as process:
        wait_until(lambda: small.state().failures > 0, "it is noticed")
        time.sleep(0.5)
        assert process.is_running
        lines = [line for line in process.text().splitlines() if "sweep failed" in line]
        assert len(lines) == 1
        assert str(file) in lines[0]
        assert "Traceback" not in process.text()
        assert str(file) in (small.state().error or "")
        file.unlink(missing_ok=True)
        file.touch(0o600)
        file.write_bytes(good)
        with small.database.transaction():  # half a minute later
            small.database.execute(
                "UPDATE gmail_mailboxes SET next_sweep_at = ? WHERE id = ?", (mailbox.connected_at, mailbox.id)
            )
        wait_until(lambda: small.subjects() == ["meanwhile"], "the mail, without a restart")
        wait_until(lambda: (small.state().failures, small.state().error) == (0, None), "the mailbox is well")


def test_at_once_without_the_key_file_leaves_no_lease(small: World) -> None:
    small.connect()
    small.settings.token_key_path.unlink()
    with pytest.raises(SettingsError, match="can't read the key file"):
        small.sync_now().sweep()
    assert small.database.execute("SELECT lease_owner FROM gmail_mailboxes").fetchone()[0] is None


# --- a stop -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0.5, 40.0])
def test_a_stop_in_the_middle_of_a_sweep_ends_soon_and_leaves_no_lease(
    gmail: GmailServer, tmp_path: Path, seconds: float
) -> None:
    """This holds even if an answer takes longer than anybody wants to wait."""
    world = World(gmail, tmp_path, None, QUICK + "timeout_seconds = 90\n")
    box = world.connect()
    for number in range(20):
        box.insert(mail(f"m{number}"))
    slow = gmail.faults.add(faults.delay(seconds), kind=GETS)
    with process_of(world, tmp_path) as process:
        wait_until(lambda: slow.hits >= 2 or (seconds > 1 and slow.hits == 1), "the sweep is running")
        began = time.monotonic()
        assert process.stop() == 0
        assert time.monotonic() - began < 30  # the slow answer alone takes longer
        row = world.database.execute("SELECT lease_owner, lease_until, failures FROM gmail_mailboxes").fetchone()
        assert tuple(row) == (None, None, 0)
        assert "Traceback" not in process.text()
        slow.lift()
        process.restart()
        wait_until(lambda: len(world.record()) == 20, "all on the record")
    assert len(set(world.subjects())) == 20
    world.close()


def test_large_messages_are_read_as_memory_allows(small: World, gmail: GmailServer) -> None:
    """A circular with an attachment comes to all mailboxes at the same time, and each thread has one of them."""
    box = small.connect()
    small.settle()
    box.insert(mail("large", body="x" * 3_000_000), at=small.at)
    box.insert(mail("a stranger's", STRANGER), at=small.at)
    small.later(minutes=1)
    with small.services.memory.taken(MAX_BYTES - 1_000_000):
        ended = small.sweep()
        assert ended
        assert ended.next_sweep_at - small.at <= timedelta(seconds=10)
        assert gmail.calls.of(box.address, Kind.GET_RAW) == []
        assert (small.state().waiting, small.state().error) == (2, None)
    small.later(seconds=10)
    small.settle()
    assert (small.subjects(), small.state().waiting) == (["large"], 0)
    with small.services.memory.taken(10**12), pytest.raises(OverBudget), small.services.memory.taken(1):
        pass
    with small.services.memory.taken(MAX_BYTES):  # all memory is free again
        pass


def test_a_lease_whose_end_can_not_be_written_holds_up_no_other(small: World) -> None:
    small.connect("richard")
    small.connect("mary")
    now = small.at
    leased = gmail_leases.lease(small.database, "one", now, 9)
    rests = [rest(one, now) for one in leased]
    rests[0] = rests[0]._replace(failures=None)  # type: ignore[arg-type]
    waiting = Rests(small.services)
    waiting.add(*rests)
    waiting.write()
    assert len(waiting) == 0
    owners = small.database.execute("SELECT lease_owner FROM gmail_mailboxes ORDER BY id").fetchall()
    assert sorted(row[0] or "" for row in owners) == ["", "one"]
