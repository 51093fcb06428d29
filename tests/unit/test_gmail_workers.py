"""The sweeping processes: their number, and their total use today."""

from datetime import UTC, datetime, timedelta

import pytest

from mailweir.store.database.connection import Database
from mailweir.store.gmail import gmail_workers

SECOND = timedelta(seconds=1)
DAY, NEXT_DAY = "2026-11-23", "2026-11-24"


def _beat(database: Database, name: str, now: datetime, units: int = 0, day: str = DAY) -> tuple[int, int]:
    fleet = gmail_workers.beat(database, name, now, day, units)
    return fleet.workers, fleet.units_today


def test_each_process_hears_of_the_others(database: Database, now: datetime) -> None:
    assert gmail_workers.alive(database, now) == 0
    assert _beat(database, "a", now, 5) == (1, 5)
    assert _beat(database, "b", now + SECOND, 7) == (2, 12)
    assert _beat(database, "a", now + 10 * SECOND, 1) == (2, 13)
    assert gmail_workers.alive(database, now + 10 * SECOND) == 2


def test_who_is_silent_for_a_minute_has_no_share_and_what_it_used_counts(database: Database, now: datetime) -> None:
    _beat(database, "a", now, 5)
    assert _beat(database, "b", now + 59 * SECOND, 7) == (2, 12)
    assert _beat(database, "b", now + 60 * SECOND) == (1, 12)
    assert gmail_workers.alive(database, now + 60 * SECOND) == 1
    assert _beat(database, "a", now + 61 * SECOND, 1) == (2, 13)


def test_who_leaves_has_no_share_at_once(database: Database, now: datetime) -> None:
    _beat(database, "a", now, 5)
    _beat(database, "b", now, 7)
    gmail_workers.leave(database, "a", now)
    assert gmail_workers.alive(database, now) == 1
    assert _beat(database, "b", now) == (1, 12)
    gmail_workers.leave(database, "nobody", now)


def test_a_new_day_begins_at_nothing(database: Database, now: datetime) -> None:
    _beat(database, "a", now, 5)
    _beat(database, "b", now, 7)
    assert _beat(database, "a", now, 2, NEXT_DAY) == (2, 2)
    assert _beat(database, "b", now, 3, NEXT_DAY) == (2, 5)
    assert _beat(database, "a", now, 1, NEXT_DAY) == (2, 6)


def test_those_that_are_long_gone_are_forgotten(database: Database, now: datetime) -> None:
    for number in range(20):
        _beat(database, f"old{number}", now, 1)
    assert _beat(database, "new", now + timedelta(days=2, seconds=1), 1, NEXT_DAY) == (1, 1)
    assert database.execute("SELECT COUNT(*) FROM gmail_workers").fetchone() == (1,)


@pytest.mark.parametrize("hours", [-100, -2, 2, 100])
def test_who_died_before_the_clock_jumped_has_no_share_after_it(database: Database, now: datetime, hours: int) -> None:
    _beat(database, "dead", now)
    assert _beat(database, "new", now + timedelta(hours=hours)) == (1, 0)
    assert gmail_workers.alive(database, now + timedelta(hours=hours)) == 1


def test_hosts_whose_clocks_differ_by_minutes_share(database: Database, now: datetime) -> None:
    _beat(database, "ahead", now + timedelta(minutes=5))
    assert _beat(database, "b", now) == (2, 0)


def test_much_can_be_used_in_a_day(database: Database, now: datetime) -> None:
    assert _beat(database, "a", now, 2**40) == (1, 2**40)
    assert _beat(database, "b", now, 2**40) == (2, 2**41)


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        ("2026-11-24T07:59:59.999999+00:00", "2026-11-23"),
        ("2026-11-24T08:00:00+00:00", "2026-11-24"),
        ("2026-11-24T09:59:59+02:00", "2026-11-23"),
        ("2027-01-01T00:00:00+00:00", "2026-12-31"),
    ],
)
def test_a_day_of_quota_is_californias(moment: str, day: str) -> None:
    assert gmail_workers.quota_day(datetime.fromisoformat(moment)) == day
    assert gmail_workers.quota_day(datetime.fromisoformat(moment).astimezone(UTC)) == day


def test_a_dead_ones_place_is_taken_by_one(database: Database, now: datetime) -> None:
    _beat(database, "a", now, 5)
    _beat(database, "b", now, 7)
    assert gmail_workers.names(database, now) == ["a", "b"]
    assert gmail_workers.leave(database, "a", now)
    assert not gmail_workers.leave(database, "a", now)
    assert gmail_workers.names(database, now) == ["b"]
    assert _beat(database, "c", now) == (2, 12)
