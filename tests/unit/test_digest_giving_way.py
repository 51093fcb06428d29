"""The digest leaves the write lock to other writers, and to nobody else."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from mailweir.database_url import Postgresql
from mailweir.digest.giving_way import LOCK_SHARE, GivingWay
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


def test_beside_others_it_holds_the_lock_for_its_share(
    sqlite_database: Database, other: Database, clock: Clock
) -> None:
    giving_way = GivingWay(sqlite_database, lambda: clock.now, clock.sleep)
    began = clock.now
    for _ in range(100):
        write_for(0.01, giving_way, sqlite_database, clock)
        write(other)
    assert 100 * 0.01 / (clock.now - began) == pytest.approx(LOCK_SHARE, rel=0.05)


def test_what_children_took_meanwhile_counts(sqlite_database: Database, other: Database, clock: Clock) -> None:
    """The lock was free for that time."""
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


def test_on_postgresql_nobody_waits_for_it(postgresql_url: Postgresql, clock: Clock) -> None:
    with closing(Database(postgresql_url)) as database, closing(Database(postgresql_url)) as other:
        giving_way = GivingWay(database, lambda: clock.now, clock.sleep)
        for _ in range(10):
            write_for(0.01, giving_way, database, clock)
            write(other)
    assert clock.slept == 0
