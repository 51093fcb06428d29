"""Quota: whatever is taken in whatever order, no sixty seconds see more than the limit."""

import threading
from dataclasses import dataclass

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gmail_sync.budget import LOW_PRIORITY_DAY_SHARE, LOW_PRIORITY_SHARE, Bucket, OverBudget, Project, Spending

WINDOW = 60.0
ROUNDING = 1e-6


@dataclass
class Clock:
    """Seconds that a test sets."""

    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def _most_in_a_window(taken: list[tuple[float, float]]) -> float:
    """taken: (when, units), in order."""
    return max(
        (sum(units for at, units in taken[first:] if at < begin + WINDOW) for first, (begin, _) in enumerate(taken)),
        default=0.0,
    )


_STEPS = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 90)), min_size=1, max_size=60)


@settings(max_examples=400, deadline=None)
@given(_STEPS, st.sampled_from([100, 1_000, 6_000]), st.sampled_from([0.01, 0.1, 0.25, 0.3, 0.6, 0.75, 1.0]))
@example([(1.0, 0.0)] * 40, 100, 1.0)
@example([(1.0, 0.0), (0.1, 0.0)] * 20, 100, 0.6)
@example([(0.1, 0.0)] * 50, 100, 0.35)
def test_no_sixty_seconds_see_more_than_the_limit(steps: list[tuple[float, float]], limit: int, dearest: float) -> None:
    """Each step waits: first for its own pause, then as long as the bucket requires. Then it takes units. dearest: share of the
    limit."""
    clock = Clock()
    bucket = Bucket(limit, clock)
    taken = []
    for share, pause in steps:
        units = max(1.0, share * dearest * limit)
        clock.now += pause
        clock.now += bucket.seconds_until(units)
        assert bucket.seconds_until(units) < ROUNDING
        bucket.take(units)
        taken.append((clock.now, units))
    assert _most_in_a_window(taken) <= limit + ROUNDING


@settings(max_examples=200, deadline=None)
@given(_STEPS, st.sampled_from([0.05, 0.2]), st.integers(1, 5))
def test_nor_where_a_mailbox_goes_from_process_to_process(
    steps: list[tuple[float, float]], dearest: float, every: int
) -> None:
    limit, clock = 6_000, Clock()
    bucket, taken = Bucket(limit, clock), []
    for turn in (steps[first : first + every] for first in range(0, len(steps), every)):
        _, pause = turn[0]
        left = int(bucket.left)
        clock.now += pause
        other_clock = Clock(7.0)  # another host's
        bucket = Bucket(limit, other_clock, left)
        bucket.refill(pause)
        for share, _ in turn:
            units = max(1.0, share * dearest * limit)
            wait = bucket.seconds_until(units)
            clock.now += wait
            other_clock.now += wait
            bucket.take(units)
            taken.append((clock.now, units))
    assert _most_in_a_window(taken) <= limit + ROUNDING


def test_a_full_minute_can_be_used_nearly_whole(clock: Clock) -> None:
    bucket, taken = Bucket(6_000, clock), 0
    end = clock.now + WINDOW
    while clock.now + bucket.seconds_until(20) < end:
        clock.now += bucket.seconds_until(20)
        bucket.take(20)
        taken += 20
    assert 5_900 <= taken <= 6_000


def test_a_call_that_costs_more_than_there_is_at_once_comes_to_its_turn(clock: Clock) -> None:
    bucket = Bucket(100, clock)
    assert bucket.left == 25
    wait = bucket.seconds_until(50)
    assert wait == pytest.approx(20)
    clock.now += wait
    assert bucket.left == 25  # for other calls
    assert bucket.seconds_until(50) == pytest.approx(0)
    bucket.take(50)
    assert bucket.left == pytest.approx(-25)
    assert bucket.seconds_until(1) == pytest.approx(26 / 1.25)


def test_a_call_dearer_than_the_limit_waits_a_minute_and_not_for_ever(clock: Clock) -> None:
    bucket = Bucket(100, clock)
    clock.now += bucket.seconds_until(500)
    assert clock.now == pytest.approx(1_060)
    assert bucket.seconds_until(500) == pytest.approx(0)


def test_a_debt_goes_along(clock: Clock) -> None:
    bucket = Bucket(100, clock, -20)
    assert bucket.left == -20
    bucket.refill(8)
    assert bucket.left == pytest.approx(-10)


def test_what_a_row_says_is_never_more_than_there_can_be(clock: Clock) -> None:
    assert Bucket(100, clock, 10_000).left == 25
    bucket = Bucket(100, clock, 0)
    bucket.refill(-3_600)  # the clock was set back
    assert bucket.left == 0
    bucket.refill(1e9)
    assert bucket.left == 25


def test_another_limit_counts_from_now_on(clock: Clock) -> None:
    bucket = Bucket(600, clock, 0)
    clock.now += 10
    bucket.resize(6_000)
    assert bucket.left == pytest.approx(75)
    bucket.resize(100)
    assert bucket.left == 25


def _take_all(project: Project, units: int) -> int:
    taken = 0
    while True:
        try:
            project.take(units)
        except OverBudget:
            return taken
        taken += units


def test_the_projects_minute_is_shared_among_the_processes(clock: Clock) -> None:
    """However many processes there are, together they stay within the project's limit per minute."""
    for workers in (1, 2, 3, 10):
        projects = [Project(12_000, 10**9, clock) for _ in range(workers)]
        for one in projects:
            one.share_out(workers, 0)
        taken = [(clock.now, float(_take_all(one, 1))) for one in projects]
        for _ in range(120):
            clock.now += 0.5
            taken += [(clock.now, float(_take_all(one, 1))) for one in projects]
        assert 11_800 <= _most_in_a_window(taken) <= 12_000
        clock.now += 1_000


def test_over_the_projects_minute_the_wait_is_said(clock: Clock) -> None:
    project = Project(600, 10**9, clock)
    assert _take_all(project, 10) == 150
    with pytest.raises(OverBudget, match="minute") as caught:
        project.take(10)
    assert caught.value.whole_project
    assert caught.value.retry_after_seconds == pytest.approx(10 / 7.5)
    clock.now += caught.value.retry_after_seconds or 0
    project.take(10)


def test_the_days_limit_holds_over_all_processes(clock: Clock) -> None:
    project = Project(10**9, 1_000, clock)
    project.take(300)
    assert project.collect() == 300
    project.share_out(2, 900)  # the other process used 600
    with pytest.raises(OverBudget, match="today") as caught:
        project.take(101)
    assert caught.value.whole_project
    project.take(100)
    with pytest.raises(OverBudget, match="today"):
        project.take(1)
    assert project.collect() == 100
    project.share_out(2, 0)  # a new day
    project.take(1_000)


def test_what_could_not_be_noted_down_is_collected_again(clock: Clock) -> None:
    project = Project(10**9, 1_000, clock)
    project.take(400)
    assert project.collect() == 400  # and then the database was unavailable
    project.take(100)
    assert project.collect() == 500
    with pytest.raises(OverBudget):
        project.take(501)
    project.share_out(1, 500)
    assert project.collect() == 0
    with pytest.raises(OverBudget):
        project.take(501)
    project.take(500)


def test_what_can_wait_leaves_half_the_bucket_and_a_tenth_of_the_day(clock: Clock) -> None:
    project = Project(4_000, 10_000, clock)
    assert project.allows_low_priority()
    project.take(int(1_000 * LOW_PRIORITY_SHARE))
    assert not project.allows_low_priority()
    clock.now += 60
    assert project.allows_low_priority()
    project.share_out(1, int(10_000 * LOW_PRIORITY_DAY_SHARE))
    assert not project.allows_low_priority()
    spending = Spending(Bucket(4_000, clock, 500), Project(4_000, 10_000, clock))
    assert not spending.allows_low_priority()
    clock.now += 1
    assert spending.allows_low_priority()


def test_what_is_refused_is_charged_to_nobody(clock: Clock) -> None:
    project = Project(400, 10**6, clock)
    mine, other = Spending(Bucket(4_000, clock), project), Spending(Bucket(40, clock), project)
    with pytest.raises(OverBudget, match="user") as caught:
        other(11)
    assert not caught.value.whole_project
    assert project.collect() == 0
    mine(100)
    with pytest.raises(OverBudget, match="project"):
        mine(20)
    assert mine.bucket.left == 900
    assert project.collect() == 100


def test_threads_take_no_more_than_there_is() -> None:
    project = Project(40_000, 10**9, Clock())
    threads = [threading.Thread(target=_take_all, args=(project, 1)) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert project.collect() == 10_000


def test_what_one_sweep_reserved_no_other_thread_uses(clock: Clock) -> None:
    project = Project(400, 10**6, clock)
    mine, other = Spending(Bucket(4_000, clock), project), Spending(Bucket(4_000, clock), project, opening_units=5)
    mine.reserve(70)
    with pytest.raises(OverBudget, match="project") as caught:
        other.reserve(40)
    assert caught.value.retry_after_seconds == pytest.approx(15 / 5)
    other(30)
    mine(35)
    mine(35)
    assert project.collect() == 100


def test_what_was_reserved_and_not_used_is_given_back(clock: Clock) -> None:
    project = Project(400, 1_000, clock)
    mine = Spending(Bucket(4_000, clock), project)
    mine.reserve(100)
    mine(50)
    mine.reserve(50)
    assert project.collect() == 100
    mine.give_back()
    mine.give_back()
    assert project.collect() == 100
    assert _take_all(project, 10) == 50
    assert project.collect() == 100
    assert mine.bucket.left == 950


def test_what_is_reserved_is_no_leave_to_ask_when_the_process_ends(clock: Clock) -> None:
    project = Project(400, 10**6, clock)
    mine = Spending(Bucket(4_000, clock), project)
    mine.reserve(40)
    project.close()
    with pytest.raises(OverBudget, match="ends"):
        mine(20)
