"""Has a user's forwarding gone quiet? Pure: from the times at which mail came, and the time now.

Called by `explain.forwarding`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

WINDOW = timedelta(days=60)  # before the last mail: how regular was it?
LEAST_QUIET = timedelta(days=3)  # a weekend is none
FACTOR = 2
LEAST_DAYS = 5  # days with mail, below which nothing is regular


@dataclass(frozen=True, slots=True)
class Quiet:
    """No mail since `last`, where `usual_gap` was the longest pause that was usual."""

    last: datetime
    usual_gap: timedelta


def gone_quiet(times: Collection[datetime], now: datetime) -> Quiet | None:
    """Quiet, where mail came regularly and then stopped; None where it goes on, or was never regular. times: in any order.

    Regular: on at least five days of the sixty before the last one. Stopped: for longer than three days, and than twice the
    longest usual pause. The usual pauses are all of the window but the longest one, which may have been a holiday.
    """
    if not times:
        return None
    last = max(times)
    recent = sorted(time for time in times if last - time <= WINDOW)
    if len({time.date() for time in recent}) < LEAST_DAYS:
        return None
    gaps = sorted(later - earlier for earlier, later in pairwise(recent))
    usual_gap = gaps[-2]
    return Quiet(last, usual_gap) if now - last > max(LEAST_QUIET, FACTOR * usual_gap) else None
