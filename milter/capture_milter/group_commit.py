"""One thread that writes for all connections: whatever waits is one transaction, so one fsync serves many messages.

Each message has its savepoint: one that can't be written fails alone. `commit` returns only when the entry is on the disk
(law 1). Called by `session` at the end of each message.
"""

import queue
import signal
import threading
from collections.abc import Callable, Sequence

from mailweir import recording
from mailweir.recording import Entry, Recorded
from mailweir.store.connection import Database

MAX_BATCH = 200
_STOP_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}


class _Ticket:
    """Entries of one message, and what came of them. `done` is a lock that is released when it is known."""

    __slots__ = ("done", "entries", "error", "results")

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = entries
        self.results: list[Recorded] = []
        self.error: Exception | None = None
        self.done = threading.Lock()
        self.done.acquire()


class GroupCommit:
    """The writer thread. open_database makes its connection, in that thread."""

    def __init__(self, open_database: Callable[[], Database]) -> None:
        self._open_database = open_database
        self._waiting: queue.SimpleQueue[_Ticket] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="group-commit", daemon=True)

    def start(self) -> None:
        """Starts the thread, deaf to the signals that libmilter waits for."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
        self._thread.start()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def commit(
        self, entries: Sequence[Entry], *, timeout_seconds: float, keep_alive: Callable[[], object]
    ) -> list[Recorded]:
        """Writes a message's entries, all or none, and waits until they are committed.

        keep_alive is called every few seconds of waiting. Errors: what the database raised; TimeoutError where the time is
        up (the entries may still be written: the sender tries again, and writing is safe to repeat).
        """
        ticket = _Ticket(entries)
        self._waiting.put(ticket)
        waited = 0.0
        while not ticket.done.acquire(timeout=5):
            waited += 5
            if waited >= timeout_seconds:
                raise TimeoutError(f"the database took longer than {timeout_seconds:.0f} s")
            keep_alive()
        if ticket.error:
            raise ticket.error
        return ticket.results

    def _run(self) -> None:
        database = self._open_database()
        while True:
            batch = [self._waiting.get()]
            while len(batch) < MAX_BATCH and not self._waiting.empty():
                batch.append(self._waiting.get())
            self._write(database, batch)
            for ticket in batch:
                ticket.done.release()

    def _write(self, database: Database, batch: list[_Ticket]) -> None:
        try:
            with database.transaction():
                for ticket in batch:
                    self._write_one(database, ticket)
        except Exception as error:  # noqa: BLE001  handed to the waiting sessions, which log it and answer 451
            database.close()  # a broken connection stays broken until it is closed
            for ticket in batch:
                ticket.error = ticket.error or error

    def _write_one(self, database: Database, ticket: _Ticket) -> None:
        try:
            with database.savepoint():
                ticket.results = [recording.record(database, entry) for entry in ticket.entries]
        except Exception as error:  # noqa: BLE001  likewise; the others of the batch go on
            ticket.error = error
