"""The processes of the sync: the project's quota is divided by their number, and their uses add up to the day's use.

Called by the sync and by `health.gmail`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse_or_none, rfc3339

ALIVE = timedelta(seconds=60)
# A time this far ahead was written by a clock that jumped. The clocks of two hosts don't differ by so much.
_TOO_FAR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Fleet:
    """workers: processes seen within a minute, including this one. units_today: used by all of them, on the quota's day."""

    workers: int
    units_today: int


def quota_day(now: datetime) -> str:
    """The day of Google's daily quota, which begins at midnight in California; without its summer time."""
    return (now - timedelta(hours=8)).astimezone(UTC).date().isoformat()


def beat(database: Database, name: str, now: datetime, day: str, units: int) -> Fleet:
    """Records that this process is alive, and adds the units that it used; deletes processes not seen for two days. day:
    `2026-11-24`."""
    with database.transaction(alone=False):
        execute = database.fast_execute()
        execute(
            "INSERT INTO gmail_workers (name, seen_at, day, units) VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET"
            " seen_at = excluded.seen_at, units = CASE WHEN gmail_workers.day = excluded.day"
            " THEN gmail_workers.units + excluded.units ELSE excluded.units END, day = excluded.day",
            (name, rfc3339(now), day, units),
        )
        execute("DELETE FROM gmail_workers WHERE seen_at < ?", (rfc3339(now - timedelta(days=2)),))
        row = execute(
            "SELECT SUM(CASE WHEN seen_at > ? AND seen_at <= ? THEN 1 ELSE 0 END), SUM(CASE WHEN day = ? THEN units ELSE 0 END)"
            " FROM gmail_workers",
            (rfc3339(now - ALIVE), rfc3339(now + _TOO_FAR), day),
        ).fetchone()
    return Fleet(max(1, int(row[0])), int(row[1]))


def leave(database: Database, name: str, now: datetime) -> bool:
    """Records that a process ends or was found dead; its use of today still counts. Returns whether it counted as alive: True for
    the first call alone."""
    with database.transaction(alone=False):
        cursor = database.fast_execute()(
            "UPDATE gmail_workers SET seen_at = ? WHERE name = ? AND seen_at > ?",
            (rfc3339(now - 2 * ALIVE), name, rfc3339(now - ALIVE)),
        )
        return int(cursor.rowcount) > 0


def names(database: Database, now: datetime) -> list[str]:
    """The names of the processes that were seen within a minute."""
    rows = database.execute(
        "SELECT name FROM gmail_workers WHERE seen_at > ? AND seen_at <= ? ORDER BY name",
        (rfc3339(now - ALIVE), rfc3339(now + _TOO_FAR)),
    ).fetchall()
    return [str(row[0]) for row in rows]


def last_seen(database: Database) -> datetime | None:
    """When a process was last seen, within two days; None if that isn't known."""
    (seen_at,) = database.execute("SELECT MAX(seen_at) FROM gmail_workers").fetchone()
    return parse_or_none(seen_at)


def alive(database: Database, now: datetime) -> int:
    """The number of processes that were seen within a minute."""
    row = database.execute(
        "SELECT COUNT(*) FROM gmail_workers WHERE seen_at > ? AND seen_at <= ?",
        (rfc3339(now - ALIVE), rfc3339(now + _TOO_FAR)),
    ).fetchone()
    return int(row[0])
