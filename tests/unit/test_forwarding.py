"""When does Mailweir report that a user's forwarding has gone quiet?"""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from mailweir.forwarding import gone_quiet

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)  # a Tuesday


def daily(days: int, until: datetime, every: float = 1.0) -> list[datetime]:
    """So many mails at even intervals; the last one at `until`."""
    return [until - timedelta(days=every * n) for n in range(days)]


def test_mail_that_goes_on_is_not_quiet() -> None:
    assert gone_quiet(daily(40, NOW - timedelta(hours=5)), NOW) is None


def test_a_weekend_is_not_quiet() -> None:
    assert gone_quiet(daily(40, NOW - timedelta(days=3)), NOW) is None


def test_a_regular_forwarding_that_stopped_is_quiet() -> None:
    last = NOW - timedelta(days=3, minutes=1)
    found = gone_quiet(daily(40, last), NOW)
    assert found is not None
    assert (found.last, found.usual_gap) == (last, timedelta(days=1))


def test_it_stays_quiet_however_long_ago_it_stopped() -> None:
    assert gone_quiet(daily(40, NOW - timedelta(days=200)), NOW) is not None


def test_the_pauses_that_are_usual_count() -> None:
    weekly = daily(8, NOW - timedelta(days=13), every=7)
    assert gone_quiet(weekly, NOW) is None
    assert gone_quiet(weekly, NOW + timedelta(days=2)) is not None


def test_one_holiday_is_not_usual() -> None:
    before_and_after = daily(10, NOW - timedelta(days=4)) + daily(10, NOW - timedelta(days=30))
    assert gone_quiet(before_and_after, NOW) is not None


def test_what_was_never_regular_is_not_quiet() -> None:
    assert gone_quiet([], NOW) is None
    assert gone_quiet(daily(4, NOW - timedelta(days=20)), NOW) is None
    one_busy_day = [NOW - timedelta(days=20, minutes=n) for n in range(50)]
    assert gone_quiet(one_busy_day, NOW) is None


def test_what_was_long_before_the_last_one_does_not_count() -> None:
    old = daily(30, NOW - timedelta(days=150))
    assert gone_quiet([*old, NOW - timedelta(days=20)], NOW) is None


@given(st.lists(st.integers(0, 300 * 24 * 60).map(lambda minutes: NOW - timedelta(minutes=minutes)), max_size=40))
def test_quiet_is_always_longer_than_three_days_and_than_twice_the_usual_pause(times: list[datetime]) -> None:
    found = gone_quiet(times, NOW)
    assert gone_quiet(list(reversed(times)), NOW) == found
    assert found is None or found.last == max(times)
    assert found is None or NOW - found.last > max(timedelta(days=3), 2 * found.usual_gap)
