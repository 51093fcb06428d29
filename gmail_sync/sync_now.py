"""Sweeps or audits one mailbox immediately on request, until nothing more can be done now.

Takes the same lease as the scheduler's sweeps, so the two never work on one mailbox at a time. Called by `mailweir gmail`.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from gmail_sync.batch_writer import Tally
from gmail_sync.budget import Project
from gmail_sync.ending import given_back
from gmail_sync.job import Job, Services
from gmail_sync.job_factory import JobFactory
from gmail_sync.sweep import Sweep
from mailweir.errors import MailweirError
from mailweir.gmail.errors import GmailError, NeedsReconnect
from mailweir.store.gmail import gmail_leases, gmail_queue
from mailweir.store.gmail.gmail_leases import Leased, Rest

OWNER = "the command line"
LEASE_WAIT_SECONDS = 60.0
LONGEST_QUOTA_WAIT = timedelta(seconds=60)
_POLL_SECONDS = 0.5
_LONG_SECONDS = 2.0  # of waiting, before it is reported


class Busy(MailweirError):
    """Another process sweeps the mailbox, and doesn't finish."""


@dataclass(frozen=True, slots=True)
class Result:
    """looked: messages examined; recorded: of those, on the record; failed: couldn't be read now."""

    looked: int
    recorded: int
    failed: int


class SyncNow:
    """Works on one mailbox. progress: called after each message with (looked at, on the record); notice: called with the reason
    of a long wait."""

    def __init__(
        self,
        services: Services,
        job_factory: JobFactory,
        mailbox_id: int,
        progress: Callable[[int, int], None] = lambda looked, recorded: None,
        notice: Callable[[str], None] = lambda text: None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        gmail = services.settings.gmail
        self._services = services
        self._job_factory = job_factory
        self._mailbox_id = mailbox_id
        self._progress = progress
        self._notice = notice
        self._sleep = sleep
        self._project = Project(gmail.project_units_per_minute, gmail.project_units_per_day, time.monotonic)
        self._totals = [0, 0, 0]

    def sweep(self) -> Result:
        """Sweeps until nothing more can be done now. Errors: Busy, GmailError, DatabaseUnavailable."""
        while True:
            leased, before, tally = self._lease(), list(self._totals), Tally()
            rest = self._ended(leased, self._sweeping(tally))
            self._totals = [before[0] + tally.looked, before[1] + tally.recorded, before[2] + tally.failed]
            if rest is None:
                raise NeedsReconnect(self._why_not(leased))
            if rest.error:
                raise GmailError(f"{leased.address}: {rest.error}")
            if not self._goes_on(rest.next_sweep_at, rest):
                return Result(*self._totals)

    def audit(self) -> tuple[int, int]:
        """Compares the last 48 hours with the record; returns the numbers of messages listed and missing; those are queued.
        Errors: as `sweep`."""
        counts: list[tuple[int, int]] = []

        def work(job: Job) -> Rest:
            rest, found = Sweep(job).audit()
            counts.append(found)
            return rest

        self._ended(self._lease(), work)
        return counts[0]

    def _count(self, tally: Tally) -> None:
        self._progress(self._totals[0] + tally.looked, self._totals[1] + tally.recorded)

    def _sweeping(self, tally: Tally) -> Callable[[Job], Rest | None]:
        return lambda job: Sweep(job, self._count, tally).run()

    def _lease(self) -> Leased:
        start, is_told = time.monotonic(), False
        while True:
            with self._services.database_pool.lent() as database:
                leased = gmail_leases.lease_one(database, OWNER, self._services.clock(), self._mailbox_id)
                is_gone = not leased and not gmail_leases.is_connected(database, self._mailbox_id)
            if leased:
                return leased
            if is_gone:
                raise GmailError("the mailbox is disconnected")
            waited = time.monotonic() - start
            if waited > _LONG_SECONDS and not is_told:
                self._notice("Another process sweeps this mailbox: waiting till it is done.")
                is_told = True
            if waited > LEASE_WAIT_SECONDS:
                raise Busy(
                    "another process has been sweeping this mailbox for a minute: 'mailweir gmail status' shows how it stands"
                )
            self._sleep(_POLL_SECONDS)

    def _ended(self, leased: Leased, work: Callable[[Job], Rest | None]) -> Rest | None:
        """Does the work, and ends the lease even if the work fails."""
        job: Job | None = None
        rest: Rest | None = None
        try:
            job = self._job_factory.job(leased, self._project)
            rest = work(job)
        except BaseException:
            rest = given_back(leased, job, self._services.clock())
            raise
        finally:
            if rest:
                with self._services.database_pool.lent() as database:
                    gmail_leases.end(database, [rest])
        return rest

    def _goes_on(self, due: datetime, rest: Rest) -> bool:
        """Is there more to do, now or when the quota allows it?"""
        wait = due - self._services.clock()
        if wait <= timedelta(0):
            return True
        waits_for_quota = rest.swept_at is None or self._has_queue()
        if not waits_for_quota or wait > LONGEST_QUOTA_WAIT:
            return False
        if wait.total_seconds() > _LONG_SECONDS:
            self._notice(f"The quota is used up: going on in {wait.total_seconds():.0f} s.")
        self._sleep(wait.total_seconds())
        return True

    def _has_queue(self) -> bool:
        with self._services.database_pool.lent() as database:
            return gmail_queue.has_due(database, self._mailbox_id, self._services.clock())

    def _why_not(self, leased: Leased) -> str:
        with self._services.database_pool.lent() as database:
            return (
                gmail_leases.error_of(database, leased.id) or "the lease was lost: another process has the mailbox now"
            )
