"""The number of mails with a contact or a company in each of the last months, for a small picture. Never writes.

Counts only mail that the reader may know of (law 13), and at most a limited number of activities: the newest. Called by the web
page.
"""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from mailweir.store.database import batches
from mailweir.store.database.connection import Database
from mailweir.store.people.deployments import Deployment
from mailweir.store.record.stream_filter import StreamFilter
from mailweir.store.record.visibility import Reader
from mailweir.store.record.walking import LARGEST_STEP, Walk

MONTHS = 12
LOOKED_AT = 20_000  # ids that a picture may read


@dataclass(frozen=True, slots=True, kw_only=True)
class Monthly:
    """months: (`2026-11`, count), the oldest first, this month last; all twelve are there. is_partial: there were more than are
    read, so each count may be too low."""

    months: tuple[tuple[str, int], ...]
    is_partial: bool


def counts(
    database: Database, deployment: Deployment, reader: Reader | None, wanted: StreamFilter, now: datetime
) -> Monthly:
    """Counts the wanted activities, each in the month (UTC) in which it was sent, but no later than it was recorded.

    It sets `since` and `until` of the filter. reader: None is an operator. DatabaseUnavailable.
    """
    if reader is not None and reader.deployment_id != deployment.id:
        raise ValueError("the reader is another deployment's")
    names = _last_months(now)
    year, month = map(int, names[0].split("-"))
    since = datetime(year, month, 1, tzinfo=UTC)
    walk = Walk(database, deployment, reader, replace(wanted, since=since, until=None))
    found: list[int] = []
    cost, is_partial = 0, False
    for step in walk.steps(LARGEST_STEP):
        found += step.found
        cost += step.cost
        if cost >= LOOKED_AT and step.reached is not None:
            is_partial = True
            break
    sql = (
        "SELECT SUBSTR(CASE WHEN sent_at < recorded_at THEN sent_at ELSE recorded_at END, 1, 7) FROM activities"
        " WHERE id IN ({})"
    )
    counted = Counter(month for (month,) in batches.among(database, sql, (), found))
    return Monthly(months=tuple((name, counted[name]) for name in names), is_partial=is_partial)


def _last_months(now: datetime) -> list[str]:
    """The last months' names, the oldest first."""
    this = now.astimezone(UTC)
    number = this.year * 12 + this.month - 1
    return [f"{one // 12:04d}-{one % 12 + 1:02d}" for one in range(number - MONTHS + 1, number + 1)]
