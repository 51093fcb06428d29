"""One pass over one leased mailbox: what came, what is still to be looked at, and, where there is room, what can wait.

Law 1 for Gmail: ids are queued in the transaction that moves the cursor, and an id leaves the queue in the transaction that
writes what became of it; each begins with the fence, so that a sweep whose lease was lost writes nothing. Called by `scheduler`
and by `mailweir gmail sync`.
"""

import random
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gmail_sync import searching
from gmail_sync.app_state import AppHeld
from gmail_sync.budget import OverBudget
from gmail_sync.job import Job
from gmail_sync.looking import Held, Look, Unsent, look_at
from gmail_sync.pages import Pages
from mailweir import recording
from mailweir.errors import DatabaseUnavailable
from mailweir.gmail.errors import (
    AppRefused,
    GmailError,
    HistoryExpired,
    MessageGone,
    NeedsReconnect,
    Refused,
    Throttled,
    Unreachable,
)
from mailweir.gmail.parse import HistoryPage
from mailweir.recording import Entry
from mailweir.store import gmail_leases, gmail_queue, retraction
from mailweir.store.gmail_leases import LeaseLost, Rest
from mailweir.store.gmail_queue import Origin, Queued
from mailweir.store.moments import rfc3339

QUANTUM = 50  # messages of one mailbox before others have their turn
MAX_FAILURES = 5  # likewise: each may have taken a time-out
MAX_HELD, MAX_HELD_BYTES, MAX_HELD_SECONDS = 25, 1_000_000, 5.0  # looked at and not yet settled
# What lies at the edge of what is known was perhaps only half seen; a message's date is that of its arrival, and clocks differ.
LISTING_MARGIN = timedelta(days=1)
# What was spam or trash as it came may be rescued for so long, and with the history that is forgotten too.
LONGEST_IN_SPAM = timedelta(days=30)
LONG_HISTORY_SHARE = 0.4  # of a mailbox's quota: one comes back to a half
LONGEST_GAP = timedelta(days=31)  # that a list reaches back where nobody can say when the last sweep was
MIN_REFUSALS = 5  # before they count as lasting: a host that was off in between has seen few
_PROBE, _CERTAIN_PROBE = timedelta(hours=1), timedelta(days=1)  # of a mailbox in `reconnect`, a quarter more or less
_AFTER_HOLD_SECONDS = 5.0  # within which the mailboxes come again that waited for the app
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=1)
# That Gmail may ask for: what lies further ahead counts as a clock's mistake, and Gmail is asked again after it.
LONGEST_ASKED = gmail_leases.LONGEST_WAIT - timedelta(minutes=1)
_EXAMINED_WITHIN = timedelta(minutes=5)  # what the digest has begun with is done by then
_PROBED = 10  # of the newest messages: one that hasn't failed yet shows whether messages can be had
_LEAST_LOW_WAIT_SECONDS = 1.0
_TOLD_WAIT_SECONDS = 45.0  # for quota: what is shorter is nothing to worry anybody with
_BUSY_SHARE = 0.25  # of the usual interval, after a sweep that found mail: where there is some, more comes


@dataclass
class Tally:
    """What a sweep did. looked: messages looked at; recorded: of those, the ones that went on the record."""

    looked: int = 0
    recorded: int = 0
    failed: int = 0


class Sweep:
    """One pass. progress: called after each message with the tally."""

    def __init__(self, job: Job, progress: Callable[[Tally], None] | None = None, tally: Tally | None = None) -> None:
        self._job = job
        self._progress = progress
        self.tally = tally or Tally()
        self._caught_up_at: datetime | None = None
        self._heard = False  # of new mail
        self._low_waits_seconds: float | None = None
        self._others_can_be_had: bool | None = None
        self._looked_at: list[tuple[Queued, Entry | None]] = []
        self._held_bytes, self._held_since = 0, 0.0

    def run(self, quantum: int = QUANTUM) -> Rest | None:
        """Sweeps; how the lease ends, or None where it has ended already. Errors: DatabaseUnavailable, and what nobody
        foresaw."""
        job = self._job
        try:
            job.services.app.refuse_if_held()
            if not job.leased.is_readable:
                self._probe()
            self.catch_up()
            job.services.app.worked(job.leased.id)
            if job.leased.list_since:
                searching.list_since(job)
            try:
                more = self._work_off(quantum)
            finally:
                self._settle_looked_at()
            if not more:
                more = self._what_can_wait()
            return self.rest(self._next(more))
        except OverBudget as error:
            return self._over_budget_rest(error)
        except (Throttled, Unreachable, Refused) as error:
            if isinstance(error, Throttled) and error.whole_project:
                job.spending.hold(error)
            return self._failed_rest(error)
        except AppRefused as error:
            return self._app_rest(error)
        except NeedsReconnect as error:
            return self._refused_rest(error)
        except LeaseLost as error:
            job.services.log.warning("lease lost", reason=str(error), **job.facts())
        return None

    def rest(self, next_sweep_at: datetime, *, failures: int = 0, error: str | None = None) -> Rest:
        """How the lease ends."""
        leased, caught_up = self._job.leased, self._caught_up_at
        return Rest(
            leased.id,
            leased.epoch,
            rfc3339(next_sweep_at),
            rfc3339(caught_up) if caught_up else None,
            failures,
            error,
            int(self._job.spending.bucket.left),
            rfc3339(self._now()),
        )

    def _probe(self) -> None:
        """One call, to see whether what was wrong is set right by now."""
        job = self._job
        job.mailbox.profile()
        with job.writing() as database:
            gmail_leases.note_readable(database, job.leased)
        job.leased = replace(job.leased, is_readable=True, error=None, refused_since=None, refusals=0)
        job.services.log.info("readable again", **job.facts())

    def _refused_rest(self, error: NeedsReconnect) -> Rest | None:
        """What ends a mailbox has to last, for one answer may be Google's bad moment. None: the mailbox is in `reconnect`."""
        job, leased, now = self._job, self._job.leased, self._now()
        if leased.is_readable and not error.is_certain:
            since, refusals = leased.refused_since or rfc3339(now), leased.refusals + 1
            lasting = timedelta(hours=job.services.settings.gmail.refused_hours)
            # a time ahead was noted by a clock that was wrong
            lasts = abs(now - datetime.fromisoformat(since)) >= lasting and refusals >= MIN_REFUSALS
            # nobody has consented to a service account, so nobody can consent anew
            if not lasts or leased.token_sealed is None:
                return self._failed_rest(error)._replace(refused_since=since, refusals=refusals)
        pause = _CERTAIN_PROBE if error.is_certain else _PROBE
        probe_at = now + pause * random.uniform(0.75, 1.25)
        with job.reading() as database:
            gmail_leases.need_reconnect(database, leased, str(error), probe_at)
        say = job.services.log.error if leased.is_readable else job.services.log.info
        say("reconnect needed", reason=str(error), probe_at=rfc3339(probe_at), **job.facts())
        return None

    def _app_rest(self, error: AppRefused) -> Rest | None:
        """The app is refused, not this mailbox; told once for all of them."""
        app, leased = self._job.services.app, self._job.leased
        if not error.is_certain and app.is_taken_for_others(leased.id):
            return self._refused_rest(NeedsReconnect(str(error)))
        until, failures = error.until if isinstance(error, AppHeld) else app.refused(error), max(1, leased.failures)
        if not error.is_certain:
            until, failures = max(until, self._now() + pause_after(leased.failures)), leased.failures + 1
        due = until + timedelta(seconds=random.uniform(0, _AFTER_HOLD_SECONDS))
        if not leased.is_readable:
            return self._unread_rest(due)
        return self._kept_refusals(self.rest(due, failures=failures, error=str(error)))

    def _kept_refusals(self, rest: Rest) -> Rest:
        """An outage, or the app's trouble, says nothing of what Gmail said of the mailbox before."""
        return rest._replace(refused_since=self._job.leased.refused_since, refusals=self._job.leased.refusals)

    def _unread_rest(self, due: datetime) -> Rest:
        """Of a mailbox in `reconnect` that couldn't be probed: what is wrong with it stays."""
        return self._kept_refusals(self.rest(due, error=self._job.leased.error))

    def _over_budget_rest(self, error: OverBudget) -> Rest:
        wait = error.retry_after_seconds or 1.0
        due = _after(self._now(), wait)
        if not self._job.leased.is_readable:
            return self._unread_rest(due)
        if wait < _TOLD_WAIT_SECONDS:
            return self._kept_refusals(self.rest(due))
        return self._kept_refusals(self.rest(due, failures=max(1, self._job.leased.failures), error=str(error)))

    def _failed_rest(self, error: GmailError) -> Rest:
        failures = self._job.leased.failures + 1
        wait = max(pause_after(failures - 1), timedelta(seconds=error.retry_after_seconds or 0))
        next_sweep_at = self._now() + min(wait, LONGEST_ASKED)
        if not self._job.leased.is_readable:
            return self._unread_rest(self._now() + _PROBE)
        self._job.services.log.warning(
            "mailbox waits", reason=str(error), failures=failures, until=rfc3339(next_sweep_at), **self._job.facts()
        )
        return self._kept_refusals(self.rest(next_sweep_at, failures=failures, error=str(error)))

    def _next(self, more: bool) -> datetime:
        if more:
            return self._now()
        seconds = self._job.services.settings.gmail.sweep_seconds * (_BUSY_SHARE if self._heard else 1.0)
        if self._low_waits_seconds is not None:
            seconds = min(seconds, max(self._low_waits_seconds, _LEAST_LOW_WAIT_SECONDS))
        return _after(self._now(), seconds)

    def _now(self) -> datetime:
        return self._job.services.clock()

    # --- what came ----------------------------------------------------------------------------------------------------

    def catch_up(self) -> None:
        """Queues what history tells, and moves the cursor in the same transaction."""
        job, began = self._job, self._now()
        if job.leased.cursor is None:
            self._take_baseline(None)
        cursor, pages = job.leased.cursor, Pages()
        assert cursor
        reached: str | None = None
        while True:
            try:
                found = job.mailbox.history(cursor, pages.token)
            except HistoryExpired:
                self._recover()
                break
            except OverBudget as error:
                spent = pages.turned * job.services.settings.gmail.history_units
                if job.spending.bucket.share_of(spent) >= LONG_HISTORY_SHARE and not error.whole_project:
                    self._leave_history()
                raise
            # Where it stood at the first page: the later pages may not have what came while they were read.
            reached = reached or found.history_id
            moved = reached if found.next_page is None and reached != cursor else None
            if found.message_ids or found.drafts or moved:
                self._queue(found, moved, began)
            if not pages.turn(found.next_page):
                break
        self._caught_up_at = began

    def _queue(self, page: HistoryPage, moved: str | None, began: datetime) -> None:
        """What one page of history told. moved: the new cursor, once all pages are read."""
        job, message_ids = self._job, page.message_ids
        with job.writing() as database:
            new = gmail_queue.unknown(database, job.leased, message_ids, or_waiting=True) if message_ids else []
            gmail_queue.put(database, job.leased, new, Origin.HISTORY, began)
            # law 12: what was decided by labels that it hasn't any more
            if page.sent.difference(new):
                unsent = gmail_queue.decided_as_unsent(database, job.leased, page.sent.difference(new))
                gmail_queue.put(database, job.leased, unsent, Origin.LABELS, began)
            if page.drafts:
                drafts = gmail_queue.recorded(database, job.leased, page.drafts)
                gmail_queue.put(database, job.leased, drafts, Origin.DRAFT, began)
            if moved:
                gmail_leases.move_cursor(database, job.leased, moved)
        job.leased = replace(
            job.leased,
            cursor=moved or job.leased.cursor,
            has_queue=job.leased.has_queue or bool(message_ids or page.drafts),
        )
        self._heard = self._heard or bool(new)

    def _recover(self) -> None:
        """History doesn't reach back to the cursor: list what came since the last whole sweep and some time before, from a new
        baseline on."""
        since = self._gap_began()
        self._job.services.log.warning("history expired", since=rfc3339(since), **self._job.facts())
        self._take_baseline(rfc3339(since))

    def _leave_history(self) -> None:
        """It takes more than there is at once, and begins at the same cursor each time: as if it had expired, from the next sweep
        on."""
        job, since = self._job, rfc3339(self._gap_began())
        with job.writing() as database:
            gmail_leases.move_cursor(database, job.leased, None)
            gmail_leases.note_listing(database, job.leased, since)
        job.services.log.warning("history too long", since=since, **job.facts())

    def _gap_began(self) -> datetime:
        leased, now = self._job.leased, self._now()
        since = datetime.fromisoformat(leased.covered_since)
        if leased.swept_at:
            swept_at = datetime.fromisoformat(leased.swept_at)
            # a sweep that lies ahead was noted by a clock that was wrong
            since = max(since, self._listed_since(swept_at, now) if swept_at <= now else now - LONGEST_GAP)
        if leased.list_since:
            since = min(since, datetime.fromisoformat(leased.list_since))
        return since

    def _listed_since(self, swept_at: datetime, now: datetime) -> datetime:
        """As far back as decisions are kept: what has one costs no question, and what is rescued from spam has none."""
        rescued = max(swept_at - LONGEST_IN_SPAM, now - searching.decided_span(self._job))
        return min(swept_at - LISTING_MARGIN, rescued)

    def _take_baseline(self, list_since: str | None) -> None:
        """The cursor is taken before the list is made: what comes meanwhile is in history."""
        job = self._job
        cursor = job.mailbox.profile().history_id
        with job.writing() as database:
            gmail_leases.move_cursor(database, job.leased, cursor)
            if list_since:
                gmail_leases.note_listing(database, job.leased, list_since)
        job.leased = replace(job.leased, cursor=cursor, list_since=list_since or job.leased.list_since)

    # --- what is to be looked at --------------------------------------------------------------------------------------

    def _work_off(self, quantum: int) -> bool:
        """Looks at what is due, at most so many; is there more that needn't wait?"""
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
        """Looks at one message; False where it failed, which is noted. Errors: those that aren't the message's fault."""
        job = self._job
        try:
            with ExitStack() as room:
                look = Look(job.leased, job.services.directory, self._now(), self._room_in(room), job.services.traces)
                found = look_at(look, queued, job.mailbox)
                if isinstance(found, Held):
                    self._hold(queued, found.until)
                elif isinstance(found, Unsent):
                    self._forget_unsent(queued)
                else:
                    self._settle(queued, found)
        except MessageGone:
            self._forget_unsent(queued)
        except (Throttled, NeedsReconnect, AppRefused, LeaseLost, DatabaseUnavailable):
            raise
        except Exception as error:  # noqa: BLE001  one message must not stand in the way of what comes after it
            if isinstance(error, Unreachable):
                job.mailbox.profile()  # where that can't be had either, it isn't the message: Unreachable
            self._fail(queued, error)
            return False
        self._others_can_be_had = True
        return True

    def _hold(self, queued: Queued, until: datetime) -> None:
        with self._job.writing() as database:
            gmail_queue.hold(database, queued, until)

    def _forget_unsent(self, queued: Queued) -> None:
        """It is a draft, or it is gone. If history told that it became a draft, what was on the record of it wasn't sent."""
        if queued.origin is not Origin.DRAFT:
            self._settle(queued, None)
            return
        job = self._job
        source = gmail_queue.source_id(job.leased, queued.message_id)
        with job.writing() as database:
            if not retraction.ends_examination(database, job.leased.deployment.id, source):
                gmail_queue.hold(database, queued, self._now() + _EXAMINED_WITHIN)
                return
            activity_id = retraction.retract(database, job.leased.deployment.id, source)
            gmail_queue.done(database, [queued.id])
        facts = {"gmail_id": queued.message_id, "activity": activity_id, **job.facts()}
        job.services.log.warning("a scheduled mail was cancelled: off the record", **facts)

    def _room_in(self, stack: ExitStack) -> Callable[[int], None]:
        """Takes room for a message until the stack ends."""
        return lambda size_bytes: stack.enter_context(self._job.services.room.taken(size_bytes))

    def _settle(self, queued: Queued, entry: Entry | None) -> None:
        """Together with those right behind it, for a transaction costs more than what is in it; but none waits for long."""
        now = time.monotonic()
        if not self._looked_at:
            self._held_since = now
        self._looked_at.append((queued, entry))
        self._held_bytes += len(entry.content.raw_zstd) if entry and entry.content else 0
        if (
            len(self._looked_at) >= MAX_HELD
            or self._held_bytes >= MAX_HELD_BYTES
            or now - self._held_since >= MAX_HELD_SECONDS
        ):
            self._settle_looked_at()

    def _settle_looked_at(self) -> None:
        """Writes what became of the messages that were looked at, and takes them out of the queue."""
        held, self._looked_at, self._held_bytes = self._looked_at, [], 0
        if not held:
            return
        try:
            self._write(held)
        except (LeaseLost, DatabaseUnavailable):
            raise
        except Exception:  # noqa: BLE001  one that can't be a row must not stand in the way of the others
            for one in held:
                try:
                    self._write([one])
                except (LeaseLost, DatabaseUnavailable):
                    raise
                except Exception as error:  # noqa: BLE001
                    self._fail(one[0], error)

    def _write(self, held: list[tuple[Queued, Entry | None]]) -> None:
        job = self._job
        entries = [entry for _, entry in held if entry]
        with job.writing() as database:
            for queued, entry in held:
                if entry and queued.origin is Origin.LABELS:
                    is_captured = entry.content is not None
                    gmail_queue.forget_unsent(database, job.leased, queued.message_id, is_captured=is_captured)
                elif entry and queued.origin is not Origin.HISTORY:
                    gmail_queue.forget_ignored(database, job.leased, queued.message_id)
            recorded = recording.record_all(database, entries) if entries else []
            if any(one.activity_id is not None for one in recorded):
                gmail_leases.note_message(database, job.leased, entries[-1].seen_at)
            gmail_queue.done(database, [queued.id for queued, _ in held])
        for _, entry in held:
            self.tally.looked += 1
            if entry:
                self.tally.recorded += entry.content is not None
                self._log_decision(entry)
            if self._progress:
                self._progress(self.tally)

    def _log_decision(self, entry: Entry) -> None:
        if self._job.services.settings.log.decisions:
            decision = entry.decision
            self._job.services.log.info(
                "decided",
                outcome=str(decision.outcome),
                reason=str(decision.reason),
                gmail_id=entry.source_id,
                message_id=decision.message_id,
                author=decision.author,
                **self._job.facts(),
            )

    def _fail(self, queued: Queued, error: Exception) -> None:
        """Tried again later, or given up where a person can see it; never in the way of others."""
        job, now, attempts = self._job, self._now(), queued.attempts + 1
        is_known = isinstance(error, GmailError)
        text = str(error) if is_known else f"unexpected fault ({type(error).__name__}); see the log"
        facts = {"gmail_id": queued.message_id, "attempts": attempts, "error": text, **job.facts()}
        is_dead, cut_short = attempts >= job.services.settings.gmail.max_attempts, None
        if is_dead and isinstance(error, Unreachable | Refused):  # a policy may refuse them all
            try:
                is_dead = self._is_its_own_fault(queued)
            except (Throttled, Unreachable, Refused, NeedsReconnect, AppRefused) as why:
                # it isn't given up, and doesn't stay in front either
                is_dead, cut_short = False, why
        with job.writing() as database:
            if is_dead:
                gmail_queue.bury(database, queued, text, now)
            else:
                gmail_queue.postpone(database, queued, text, now + pause_after(queued.attempts))
        say = job.services.log.error if is_dead or not is_known else job.services.log.warning
        say("dead letter" if is_dead else "message waits", exc_info=None if is_known else error, **facts)
        self.tally.failed += 1
        if self._progress:
            self._progress(self.tally)
        if cut_short:
            raise cut_short

    def _is_its_own_fault(self, queued: Queued) -> bool:
        """Can another message be had, or is there none? Else it is Gmail that has a bad day, and nothing is given up for that."""
        if self._others_can_be_had is None:
            mailbox = self._job.mailbox
            others = [one for one in mailbox.list_ids("", max_results=_PROBED).message_ids if one != queued.message_id]
            with self._job.reading() as database:
                well = gmail_queue.not_failing(database, self._job.leased, others)
            self._others_can_be_had = self._can_be_had(well[0]) if well else not others
        return self._others_can_be_had

    def _can_be_had(self, message_id: str) -> bool:
        try:
            self._job.mailbox.metadata(message_id)
        except MessageGone:
            return True
        except (Unreachable, Refused):
            return False
        return True

    # --- what can wait ------------------------------------------------------------------------------------------------

    def _what_can_wait(self) -> bool:
        """An audit that is due, or a search for new contacts' mail; is there more that needn't wait?"""
        job = self._job
        wants_audit = self._is_audit_due()
        if not (wants_audit or job.leased.has_new_contacts):
            return False
        if not job.spending.allows_low_priority():
            self._low_waits_seconds = job.spending.seconds_to_room()
            return False
        if wants_audit:
            return self._audit() or job.leased.has_new_contacts
        searching.backfill(job)
        return True

    def _audit(self) -> bool:
        """Is anything missing? Where no list can be had the audit waits, and new mail doesn't wait with it."""
        job = self._job
        try:
            return searching.audit(job, self.catch_up)[1] > 0
        except (Unreachable, Refused) as error:
            due_at = self._now() + LONGEST_PAUSE
            job.services.log.warning("audit waits", reason=str(error), until=rfc3339(due_at), **job.facts())
            with job.writing() as database:
                gmail_leases.note_audit(database, job.leased, self._now(), due_at, None)
            job.leased = replace(job.leased, audit_due_at=rfc3339(due_at))
            return False

    def _is_audit_due(self) -> bool:
        hours, now = self._job.services.settings.gmail.audit_hours, self._now()
        due = datetime.fromisoformat(self._job.leased.audit_due_at)
        # one that lies further ahead than any was put there by a clock that was wrong
        return hours > 0 and (due <= now or due > now + timedelta(hours=hours + 1))


def pause_after(failures: int) -> timedelta:
    """How long a mailbox or a message waits after so many earlier failures: twice as long each time, up to an hour."""
    return min(FIRST_PAUSE * float(2 ** min(failures, 20)), LONGEST_PAUSE)


def _after(now: datetime, seconds: float) -> datetime:
    return now + timedelta(seconds=seconds)
