"""What hosts reported of themselves, with the age of each report, as findings.

The age is told because a report says how it was then: a host that is gone goes on having been well. Called by `doctor.command`,
`health_report` and `mailweir health`.
"""

import json
import os
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby

from mailweir.health.findings import Finding, Level, wrong
from mailweir.settings import Settings
from mailweir.store.database.moments import rfc3339
from mailweir.store.record.health_reports import HealthReport

TOO_OLD = timedelta(minutes=10)
_TO_DO = "see whether that host runs; one that is gone for good: mailweir health forget"


def own_name(settings: Settings) -> str:
    """By which this host's reports are known: its public name, or the system's where the settings have none."""
    return os.uname().nodename if settings.hostname.startswith("localhost") else settings.hostname


def of_others(reports: Sequence[HealthReport], own: str, now: datetime) -> Iterator[Finding]:
    """What the other hosts reported. reports: by host, as `health_reports.list_all` has them."""
    for host, of_host in groupby(reports, key=lambda one: one.host):
        if host != own:
            yield from _of_host(host, list(of_host), now)


def _of_host(host: str, reports: Sequence[HealthReport], now: datetime) -> Iterator[Finding]:
    last = max(one.at for one in reports)
    if now - last > TOO_OLD:
        yield wrong(
            _area(host),
            f"it hasn't reported for {age(now - last)}",
            f"{_TO_DO} {host}",
            key="health.host_silent",
            host=host,
            last=last,
        )
        return
    for report in reports:
        yield from _findings(report, now)


def _findings(report: HealthReport, now: datetime) -> Iterator[Finding]:
    begin = f"{report.check}: {age(now - report.at)} ago: "
    for one in json.loads(report.report):
        facts = {**one["facts"], "host": report.host, "reported_at": rfc3339(report.at)}
        yield Finding(
            _area(report.host), Level(one["level"]), begin + one["finding"], one["to_do"] or "", one["key"], facts
        )


def own_is_late(reports: Sequence[HealthReport], own: str, since: datetime | None, now: datetime) -> Iterator[Finding]:
    """Whether this host should have reported of late and didn't. since: when what reports was started; None: it doesn't run, or
    that isn't known."""
    if since is None:
        return
    known = [one.at for one in reports if one.host == own]
    if now - max([since, *known]) <= TOO_OLD:
        return
    said = f"hasn't reported its health for {age(now - max(known))}" if known else "never reported its health"
    yield wrong(
        "health",
        f"this host {said}",
        "run 'mailweir health report' as root, and see what it says",
        key="health.not_reporting",
    )


def age(passed: timedelta) -> str:
    """In words, of one unit: `3 minutes`. What another host's clock puts into the future is no time at all."""
    seconds = max(0, int(passed.total_seconds()))
    for size, name in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            return f"{seconds // size} {name}{'s' if seconds >= 2 * size else ''}"
    return f"{seconds} second{'' if seconds == 1 else 's'}"


def _area(host: str) -> str:
    return f"host {host}"
