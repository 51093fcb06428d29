"""The interface of a job's code: its job, a connection, and ways to report progress. Called by `webapp.job_kinds`."""

import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from mailweir.errors import NotFound
from mailweir.sentence import said
from mailweir.store.database.connection import Database
from mailweir.store.people import deployments
from mailweir.store.people.deployments import Deployment
from mailweir.store.web import jobs
from mailweir.store.web.jobs import Job

_SAID_EACH = timedelta(seconds=1)

Report = Mapping[str, Any]
Kind = Callable[["Work"], Report]  # returns the final report; raises BadInput for a failure that is shown to the person


class Change(NamedTuple):
    """An entry for the log of changes; see `change_log`."""

    what: str
    subject: str
    detail: str


class Stopped(Exception):
    """Raised because the process ends. The job is given back, and another worker continues it."""


class Work:
    """One attempt at a job. database: of this thread only. is_stopping: set when the process has to end. changes: from `note`."""

    def __init__(
        self, database: Database, job: Job, owner: str, clock: Callable[[], datetime], is_stopping: threading.Event
    ) -> None:
        self.database = database
        self.job = job
        self.clock = clock
        self._owner = owner
        self._is_stopping = is_stopping
        self._said_at: datetime | None = None
        self.changes: list[Change] = []

    def deployment(self) -> Deployment:
        """The job's deployment. NotFound."""
        for one in deployments.list_all(self.database):
            if one.id == self.job.deployment_id:
                return one
        raise NotFound(said("there is no such deployment any more"))

    def step(self, done: int, total: int | None, *, always: bool = False) -> None:
        """Reports the progress, at most once a second unless `always`; not within a transaction. LeaseLost, Stopped."""
        self.go_on()
        now = self.clock()
        if always or self._said_at is None or now - self._said_at >= _SAID_EACH:
            jobs.advance(self.database, self.job, self._owner, done, total, None, now)
            self._said_at = now

    def save(self, done: int, total: int | None, report: Report) -> None:
        """Notes that a part of the work is done, so that it isn't done again. Call it in that part's transaction. LeaseLost."""
        jobs.advance(self.database, self.job, self._owner, done, total, report, self.clock())

    def note(self, what: str, subject: str, detail: str) -> None:
        """Collects a change for the log of changes, in the name of the account that wanted the job. The transaction that ends the
        job writes it, so it is there once, even if the job was started several times."""
        self.changes.append(Change(what, subject, detail))

    def go_on(self) -> None:
        """Call it between two parts of the work. Stopped if the process has to end."""
        if self._is_stopping.is_set():
            raise Stopped
