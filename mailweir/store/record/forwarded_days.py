"""The days on which users' mail was forwarded, captured or not: the first and the last time of each.

Each time is looked up in an index (migration 0031): the cost depends on the number of users, days and hours in the query, and not
on the amount of mail. Never writes. Called by `user_routes` and `overview`.
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from mailweir.store.database import like
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse, rfc3339
from mailweir.store.people.deployments import Deployment
from mailweir.store.record import by_the_index

# The query goes from day to day; 'U' sorts after the 'T' between a date and its time.
_FORWARDED = "FROM sightings s WHERE s.route = 'forward' AND s.user_id ="
_AFTER = "SUBSTR(first_at, 1, 10) || 'U'"
# The query goes from hour to hour, because the index has ignored mail by the hour.
_IGNORED = "FROM decisions c WHERE c.deployment_id = ? AND c.outcome = 'ignored'"
_HOUR = "SUBSTR(c.decided_at, 1, 13)"
_OF_HOUR = f"c.decided_at {_IGNORED} AND {_HOUR} = hour AND SUBSTR(c.recipients, 1, 400) = ? AND c.decided_at >= ?"
_HOURS = (
    "WITH RECURSIVE hours AS"
    f" (SELECT (SELECT {_HOUR} {_IGNORED} AND {_HOUR} >= SUBSTR(?, 1, 13) ORDER BY {_HOUR} LIMIT 1) AS hour"
    f" UNION ALL SELECT (SELECT {_HOUR} {_IGNORED} AND {_HOUR} > hour ORDER BY {_HOUR} LIMIT 1) FROM hours AS hours"
    " WHERE hour IS NOT NULL)"
    f" SELECT (SELECT {_OF_HOUR} ORDER BY c.decided_at LIMIT 1), (SELECT {_OF_HOUR} ORDER BY c.decided_at DESC LIMIT 1)"
    " FROM hours AS hours WHERE hour IS NOT NULL"
)
# Mail for several at once, which is rare; the first condition is written exactly as in its index.
_OF_SEVERAL = (
    f"SELECT c.decided_at, c.decided_at {_IGNORED} AND REPLACE(c.recipients, ',', '') <> c.recipients AND c.decided_at >= ?"
    " AND c.recipients LIKE ? ESCAPE '!'"
)


def captured(
    database: Database, deployment: Deployment, since: datetime, user_id: int | None = None
) -> dict[int, list[datetime]]:
    """User id -> the first and the last time of each day, of captured mail. user_id: only this user; None: all users, including
    removed ones."""
    which = "" if user_id is None else " AND u.id = ?"
    sql = (
        "WITH RECURSIVE days AS"
        f" (SELECT u.id AS whose, (SELECT MIN(s.seen_at) {_FORWARDED} u.id AND s.seen_at >= ?) AS first_at"
        f" FROM users u WHERE u.deployment_id = ?{which}"
        f" UNION ALL SELECT whose, (SELECT MIN(s.seen_at) {_FORWARDED} whose AND s.seen_at >= {_AFTER})"
        " FROM days AS days WHERE first_at IS NOT NULL)"
        f" SELECT whose, first_at, (SELECT MAX(s.seen_at) {_FORWARDED} whose AND s.seen_at < {_AFTER})"
        " FROM days AS days WHERE first_at IS NOT NULL"
    )
    values = (rfc3339(since), deployment.id, *(() if user_id is None else (user_id,)))
    found = by_the_index.rows(database, sql, values)
    times: dict[int, list[datetime]] = defaultdict(list)
    for one, first, last in found:
        times[one] += [parse(first), parse(last)]
    return dict(times)


def ignored(database: Database, deployment: Deployment, capture_address: str, since: datetime) -> list[datetime]:
    """The first and the last time of each day, of ignored mail to a capture address, as far as its decisions are stored."""
    begin = rfc3339(since)
    of_hour: list[Any] = [deployment.id, json.dumps([capture_address])[:400], begin]  # as the index has it
    pattern = f"%{like.escaped(json.dumps(capture_address))}%"
    with by_the_index.all_of_these(database):
        hours = database.execute(_HOURS, (deployment.id, begin, deployment.id, *of_hour, *of_hour)).fetchall()
        several = database.execute(_OF_SEVERAL, (deployment.id, begin, pattern)).fetchall()
    return [parse(moment) for pair in _of_days([*hours, *several]) for moment in pair]


def _of_days(found: Iterable[tuple[str | None, str | None]]) -> Iterable[tuple[str, str]]:
    """The first and the last time of each day. found: the first and the last time of spans within one day; None if no mail
    came."""
    days: dict[str, tuple[str, str]] = {}
    for first, last in found:
        if first is not None and last is not None:
            earliest, latest = days.get(first[:10], (first, last))
            days[first[:10]] = min(earliest, first), max(latest, last)
    return days.values()
