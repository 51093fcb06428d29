"""What a kind of long work is handed: its job, a connection, and ways to say how far it is. Called by `webapp.job_kinds`."""

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
Kind = Callable[["Work"], Report]  # the report as it is in the end; BadInput is a failure that its person is told


class Change(NamedTuple):
    """For the log of changes; see there."""

    what: str
    subject: str
    detail: str


class Stopped(Exception):
    """The process ends: the job is given back, and another worker goes on."""


class Work:
    """One taking of a job. database: of this thread alone. is_stopping: is set where the process ends. changes: by `note`."""

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
        """Whose job it is. NotFound."""
        for one in deployments.list_all(self.database):
            if one.id == self.job.deployment_id:
                return one
        raise NotFound(said("there is no such deployment any more"))

    def step(self, done: int, total: int | None, *, always: bool = False) -> None:
        """Says how far it is, once in a second unless `always`; not within a transaction. LeaseLost, Stopped."""
        self.go_on()
        now = self.clock()
        if always or self._said_at is None or now - self._said_at >= _SAID_EACH:
            jobs.advance(self.database, self.job, self._owner, done, total, None, now)
            self._said_at = now

    def save(self, done: int, total: int | None, report: Report) -> None:
        """Within the transaction that does a part of the work: notes that it is done, so that nobody does it again. LeaseLost."""
        jobs.advance(self.database, self.job, self._owner, done, total, report, self.clock())

    def note(self, what: str, subject: str, detail: str) -> None:
        """Has a change noted by whoever wanted the job, in the transaction that ends it: once, however often it is taken up."""
        self.changes.append(Change(what, subject, detail))

    def go_on(self) -> None:
        """Between two parts: Stopped where the process ends."""
        if self._is_stopping.is_set():
            raise Stopped
