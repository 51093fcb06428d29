"""Hosts' reports with their age, and their rows."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from mailweir.health import hosts
from mailweir.health.findings import Finding, Level, note, ok, worst, wrong
from mailweir.health.refusal_quota import A_DAY, A_MINUTE, RefusalQuota
from mailweir.settings import Settings
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import rfc3339, rfc3339_or_none
from mailweir.store.record import health_reports, log_positions
from mailweir.store.record.health_reports import HealthReport
from mailweir.store.record.log_positions import LogPosition


def _report(
    host: str, check: str, at: datetime, level: str = "ok", finding: str = "well", to_do: str = ""
) -> HealthReport:
    one = {"level": level, "finding": finding, "to_do": to_do or None, "key": f"{check}.x", "facts": {"n": 3}}
    report = json.dumps([one])
    return HealthReport(host, check, level, report, at)


def test_another_hosts_report_is_told_with_its_age(now: datetime) -> None:
    reports = [
        _report("front1", "queue", now),
        _report("front2", "disk", now - timedelta(seconds=20)),
        _report("front2", "queue", now - timedelta(minutes=3, seconds=59), "wrong", "mail waits", "look"),
    ]
    found = list(hosts.of_others(reports, "front1", now))
    facts: list[dict[str, str | int]] = [
        {"n": 3, "host": "front2", "reported_at": rfc3339(one.at)} for one in reports[1:]
    ]
    assert found == [
        Finding("host front2", Level.OK, "disk: 20 seconds ago: well", "", "disk.x", facts[0]),
        Finding("host front2", Level.WRONG, "queue: 3 minutes ago: mail waits", "look", "queue.x", facts[1]),
    ]


@pytest.mark.parametrize(
    ("minutes", "level", "is_told"), [(10, Level.OK, False), (10.1, Level.WRONG, True), (-30, Level.OK, False)]
)
def test_a_host_that_was_not_heard_of_is_wrong_whatever_it_said_last(
    now: datetime, minutes: float, level: Level, is_told: bool
) -> None:
    found = list(hosts.of_others([_report("front2", "disk", now - timedelta(minutes=minutes))], "front1", now))
    assert [one.level for one in found] == [level]
    assert ("hasn't reported for 10 minutes" in found[0].sentence) is is_told


def test_one_host_tells_nothing_of_itself_unless_it_should_have_reported(now: datetime) -> None:
    long_ago, just_now = now - timedelta(hours=2), now - timedelta(minutes=1)
    fresh, old = [_report("front1", "disk", just_now)], [_report("front1", "disk", now - timedelta(hours=1))]
    assert list(hosts.of_others(old, "front1", now)) == []
    for reports, since, said in (
        (fresh, long_ago, []),
        (old, just_now, []),  # restarted after a pause
        (old, None, []),  # no daemon runs there that should report
        ([], just_now, []),
        (old, long_ago, ["this host hasn't reported its health for 1 hour"]),
        ([], long_ago, ["this host never reported its health"]),
    ):
        found = list(hosts.own_is_late(reports, "front1", since, now))
        assert [one.sentence for one in found] == said
        began = rfc3339_or_none(max([one.at for one in reports], default=since))
        assert [one.facts["since"] for one in found] == [began] * len(said)
        assert all(one.level is Level.WRONG and one.to_do for one in found)


@pytest.mark.parametrize(
    ("passed", "words"),
    [
        (timedelta(0), "0 seconds"),
        (timedelta(seconds=1), "1 second"),
        (timedelta(seconds=-5), "0 seconds"),
        (timedelta(seconds=119), "1 minute"),
        (timedelta(hours=3), "3 hours"),
        (timedelta(days=2), "2 days"),
    ],
)
def test_an_age_in_words(passed: timedelta, words: str) -> None:
    assert hosts.age(passed) == words


def test_a_host_without_a_public_name_goes_by_the_systems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(data_dir=tmp_path)
    assert "localhost" in settings.hostname
    assert hosts.own_name(settings) != settings.hostname
    assert hosts.own_name(settings.model_copy(update={"hostname": "mx.host.example"})) == "mx.host.example"


def test_the_worst_of_findings() -> None:
    assert worst([]) is Level.OK
    assert worst([note("a", "x", key="a.x"), ok("a", "x", key="a.x")]) is Level.NOTE
    assert worst([note("a", "x", key="a.x"), wrong("a", "x", "y", key="a.x"), ok("a", "x", key="a.x")]) is Level.WRONG


def _put(database: Database, host: str, checks: dict[str, str], at: datetime) -> None:
    with database.transaction():
        health_reports.put(database, host, [_report(host, name, at, level) for name, level in checks.items()], at)


def test_the_newest_report_of_a_check_takes_the_place_of_the_one_before(database: Database, now: datetime) -> None:
    _put(database, "front1", {"queue": "wrong", "sockets": "ok"}, now)
    _put(database, "front2", {"queue": "ok"}, now)
    later = now + timedelta(minutes=1)
    _put(database, "front1", {"queue": "ok", "disk": "note"}, later)  # its sockets aren't checked any more
    assert health_reports.list_all(database) == [
        _report("front1", "disk", later, "note"),
        _report("front1", "queue", later),
        _report("front2", "queue", now),
    ]


def test_a_host_that_is_gone_is_forgotten_after_days_or_when_told(database: Database, now: datetime) -> None:
    _put(database, "gone", {"queue": "ok"}, now - timedelta(days=2))
    _put(database, "front1", {"queue": "ok"}, now)
    assert [one.host for one in health_reports.list_all(database)] == ["front1", "gone"]
    _put(database, "front1", {"queue": "ok"}, now + timedelta(days=2))
    assert [one.host for one in health_reports.list_all(database)] == ["front1"]
    with database.transaction():
        log_positions.put(database, "front1", "/log", LogPosition(1, 2, b"x"), "{}", now)
    assert (health_reports.forget(database, "front1"), health_reports.forget(database, "front1")) == (1, 0)
    assert log_positions.find(database, "front1", "/log") is None


def test_a_position_is_kept_for_each_host_and_log(database: Database, now: datetime) -> None:
    assert log_positions.find(database, "front1", "/log") is None
    for position, counts in ((LogPosition(7, 100, b"\0\xff"), "{}"), (LogPosition(2**64 - 1, 2**40, b""), '{"a": 1}')):
        with database.transaction():
            log_positions.put(database, "front1", "/log", position, counts, now)
        found = log_positions.find(database, "front1", "/log")
        assert found is not None
        assert (found[0].offset, found[0].head, found[1]) == (position.offset, position.head, counts)
    assert log_positions.find(database, "front2", "/log") is None
    assert log_positions.find(database, "front1", "/other") is None


def test_a_quota_holds_for_each_deployment_over_readings(now: datetime) -> None:
    quota = RefusalQuota("", now)
    assert [quota.take(1) for _ in range(A_MINUTE + 5)] == [True] * A_MINUTE + [False] * 5
    assert quota.take(2)
    assert quota.left_out == {1: 5}
    again = RefusalQuota(quota.text, now)
    assert not again.take(1)
    assert [again.take(2) for _ in range(A_MINUTE)] == [True] * (A_MINUTE - 1) + [False]
    next_minute = RefusalQuota(again.text, now + timedelta(minutes=1))
    assert next_minute.take(1)


def test_a_day_of_a_flood_is_bounded_too(now: datetime) -> None:
    text, taken, at = "", 0, now.replace(hour=0, minute=0)
    for minute in range(2 * A_DAY // A_MINUTE):
        quota = RefusalQuota(text, at + timedelta(minutes=minute))
        taken += sum(quota.take(1) for _ in range(2 * A_MINUTE))
        text = quota.text
        assert len(text) < 200
    assert taken == A_DAY
    assert RefusalQuota(text, at + timedelta(days=1)).take(1)
