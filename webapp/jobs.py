"""The workers that do jobs: threads of `mailweir-web` that lease jobs, which any host may have added, and do them one by one.

A second thread renews the lease of a worker's job, so a step may take any time. If the process hangs or dies, the lease lapses.
Called by `server`; `tests` too.
"""

import os
import secrets
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import datetime

import structlog

from mailweir.database_url import DatabaseUrl
from mailweir.errors import BadInput, DatabaseUnavailable
from mailweir.store.database.connection import Database
from mailweir.store.web import change_log, jobs
from mailweir.store.web.jobs import Job, LeaseLost, State
from webapp.job_kinds import contact_files, never_log
from webapp.work import Kind, Report, Stopped, Work

KINDS: Mapping[str, Kind] = {
    contact_files.PREVIEW: contact_files.preview,
    contact_files.IMPORT: contact_files.import_rows,
    never_log.LOOK: never_log.look,
    never_log.ERASE: never_log.erase,
}
_KEEPS_UPLOAD = frozenset({contact_files.PREVIEW})
_POLL_SECONDS = 1.0
_OUTAGE_SECONDS = 10.0
_RENEW_SECONDS = jobs.LEASE.total_seconds() / 3
_PRUNE_SECONDS = 3600.0
_BUSY_SECONDS = 10.0


class Worker:
    """A thread that does jobs. clock: gives the present time, UTC."""

    def __init__(
        self,
        database_url: DatabaseUrl,
        clock: Callable[[], datetime],
        logger: structlog.stdlib.BoundLogger,
        kinds: Mapping[str, Kind] = KINDS,
    ) -> None:
        self._database_url = database_url
        self._clock = clock
        self._logger = logger
        self._kinds = kinds
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(8)}"
        self._is_stopping = threading.Event()
        self._pruned_at: datetime | None = None
        # a daemon thread, so that it doesn't keep an ending process alive; another worker gets the job once the lease lapses
        self._thread = threading.Thread(target=self._work_for_ever, name="jobs", daemon=True)

    def start(self) -> None:
        """Begins to work."""
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Makes the worker finish its current part and give the job back. Waits for that, but no longer than `seconds`."""
        self._is_stopping.set()
        self._thread.join(seconds)

    def _work_for_ever(self) -> None:
        with closing(Database(self._database_url, busy_timeout_seconds=_BUSY_SECONDS)) as database:
            while not self._is_stopping.is_set():
                pause = 0.0
                try:
                    if not self.work_once(database):
                        pause = _POLL_SECONDS
                except DatabaseUnavailable as error:
                    self._logger.warning("jobs wait for the database", error=str(error))
                    database.close()
                    pause = _OUTAGE_SECONDS
                except Exception as error:
                    self._logger.error("jobs failed", exc_info=error)
                    pause = _OUTAGE_SECONDS
                self._is_stopping.wait(pause)

    def work_once(self, database: Database) -> bool:
        """Does one job; False if there is none. DatabaseUnavailable: another worker gets the job once its lease lapses."""
        self._prune(database)
        # only known kinds, because another host with a newer version may have added others
        job = jobs.lease(database, self._owner, self._kinds, self._clock())
        if job is None:
            return False
        self._logger.info("job begun", job=job.id, kind=job.kind, attempt=job.attempts)
        is_over = threading.Event()
        keeper = threading.Thread(target=self._keep, args=(job, is_over), name="lease", daemon=True)
        keeper.start()
        try:
            self._do(database, job)
        except LeaseLost:
            self._logger.warning("job lost to another worker", job=job.id)
        finally:
            is_over.set()
            keeper.join()
        return True

    def _do(self, database: Database, job: Job) -> None:
        work = Work(database, job, self._owner, self._clock, self._is_stopping)
        state, report = State.DONE, dict(job.report)
        try:
            report = dict(self._kinds[job.kind](work))
        except (LeaseLost, DatabaseUnavailable):
            raise
        except Stopped:
            jobs.give_back(database, job, self._owner)
            return
        except BadInput as error:
            state, report = State.FAILED, {**self._so_far(database, job), "error": str(error)}
        except Exception as error:
            self._logger.error("job failed", job=job.id, kind=job.kind, exc_info=error)
            state, report = State.FAILED, {**self._so_far(database, job), "is_our_fault": True}
        keeps, now = state is State.DONE and job.kind in _KEEPS_UPLOAD, self._clock()
        with database.transaction():
            jobs.finish(database, job, self._owner, state, report, now, keeps_upload=keeps)
            for change in work.changes:
                change_log.note(database, job.deployment_id, job.account, *change, now)
        self._logger.info("job over", job=job.id, kind=job.kind, state=str(state))

    def _so_far(self, database: Database, job: Job) -> Report:
        """The stored report, which counts the parts that were finished before the failure."""
        return jobs.find(database, job.deployment_id, job.id).report

    def _keep(self, job: Job, is_over: threading.Event) -> None:
        """Renews the lease until the job is over or the lease is lost."""
        with closing(Database(self._database_url, busy_timeout_seconds=_BUSY_SECONDS)) as database:
            while not is_over.wait(_RENEW_SECONDS):
                try:
                    jobs.renew(database, job, self._owner, self._clock())
                except LeaseLost:
                    return
                except DatabaseUnavailable:
                    database.close()

    def _prune(self, database: Database) -> None:
        now = self._clock()
        if self._pruned_at is None or (now - self._pruned_at).total_seconds() >= _PRUNE_SECONDS:
            jobs.prune(database, now)
            self._pruned_at = now
