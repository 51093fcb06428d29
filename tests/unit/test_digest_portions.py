"""How much the digest writes in a transaction: as much as takes some milliseconds, on any machine."""

from collections import deque
from collections.abc import Iterator

import pytest

from mailweir.digest.portions import WANTED_SECONDS, WANTED_SECONDS_ALONE, Portions


class Disk:
    """A clock, and a database that takes this time per word; fixed_seconds: in addition, for each transaction."""

    def __init__(self, seconds_a_word: float, fixed_seconds: float = 0.0) -> None:
        self.now = 0.0
        self.seconds_a_word = seconds_a_word
        self.fixed_seconds = fixed_seconds

    def write(self, costs: list[int], wanted_seconds: float = WANTED_SECONDS) -> Iterator[tuple[int, float]]:
        """The cost of writing this much: (count, seconds) of each transaction."""
        portions = Portions(lambda: self.now)
        left = deque((cost, cost) for cost in costs)
        while left:
            portion = portions.take(left)
            portions.begin()
            took = sum(portion) * self.seconds_a_word + self.fixed_seconds
            self.now += took
            portions.end(wanted_seconds)
            yield len(portion), took


@pytest.mark.parametrize("seconds_a_word", [1e-7, 1.5e-6, 5e-6, 1e-5])
def test_a_transaction_takes_at_most_50_ms(seconds_a_word: float) -> None:
    """Except for the first one, on a slow machine. Nothing is left out."""
    written = list(Disk(seconds_a_word).write([200] * 2_000))
    assert sum(count for count, _ in written) == 2_000
    assert max(took for _, took in written[1:]) <= 0.05
    later = [took for _, took in written[20:-1]]
    assert sum(later) / len(later) <= WANTED_SECONDS * 1.5


@pytest.mark.parametrize("seconds_a_word", [1.5e-6, 5e-6, 1e-5])
def test_where_nobody_waits_a_transaction_may_take_longer(seconds_a_word: float) -> None:
    written = list(Disk(seconds_a_word).write([200] * 4_000, WANTED_SECONDS_ALONE))
    later = [took for _, took in written[20:-1]]
    assert 1.5 * WANTED_SECONDS < sum(later) / len(later) <= WANTED_SECONDS_ALONE * 1.5
    assert max(took for _, took in written[1:]) <= 0.05


def test_when_somebody_writes_again_transactions_are_short_at_once() -> None:
    disk = Disk(2e-6)
    portions = Portions(lambda: disk.now)
    left = deque((200, 200) for _ in range(4_000))
    for _ in range(40):
        portions.take(left)
        portions.begin()
        disk.now += 2 * WANTED_SECONDS
        portions.end(WANTED_SECONDS_ALONE)
    before = len(portions.take(left))
    portions.begin()
    disk.now += 2 * WANTED_SECONDS
    portions.end()
    assert len(portions.take(left)) <= before // 2


def test_a_fast_machine_writes_many_together() -> None:
    written = list(Disk(1e-6).write([200] * 2_000))
    assert max(count for count, _ in written) >= 60


def test_a_disk_that_is_slow_for_each_transaction_is_not_asked_for_each_message() -> None:
    """Smaller transactions wouldn't help."""
    written = list(Disk(1e-7, fixed_seconds=0.1).write([200] * 2_000))
    assert min(count for count, _ in written[:-1]) >= 7


def test_what_is_too_much_goes_alone() -> None:
    written = list(Disk(1e-6).write([10, 100_000, 10]))
    assert [count for count, _ in written] == [1, 1, 1]
