"""The time since which each finding of a host is true. A new report takes it from the previous report, which it replaces.

A finding is the same as long as its key and its subject stay the same, even if its numbers change. Called by `health_report`.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from mailweir.health.findings import Level
from mailweir.health.hosts import TOO_OLD
from mailweir.store.database.moments import rfc3339
from mailweir.store.record.health_reports import HealthReport

SINCE = "since"  # among the facts of a finding


def noted(before: Iterable[HealthReport], reports: Sequence[HealthReport]) -> list[HealthReport]:
    """The reports of one host, with the fact `since` in each finding whose beginning is known. before: the host's earlier
    reports.

    The beginning is unknown in the first report of a check, and in the first report after a gap. It is also unknown for a finding
    that can't be distinguished from a similar one.
    """
    known = {one.check: one for one in before}
    return [_noted(known.get(report.check), report) for report in reports]


def _noted(before: HealthReport | None, report: HealthReport) -> HealthReport:
    if before is None:
        return report
    earlier, found = json.loads(before.report), json.loads(report.report)
    for finding in found:
        if finding["level"] == Level.OK or SINCE in finding["facts"]:
            continue
        since = _began(finding, earlier, found, before.at, report.at)
        if since is not None:
            finding["facts"][SINCE] = since
    return replace(report, report=json.dumps(found))


def _began(
    finding: dict[str, Any],
    earlier: Sequence[dict[str, Any]],
    found: Sequence[dict[str, Any]],
    last: datetime,
    now: datetime,
) -> str | None:
    alike = [one for one in earlier if one["key"] == finding["key"] and one["level"] != Level.OK]
    if not alike:
        was_looked_at = not any(one["key"].startswith("check.") for one in earlier)  # the check itself failed
        return rfc3339(now) if was_looked_at and now - last <= TOO_OLD else None
    is_alone = len(alike) == 1 and sum(one["key"] == finding["key"] for one in found) == 1
    same = alike if is_alone else [one for one in alike if _about(one) == _about(finding)]
    since = same[0]["facts"].get(SINCE) if len(same) == 1 else None
    return since if isinstance(since, str) else None


def _about(finding: dict[str, Any]) -> dict[str, str]:
    """The facts that identify a finding's subject: texts, but no numbers, and not `since`."""
    return {name: value for name, value in finding["facts"].items() if isinstance(value, str) and name != SINCE}
