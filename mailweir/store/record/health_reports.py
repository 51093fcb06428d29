"""The reports of each host's privileged chore, for `doctor` and the page: one row for each host and check, with the newest report
only.

Called by `health_report`, `hosts` and `mailweir health`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse, rfc3339

KEPT = timedelta(days=3)  # for a host that no longer reports


@dataclass(frozen=True, slots=True)
class HealthReport:
    """One check of one host. state: the worst of its findings (`health.findings.Level`). report: JSON, a list of findings.
    at: UTC."""

    host: str
    check: str
    state: str
    report: str
    at: datetime


def put(database: Database, host: str, reports: Iterable[HealthReport], now: datetime) -> None:
    """Replaces a host's earlier reports, and deletes those of hosts that didn't report for days. Within the caller's
    transaction."""
    execute = database.fast_execute()
    for one in reports:
        execute(
            "INSERT INTO health_reports (host, check_name, state, report, at) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (host, check_name) DO UPDATE SET state = excluded.state, report = excluded.report, at = excluded.at",
            (one.host, one.check, one.state, one.report, rfc3339(one.at)),
        )
    # This also deletes reports of checks that the host no longer makes.
    execute("DELETE FROM health_reports WHERE host = ? AND at < ?", (host, rfc3339(now)))
    execute("DELETE FROM health_reports WHERE at < ?", (rfc3339(now - KEPT),))


def list_all(database: Database) -> list[HealthReport]:
    """All reports, by host and check."""
    return _select(database, "ORDER BY host, check_name", ())


def of_host(database: Database, host: str) -> list[HealthReport]:
    """The reports of one host, by check."""
    return _select(database, "WHERE host = ? ORDER BY check_name", (host,))


def _select(database: Database, ending: str, values: tuple[str, ...]) -> list[HealthReport]:
    sql = f"SELECT host, check_name, state, report, at FROM health_reports {ending}"
    rows = database.execute(sql, values).fetchall()
    return [HealthReport(host, check, state, report, parse(at)) for host, check, state, report, at in rows]


def forget(database: Database, host: str) -> int:
    """Deletes the reports and log positions of a removed host; returns its number of reports."""
    with database.transaction():
        database.execute("DELETE FROM log_positions WHERE host = ?", (host,))
        return int(database.execute("DELETE FROM health_reports WHERE host = ?", (host,)).rowcount)
