"""The admin's first page, never-log rules with their erasing, the deployment's settings, files of contacts, and jobs."""

import io
import re
import threading

import pytest

from mailweir import log
from mailweir.contact_files import csv_file
from mailweir.contact_files.rows import Row
from mailweir.store.people import contacts, deployments, never_log_rules
from mailweir.store.web import change_log, jobs
from mailweir.store.web.accounts import Role
from tests.page import JANE, OFFER, Browser, Page
from webapp.job_kinds import never_log
from webapp.jobs import Worker
from webapp.work import Stopped, Work


@pytest.fixture
def boss(page: Page) -> Browser:
    """An admin of `demo` who isn't a user, on each database."""
    return page.browser("boss", Role.ADMIN)


@pytest.fixture
def quick_boss(sqlite_page: Page) -> Browser:
    """The same on SQLite."""
    return sqlite_page.browser("boss", Role.ADMIN)


def _work(page: Page) -> None:
    Worker(page.database.url, page.clock, log.silent()).work_once(page.database)


def _noted(page: Page) -> list[str]:
    return [one.what for one in change_log.select(page.database, page.demo.id, None, 20)]


def _sent(browser: Browser, raw: bytes, name: str = "clients.csv", **fields: str) -> str:
    """Uploads a file; returns the address of its preview."""
    answer = browser.post("/admin/contacts/import", {**fields, "file": (io.BytesIO(raw), name)})
    assert answer.status_code == 303, answer.get_data(as_text=True)
    return str(answer.headers["Location"])


# --- the first steps --------------------------------------------------------------------------------------------------


def test_the_first_steps_are_ticked_as_they_are_done(page: Page, boss: Browser) -> None:
    ticked = re.compile(r'class="state good"><strong>([^<]*)<')
    assert ticked.findall(boss.text("/admin")) == ["The deployment is there", "A user is there", "A contact is there"]
    page.account("richard")
    assert "A user can sign in" in ticked.findall(boss.text("/admin"))
    page.deliver()
    shown = boss.text("/admin")
    assert "The first mail is captured" in ticked.findall(shown)
    assert "A mailbox forwards to its capture address" in ticked.findall(shown)
    assert "Everything is done" in shown
    contacts.remove_address(page.database, page.demo, JANE, page.clock())
    assert "A contact is there" not in ticked.findall(boss.text("/admin"))


def test_an_operator_begins_with_nothing_and_makes_a_deployment(page: Page) -> None:
    page.database.execute("DELETE FROM web_roles")
    operator = page.browser("root", role=None)
    assert operator.get("/").headers["Location"] == "/admin/health"
    fields = {"name": "third", "domain": "third.example.net"}
    assert operator.post("/admin/deployment", fields).status_code == 303
    shown = operator.text("/admin")
    assert ("Admin: third" in shown, "third.example.net.  IN  MX  10  mail.example.net." in shown) == (True, True)
    third = deployments.find(page.database, "third")
    assert [one.what for one in change_log.select(page.database, third.id, None, 5)] == ["deployment.added"]
    refused = operator.post("/admin/deployment", fields)
    assert (refused.status_code, "there is a deployment third already" in refused.get_data(as_text=True)) == (400, True)


def test_an_admin_makes_no_deployment(sqlite_page: Page, quick_boss: Browser) -> None:
    fields = {"name": "third", "domain": "third.example.net"}
    assert quick_boss.post("/admin/deployment", fields).status_code == 404
    assert "Add a deployment" not in quick_boss.text("/admin")


# --- never-log rules --------------------------------------------------------------------------------------------------


def test_a_rule_is_added_and_what_it_hides_is_erased_where_its_name_is_typed(page: Page, boss: Browser) -> None:
    activity_id = page.deliver()
    answer = boss.post("/admin/rules", {"pattern": "@Client.example", "user": ""})
    looking = answer.headers["Location"]
    assert "It waits for its turn" in boss.text(looking)
    _work(page)
    assert "1 activity that it hides" in boss.text(looking)
    (rule,) = never_log_rules.list_all(page.database, page.demo)
    erasing = f"/admin/rules/{rule.id}/erase"
    assert [boss.post(erasing, {"typed": typed}).status_code for typed in ("", "yes", "client.example")] == [400] * 3
    assert jobs.recent(page.database, page.demo.id, None, 1)[0].kind == "never_log.look"
    wanted = boss.post(erasing, {"typed": "@client.example"}).headers["Location"]
    _work(page)
    shown = boss.text(wanted)
    assert ("It is done." in shown, "<dt>Erased</dt><dd>1</dd>" in shown) == (True, True), shown
    sql = "SELECT COUNT(*) FROM activities WHERE id = ?"
    assert page.database.execute(sql, (activity_id,)).fetchone()[0] == 0
    assert _noted(page) == ["never_log.erased", "never_log.added"]


def test_an_erasing_that_is_broken_off_goes_on_and_counts_all(page: Page, boss: Browser) -> None:
    for number in range(3):
        page.deliver(OFFER.replace(b"<offer@", b"<offer%d@" % number))
    boss.post("/admin/rules", {"pattern": JANE})
    _work(page)
    (rule,) = never_log_rules.list_all(page.database, page.demo)
    wanted = boss.post(f"/admin/rules/{rule.id}/erase", {"typed": JANE}).headers["Location"]
    stopping = threading.Event()
    job = jobs.lease(page.database, "one who is stopped", (never_log.ERASE,), page.clock())
    assert job is not None
    work = Work(page.database, job, "one who is stopped", page.clock, stopping)
    stopping.set()
    with pytest.raises(Stopped):
        never_log.erase(work)
    jobs.give_back(page.database, job, "one who is stopped")
    _work(page)
    shown = boss.text(wanted)
    assert "<dt>Erased</dt><dd>3</dd>" in shown, shown
    assert page.database.execute("SELECT COUNT(*) FROM activities").fetchone()[0] == 0


def test_a_users_rule_takes_only_that_users_record(page: Page, boss: Browser) -> None:
    boss.post("/admin/rules", {"pattern": JANE, "user": "anna"})
    (rule,) = never_log_rules.list_all(page.database, page.demo)
    assert (rule.pattern, rule.user) == (JANE, "anna")
    page.deliver()
    _work(page)
    assert "It hides no recorded mail" in boss.text("/admin/jobs/1")
    assert boss.post(f"/admin/rules/{rule.id}/remove").status_code == 303
    assert never_log_rules.list_all(page.database, page.demo) == []
    assert _noted(page) == ["never_log.removed", "never_log.added"]


def test_looking_again_is_noted(sqlite_page: Page, quick_boss: Browser) -> None:
    quick_boss.post("/admin/rules", {"pattern": JANE})
    (rule,) = never_log_rules.list_all(sqlite_page.database, sqlite_page.demo)
    assert quick_boss.post(f"/admin/rules/{rule.id}/look").status_code == 303
    assert _noted(sqlite_page) == ["never_log.looked", "never_log.added"]


@pytest.mark.parametrize("pattern", ["", "x", "@", "@10.1.2.3", "@demo.example.net", "a@b@c"])
def test_a_rule_that_cant_be_is_refused(sqlite_page: Page, quick_boss: Browser, pattern: str) -> None:
    assert quick_boss.post("/admin/rules", {"pattern": pattern}).status_code == 400
    assert never_log_rules.list_all(sqlite_page.database, sqlite_page.demo) == []
    assert jobs.recent(sqlite_page.database, sqlite_page.demo.id, None, 5) == []


def test_rules_and_jobs_of_another_deployment_arent_there(page: Page, boss: Browser) -> None:
    rule = never_log_rules.add(page.database, page.other, JANE, None, page.clock())
    for what in ("look", "erase", "remove"):
        assert boss.post(f"/admin/rules/{rule.id}/{what}", {"typed": JANE}).status_code == 404
    bob = page.browser("chief", Role.ADMIN, page.other)
    theirs = _sent(bob, b"Kim,kim@new.example\r\n")
    _work(page)
    assert bob.get(theirs).status_code == 200
    job_id = theirs.rpartition("/")[2]
    assert boss.get(theirs).status_code == 404
    assert boss.post(f"/admin/contacts/import/{job_id}").status_code == 404
    assert boss.post(f"/admin/contacts/import/{job_id}/leave").status_code == 404
    assert boss.get(f"/admin/jobs/{2**63}").status_code == 404
    assert "Check of a file" not in boss.text("/admin/jobs")
    assert len(never_log_rules.list_all(page.database, page.other)) == 1


# --- the deployment's settings ----------------------------------------------------------------------------------------


def test_settings_are_saved_and_each_change_is_noted(page: Page, boss: Browser) -> None:
    fields = {
        "private_words": "private, Confidential",
        "held_forwards": "on",
        "known_threads": "on",
        "gmail_dots": "on",
    }
    assert boss.post("/admin/visibility", fields).status_code == 303
    after = deployments.find(page.database, "demo")
    assert (after.private_words, after.known_threads, after.held_forwards) == ("private,Confidential", True, True)
    assert (after.gmail_dots, after.plus_addresses, after.automatic_todos) == (True, False, False)
    found = change_log.select(page.database, page.demo.id, None, 20)
    assert [(one.subject, one.detail) for one in reversed(found)] == [
        ("private_words", "- → private,Confidential"),
        ("known_threads", "off → on"),
        ("gmail_dots", "off → on"),
    ]
    assert boss.post("/admin/visibility", fields).status_code == 303
    assert len(_noted(page)) == 3, "unchanged settings aren't noted"


def test_settings_are_saved_together_or_not_at_all(page: Page, boss: Browser) -> None:
    refused = boss.post("/admin/visibility", {"private_words": "fine,\u0007", "known_threads": "on"})
    assert (refused.status_code, "is not a word" in refused.get_data(as_text=True)) == (400, True)
    after = deployments.find(page.database, "demo")
    assert (after.known_threads, after.held_forwards, _noted(page)) == (False, True, [])


# --- files of contacts ------------------------------------------------------------------------------------------------


def test_a_file_is_looked_at_then_imported(page: Page, boss: Browser) -> None:
    looking = _sent(boss, b"name,address\r\nKim,kim@new.example\r\nBad,\r\n", company="New Ltd")
    waiting = boss.get(looking)
    assert (waiting.headers["Refresh"], "<progress" in waiting.get_data(as_text=True)) == ("2", True)
    _work(page)
    shown = boss.get(looking)
    assert "Refresh" not in shown.headers
    text = shown.get_data(as_text=True)
    assert ("Import without the refused lines" in text, "the contact Bad has no mail address" in text) == (True, True)
    assert ("Kim" in text, "New Ltd" in text) == (True, True)
    job_id = looking.rpartition("/")[2]
    importing = boss.post(f"/admin/contacts/import/{job_id}").headers["Location"]
    assert boss.post(f"/admin/contacts/import/{job_id}").status_code == 400, "a second click imports nothing twice"
    _work(page)
    assert "<dt>New contacts</dt><dd>1</dd>" in boss.text(importing)
    assert {one.name for one in contacts.list_all(page.database, page.demo)} == {"Jane Doe", "Kim"}
    assert _noted(page) == ["contacts.imported"]
    assert "isn't stored any more" in boss.text(looking)


def test_a_file_that_is_left_is_forgotten(sqlite_page: Page, quick_boss: Browser) -> None:
    looking = _sent(quick_boss, b"Kim,kim@new.example\r\n")
    _work(sqlite_page)
    job_id = looking.rpartition("/")[2]
    assert quick_boss.post(f"/admin/contacts/import/{job_id}/leave").status_code == 303
    assert sqlite_page.database.execute("SELECT COUNT(*) FROM web_uploads").fetchone()[0] == 0


@pytest.mark.parametrize(
    ("raw", "name", "reason"),
    [
        (b"", "clients.csv", "the file is empty"),
        (b"PK\x03\x04rest", "clients.csv", "a spreadsheet or an archive"),
        (b"\xd0\xcf\x11\xe0rest", "clients.csv", "a spreadsheet or an archive"),
        (b"Kim,kim@new.example", "clients.xlsx", "has to end with .csv or .vcf"),
        (b"Kim,kim@new.example", "clients", "has to end with .csv or .vcf"),
        (b"Kim,kim@new.example", "", "choose a file first"),
    ],
)
def test_what_is_no_file_of_contacts_is_refused_at_once(
    sqlite_page: Page, quick_boss: Browser, raw: bytes, name: str, reason: str
) -> None:
    answer = quick_boss.post("/admin/contacts/import", {"file": (io.BytesIO(raw), name)})
    assert (answer.status_code, reason in answer.get_data(as_text=True)) == (400, True)
    assert jobs.recent(sqlite_page.database, sqlite_page.demo.id, None, 5) == []


def test_an_upload_beyond_the_limit_is_refused(sqlite_page: Page, quick_boss: Browser) -> None:
    raw = b"x" * 20_000_001
    assert quick_boss.post("/admin/contacts/import", {"file": (io.BytesIO(raw), "c.csv")}).status_code == 413


def test_hostile_cells_and_names_are_shown_as_text(sqlite_page: Page, quick_boss: Browser) -> None:
    raw = b"name,address\r\n<script>alert(1)</script>,a@new.example\r\n<img src=x onerror=alert(1)>,no address\r\n"
    looking = _sent(quick_boss, raw, "<script>.csv")
    _work(sqlite_page)
    text = quick_boss.text(looking)
    assert ("<script>alert" in text, "<img src=x" in text, "<script>.csv" in text) == (False, False, False)


def test_an_export_is_read_back_and_its_formulas_are_text(page: Page, boss: Browser) -> None:
    contacts.add(page.database, page.demo, "=HYPERLINK(1)", ["evil@new.example"], None, page.clock())
    answer = boss.post("/admin/contacts/export", {"form": "csv"})
    raw = answer.get_data()
    assert answer.headers["Content-Disposition"] == 'attachment; filename="contacts-demo.csv"'
    assert b"\r\n'=HYPERLINK(1)," in raw
    read = [row for row in csv_file.read(raw) if isinstance(row, Row)]
    assert {row.name for row in read} == {"Jane Doe", "=HYPERLINK(1)"}
    assert b"BEGIN:VCARD" in boss.post("/admin/contacts/export", {"form": "vcard"}).get_data()
    assert boss.post("/admin/contacts/export", {"form": "xlsx"}).status_code == 400
    assert _noted(page) == ["contacts.exported", "contacts.exported"]


def test_an_export_gives_its_connection_back(sqlite_page: Page, quick_boss: Browser) -> None:
    answers = [quick_boss.post("/admin/contacts/export", {"form": "csv"}).get_data() for _ in range(20)]
    assert len(set(answers)) == 1


def test_jobs_are_listed_the_newest_first(sqlite_page: Page, quick_boss: Browser) -> None:
    _sent(quick_boss, b"Kim,kim@new.example\r\n", "first.csv")
    _sent(quick_boss, b"Kim,kim@new.example\r\n", "second.csv")
    shown = quick_boss.text("/admin/jobs")
    assert 0 < shown.index("second.csv") < shown.index("first.csv")


def test_changes_of_another_deployment_arent_shown(sqlite_page: Page, quick_boss: Browser) -> None:
    page = sqlite_page
    change_log.note(page.database, page.other.id, "x", "contact.added", "Their contact", "", page.clock())
    change_log.note(page.database, page.demo.id, "x", "unknown.key", "Our contact", "", page.clock())
    shown = quick_boss.text("/admin/changes")
    assert ("Their contact" in shown, "Our contact" in shown, "unknown.key" in shown) == (False, True, True)
