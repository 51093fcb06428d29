"""One pass over one leased mailbox: new messages, queued messages, and, if there is room, low-priority work.

Law 1 for Gmail: ids are queued in the transaction that moves the cursor (`history`), and an id leaves the queue in the
transaction that writes its result (`batch_writer`). Each begins with the fence: a sweep whose lease was lost writes nothing.
Called by `scheduler` and `sync_now`.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta

from gmail_sync import history, listing
from gmail_sync.batch_writer import BatchWriter, Tally
from gmail_sync.ending import Ending
from gmail_sync.failing_messages import FailingMessages
from gmail_sync.fetch import Fetch, Held, Unsent, fetch_one
from gmail_sync.job import Job
from gmail_sync.pauses import LONGEST_PAUSE
from mailweir.errors import DatabaseUnavailable
from mailweir.gmail.errors import (
    AppRefused,
    MessageGone,
    NeedsReconnect,
    Refused,
    Throttled,
    Unreachable,
)
from mailweir.recording import Entry
from mailweir.store.database.moments import rfc3339
from mailweir.store.gmail import gmail_leases, gmail_queue
from mailweir.store.gmail.gmail_leases import LeaseLost, Rest
from mailweir.store.gmail.gmail_queue import Origin, Queued
from mailweir.store.record import retraction

QUANTUM = 50  # messages of one mailbox before others get their turn
MAX_FAILURES = 5  # failed messages, likewise: each may have cost a time-out
_EXAMINED_WITHIN = timedelta(minutes=5)  # within this time the digest finishes everything that it has begun
_LEAST_LOW_WAIT_SECONDS = 1.0
_BUSY_SHARE = 0.25  # of the usual interval, after a sweep that found mail: more is likely


def _nobody(_: Tally) -> None:
    """Reports to nobody."""


class Sweep:
    """One pass. progress: called with the tally after each message, once its result is committed."""

    def __init__(self, job: Job, progress: Callable[[Tally], None] = _nobody, tally: Tally | None = None) -> None:
        self._job = job
        self.tally = tally or Tally()
        self._ending = Ending(job)
        self._failing = FailingMessages(job, self.tally, progress)
        self._writer = BatchWriter(job, self.tally, progress, self._failing.fail)
        self._heard = False  # of new mail
        self._low_waits_seconds: float | None = None

    def run(self, quantum: int = QUANTUM) -> Rest | None:
        """Sweeps; returns how the lease ends, or None if it has ended already. Errors: DatabaseUnavailable, and unexpected
        ones."""
        job = self._job
        try:
            job.app.refuse_if_held()
            if not job.leased.is_readable:
                self._probe()
            self.catch_up()
            job.app.worked(job.leased.id)
            if job.leased.list_since:
                listing.list_since(job)
            try:
                more = self._work_off(quantum)
            finally:
                job.spending.give_back()
                self._writer.flush()
            if not more:
                more = self._what_can_wait()
            return self._ending.rest(self._next(more))
        except (Throttled, Unreachable, Refused, AppRefused, NeedsReconnect) as error:
            return self._ending.by(error)
        except LeaseLost as error:
            job.services.log.warning("lease lost", reason=str(error), **job.facts())
        return None

    def audit(self) -> tuple[Rest, tuple[int, int]]:
        """Compares the last 48 hours with the record; returns how the lease ends, and the numbers of messages listed and
        missing."""
        self.catch_up()
        found = listing.audit(self._job, self.catch_up)
        return self._ending.rest(self._now()), found

    def catch_up(self) -> None:
        """Queues the ids of history."""
        began = self._now()
        self._heard = history.catch_up(self._job, began) or self._heard
        self._ending.caught_up_at = began

    def _probe(self) -> None:
        """One call, to check whether the fault is fixed by now."""
        job = self._job
        job.mailbox.profile()
        with job.writing() as database:
            gmail_leases.note_readable(database, job.leased)
        job.leased = replace(job.leased, is_readable=True, error=None, refused_since=None, refusals=0)
        job.services.log.info("readable again", **job.facts())

    def _next(self, more: bool) -> datetime:
        if more:
            return self._now()
        seconds = self._job.services.settings.gmail.sweep_seconds * (_BUSY_SHARE if self._heard else 1.0)
        if self._low_waits_seconds is not None:
            seconds = min(seconds, max(self._low_waits_seconds, _LEAST_LOW_WAIT_SECONDS))
        return self._now() + timedelta(seconds=seconds)

    def _now(self) -> datetime:
        return self._job.services.clock()

    # --- queued messages ----------------------------------------------------------------------------------------------

    def _work_off(self, quantum: int) -> bool:
        """Examines due messages, up to this many; is there more that needn't wait?"""
        job = self._job
        if not job.leased.has_queue:
            return False
        with job.reading() as database:
            due = gmail_queue.due(database, job.leased, self._now(), quantum + 1)
        looked = failed = 0
        for queued in due[:quantum]:
            if queued.origin is Origin.BACKFILL and not job.spending.allows_low_priority():
                self._low_waits_seconds = job.spending.seconds_to_room()
                return False
            job.spending.reserve(2 * job.services.settings.gmail.get_units)
            failed += not self._settled(queued)
            looked += 1
            if failed >= MAX_FAILURES:
                break
        return looked < len(due)

    def _settled(self, queued: Queued) -> bool:
        """Examines one message; False if it failed, which is recorded. Errors: those that aren't the message's fault."""
        job = self._job
        with ExitStack() as room:
            try:
                to_write = self._looked_at(queued, room)
            except (Throttled, NeedsReconnect, AppRefused, LeaseLost, DatabaseUnavailable):
                raise
            except Exception as error:  # noqa: BLE001  one message must not block the next ones
                if isinstance(error, Unreachable):
                    job.mailbox.profile()  # if this fails, too, the fault isn't the message's: Unreachable
                self._failing.fail(queued, error)
                return False
            self._failing.note_success()
            # Outside of `try`: this may write the batch, and faults of other messages in it aren't this message's fault.
            for entry in to_write:
                self._writer.add(queued, entry)
        return True

    def _looked_at(self, queued: Queued, room: ExitStack) -> list[Entry | None]:
        """The entries to write for a message: one with its decision, or None if it gets none; an empty list if nothing is left to
        write.

        room: keeps the reserved memory.
        """
        services = self._job.services

        def take_room(size_bytes: int) -> None:
            room.enter_context(services.memory.taken(size_bytes))

        look = Fetch(
            self._job.leased, services.directory, self._now(), take_room, services.traces, services.settings.digest
        )
        try:
            found = fetch_one(look, queued, self._job.mailbox)
        except MessageGone:
            return self._forget_unsent(queued)
        if isinstance(found, Unsent):
            return self._forget_unsent(queued)
        if isinstance(found, Held):
            with self._job.writing() as database:
                gmail_queue.hold(database, queued, found.until)
            return []
        return [found]

    def _forget_unsent(self, queued: Queued) -> list[Entry | None]:
        """For a message that is a draft, or gone. If history reported that it became a draft, the recorded mail wasn't sent, and
        it is taken off the record. Returns the entries still to be written."""
        if queued.origin is not Origin.DRAFT:
            return [None]
        job = self._job
        source = gmail_queue.source_id(job.leased, queued.message_id)
        with job.writing() as database:
            if not retraction.ends_examination(database, job.leased.deployment.id, source):
                gmail_queue.hold(database, queued, self._now() + _EXAMINED_WITHIN)
                return []
            activity_id = retraction.retract(database, job.leased.deployment.id, source)
            gmail_queue.done(database, [queued.id])
        facts = {"gmail_id": queued.message_id, "activity": activity_id, **job.facts()}
        job.services.log.warning("a scheduled mail was cancelled: off the record", **facts)
        return []

    # --- low-priority work --------------------------------------------------------------------------------------------

    def _what_can_wait(self) -> bool:
        """A due audit, or a search for new contacts' mail; is there more that needn't wait?"""
        job = self._job
        wants_audit = self._is_audit_due()
        if not (wants_audit or job.leased.has_new_contacts):
            return False
        if not job.spending.allows_low_priority():
            self._low_waits_seconds = job.spending.seconds_to_room()
            return False
        if wants_audit:
            return self._audit() or job.leased.has_new_contacts
        listing.backfill(job)
        return True

    def _audit(self) -> bool:
        """Is anything missing? If no list is available, the audit waits, and new mail doesn't wait with it."""
        job = self._job
        try:
            return listing.audit(job, self.catch_up)[1] > 0
        except (Unreachable, Refused) as error:
            due_at = self._now() + LONGEST_PAUSE
            job.services.log.warning("audit waits", reason=str(error), until=rfc3339(due_at), **job.facts())
            with job.writing() as database:
                gmail_leases.note_audit(database, job.leased, self._now(), due_at, None)
            job.leased = replace(job.leased, audit_due_at=due_at)
            return False

    def _is_audit_due(self) -> bool:
        hours, now = self._job.services.settings.gmail.audit_hours, self._now()
        due = self._job.leased.audit_due_at
        # A due time further ahead than any normal one was set by a wrong clock.
        return hours > 0 and (due <= now or due > now + timedelta(hours=hours + 1))
