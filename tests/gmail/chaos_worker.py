"""`mailweir-gmail-sync` for the chaos: the program itself, with short waits, and with pauses where a kill would do most harm.

    python -m tests.gmail.chaos_worker

A lease expires after seconds, so that a killed process's work continues within the test. A sweep sometimes pauses before a
transaction, so that a stopped worker resumes with old data; within it; and after it, so that a kill often leaves the state
between two transactions. Called by `chaos_run`.
"""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from gmail_sync import pauses, scheduler, server
from gmail_sync.job import Job
from mailweir.store.database.connection import Database
from mailweir.store.gmail import gmail_leases

LEASE_SECONDS = 3.0
_BEAT_SECONDS, _RENEW_SECONDS, _OUTAGE_PAUSE_SECONDS = 1, 1, 0.5
_FIRST_PAUSE = timedelta(seconds=0.5)
# Probability and length of a pause: before the transaction; within it, when nobody else can write on SQLite; and after it.
_BEFORE, _WITHIN, _BEHIND = (0.5, 0.3), (0.2, 0.02), (0.5, 0.3)

_writing = Job.writing


def _pause(chance: float, seconds: float) -> None:
    if random.random() < chance:
        time.sleep(random.uniform(0.0, seconds))


@contextmanager
def _writing_with_pauses(job: Job) -> Iterator[Database]:
    _pause(*_BEFORE)
    with _writing(job) as database:
        yield database
        _pause(*_WITHIN)
    _pause(*_BEHIND)


def main() -> None:
    """The command."""
    gmail_leases.LEASE_SECONDS = LEASE_SECONDS
    gmail_leases.LONGEST_LEASE = timedelta(seconds=2 * LEASE_SECONDS)
    scheduler.BEAT_SECONDS, scheduler.RENEW_SECONDS = _BEAT_SECONDS, _RENEW_SECONDS
    scheduler.OUTAGE_PAUSE_SECONDS = _OUTAGE_PAUSE_SECONDS
    pauses.FIRST_PAUSE = _FIRST_PAUSE
    Job.writing = _writing_with_pauses  # type: ignore[method-assign,assignment]
    server.main()


if __name__ == "__main__":
    main()
