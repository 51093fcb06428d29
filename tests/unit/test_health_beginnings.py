"""Since when a host's findings are true: as far as its earlier reports show it, and from nothing else."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from mailweir.health import beginnings
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import rfc3339
from mailweir.store.record import health_reports
from mailweir.store.record.health_reports import HealthReport

MINUTE = timedelta(minutes=1)


def _found(key: str, level: str = "wrong", **facts: Any) -> dict[str, Any]:
    return {"level": level, "finding": f"{key} {facts}", "to_do": None, "key": key, "facts": facts}


def _reported(at: datetime, *found: dict[str, Any], check: str = "disk") -> HealthReport:
    return HealthReport("front1", check, "wrong", json.dumps(found), at)


def _since(report: HealthReport) -> list[str | None]:
    return [one["facts"].get("since") for one in json.loads(report.report)]


def _noted(before: HealthReport, after: HealthReport) -> list[str | None]:
    (found,) = beginnings.noted([before], [after])
    return _since(found)


def test_what_is_found_minute_by_minute_began_with_the_first(now: datetime) -> None:
    report = _reported(now, _found("disk.room", "ok", folder="/srv"))
    moments = [now + minutes * MINUTE for minutes in range(1, 5)]
    for free, at in zip((9, 8, 7, 6), moments, strict=True):
        (report,) = beginnings.noted([report], [_reported(at, _found("disk.full", folder="/srv", bytes=free))])
        assert _since(report) == [rfc3339(moments[0])]
    (report,) = beginnings.noted([report], [_reported(moments[-1] + MINUTE, _found("disk.room", "ok"))])
    assert _since(report) == [None]
    again = moments[-1] + 2 * MINUTE
    assert _noted(report, _reported(again, _found("disk.full", folder="/srv", bytes=5))) == [rfc3339(again)]


def test_one_that_says_since_when_itself_is_believed(now: datetime) -> None:
    assert _noted(_reported(now), _reported(now + MINUTE, _found("queue.old", since="then"))) == ["then"]


def test_the_first_report_of_a_check_knows_nothing(now: datetime) -> None:
    other = _reported(now, check="queue")
    (found,) = beginnings.noted([other], [_reported(now + MINUTE, _found("disk.full"))])
    assert _since(found) == [None]


@pytest.mark.parametrize(
    ("minutes", "before", "is_known"),
    [
        (10, [], True),
        (11, [], False),
        (1, [_found("disk.full", level="ok")], True),
        (1, [_found("disk.other")], True),
        (1, [_found("check.took_too_long")], False),
        (1, [_found("check.failed")], False),
        (1, [_found("disk.full")], False),
    ],
)
def test_what_began_in_a_gap_or_before_is_not_known(
    now: datetime, minutes: int, before: list[dict[str, Any]], is_known: bool
) -> None:
    at = now + minutes * MINUTE
    assert _noted(_reported(now, *before), _reported(at, _found("disk.full"))) == [
        {True: rfc3339(at), False: None}[is_known]
    ]


def test_a_gap_ends_nothing_that_was_there_before_it_and_is_after(now: datetime) -> None:
    before = _reported(now, _found("disk.full", since="then"))
    assert _noted(before, _reported(now + timedelta(days=2), _found("disk.full"))) == ["then"]


def test_alike_findings_are_told_apart_by_what_they_are_about(now: datetime) -> None:
    before = _reported(
        now, _found("unit.down", unit="a", since="first"), _found("unit.down", unit="b", restarts=1, since="second")
    )
    after = [_found("unit.down", unit="b", restarts=7), _found("unit.down", unit="a"), _found("unit.down", unit="c")]
    assert _noted(before, _reported(now + MINUTE, *after)) == ["second", "first", None]


def test_the_one_of_its_kind_may_be_about_another_thing(now: datetime) -> None:
    """Postfix's reason for not answering may change each minute."""
    before = _reported(now, _found("postfix.silent", why="refused", since="then"))
    assert _noted(before, _reported(now + MINUTE, _found("postfix.silent", level="note", why="timed out"))) == ["then"]


def test_reports_of_one_host_are_found(database: Database, now: datetime) -> None:
    report = _reported(now, _found("disk.full"))
    with database.transaction():
        health_reports.put(database, "front1", [report], now)
        health_reports.put(database, "front2", [HealthReport("front2", "disk", "ok", "[]", now)], now)
    assert health_reports.of_host(database, "front1") == [report]
    assert health_reports.of_host(database, "front3") == []
