"""Long work of the page: leases, the import of contacts, and the death of its worker. On each database."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from mailweir import log
from mailweir.errors import BadInput, DatabaseUnavailable, NotFound
from mailweir.store.database.connection import Database
from mailweir.store.people import contacts, deployments
from mailweir.store.people.deployments import Deployment
from mailweir.store.web import accounts, change_log, jobs
from mailweir.store.web.accounts import Account, Role
from mailweir.store.web.jobs import Job, LeaseLost, State
from tests.held_mail import Clock
from webapp.job_kinds import contact_files
from webapp.jobs import Worker
from webapp.work import Work

FILE = b"name,address,company\r\nJane Doe,jane@client.example,Client Ltd\r\nNo Address,,\r\nPat,pat@client.example,\r\n"
ROWS = 3_000
LARGE = "".join(f"Person {number},p{number}@client.example,\r\n" for number in range(ROWS)).encode()


@dataclass
class Office:
    """A deployment with an admin, and a worker that works on request."""

    database: Database
    clock: Clock
    demo: Deployment
    boss: Account

    def add(self, kind: str, parameters: dict[str, Any], upload: bytes | None = None) -> int:
        """Adds a job."""
        return jobs.add(self.database, self.demo.id, self.boss.id, kind, parameters, self.clock(), upload)

    def find(self, job_id: int) -> Job:
        """The state of a job."""
        return jobs.find(self.database, self.demo.id, job_id)

    def work(self, **kinds: Any) -> None:
        """Does one job."""
        Worker(self.database.url, self.clock, log.silent(), **kinds).work_once(self.database)

    def preview(self, upload: bytes, **chosen: Any) -> Job:
        """Previews a file: returns its effects."""
        parameters = {"file": "clients.csv", "form": "csv", "exact": False, "company": "", "shared": False, "lines": 9}
        job_id = self.add(contact_files.PREVIEW, {**parameters, **chosen}, upload)
        self.work()
        return self.find(job_id)

    def wanted_import(self, looked_at: Job) -> int:
        """Requests the import of a previewed file."""
        parameters = {**looked_at.parameters, "rows": looked_at.report["rows"]}
        kind = contact_files.IMPORT
        return jobs.add_with_upload_of(self.database, looked_at, self.boss.id, kind, parameters, self.clock())


@pytest.fixture
def office(database: Database, now: datetime) -> Office:
    """An office on each database."""
    demo = deployments.add(database, "demo", "demo.example.net", now)
    boss = accounts.add(database, "boss", now)
    return Office(database, Clock(now), demo, accounts.give_role(database, boss.id, demo, Role.ADMIN, None))


def test_a_preview_says_what_would_change_and_changes_nothing(office: Office) -> None:
    contacts.add(office.database, office.demo, "Jane Doe", ["jane@client.example"], None, office.clock())
    found = office.preview(FILE)
    assert (found.state, found.has_upload) == (State.DONE, True)
    assert [found.report[name] for name in ("added", "completed", "unchanged", "left_out")] == [1, 1, 0, 1]
    assert found.report["new"] == [{"name": "Pat", "addresses": ["pat@client.example"], "company": ""}]
    assert found.report["changed"] == [{"name": "Jane Doe", "addresses": [], "company": "Client Ltd"}]
    assert found.report["bad"] == [[3, "the contact No Address has no mail address"]]
    assert [one.name for one in contacts.list_all(office.database, office.demo)] == ["Jane Doe"]


def test_an_import_takes_the_previews_file_once(office: Office) -> None:
    looked_at = office.preview(FILE)
    job_id = office.wanted_import(looked_at)
    with pytest.raises(BadInput, match="isn't stored any more"):
        office.wanted_import(looked_at)
    office.work()
    done = office.find(job_id)
    assert (done.state, done.done, done.total, done.has_upload) == (State.DONE, 3, 3, False)
    assert [done.report[name] for name in ("added", "companies_added", "left_out")] == [2, 1, 1]
    assert {one.name for one in contacts.list_all(office.database, office.demo)} == {"Jane Doe", "Pat"}
    (noted,) = change_log.select(office.database, office.demo.id, None, 5)
    assert (noted.what, noted.subject, noted.changed_by) == ("contacts.imported", "clients.csv", "boss")
    assert not office.find(looked_at.id).has_upload


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"PK\x03\x04" + b"\0\x01\xfe" * 5_000, "isn't text|no header names|neither UTF-8|UTF-8"),
        (b"name,address\r\nJane,jane@client.example\0\r\n", "isn't a mail address|is not a mail address|NUL"),
        (b"name,address\r\n" + b"x" * 3_000_000 + b",a@client.example\r\n", "longer than"),
        (b'name,address\r\n"Jane,jane@client.example\r\n', "quote"),
        (b"\0\0\0\0", "isn't text"),
    ],
    ids=["zip", "NUL", "one long line", "open quote", "only NULs"],
)
def test_a_hostile_file_is_refused_line_by_line(office: Office, raw: bytes, reason: str) -> None:
    found = office.preview(raw)
    assert found.state is State.DONE
    assert (found.report["added"], found.report["left_out"]) == (0, 1)
    assert re.search(reason, found.report["bad"][0][1])


def test_a_formula_comes_in_as_the_text_that_it_is(office: Office) -> None:
    looked_at = office.preview(b"name,address\r\n'=HYPERLINK(1),jane@client.example\r\n")
    office.wanted_import(looked_at)
    office.work()
    assert [one.name for one in contacts.list_all(office.database, office.demo)] == ["=HYPERLINK(1)"]


def test_a_file_with_too_many_rows_is_refused(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contact_files, "MAX_ROWS", 1_000)
    found = office.preview(LARGE)
    assert (found.state, found.has_upload) == (State.FAILED, False)
    assert "more than 1000 rows" in found.report["error"]


def test_a_second_upload_takes_the_first_ones_place(office: Office) -> None:
    first, second = office.preview(FILE), office.preview(FILE)
    assert [office.find(one.id).has_upload for one in (first, second)] == [False, True]


def test_files_and_jobs_that_are_long_over_are_forgotten(office: Office) -> None:
    looked_at = office.preview(FILE)
    jobs.prune(office.database, office.clock() + timedelta(hours=23))
    assert office.find(looked_at.id).has_upload
    jobs.prune(office.database, office.clock() + timedelta(hours=25))
    assert not office.find(looked_at.id).has_upload
    jobs.prune(office.database, office.clock() + timedelta(days=31))
    with pytest.raises(NotFound):
        office.find(looked_at.id)


def test_an_import_is_noted_once_where_its_end_was_broken_off(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = office.wanted_import(office.preview(FILE))
    with monkeypatch.context() as broken:
        broken.setattr(jobs, "finish", _cut_off)
        with pytest.raises(DatabaseUnavailable):
            office.work()
    assert len(contacts.list_all(office.database, office.demo)) == 2
    office.clock.pass_by(61)
    office.work()
    done = office.find(job_id)
    assert (done.state, done.report["added"], done.report["unchanged"]) == (State.DONE, 2, 0)
    (noted,) = change_log.select(office.database, office.demo.id, None, 5)
    assert (noted.what, noted.subject) == ("contacts.imported", "clients.csv")


def _cut_off(*_: Any, **__: Any) -> None:
    raise DatabaseUnavailable("cut off")


def test_a_deployment_has_so_many_jobs_at_a_time(office: Office) -> None:
    for number in range(jobs.MAX_OPEN):
        office.add("x", {"number": number})
    with pytest.raises(BadInput, match="aren't done yet"):
        office.add("x", {"number": -1})


def test_what_is_to_be_done_already_is_not_wanted_twice(office: Office) -> None:
    first = office.add("x", {"rule": 1})
    assert office.add("x", {"rule": 1}) == first
    assert len({first, office.add("x", {"rule": 2}), office.add("y", {"rule": 1})}) == 3
    jobs_there = jobs.recent(office.database, office.demo.id, None, 50)
    assert len(jobs_there) == 3
    office.database.execute("UPDATE web_jobs SET state = 'done'")
    assert office.add("x", {"rule": 1}) not in {one.id for one in jobs_there}


def test_another_deployment_sees_no_job_of_it(office: Office) -> None:
    other = deployments.add(office.database, "other", "other.example.org", office.clock())
    looked_at = office.preview(FILE)
    jobs.drop_upload(office.database, other.id, looked_at.id)
    assert office.find(looked_at.id).has_upload
    assert jobs.recent(office.database, other.id, None, 5) == []
    with pytest.raises(NotFound):
        jobs.find(office.database, other.id, looked_at.id)


def test_a_fault_of_ours_fails_the_job_and_keeps_what_was_done(office: Office) -> None:
    job_id = office.add("x", {})
    office.work(kinds={"x": _saves_then_raises})
    failed = office.find(job_id)
    assert (failed.state, failed.report) == (State.FAILED, {"rows": 7, "is_our_fault": True})


def _saves_then_raises(work: Work) -> dict[str, Any]:
    work.save(7, 9, {"rows": 7})
    raise ZeroDivisionError


def test_a_job_that_ends_its_workers_is_given_up(office: Office) -> None:
    job_id = office.add("x", {})
    for _ in range(jobs.MAX_ATTEMPTS):
        assert jobs.lease(office.database, "somebody who dies", ("x", contact_files.IMPORT), office.clock())
        assert jobs.lease(office.database, "another", ("x", contact_files.IMPORT), office.clock()) is None
        office.clock.pass_by(61)
    assert jobs.lease(office.database, "another", ("x", contact_files.IMPORT), office.clock()) is None
    assert office.find(job_id).state is State.FAILED


def test_a_worker_leaves_what_it_doesnt_know_to_a_newer_one(office: Office) -> None:
    job_id = office.add("of a later version", {})
    office.work()
    assert office.find(job_id).state is State.WAITS


def test_whoever_lost_the_lease_writes_nothing_more(office: Office) -> None:
    contact_import = office.wanted_import(office.preview(FILE))
    job = jobs.lease(office.database, "slow", ("x", contact_files.IMPORT), office.clock())
    assert job is not None
    office.clock.pass_by(61)
    assert jobs.lease(office.database, "quick", ("x", contact_files.IMPORT), office.clock())
    slow = Work(office.database, job, "slow", office.clock, threading.Event())
    with pytest.raises(LeaseLost):
        contact_files.import_rows(slow)
    assert contacts.list_all(office.database, office.demo) == []
    assert office.find(contact_import).state is State.RUNS


def test_a_worker_that_is_stopped_gives_its_job_back(office: Office) -> None:
    job_id = office.add("x", {})
    has_begun = threading.Event()
    worker = Worker(office.database.url, office.clock, log.silent(), {"x": _goes_on_until_stopped(has_begun)})
    worker.start()
    assert has_begun.wait(20)
    worker.stop(20)
    assert (office.find(job_id).state, office.find(job_id).attempts) == (State.WAITS, 0)


def _goes_on_until_stopped(has_begun: threading.Event) -> Callable[[Work], dict[str, Any]]:
    def work_on(work: Work) -> dict[str, Any]:
        has_begun.set()
        while True:
            work.go_on()
            time.sleep(0.01)

    return work_on


def test_no_two_workers_do_one_job(office: Office) -> None:
    for number in range(jobs.MAX_OPEN):
        office.add("x", {"number": number})
    done: list[int] = []

    def note(work: Work) -> dict[str, Any]:
        done.append(work.job.id)
        time.sleep(0.01)
        return {}

    workers = [Worker(office.database.url, office.clock, log.silent(), {"x": note}) for _ in range(4)]
    for worker in workers:
        worker.start()
    deadline = time.monotonic() + 30
    while any(one.is_open for one in jobs.recent(office.database, office.demo.id, None, 50)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    for worker in workers:
        worker.stop(10)
    assert len(done) == len(set(done)) == jobs.MAX_OPEN


# A worker in a process of its own; its database is in the environment. It is slow, so that the test can kill it amid its work.
_PROGRAM = """
import sys, time
from datetime import datetime
from pathlib import Path
from mailweir import log
from mailweir.database_url import Postgresql
from mailweir.store.database.connection import Database
from webapp import work
from webapp.jobs import Worker
url, moment = sys.argv[1:]
now = datetime.fromisoformat(moment)
database_url = Postgresql(url) if url.startswith("postgresql:") else Path(url)
save = work.Work.save
def slowly(self, done, total, report):
    save(self, done, total, report)
    print(done, flush=True)
    time.sleep(0.2)
work.Work.save = slowly
Worker(database_url, lambda: now, log.silent()).work_once(Database(database_url))
"""


def test_an_import_goes_on_where_a_kill_broke_it_off(office: Office) -> None:
    job_id = office.wanted_import(office.preview(LARGE))
    command = [sys.executable, "-c", _PROGRAM, str(office.database.url), office.clock().isoformat()]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": ":".join(sys.path)}
    ) as killed:
        assert killed.stdout is not None
        saved = [int(killed.stdout.readline()) for _ in range(3)]
        killed.send_signal(signal.SIGKILL)
    broken_off = office.find(job_id)
    assert broken_off.state is State.RUNS
    assert 0 < saved[-1] - 100 <= broken_off.done < ROWS
    assert len(contacts.list_all(office.database, office.demo)) == broken_off.done
    office.work()
    assert office.find(job_id).done == broken_off.done, "it is leased until then"
    office.clock.pass_by(61)
    office.work()
    done = office.find(job_id)
    assert (done.state, done.done, done.report["added"], done.report["left_out"]) == (State.DONE, ROWS, ROWS, 0)
    assert len(contacts.list_all(office.database, office.demo)) == ROWS
