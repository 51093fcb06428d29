"""Many mailboxes, few threads: leases those that are due, has each swept, and ends the leases in one transaction for many.

A thread waits for Gmail and nothing else; an idle mailbox costs one call and a share of two transactions. Nothing is kept between
sweeps but access tokens: another process may sweep the mailbox next. Called by `server`.
"""

import queue
import threading
import time
from collections.abc import Callable

import schedule

from gmail_sync.budget import Project
from gmail_sync.job import Services
from gmail_sync.mailboxes import Mailboxes
from gmail_sync.sweep import Sweep, pause_after
from mailweir.errors import DatabaseUnavailable, MailweirError
from mailweir.store import gmail_leases, gmail_workers
from mailweir.store.gmail_leases import Leased, Rest
from mailweir.store.moments import rfc3339

AHEAD = 2  # mailboxes leased for each thread, so that none waits for a lease
BEAT_SECONDS = 10
RENEW_SECONDS = 30
FLUSH_SECONDS = 0.1
FLUSH_ROWS = 200
IDLE_SECONDS = 1.0
STOP_SECONDS = 20.0
JUMP_SECONDS = 5.0
_STOP = None


class Scheduler:
    """One process's sweeping. name: its own, among all that share the database. clock: seconds that never go back."""

    def __init__(
        self, services: Services, mailboxes: Mailboxes, name: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._services = services
        self._mailboxes = mailboxes
        self._name = name
        self._clock = clock
        self._config = services.settings.gmail
        self._project = Project(self._config.project_units_per_minute, self._config.project_units_per_day, clock)
        self._todo: queue.SimpleQueue[Leased | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[tuple[Leased, Rest | None]] = queue.SimpleQueue()
        self._held: dict[int, Leased] = {}
        self._jobs = schedule.Scheduler()
        self._ahead = float("-inf")  # of the wall clock before the other
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def stop(self) -> None:
        """Asks it to end; from a signal handler or another thread."""
        self._stopping.set()

    def run(self) -> None:
        """Sweeps until it is stopped; then ends what it holds."""
        self._guarded(self._beat)
        for number in range(self._config.threads):
            thread = threading.Thread(target=self._serve, name=f"sweep-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)
        try:
            while not self._stopping.is_set():
                if not self._guarded(self._turn):
                    self._stopping.wait(IDLE_SECONDS)
        finally:
            self._end()

    def _turn(self) -> None:
        self._notice_jump()
        self._jobs.run_pending()
        room = self._config.threads * AHEAD - len(self._held)
        leased: list[Leased] = []
        if room > 0:
            with self._services.connections.lent() as database:
                leased = gmail_leases.lease(database, self._name, self._services.clock(), room)
        for one in leased:
            self._held[one.id] = one
            self._todo.put(one)
        self._collect(FLUSH_SECONDS if self._held else self._idle_seconds())

    def _notice_jump(self) -> None:
        """`schedule` goes by the wall clock: one that was set back by an hour would hold beat and renewal back for that long."""
        ahead = self._services.clock().timestamp() - self._clock()
        if abs(ahead - self._ahead) > JUMP_SECONDS:
            self._jobs.clear()
            self._jobs.every(BEAT_SECONDS).seconds.do(self._beat)
            self._jobs.every(RENEW_SECONDS).seconds.do(self._renew)
            self._ahead = ahead

    def _idle_seconds(self) -> float:
        with self._services.connections.lent() as database:
            wait = gmail_leases.seconds_to_next(database, self._services.clock())
        return IDLE_SECONDS if wait is None else min(max(wait, 0.01), IDLE_SECONDS)

    def _collect(self, seconds: float) -> None:
        """Ends the leases of what is done by now; waits so long for the first of them."""
        rests: list[Rest] = []
        deadline = self._clock() + seconds
        while len(rests) < FLUSH_ROWS:
            try:
                leased, rest = self._done.get(timeout=max(0.0, deadline - self._clock()))
            except queue.Empty:
                break
            self._held.pop(leased.id, None)
            if rest:
                rests.append(rest)
        if rests:
            with self._services.connections.lent() as database:
                gmail_leases.end(database, rests)

    def _guarded(self, work: Callable[[], None]) -> bool:
        try:
            work()
        except DatabaseUnavailable as error:
            self._services.log.error("database unavailable", error=str(error))
            return False
        except Exception:
            # leases run out by themselves
            self._services.log.exception("unexpected")
            return False
        return True

    def _beat(self) -> None:
        now = self._services.clock()
        with self._services.connections.lent() as database:
            day = gmail_workers.quota_day(now)
            fleet = gmail_workers.beat(database, self._name, now, day, self._project.collect())
        self._project.share_out(fleet.workers, fleet.units_today)

    def _renew(self) -> None:
        with self._services.connections.lent() as database:
            gmail_leases.renew(database, list(self._held.values()), self._services.clock())

    # --- in the threads -----------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        while True:
            leased = self._todo.get()
            if leased is _STOP:
                return
            rest = self._given_back(leased) if self._stopping.is_set() else self._sweep(leased)
            self._done.put((leased, rest))

    def _sweep(self, leased: Leased) -> Rest | None:
        try:
            job = self._mailboxes.job(leased, self._project)
            return Sweep(job).run()
        except DatabaseUnavailable as error:
            self._services.log.error("database unavailable", error=str(error))
            return None  # the lease runs out
        except Exception as error:  # noqa: BLE001  one mailbox must not end the thread
            return self._unforeseen(leased, error)

    def _unforeseen(self, leased: Leased, error: Exception) -> Rest:
        is_known = isinstance(error, MailweirError)
        text = str(error) if is_known else f"unexpected fault ({type(error).__name__}); see the log"
        facts = {"mailbox": leased.address, "deployment": leased.deployment.name, "error": text}
        self._services.log.error("sweep failed", exc_info=None if is_known else error, **facts)
        now = self._services.clock()
        due = rfc3339(now + pause_after(leased.failures))
        return Rest(leased.id, leased.epoch, due, None, leased.failures + 1, text, leased.units, leased.units_at)

    def _given_back(self, leased: Leased) -> Rest:
        now = rfc3339(self._services.clock())
        return Rest(leased.id, leased.epoch, now, None, leased.failures, None, leased.units, leased.units_at)

    # --- the end ------------------------------------------------------------------------------------------------------

    def _end(self) -> None:
        """Sweeps that are under way come to their end or run into the fence; what waits is given back."""
        for _ in self._threads:
            self._todo.put(_STOP)
        deadline = self._clock() + STOP_SECONDS
        while self._held and self._clock() < deadline:
            if not self._guarded(lambda: self._collect(FLUSH_SECONDS)):
                break
        self._guarded(self._leave)

    def _leave(self) -> None:
        with self._services.connections.lent() as database:
            gmail_workers.leave(database, self._name, self._services.clock())
