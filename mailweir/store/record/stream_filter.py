"""The filter of a list of activities, and the range of ids that contains all activities of a time. Never writes.

Called by `walking`, `streams`, `monthly` and `activities`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from mailweir.reading.labels import Label
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import rfc3339
from mailweir.store.people.deployments import Deployment

END = 2**62  # above every id
_CLOCKS = timedelta(hours=1)  # ids follow time within this tolerance, because hosts' clocks differ


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamFilter:
    """The wanted activities; an empty field narrows nothing.

    contacts: ids; one of them takes part. company: the id of a company; one of its contacts takes part. users: ids of all users
    who had one name; the activity is on the record of one of them. thread: the id of a surviving thread. since: recorded then or
    later; until: recorded before then. label, thread: a reader gets only activities that the reader may see whole, and an
    operator gets none, because both reveal the subject matter.
    """

    contacts: tuple[int, ...] = ()
    company: int | None = None
    users: tuple[int, ...] = ()
    thread: int | None = None
    direction: str | None = None
    route: str | None = None
    verdict: str | None = None
    label: Label | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def names_contacts(self) -> bool:
        """Does the filter name contacts or a company?"""
        return bool(self.contacts) or self.company is not None


def bounds(
    database: Database, deployment: Deployment, wanted: StreamFilter, low: int = 0, high: int = END
) -> tuple[int, int]:
    """(low, high): all activities recorded in the wanted time have ids between these two."""
    if wanted.since is not None:
        low = max(low, _first_recorded(database, deployment, wanted.since, -_CLOCKS) - 1)
    if wanted.until is not None:
        high = min(high, _first_recorded(database, deployment, wanted.until, _CLOCKS))
    return low, high


def _first_recorded(database: Database, deployment: Deployment, moment: datetime, further: timedelta) -> int:
    """The id of the first activity recorded at `moment + further` or later; END if there is none."""
    try:
        text = rfc3339(moment + further)
    except OverflowError:
        return 1 if further < timedelta() else END
    sql = "SELECT id FROM activities WHERE deployment_id = ? AND recorded_at >= ? ORDER BY recorded_at LIMIT 1"
    row = database.execute(sql, (deployment.id, text)).fetchone()
    return int(row[0]) if row else END
