"""One transaction for all messages that wait at the same moment, so that one fsync serves many.

The first thread writes all messages that wait. Then the thread of the first message that came meanwhile writes. There is no extra
writer thread, so a message doesn't cost two thread switches. If messages come together, the writing thread waits a moment for the
next ones (like PostgreSQL's `commit_delay`); a single message doesn't wait. A message that can't be written fails alone: a failed
batch is written again with a savepoint for each message. `commit` returns only when the entries are on the disk (law 1). Called
by `session` at the end of each message.
"""

import threading
from collections.abc import Callable, Sequence
from time import monotonic, sleep
from typing import NamedTuple

from mailweir import recording
from mailweir.errors import DatabaseUnavailable
from mailweir.recording import Entry, Recorded
from mailweir.store.database.connection import Database

MAX_BATCH = 200
GATHER_SECONDS = 0.002  # measured: 1 to 3 ms save a tenth of the CPU per message under load
KEEP_ALIVE_SECONDS = 5.0


class Written(NamedTuple):
    """A message that is on the disk. seconds: from the end of the message until it was written."""

    entries: Sequence[Entry]
    results: Sequence[Recorded]
    seconds: float


class _Ticket:
    """A message's entries, their results, and the seconds of waiting and writing.

    `wake` is released when the entries are written, or when this ticket's thread must write.
    """

    __slots__ = ("begun", "done", "entries", "error", "results", "seconds", "wake")

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = entries
        self.begun = monotonic()
        self.seconds = 0.0
        self.results: list[Recorded] = []
        self.error: Exception | None = None
        self.done = False
        self.wake = threading.Lock()
        self.wake.acquire()


class GroupCommit:
    """Writes for all connections of a worker, over one database connection that they use in turn."""

    def __init__(
        self, open_database: Callable[[], Database], tell: Callable[[Sequence[Written]], object] = lambda _: None
    ) -> None:
        """tell: gets each batch once it is on the disk and its messages' answers are on their way; it never raises."""
        self._database = open_database()
        self._tell = tell
        self._lock = threading.Lock()  # of `_waiting` and `_is_writing`
        self._waiting: list[_Ticket] = []
        self._is_writing = False
        self._last_batch_size = 0

    @property
    def waiting(self) -> int:
        """The number of messages that wait for others to be written."""
        return len(self._waiting)

    def commit(
        self, entries: Sequence[Entry], *, timeout_seconds: float, keep_alive: Callable[[], object]
    ) -> list[Recorded]:
        """Writes a message's entries, all or none, and waits until they are committed.

        keep_alive is called every few seconds while it waits for others. Errors: those of the database; TimeoutError if the time
        is up. After a TimeoutError the entries may still be written: the sender tries again, and writing is safe to repeat.
        """
        ticket = _Ticket(entries)
        with self._lock:
            self._waiting.append(ticket)
            is_first = not self._is_writing
            self._is_writing = True
        if not is_first:
            self._wait(ticket, timeout_seconds, keep_alive)
        if not ticket.done:
            self._write_for_all()
        if ticket.error:
            raise ticket.error
        return ticket.results

    def _wait(self, ticket: _Ticket, timeout_seconds: float, keep_alive: Callable[[], object]) -> None:
        left = timeout_seconds
        while not ticket.wake.acquire(timeout=max(0.0, min(left, KEEP_ALIVE_SECONDS))):
            left -= KEEP_ALIVE_SECONDS
            if left <= 0 and self._give_up(ticket):
                raise TimeoutError(f"the database took longer than {timeout_seconds:.0f} s")
            try:
                keep_alive()
            except Exception:
                # The client is gone. But if this thread's turn has come, it must write, because all others wait for it.
                if self._give_up(ticket):
                    raise

    def _give_up(self, ticket: _Ticket) -> bool:
        """Takes a ticket out of the queue; False if its thread must write now."""
        with self._lock:
            if ticket in self._waiting and not ticket.wake.locked():
                return False
            if ticket in self._waiting:
                self._waiting.remove(ticket)
            return True

    def _write_for_all(self) -> None:
        """Writes the waiting tickets, then hands over."""
        if self._last_batch_size > 1:
            sleep(GATHER_SECONDS)
        with self._lock:
            batch = self._waiting[:MAX_BATCH]
            del self._waiting[:MAX_BATCH]
        self._last_batch_size = len(batch)
        try:
            self._write(batch)
        finally:
            now = monotonic()
            for ticket in batch:
                ticket.seconds = now - ticket.begun
                ticket.done = True
                ticket.wake.release()
            with self._lock:
                self._is_writing = bool(self._waiting)
                if self._is_writing:
                    self._waiting[0].wake.release()
        self._tell([Written(one.entries, one.results, one.seconds) for one in batch if not one.error])

    def _write(self, batch: list[_Ticket]) -> None:
        try:
            try:
                self._write_at_once(batch)
            except DatabaseUnavailable:
                raise
            except Exception:  # noqa: BLE001  a refused entry: now each message is written by itself, to find the faulty one
                self._write_one_by_one(batch)
        except Exception as error:  # noqa: BLE001  handed to the waiting sessions, which log it and answer 451
            self._database.close()  # a broken connection stays broken until it is closed
            for ticket in batch:
                ticket.error = ticket.error or error

    def _write_at_once(self, batch: list[_Ticket]) -> None:
        with self._database.transaction(alone=False):
            recorded = iter(recording.record_all(self._database, [e for ticket in batch for e in ticket.entries]))
        for ticket in batch:
            ticket.results = [next(recorded) for _ in ticket.entries]

    def _write_one_by_one(self, batch: list[_Ticket]) -> None:
        with self._database.transaction(alone=False):
            for ticket in batch:
                try:
                    with self._database.savepoint():
                        ticket.results = recording.record_all(self._database, ticket.entries)
                except Exception as error:  # noqa: BLE001  likewise; the others of the batch are written
                    ticket.error = error
