"""The two logs on the page: changes in words, and readers by number only; in pages, and only the own deployment's."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

import webapp
from mailweir.store.web import change_log, reader_log
from mailweir.store.web.accounts import Role
from mailweir.store.web.reader_log import What
from tests.page import Browser, Page
from webapp import changes

FOLDER = Path(webapp.__file__).parent
NOTED = re.compile(r"note(?:_in)?\((?:[^()]|\(\))*?\"([a-z_]+\.[a-z_]+)\"")


@pytest.fixture
def boss(page: Page) -> Browser:
    """An admin of `demo` who isn't a user, on each database."""
    return page.browser("boss", Role.ADMIN)


def test_each_change_that_a_page_notes_has_words(sqlite_page: Page) -> None:
    sources = [file.read_text() for file in FOLDER.rglob("*.py")]
    keys = {key for source in sources for key in NOTED.findall(source)} | {"relay.connected", "relay.rotated"}
    assert len(keys) > 30
    with sqlite_page.app.test_request_context():
        assert [key for key in sorted(keys) if changes.words(key) == key] == []


def test_changes_are_told_in_words(page: Page, boss: Browser) -> None:
    account = page.account("richard")
    boss.post(f"/admin/accounts/{account.id}/link")
    (row,) = [one for one in boss.text("/admin/changes").split("<tr>") if "richard" in one]
    assert "created a link that signs in as the account" in row
    assert ("boss" in row, "account.linked" in row) == (True, False)


def test_changes_come_by_page(page: Page, boss: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webapp.pages.changes.ROWS", 2)
    for number in range(1, 6):
        change_log.note(page.database, page.demo.id, "boss", "user.added", f"user{number}", "", page.clock())
    seen, path = [], "/admin/changes"
    for _ in range(3):
        body = boss.text(path)
        seen += re.findall(r"user\d", body)
        path = (re.findall(r'href="(/admin/changes\?before=\d+)"', body) or [""])[0]
    assert (seen, path) == (["user5", "user4", "user3", "user2", "user1"], "")


def test_an_operator_sees_what_belongs_to_no_deployment(sqlite_page: Page) -> None:
    page, operator = sqlite_page, sqlite_page.browser("root", role=None)
    operator.post("/admin/accounts/operators", {"name": "second"})
    assert "second" not in operator.text("/admin/changes")
    assert "second" in operator.text("/admin/changes?words=operators")
    assert "second" not in page.browser("boss", Role.ADMIN).text("/admin/changes?words=operators")


def test_who_read_what_is_told_without_a_word_of_it(page: Page, boss: Browser) -> None:
    activity_id = page.deliver()
    richard = page.browser("richard")
    richard.text(f"/activities/{activity_id}")
    richard.get(f"/activities/{activity_id}/raw")
    body = boss.text("/admin/reading")
    rows = [one for one in body.split("<tr>") if "richard" in one]
    assert [word in "".join(rows) for word in ("the text", "the raw message", f">{activity_id}<")] == [True, True, True]
    assert ("An offer" in body, "boiler" in body, "jane" in body) == (False, False, False)


def test_the_reader_log_comes_by_page(page: Page, boss: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webapp.pages.reading.ROWS", 2)
    account = page.account("richard")
    for number in range(101, 106):
        when = page.clock() + timedelta(hours=number)
        reader_log.note(page.database, page.demo.id, account.id, number, What.TEXT, when)
    seen, path = [], "/admin/reading"
    for _ in range(3):
        body = boss.text(path)
        seen += re.findall(r">(10\d)<", body)
        path = (re.findall(r'href="(/admin/reading\?before=\d+)"', body) or [""])[0]
    assert (seen, path) == (["105", "104", "103", "102", "101"], "")
    assert "There is nothing older." in boss.text("/admin/reading?before=1")


def test_an_operator_reads_numbers_that_lead_nowhere(sqlite_page: Page) -> None:
    account = sqlite_page.account("richard")
    reader_log.note(sqlite_page.database, sqlite_page.demo.id, account.id, 7, What.HTML, sqlite_page.clock())
    body = sqlite_page.browser("root", role=None).text("/admin/reading")
    assert ("<td>7</td>" in body, "/activities/7" in body) == (True, False)


@pytest.mark.parametrize("before", ["0", "x", "-1", str(2**63), str(2**64)])
@pytest.mark.parametrize("path", ["/admin/reading", "/admin/changes"])
def test_a_page_that_there_isnt_is_an_empty_or_the_first_one(sqlite_page: Page, path: str, before: str) -> None:
    assert sqlite_page.browser("boss", Role.ADMIN).get(f"{path}?before={before}").status_code == 200
