"""Imports of contacts by the page's worker, for a scenario that kills it: one file after the other, and the final result.

Requests the imports through the store, as a form of the page does. Called by `scenarios`.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta

from mailweir.database_url import DatabaseUrl
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import rfc3339
from mailweir.store.people import companies, contacts, deployments
from mailweir.store.web import accounts, change_log, jobs
from mailweir.store.web.jobs import Job, State
from tests.integration.waiting import wait_until
from webapp.job_kinds import contact_files

NEW_ROWS = 1_500
ROWS_OF_A_COMPANY = 50
_SECONDS = 120.0
_ALL = 1_000_000
_CLIENT = "client@client.example"
# Existing contacts, with the activities of the load; and two lines that are no contacts.
_OTHER_ROWS = f"The client,{_CLIENT},\r\nNobody,,\r\nOur own,somebody@demo.example.net,\r\n"
_REPORTED = {
    "added": NEW_ROWS,
    "completed": 0,
    "unchanged": 1,
    "companies_added": NEW_ROWS // ROWS_OF_A_COMPANY,
    "left_out": 2,
}


class Imports:
    """The imports of a site with the deployment `demo`. Previews the first file at once."""

    def __init__(self, database_url: DatabaseUrl) -> None:
        self._database_url = database_url
        self._files = 0
        with self._database() as database:
            self._deployment = deployments.find(database, "demo")
            self._account_id = accounts.add(database, "boss", _now()).id
            self._last = self._look_at_another(database)

    @contextmanager
    def _database(self) -> Iterator[Database]:
        with closing(Database(self._database_url, busy_timeout_seconds=60)) as database:
            yield database

    def go_on(self) -> None:
        """When the last job is over, adds the next job: imports the previewed file, or previews another one."""
        with self._database() as database:
            last = jobs.find(database, self._deployment.id, self._last.id)
            if last.is_open:
                self._last = last
            elif last.kind == contact_files.PREVIEW:
                self._last = self._import(database, last)
            else:
                self._last = self._look_at_another(database)

    def _look_at_another(self, database: Database) -> Job:
        self._files += 1
        raw, kind = _file(self._files), contact_files.PREVIEW
        chosen = {"file": f"{self._files}.csv", "form": "csv", "exact": False, "company": "", "shared": False}
        chosen["lines"] = raw.count(b"\n")
        wanted = jobs.add(database, self._deployment.id, self._account_id, kind, chosen, _now(), raw)
        return jobs.find(database, self._deployment.id, wanted)

    def _import(self, database: Database, seen: Job) -> Job:
        chosen, kind = {**seen.parameters, "rows": seen.report["rows"]}, contact_files.IMPORT
        wanted = jobs.add_with_upload_of(database, seen, self._account_id, kind, chosen, _now())
        return jobs.find(database, self._deployment.id, wanted)

    def await_progress(self) -> None:
        """Waits until the last job is further than `go_on` found it, or is over."""
        last = self._last
        wait_until(lambda: self._is_over() or self._found().done > last.done, "the job makes progress", _SECONDS)

    def _found(self) -> Job:
        with self._database() as database:
            return jobs.find(database, self._deployment.id, self._last.id)

    def _is_over(self) -> bool:
        return not self._found().is_open

    def lapse(self) -> None:
        """As if the time of a lease had gone by since its worker died."""
        with self._database() as database, database.transaction():
            sql = "UPDATE web_jobs SET lease_until = ? WHERE state = 'runs'"
            database.execute(sql, (rfc3339(_now() - timedelta(seconds=1)),))

    def finish(self) -> None:
        """Waits until the last file is imported; AssertionError if anything differs from a run without kills."""
        wait_until(self._is_over, "the last job is over", _SECONDS)
        if self._last.kind == contact_files.PREVIEW:
            self.go_on()
            wait_until(self._is_over, "the last file is imported", _SECONDS)
        with self._database() as database:
            self._judge_jobs(database)
            self._judge_people(database)

    def _judge_jobs(self, database: Database) -> None:
        """Each job is done and has counted each row once. The log of changes has each import once."""
        done = jobs.recent(database, self._deployment.id, None, _ALL)
        wrong = [
            f"{one.kind} {one.parameters['file']}: {one.state}, {one.report}" for one in done if not _is_right(one)
        ]
        assert wrong == [], "\n".join(wrong[:5])
        changes = change_log.select(database, self._deployment.id, None, _ALL)
        noted = [one.subject for one in changes if one.what == "contacts.imported"]
        files = [f"{number}.csv" for number in range(1, self._files + 1)]
        assert sorted(noted) == sorted(files), "the log of changes"

    def _judge_people(self, database: Database) -> None:
        """Each row is a contact, once. Each company exists once."""
        people = contacts.list_all(database, self._deployment)
        found = sorted(one.addresses for one in people)
        wanted = [address for number in range(1, self._files + 1) for address in _addresses(number)]
        assert found == sorted((address,) for address in [*wanted, _CLIENT]), f"{len(found)} contacts"
        assert len(companies.list_all(database, self._deployment)) == len(wanted) // ROWS_OF_A_COMPANY


def _file(number: int) -> bytes:
    """The file with this number: people and companies that no other file has, and _OTHER_ROWS."""
    lines = [
        f"Person {number}.{row},{address},Company {number}.{row // ROWS_OF_A_COMPANY}\r\n"
        for row, address in enumerate(_addresses(number))
    ]
    return ("name,email,company\r\n" + "".join(lines) + _OTHER_ROWS).encode()


def _addresses(number: int) -> list[str]:
    return [f"p{row}@file{number}.example" for row in range(NEW_ROWS)]


def _is_right(job: Job) -> bool:
    return job.state is State.DONE and {name: job.report.get(name) for name in _REPORTED} == _REPORTED


def _now() -> datetime:
    return datetime.now(UTC)
