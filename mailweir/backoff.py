"""Pause after failures: doubles with each failure, up to the longest. Pure."""

from datetime import timedelta

_MOST_DOUBLINGS = 30  # more than any longest pause allows; without a bound the number would overflow


def pause(failures: int, first: timedelta, longest: timedelta) -> timedelta:
    """The pause after this many earlier failures; for 0, the first pause."""
    return min(first * float(2 ** min(max(failures, 0), _MOST_DOUBLINGS)), longest)
