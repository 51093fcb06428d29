"""The digest lets other writers use the database, and waits for nobody else."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from mailweir.database_url import DatabaseUrl
from mailweir.digest.giving_way import FLOOD_SHARE, SHARE, GivingWay
from mailweir.store.database.connection import Database


class Clock:
    """Monotonic seconds. slept: the time spent waiting."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def other(sqlite_url: Path) -> Iterator[Database]:
    """Another process's connection to the same file."""
    with closing(Database(sqlite_url)) as opened:
        yield opened


Captured = Callable[[int], None]
_GIVE_IDS = {
    True: "UPDATE sqlite_sequence SET seq = seq + ? WHERE name = 'raw_messages'",
    False: "SELECT setval('raw_messages_id_seq', (SELECT last_value FROM raw_messages_id_seq) + ?)",
}


@pytest.fixture
def captured(database_url: DatabaseUrl) -> Iterator[Captured]:
    """Another process, which assigns ids to this many mails."""
    with closing(Database(database_url)) as opened:

        def give_ids(count: int) -> None:
            with opened.transaction():
                opened.execute(_GIVE_IDS[opened.is_sqlite], (count,))

        yield give_ids


def write(database: Database) -> None:
    """A commit that changes something."""
    with database.transaction():
        database.execute("CREATE TABLE IF NOT EXISTS written (number INTEGER)")
        database.execute("INSERT INTO written VALUES (1)")


def write_for(seconds: float, giving_way: GivingWay, database: Database, clock: Clock) -> None:
    """A transaction of the digest."""
    giving_way.give_way()
    write(database)
    clock.now += seconds
    giving_way.has_taken(seconds)


def test_alone_it_never_waits(sqlite_database: Database, clock: Clock) -> None:
    giving_way = GivingWay(sqlite_database, lambda: clock.now, clock.sleep)
    for _ in range(100):
        write_for(0.01, giving_way, sqlite_database, clock)
    assert clock.slept == 0


def test_it_knows_whether_others_write(database: Database, clock: Clock, captured: Captured) -> None:
    giving_way = GivingWay(database, lambda: clock.now, clock.sleep)
    seen = []
    for _ in range(3):
        write_for(0.01, giving_way, database, clock)
        seen.append(giving_way.is_alone)
    captured(1)
    write_for(0.01, giving_way, database, clock)
    seen.append(giving_way.is_alone)
    clock.now += 2
    write_for(0.01, giving_way, database, clock)
    assert [*seen, giving_way.is_alone] == [True, True, True, False, True]


def test_beside_others_it_holds_the_lock_for_its_share(
    sqlite_database: Database, other: Database, clock: Clock
) -> None:
    giving_way = GivingWay(sqlite_database, lambda: clock.now, clock.sleep)
    began = clock.now
    for _ in range(100):
        write_for(0.01, giving_way, sqlite_database, clock)
        write(other)
    assert 100 * 0.01 / (clock.now - began) == pytest.approx(SHARE, rel=0.05)


def test_what_children_took_meanwhile_counts(sqlite_database: Database, other: Database, clock: Clock) -> None:
    """The lock was free during that time."""
    giving_way = GivingWay(sqlite_database, lambda: clock.now, clock.sleep)
    for _ in range(10):
        write_for(0.01, giving_way, sqlite_database, clock)
        write(other)
        clock.now += 1
    assert clock.slept == 0


def test_others_that_stopped_are_waited_for_no_longer(sqlite_database: Database, other: Database, clock: Clock) -> None:
    giving_way = GivingWay(sqlite_database, lambda: clock.now, clock.sleep)
    write_for(0.01, giving_way, sqlite_database, clock)
    write(other)
    for _ in range(200):
        write_for(0.01, giving_way, sqlite_database, clock)
    slept = clock.slept
    for _ in range(100):
        write_for(0.01, giving_way, sqlite_database, clock)
    assert 0 < slept == clock.slept


def test_a_slow_disk_does_not_make_it_stand_still(sqlite_database: Database, other: Database, clock: Clock) -> None:
    giving_way = GivingWay(sqlite_database, lambda: clock.now, clock.sleep)
    write_for(0.01, giving_way, sqlite_database, clock)
    for _ in range(10):
        write_for(5.0, giving_way, sqlite_database, clock)
        write(other)
    assert 0 < clock.slept <= 10 * 0.25


def test_mail_that_is_captured_counts_as_writing(database: Database, clock: Clock, captured: Captured) -> None:
    giving_way = GivingWay(database, lambda: clock.now, clock.sleep)
    for _ in range(10):
        write_for(0.01, giving_way, database, clock)
    assert clock.slept == 0
    began = clock.now
    for _ in range(100):
        write_for(0.01, giving_way, database, clock)
        captured(1)
    assert 100 * 0.01 / (clock.now - began) == pytest.approx(SHARE, rel=0.05)


def test_while_much_mail_is_captured_it_writes_less(database: Database, clock: Clock, captured: Captured) -> None:
    giving_way = GivingWay(database, lambda: clock.now, clock.sleep)

    def share(mails: int) -> float:
        """The digest's share of the time, while so many mails are captured between two transactions."""
        began = clock.now
        for _ in range(100):
            write_for(0.01, giving_way, database, clock)
            captured(mails)
        return 100 * 0.01 / (clock.now - began)

    share(20)  # until the digest notices
    assert share(20) == pytest.approx(FLOOD_SHARE, rel=0.05)
    share(1)
    assert share(1) == pytest.approx(SHARE, rel=0.05)
