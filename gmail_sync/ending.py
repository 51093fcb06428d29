"""How a sweep's lease ends: when the mailbox's next sweep is due, and the mailbox's state.

Law 11: an error that stops a mailbox has to last. Google's refusal of the app stops no mailbox for good. Called by `sweep`,
`scheduler` and `sync_now`.
"""

import random
from datetime import datetime, timedelta

from gmail_sync.app_state import AppHeld
from gmail_sync.budget import OverBudget
from gmail_sync.job import Job
from gmail_sync.pauses import LONGEST_ASKED, pause_after
from mailweir.gmail.errors import AppRefused, GmailError, NeedsReconnect, Throttled
from mailweir.store.database.moments import rfc3339
from mailweir.store.gmail import gmail_leases
from mailweir.store.gmail.gmail_leases import Leased, Rest

MIN_REFUSALS = 5  # before they count as lasting: a host that was off in between has seen few
_PROBE, _CERTAIN_PROBE = timedelta(hours=1), timedelta(days=1)  # of a mailbox in `reconnect`, a quarter more or less
_AFTER_HOLD_SECONDS = 5.0  # waiting mailboxes resume within this time after the app's hold
_TOLD_WAIT_SECONDS = 45.0  # for quota; a shorter wait isn't reported


class Ending:
    """The end of one sweep. caught_up_at: when history was read to its end, if it was."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self.caught_up_at: datetime | None = None

    def rest(self, next_sweep_at: datetime, *, failures: int = 0, error: str | None = None) -> Rest:
        """How the lease ends."""
        leased = self._job.leased
        return Rest(
            mailbox_id=leased.id,
            epoch=leased.epoch,
            next_sweep_at=next_sweep_at,
            swept_at=self.caught_up_at,
            failures=failures,
            error=error,
            units=int(self._job.spending.bucket.left),
            units_at=self._now(),
        )

    def by(self, error: GmailError) -> Rest | None:
        """How the lease ends after an error. None: it has ended, because the mailbox is in `reconnect` now."""
        if isinstance(error, OverBudget):
            return self._over_budget(error)
        if isinstance(error, AppRefused):
            return self._app_refused(error)
        if isinstance(error, NeedsReconnect):
            return self._refused(error)
        if isinstance(error, Throttled) and error.whole_project:
            self._job.spending.hold(error)
        return self._failed(error)

    def _refused(self, error: NeedsReconnect) -> Rest | None:
        """A refusal that stops a mailbox has to last, because a single answer may be a temporary fault of Google's. None: the
        mailbox is in `reconnect`."""
        job, leased, now = self._job, self._job.leased, self._now()
        if leased.is_readable and not error.is_certain:
            since, refusals = leased.refused_since or now, leased.refusals + 1
            lasting = timedelta(hours=job.services.settings.gmail.refused_hours)
            # A time in the future was recorded by a wrong clock, so only the distance counts.
            lasts = abs(now - since) >= lasting and refusals >= MIN_REFUSALS
            # Nobody has consented to a service account, so nobody can consent again.
            if not lasts or leased.token_sealed is None:
                return self._failed(error)._replace(refused_since=since, refusals=refusals)
        pause = _CERTAIN_PROBE if error.is_certain else _PROBE
        probe_at = now + pause * random.uniform(0.75, 1.25)
        with job.reading() as database:
            gmail_leases.need_reconnect(database, leased, str(error), probe_at)
        say = job.services.log.error if leased.is_readable else job.services.log.info
        say("reconnect needed", reason=str(error), probe_at=rfc3339(probe_at), **job.facts())
        return None

    def _app_refused(self, error: AppRefused) -> Rest | None:
        """The app is refused, not this mailbox; reported once for all of them."""
        app, leased = self._job.app, self._job.leased
        if not error.is_certain and app.is_taken_for_others(leased.id):
            return self._refused(NeedsReconnect(str(error)))
        until, failures = error.until if isinstance(error, AppHeld) else app.refused(error), max(1, leased.failures)
        if not error.is_certain:
            until, failures = max(until, self._now() + pause_after(leased.failures)), leased.failures + 1
        due = until + timedelta(seconds=random.uniform(0, _AFTER_HOLD_SECONDS))
        if not leased.is_readable:
            return self._still_unread(due)
        return self._with_refusals(self.rest(due, failures=failures, error=str(error)))

    def _with_refusals(self, rest: Rest) -> Rest:
        """Keeps Gmail's earlier refusals of the mailbox: an outage, or the app's fault, doesn't change them."""
        return rest._replace(refused_since=self._job.leased.refused_since, refusals=self._job.leased.refusals)

    def _still_unread(self, due: datetime) -> Rest:
        """For a mailbox in `reconnect` that couldn't be probed: its error stays."""
        return self._with_refusals(self.rest(due, error=self._job.leased.error))

    def _over_budget(self, error: OverBudget) -> Rest:
        wait = error.retry_after_seconds or 1.0
        due = self._now() + timedelta(seconds=wait)
        if not self._job.leased.is_readable:
            return self._still_unread(due)
        if wait < _TOLD_WAIT_SECONDS:
            return self._with_refusals(self.rest(due))
        return self._with_refusals(self.rest(due, failures=max(1, self._job.leased.failures), error=str(error)))

    def _failed(self, error: GmailError) -> Rest:
        failures = self._job.leased.failures + 1
        wait = max(pause_after(failures - 1), timedelta(seconds=error.retry_after_seconds or 0))
        next_sweep_at = self._now() + min(wait, LONGEST_ASKED)
        if not self._job.leased.is_readable:
            return self._still_unread(self._now() + _PROBE)
        self._job.services.log.warning(
            "mailbox waits", reason=str(error), failures=failures, until=rfc3339(next_sweep_at), **self._job.facts()
        )
        return self._with_refusals(self.rest(next_sweep_at, failures=failures, error=str(error)))

    def _now(self) -> datetime:
        return self._job.services.clock()


def given_back(leased: Leased, job: Job | None, now: datetime, pause: timedelta = timedelta(0)) -> Rest:
    """A lease that ends without a completed sweep; the mailbox's state stays.

    job: None if nothing was spent. pause: before the next sweep.
    """
    units, units_at = (int(job.spending.bucket.left), now) if job else (leased.units, leased.units_at)
    return Rest(
        mailbox_id=leased.id,
        epoch=leased.epoch,
        next_sweep_at=now + pause,
        swept_at=None,
        failures=leased.failures,
        error=leased.error,
        units=units,
        units_at=units_at,
        refused_since=leased.refused_since,
        refusals=leased.refusals,
    )
