"""Health on the page: it shows the same findings as `doctor`, to each admin their own, and unknown states as unknown."""

import dataclasses
import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from mailweir.explain import english
from mailweir.health import beginnings, examination
from mailweir.health import page as looking
from mailweir.health.findings import Finding, Level
from mailweir.health.page import Standing
from mailweir.settings import Gmail, Settings
from mailweir.store.database.moments import rfc3339
from mailweir.store.gmail import gmail_revocations
from mailweir.store.people import users
from mailweir.store.people.deployments import Deployment
from mailweir.store.record import health_reports
from mailweir.store.record.health_reports import HealthReport
from mailweir.store.web import accounts
from mailweir.store.web.accounts import Role
from tests.gmail_rows import connect
from tests.page import Browser, Page


@pytest.fixture
def boss(page: Page) -> Browser:
    """An admin of `demo` who isn't a user, on each database."""
    return page.browser("boss", Role.ADMIN)


def _report(page: Page, host: str, check: str, level: str, sentence: str, minutes: int = 0) -> None:
    at = page.clock() - timedelta(minutes=minutes)
    facts = {"since": "2026-11-20T08:00:00.000Z"}
    one = {"level": level, "finding": sentence, "to_do": f"see {host}", "key": f"{check}.x", "facts": facts}
    with page.database.transaction():
        health_reports.put(page.database, host, [HealthReport(host, check, level, json.dumps([one]), at)], at)


def _refused(page: Page, deployment: Deployment, username: str, why: str) -> None:
    """The user's mailbox is connected, but Google refuses it."""
    site = page.app.extensions["mailweir"]
    settings = site.settings.model_copy(update={"gmail": Gmail(oauth_client_file="/etc/client.json")})
    page.app.extensions["mailweir"] = dataclasses.replace(site, settings=settings)
    mailbox = users.find(page.database, deployment, username).mailbox
    connect(page.database, deployment, username, page.clock(), address=mailbox)
    page.database.execute("UPDATE gmail_mailboxes SET state = 'reconnect', error = ?", (why,))


def test_the_page_says_what_doctor_says(page: Page) -> None:
    page.deliver()
    page.clock.pass_by(timedelta(days=40).total_seconds())
    settings: Settings = page.app.extensions["mailweir"].settings
    boss = page.browser("boss", Role.ADMIN)
    body = boss.text("/admin/health")
    found = examination.of_deployment(settings, page.database, page.demo, page.clock(), english.page_text)
    open_ones = [one for one in found if one.level is not Level.OK]
    assert len(open_ones) > 3
    assert [one.sentence for one in open_ones if _escaped(one.sentence) not in body] == []
    assert [one.to_do for one in open_ones if _escaped(one.to_do) not in body] == [], "each finding has its remedy"
    assert "How to fix it:" in body


def _escaped(text: str) -> str:
    return (
        text.replace("&", "&amp;").replace("'", "&#39;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&#34;")
    )


def test_a_removed_users_consent_is_reported_until_google_has_it(page: Page, boss: Browser) -> None:
    mailbox = users.find(page.database, page.demo, "anna").mailbox
    connect(page.database, page.demo, "anna", page.clock(), address=mailbox)
    users.remove(page.database, page.demo, "anna", page.clock())
    said = f"The consent for {mailbox} of anna couldn&#39;t be given back to Google"
    assert said not in boss.text("/admin/health")
    page.clock.pass_by(gmail_revocations.LATE.total_seconds() + 1)
    body = boss.text("/admin/health")
    assert said in body
    assert f"mailweir gmail forget-consent {mailbox}" in body
    taken = gmail_revocations.take(page.database, page.clock())
    assert taken
    gmail_revocations.end(page.database, taken, gmail_revocations.State.DONE, page.clock())
    assert said not in boss.text("/admin/health")


def test_a_finding_leads_to_the_page_that_mends_it(page: Page, boss: Browser) -> None:
    _refused(page, page.demo, "anna", "consent withdrawn")
    body = boss.text("/admin/health")
    assert "consent withdrawn" in body
    (anna_id,) = page.database.execute(
        "SELECT id FROM users WHERE username = 'anna' AND deployment_id = ?", (page.demo.id,)
    ).fetchone()
    assert f'<a href="/admin/users/{anna_id}">' in body


def test_an_admin_sees_nothing_of_another_deployment(page: Page, boss: Browser) -> None:
    _refused(page, page.other, "bob", "secret of theirs")
    body = boss.text("/admin/health")
    theirs = page.browser("chief", Role.ADMIN, page.other).text("/admin/health")
    assert ("bob" in body, "secret of theirs" in body, "other.example.org" in body) == (False, False, False)
    assert ("bob" in theirs, "secret of theirs" in theirs, "demo.example.net" in theirs) == (True, True, False)


def test_who_is_a_user_elsewhere_sees_nothing_of_how_it_stands_there(sqlite_page: Page) -> None:
    page, boss = sqlite_page, sqlite_page.browser("boss", Role.ADMIN)
    accounts.give_role(page.database, page.account("boss").id, page.other, Role.USER, None)
    _refused(page, page.other, "bob", "secret of theirs")
    assert "secret of theirs" not in boss.text("/admin/health")


def test_of_hosts_an_admin_sees_how_they_stand_and_no_name(page: Page, boss: Browser) -> None:
    _report(page, "front1.provider.example", "queue", "wrong", "3 messages wait: jane@theirs.example unknown")
    body = boss.text("/admin/health")
    assert "Mail queue" in body
    assert ("front1" in body, "theirs.example" in body) == (False, False)
    assert "1 thing is wrong." in body


def test_an_operator_sees_all_deployments_and_hosts(page: Page) -> None:
    _report(page, "front1.provider.example", "queue", "wrong", "3 messages wait")
    _refused(page, page.other, "bob", "consent withdrawn")
    body = page.browser("root", role=None).text("/admin/health")
    for said in (
        "demo</h2>",
        "other</h2>",
        "front1.provider.example</h2>",
        "3 messages wait",
        "see front1",
        "consent withdrawn",
    ):
        assert said in body
    assert "Friday, 20 November 2026, 08:00 UTC" in body


def test_a_silent_host_isnt_known_to_be_well(sqlite_page: Page) -> None:
    _report(sqlite_page, "front1", "queue", "ok", "nothing waits", minutes=60)
    body = sqlite_page.browser("boss", Role.ADMIN).text("/admin/health")
    (row,) = [one for one in body.split("<tr>") if "Mail queue" in one]
    assert "not known" in row
    assert "reported for 1 hour" in sqlite_page.browser("root", role=None).text("/admin/health")


def test_without_reports_hosts_arent_known(sqlite_page: Page) -> None:
    assert "No host has reported" in sqlite_page.browser("boss", Role.ADMIN).text("/admin/health")


@pytest.mark.parametrize(
    ("reported", "level"),
    [
        ([("ok", 0), ("ok", 1)], Level.OK),
        ([("ok", 0), ("wrong", 1)], Level.WRONG),
        ([("ok", 0), ("ok", 11)], None),
        ([("wrong", 0), ("ok", 11)], Level.WRONG),
        ([("wrong", 11)], None),
    ],
)
def test_how_an_area_stands_on_all_hosts(
    sqlite_page: Page, reported: list[tuple[str, int]], level: Level | None
) -> None:
    now = sqlite_page.clock()
    reports = [
        HealthReport(f"front{number}", "queue", state, "[]", now - timedelta(minutes=minutes))
        for number, (state, minutes) in enumerate(reported)
    ]
    oldest = min(one.at for one in reports)
    assert looking.standings([], reports, now) == [Standing("queue", level, oldest)]


@pytest.mark.parametrize(("minutes", "level"), [(1, Level.NOTE), (11, None)])
def test_what_was_looked_at_here_and_by_hosts_is_one_area(sqlite_page: Page, minutes: int, level: Level | None) -> None:
    now = sqlite_page.clock()
    here = Finding("disk", Level.OK, "room", key="disk.room")
    reports = [HealthReport("front1", "disk", "note", "[]", now - timedelta(minutes=minutes))]
    assert looking.standings([here], reports, now) == [Standing("disk", level, reports[0].at)]


def _ticking(seconds: float) -> Callable[[], float]:
    passed = iter(range(1_000))
    return lambda: next(passed) * seconds


def test_deployments_that_there_is_no_time_for_are_said_to_be_unknown(sqlite_page: Page) -> None:
    page = sqlite_page
    clock = _ticking(looking.ALL_SECONDS / 2 + 0.1)
    settings: Settings = page.app.extensions["mailweir"].settings
    found = looking.examine(settings, page.database, [page.demo, page.other], page.clock(), english.page_text, clock)
    assert (found.not_reached, found.of_deployments["other"]) == (("other",), ())
    assert found.of_deployments["demo"]


def test_what_wasnt_reached_is_on_the_page(sqlite_page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "ALL_SECONDS", -1.0)
    assert "Its state isn't known" in sqlite_page.browser("root", role=None).text("/admin/health")


def test_users_dont_open_it(sqlite_page: Page) -> None:
    assert sqlite_page.browser("richard").get("/admin/health").status_code == 404
    assert sqlite_page.browser().get("/admin/health").status_code == 303


def _since(body: str, sentence: str) -> str:
    """The page's text about the beginning of a finding."""
    (after,) = body.split(sentence)[1:]
    return str(re.findall(r'<p class="snippet">(.*?)</p>', after, re.DOTALL)[0])


def test_what_the_record_knows_says_since_when(page: Page) -> None:
    _refused(page, page.demo, "anna", "consent withdrawn")
    swept = page.clock()
    page.database.execute("UPDATE gmail_mailboxes SET swept_at = ?", (rfc3339(swept),))
    page.clock.pass_by(3 * 86_400)
    said = _since(page.browser("boss", Role.ADMIN).text("/admin/health"), "consent withdrawn")
    assert f'datetime="{swept:%Y-%m-%dT%H:%M}' in said
    assert "3 days ago" in said


def test_what_a_host_found_says_since_when_it_was_found(page: Page) -> None:
    began = page.clock()
    found: dict[str, Any] = {"level": "wrong", "finding": "a thing is off", "to_do": "", "key": "x.y", "facts": {}}
    for minute, findings in enumerate(([], [found], [found])):
        at = began + timedelta(minutes=minute)
        report = HealthReport("front1", "queue", "wrong", json.dumps(findings), at)
        with page.database.transaction():
            reports = beginnings.noted(health_reports.of_host(page.database, "front1"), [report])
            health_reports.put(page.database, "front1", reports, at)
    page.clock.pass_by(120)
    said = _since(page.browser("root", role=None).text("/admin/health"), "a thing is off")
    assert f'datetime="{began + timedelta(minutes=1):%Y-%m-%dT%H:%M}' in said


def test_what_nobody_knows_is_said_so(sqlite_page: Page) -> None:
    at = sqlite_page.clock()
    one = {"level": "wrong", "finding": "a thing is off", "to_do": "", "key": "x.y", "facts": {}}
    with sqlite_page.database.transaction():
        report = HealthReport("front1", "queue", "wrong", json.dumps([one]), at)
        health_reports.put(sqlite_page.database, "front1", [report], at)
    assert "The start isn't known." in _since(
        sqlite_page.browser("root", role=None).text("/admin/health"), "a thing is off"
    )


def test_mail_that_was_given_up_says_since_when(page: Page) -> None:
    _refused(page, page.demo, "richard", "x")
    first = page.clock()
    for number in (1, 2):
        page.database.execute(
            "INSERT INTO gmail_queue (mailbox_id, message_id, origin, rank, queued_at, next_try_at, attempts, dead_at, error)"
            " SELECT id, ?, 'history', 0, ?, ?, 8, ?, 'why' FROM gmail_mailboxes",
            (f"m{number}", *[rfc3339(page.clock())] * 3),
        )
        page.clock.pass_by(86_400)
    page.database.execute("UPDATE gmail_mailboxes SET state = 'connected', error = NULL")
    body = page.browser("boss", Role.ADMIN).text("/admin/health")
    assert f'datetime="{first:%Y-%m-%dT%H:%M}' in _since(body, "2 messages were given up")
    assert f"{first:%Y-%m-%dT%H:%M}" in page.browser("richard").text("/integrations")
