"""How long to wait after so many failures: twice as long each time, up to the longest. Pure."""

from datetime import timedelta

_MOST_DOUBLINGS = 30  # beyond any that a longest pause leaves room for; a number without end would overflow


def pause(failures: int, first: timedelta, longest: timedelta) -> timedelta:
    """After so many earlier failures; 0: the first pause."""
    return min(first * float(2 ** min(max(failures, 0), _MOST_DOUBLINGS)), longest)
