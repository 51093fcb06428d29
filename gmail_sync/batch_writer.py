"""Writes the results for examined messages: several in one transaction, because a transaction costs more than its content.

An id leaves the queue in the transaction that writes its decision, and its activity if there is one. Callbacks are called after
the commit: whatever they raise, the results are written, once. Called by `sweep`.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from gmail_sync.job import Job
from mailweir import recording
from mailweir.errors import DatabaseUnavailable
from mailweir.recording import Entry
from mailweir.store.gmail import gmail_leases, gmail_queue
from mailweir.store.gmail.gmail_leases import LeaseLost
from mailweir.store.gmail.gmail_queue import Origin, Queued

MAX_HELD, MAX_HELD_BYTES, MAX_HELD_SECONDS = 25, 1_000_000, 5.0


@dataclass
class Tally:
    """The counts of a sweep. looked: messages examined; recorded: of those, the ones that were recorded."""

    looked: int = 0
    recorded: int = 0
    failed: int = 0


class BatchWriter:
    """The writer of one sweep. tally: is incremented. progress: called with it after each message. fail: called with a message
    that can't be stored as a row, and why."""

    def __init__(
        self,
        job: Job,
        tally: Tally,
        progress: Callable[[Tally], None],
        fail: Callable[[Queued, Exception], None],
    ) -> None:
        self._job = job
        self._tally = tally
        self._progress = progress
        self._fail = fail
        self._held: list[tuple[Queued, Entry | None]] = []
        self._held_bytes, self._held_since = 0, 0.0

    def add(self, queued: Queued, entry: Entry | None) -> None:
        """Adds the result for a message; None: it leaves no decision. Results are written within a short time."""
        now = time.monotonic()
        if not self._held:
            self._held_since = now
        self._held.append((queued, entry))
        self._held_bytes += len(entry.content.raw_zstd) if entry and entry.content else 0
        self._held_bytes += len(entry.hold.content_zstd) if entry and entry.hold else 0
        if (
            len(self._held) >= MAX_HELD
            or self._held_bytes >= MAX_HELD_BYTES
            or now - self._held_since >= MAX_HELD_SECONDS
        ):
            self.flush()

    def flush(self) -> None:
        """Writes the waiting results. Errors: LeaseLost, DatabaseUnavailable, and any that `progress` and `fail` raise."""
        held, self._held, self._held_bytes = self._held, [], 0
        written: list[Entry | None] = []
        try:
            failed = self._write_what_can_be(held, written)
        finally:
            self._tell(written)
        for queued, error in failed:
            self._fail(queued, error)

    def _write_what_can_be(
        self, held: list[tuple[Queued, Entry | None]], written: list[Entry | None]
    ) -> list[tuple[Queued, Exception]]:
        """Writes all together; if that fails, each half separately, and so on: a message that can't be stored must not block the
        others. Returns the failed messages. written: is extended after each commit."""
        if not held:
            return []
        try:
            self._write(held)
        except (LeaseLost, DatabaseUnavailable):
            raise
        except Exception as error:  # noqa: BLE001  the faulty message is found by halving the batch
            if len(held) == 1:
                return [(held[0][0], error)]
        else:
            written += [entry for _, entry in held]
            return []
        middle = len(held) // 2
        return [fault for part in (held[:middle], held[middle:]) for fault in self._write_what_can_be(part, written)]

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

    def _tell(self, written: list[Entry | None]) -> None:
        for entry in written:
            self._tally.looked += 1
            if entry:
                self._tally.recorded += entry.content is not None
                self._log_decision(entry)
            self._progress(self._tally)

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
