"""Retention: forgets what is kept for a while only. Never touches what is on the record. Called by `mailweir db prune`."""

from datetime import datetime, timedelta

from mailweir.store import models
from mailweir.store.connection import Database
from mailweir.store.moments import rfc3339

_BATCH_ROWS = 2_000  # a transaction: some milliseconds, for the filter waits for the write lock meanwhile


def prune_decisions(database: Database, now: datetime, decision_days: int, batch_rows: int = _BATCH_ROWS) -> int:
    """Deletes the decisions on mail that wasn't captured which are older than so many days; how many."""
    table = models.Decision
    try:
        before = rfc3339(now - timedelta(days=decision_days))
    except OverflowError:
        return 0  # kept since before there was time
    old = table.select(table.id).where(table.outcome != "captured", table.decided_at < before).limit(batch_rows)
    deleted = 0
    with database.bound():
        while True:
            with database.transaction():
                count: int = table.delete().where(table.id.in_(old)).execute()
            deleted += count
            if count < batch_rows:
                return deleted
