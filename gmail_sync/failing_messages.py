"""Messages that can't be read or written: they are retried later, and finally given up visibly. They never block others.

A message is given up only if the fault is its own: a policy of Google's, or an outage, may refuse all messages. Called by
`sweep`.
"""

from collections.abc import Callable

from gmail_sync.batch_writer import Tally
from gmail_sync.job import Job
from gmail_sync.pauses import pause_after
from mailweir.gmail.errors import (
    AppRefused,
    GmailError,
    MessageGone,
    NeedsReconnect,
    Refused,
    Throttled,
    Unreachable,
)
from mailweir.sentence import said
from mailweir.store.gmail import gmail_queue
from mailweir.store.gmail.gmail_queue import Queued

_PROBED = 10  # newest messages: if a message that hasn't failed yet is available, Gmail serves messages


class FailingMessages:
    """The failures of one sweep. tally: is incremented. progress: called with the tally after each message."""

    def __init__(self, job: Job, tally: Tally, progress: Callable[[Tally], None]) -> None:
        self._job = job
        self._tally = tally
        self._progress = progress
        self._others_can_be_had: bool | None = None

    def note_success(self) -> None:
        """A message was available. So a message that fails now is itself at fault."""
        self._others_can_be_had = True

    def fail(self, queued: Queued, error: Exception) -> None:
        """Records the failure. Errors: those of Gmail, if the check for other messages fails because of the whole mailbox."""
        job, now, attempts = self._job, self._job.services.clock(), queued.attempts + 1
        is_known = isinstance(error, GmailError)
        text = str(error) if is_known else said("unexpected fault ({name}); see the log", name=type(error).__name__)
        facts = {"gmail_id": queued.message_id, "attempts": attempts, "error": text, **job.facts()}
        is_dead, cut_short = attempts >= job.services.settings.gmail.max_attempts, None
        if is_dead and isinstance(error, Unreachable | Refused):  # a policy may refuse all messages
            try:
                is_dead = self._is_its_own_fault(queued)
            except (Throttled, Unreachable, Refused, NeedsReconnect, AppRefused) as why:
                # The message isn't given up, and doesn't stay at the front of the queue either.
                is_dead, cut_short = False, why
        with job.writing() as database:
            if is_dead:
                gmail_queue.bury(database, queued, text, now)
            else:
                gmail_queue.postpone(database, queued, text, now + pause_after(queued.attempts))
        say = job.services.log.error if is_dead or not is_known else job.services.log.warning
        say("dead letter" if is_dead else "message waits", exc_info=None if is_known else error, **facts)
        self._tally.failed += 1
        self._progress(self._tally)
        if cut_short:
            raise cut_short

    def _is_its_own_fault(self, queued: Queued) -> bool:
        """Is another message available, or is there no other? If neither, Gmail is at fault, and no message is given up."""
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
