"""Retention: deletes data that is stored for a limited time. Never touches the record. Called by `mailweir db prune`."""

from datetime import datetime, timedelta

from mailweir.store.database.connection import Database
from mailweir.store.database.moments import rfc3339

# Postfix gives up undeliverable mail after five days (maximal_queue_lifetime). Only the decision says which login sent the mail,
# so that its owner can be notified.
_RELAYED_DAYS = 7
_BATCH_ROWS = 2_000  # per transaction: some milliseconds, because the filter waits for the write lock meanwhile


def prune_decisions(database: Database, now: datetime, decision_days: int, batch_rows: int = _BATCH_ROWS) -> int:
    """Deletes decisions that are older than this many days, on mail that was not captured; returns how many.

    Decisions on relayed mail stay as long as the mail may still bounce.
    """
    try:
        before = rfc3339(now - timedelta(days=decision_days))
        relayed_before = rfc3339(now - timedelta(days=max(decision_days, _RELAYED_DAYS)))
    except OverflowError:
        return 0  # the period begins before the first possible time
    sql = (
        "DELETE FROM decisions WHERE id IN (SELECT id FROM decisions WHERE outcome <> 'captured' AND decided_at < ?"
        " AND (relay_login_id IS NULL OR decided_at < ?) LIMIT ?)"
    )
    deleted = 0
    while True:
        with database.transaction():
            count: int = database.execute(sql, (before, relayed_before, batch_rows)).rowcount
        deleted += count
        if count < batch_rows:
            return deleted
