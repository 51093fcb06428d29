"""The hosts' reports of themselves, with the age of each report, as findings.

The age is shown because a report is only true of its own time: the last report of a host that has failed may still say that all
is well. Called by `doctor.command`, `health_report` and `mailweir health`.
"""

import json
import os
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby

from mailweir.health.findings import Finding, Level, wrong
from mailweir.sentence import Kept, Sentence, said, template
from mailweir.settings import Settings
from mailweir.store.database.moments import rfc3339
from mailweir.store.record.health_reports import HealthReport

TOO_OLD = timedelta(minutes=10)
_UNITS = (  # seconds, one of it, several
    (86_400, template("1 day"), template("{number} days")),
    (3_600, template("1 hour"), template("{number} hours")),
    (60, template("1 minute"), template("{number} minutes")),
    (1, template("1 second"), template("{number} seconds")),
)


def own_name(settings: Settings) -> str:
    """The name under which this host reports: its public name, or the system's if the settings have none."""
    return os.uname().nodename if settings.hostname.startswith("localhost") else settings.hostname


def of_others(reports: Sequence[HealthReport], own: str, now: datetime) -> Iterator[Finding]:
    """The other hosts' reports. reports: by host, as `health_reports.list_all` has them."""
    for host, of_host in groupby(reports, key=lambda one: one.host):
        if host != own:
            yield from _of_host(host, list(of_host), now)


def _of_host(host: str, reports: Sequence[HealthReport], now: datetime) -> Iterator[Finding]:
    last = max(one.at for one in reports)
    if now - last > TOO_OLD:
        yield wrong(
            _area(host),
            said("it hasn't reported for {age}", age=age(now - last)),
            said("see whether that host runs; if it is gone for good: mailweir health forget {host}", host=host),
            key="health.host_silent",
            host=host,
            last=last,
        )
        return
    for report in reports:
        yield from _findings(report, now)


def _findings(report: HealthReport, now: datetime) -> Iterator[Finding]:
    passed = age(now - report.at)
    for one in json.loads(report.report):
        facts = {**one["facts"], "host": report.host, "reported_at": rfc3339(report.at)}
        sentence = said("{check}: {age} ago: {finding}", check=report.check, age=passed, finding=Kept(one["finding"]))
        to_do = Kept(one["to_do"] or "")
        yield Finding(_area(report.host), Level(one["level"]), sentence, to_do, one["key"], facts)


def own_is_late(reports: Sequence[HealthReport], own: str, since: datetime | None, now: datetime) -> Iterator[Finding]:
    """A finding if this host should have reported lately, and didn't. since: when the reporting program was started; None if it
    doesn't run, or the time isn't known."""
    if since is None:
        return
    known = [one.at for one in reports if one.host == own]
    if now - max([since, *known]) <= TOO_OLD:
        return
    sentence = (
        said("this host hasn't reported its health for {age}", age=age(now - max(known)))
        if known
        else said("this host never reported its health")
    )
    yield wrong(
        "health",
        sentence,
        said("run 'mailweir health report' as root, and see what it says"),
        key="health.not_reporting",
        since=max(known, default=since),
    )


def age(passed: timedelta) -> Sentence:
    """A duration in words, in one unit: `3 minutes`. A negative one, because of another host's clock, counts as 0 seconds."""
    seconds = max(0, int(passed.total_seconds()))
    for size, one, several in _UNITS:
        if seconds >= size:
            return Sentence(several, {"number": seconds // size}) if seconds >= 2 * size else Sentence(one, {})
    return said("{number} seconds", number=0)


def _area(host: str) -> str:
    return f"host {host}"
