"""Pauses that grow, but never beyond the longest."""

from datetime import timedelta

from mailweir import backoff

FIRST, LONGEST = timedelta(seconds=30), timedelta(hours=1)


def test_a_pause_doubles_up_to_the_longest() -> None:
    found = [backoff.pause(failures, FIRST, LONGEST).total_seconds() for failures in range(9)]
    assert found == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]


def test_no_number_of_failures_is_too_large_or_too_small() -> None:
    assert backoff.pause(10**9, FIRST, LONGEST) == LONGEST
    assert backoff.pause(-1, FIRST, LONGEST) == FIRST
