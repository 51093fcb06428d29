"""Has a user's forwarding stopped? Pure: computed from the times at which mail came, and the time now.

Called by `explain.forwarding`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

WINDOW = timedelta(days=60)  # before the last mail: was mail regular in it?
LEAST_QUIET = timedelta(days=3)  # a weekend without mail isn't quiet
FACTOR = 2
LEAST_DAYS = 5  # fewer days with mail don't count as regular


@dataclass(frozen=True, slots=True)
class Quiet:
    """No mail since `last`; `usual_gap` was the longest usual pause."""

    last: datetime
    usual_gap: timedelta


def gone_quiet(times: Collection[datetime], now: datetime) -> Quiet | None:
    """Quiet if mail came regularly and then stopped; None if it continues, or was never regular. times: in any order.

    Regular: on at least five of the sixty days before the last mail. Stopped: for longer than three days, and longer than twice
    the longest usual pause. The usual pauses are all pauses of the window except the longest, which may have been a holiday.
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
