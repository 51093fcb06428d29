"""The interval of `bench.pairs`: by ranks, at 95 %."""

import pytest

from bench import pairs


@pytest.mark.parametrize(
    ("count", "left_out"),
    [(5, 0), (6, 0), (15, 3), (20, 5)],  # of each side, by the binomial distribution; five are too few for any interval
)
def test_the_interval_leaves_out_as_many_of_each_side_as_95_percent_allow(count: int, left_out: int) -> None:
    ratios = [1 + number / 100 for number in range(count)]
    found = pairs.interval(ratios[::-1])
    assert (found.low, found.high) == pytest.approx((ratios[left_out], ratios[-1 - left_out]))


def test_one_wild_pair_moves_neither_the_median_nor_the_interval() -> None:
    calm = [1.0] * 14
    assert pairs.interval([*calm, 9.0]) == pairs.interval([*calm, 1.0])
