"""Many mailboxes, few threads: leases the due ones, sweeps each, and ends the leases in one transaction for many.

A thread waits for Gmail and nothing else; an idle mailbox costs one call and a share of two transactions. Only access tokens are
kept between sweeps: another process may sweep the mailbox next. Called by `server`.
"""

import queue
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

import schedule

from gmail_sync import process_name
from gmail_sync.budget import Project
from gmail_sync.ending import given_back
from gmail_sync.job import Job, Services
from gmail_sync.job_factory import JobFactory
from gmail_sync.pauses import LONGEST_ASKED, pause_after
from gmail_sync.rests import Rests
from gmail_sync.sweep import Sweep
from mailweir.errors import DatabaseUnavailable, MailweirError
from mailweir.sentence import said
from mailweir.store.database.connection import Database
from mailweir.store.gmail import gmail_leases, gmail_workers
from mailweir.store.gmail.gmail_leases import Leased, Rest

AHEAD = 2  # mailboxes leased per thread, so that none waits for a lease
BEAT_SECONDS = 10
RENEW_SECONDS = 30
FLUSH_SECONDS = 0.1
FLUSH_ROWS = 200
IDLE_SECONDS = 1.0
STOP_SECONDS = 5.0  # for pending requests to Gmail
OUTAGE_PAUSE_SECONDS = 5.0  # before the next sweep of a mailbox after an outage of the database
JUMP_SECONDS = 5.0
_STOP = None


class Scheduler:
    """One process's sweeping. name: unique among all processes on the database. clock: monotonic seconds."""

    def __init__(
        self, services: Services, job_factory: JobFactory, name: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._services = services
        self._job_factory = job_factory
        self._name = name
        self._clock = clock
        self._config = services.settings.gmail
        self._project = Project(self._config.project_units_per_minute, self._config.project_units_per_day, clock)
        self._todo: queue.SimpleQueue[Leased | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[tuple[Leased, Rest | None]] = queue.SimpleQueue()
        self._has_joined = False
        self._held: dict[int, Leased] = {}
        self._rests = Rests(services)
        self._outage = False  # of the database
        self._timetable = schedule.Scheduler()
        self._ahead = float("-inf")  # wall clock minus monotonic clock
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def stop(self) -> None:
        """Asks the scheduler to end; call it from a signal handler or another thread."""
        self._stopping.set()

    def run(self) -> None:
        """Sweeps until it is stopped; then ends the leases that it holds."""
        self._guarded(self.beat)
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
        self._timetable.run_pending()
        room = self._config.threads * AHEAD - len(self._held)
        leased: list[Leased] = []
        if room > 0:
            with self._services.database_pool.lent() as database:
                leased = gmail_leases.lease(database, self._name, self._services.clock(), room)
        for one in leased:
            self._held[one.id] = one
            self._todo.put(one)
        self._collect(FLUSH_SECONDS if self._held else self._idle_seconds())

    def _notice_jump(self) -> None:
        """`schedule` uses the wall clock: if that was set back by an hour, beats and renewals would stop for that long."""
        ahead = self._services.clock().timestamp() - self._clock()
        if abs(ahead - self._ahead) > JUMP_SECONDS:
            self._timetable.clear()
            self._timetable.every(BEAT_SECONDS).seconds.do(self.beat)
            self._timetable.every(RENEW_SECONDS).seconds.do(self._renew)
            self._correct_times()
            self._ahead = ahead

    def _correct_times(self) -> None:
        """Renews the leases, and corrects times that a wrong clock recorded. Also at the start, because the clock's earlier state
        is unknown."""
        interval, now = timedelta(seconds=self._config.sweep_seconds), self._services.clock()
        with self._services.database_pool.lent() as database:
            gmail_leases.renew(database, list(self._held.values()), now)
            gmail_leases.correct_times(database, now, interval, LONGEST_ASKED)

    def _idle_seconds(self) -> float:
        with self._services.database_pool.lent() as database:
            wait = gmail_leases.seconds_to_next(database, self._services.clock())
        return IDLE_SECONDS if wait is None else min(max(wait, 0.01), IDLE_SECONDS)

    def _collect(self, seconds: float) -> None:
        """Ends the leases of finished sweeps; waits this long for the first of them."""
        deadline = self._clock() + seconds
        while len(self._rests) < FLUSH_ROWS:
            try:
                leased, rest = self._done.get(timeout=max(0.0, deadline - self._clock()))
            except queue.Empty:
                break
            if self._held.get(leased.id) is leased:
                del self._held[leased.id]
            if rest:
                self._rests.add(rest)
        self._rests.write()

    def _guarded(self, work: Callable[[], None]) -> bool:
        try:
            work()
        except DatabaseUnavailable as error:
            self._note_outage(error)
            return False
        except Exception:
            # leases expire by themselves
            self._services.log.exception("unexpected")
            return False
        if self._outage:
            self._outage = False
            self._services.log.info("database is back")
        return True

    def _note_outage(self, error: DatabaseUnavailable) -> None:
        """Logs an outage once, not each second."""
        if not self._outage:
            self._outage = True
            self._services.log.error("database unavailable", error=str(error))

    def beat(self) -> None:
        """Announces this process to the others, and learns its share of the quota; every BEAT_SECONDS."""
        now = self._services.clock()
        with self._services.database_pool.lent() as database:
            follows = not self._has_joined and self._takes_a_place(database, now)
            day = gmail_workers.quota_day(now)
            fleet = gmail_workers.beat(database, self._name, now, day, self._project.collect())
        self._project.share_out(fleet.workers, fleet.units_today, BEAT_SECONDS, follows=follows)
        self._has_joined = True

    def _takes_a_place(self, database: Database, now: datetime) -> bool:
        """Takes the place of a dead process of this host, and frees its mailboxes.

        Otherwise a process that crashes repeatedly would soon count as many, each with its share of the quota, and each restart
        would begin as a joining process: it would never do any work. And the mailboxes of each run would wait until their leases
        expire.
        """
        for name in filter(process_name.is_dead, gmail_workers.names(database, now)):
            gmail_leases.release(database, name)
            if gmail_workers.leave(database, name, now):
                return True
        return False

    def _renew(self) -> None:
        with self._services.database_pool.lent() as database:
            gmail_leases.renew(database, list(self._held.values()), self._services.clock())

    # --- in the threads -----------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        while True:
            leased = self._todo.get()
            if leased is _STOP:
                return
            rest = given_back(leased, None, self._services.clock()) if self._stopping.is_set() else self.sweep(leased)
            self._done.put((leased, rest))

    def sweep(self, leased: Leased) -> Rest | None:
        """One sweep of a leased mailbox, and how its lease ends; None if it has ended. Logs every fault, and raises none."""
        job: Job | None = None
        try:
            job = self._job_factory.job(leased, self._project)
            return Sweep(job).run()
        except DatabaseUnavailable as error:
            self._note_outage(error)
            return given_back(leased, job, self._services.clock(), timedelta(seconds=OUTAGE_PAUSE_SECONDS))
        except Exception as error:  # noqa: BLE001  one mailbox must not end the thread
            return self._unforeseen(leased, job, error)

    def _unforeseen(self, leased: Leased, job: Job | None, error: Exception) -> Rest:
        is_known = isinstance(error, MailweirError)
        text = str(error) if is_known else said("unexpected fault ({name}); see the log", name=type(error).__name__)
        facts = {"mailbox": leased.address, "deployment": leased.deployment.name, "error": text}
        self._services.log.error("sweep failed", exc_info=None if is_known else error, **facts)
        rest = given_back(leased, job, self._services.clock(), pause_after(leased.failures))
        return rest._replace(failures=leased.failures + 1, error=text)

    # --- the end ------------------------------------------------------------------------------------------------------

    def _end(self) -> None:
        """Sweeps end at their next call to Gmail. After STOP_SECONDS the mailboxes of sweeps that still wait for Gmail are given
        back; once another process leases one, the fence stops the old sweep's writes."""
        self._project.close()
        for _ in self._threads:
            self._todo.put(_STOP)
        deadline = self._clock() + STOP_SECONDS
        while self._held and self._clock() < deadline:
            if not self._guarded(lambda: self._collect(FLUSH_SECONDS)):
                break
        now = self._services.clock()
        self._rests.add(*(given_back(leased, None, now) for leased in self._held.values()))
        self._guarded(self._leave)

    def _leave(self) -> None:
        self._rests.write()
        with self._services.database_pool.lent() as database:
            gmail_workers.leave(database, self._name, self._services.clock())
