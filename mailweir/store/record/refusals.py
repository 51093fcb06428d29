"""Refusals from Postfix's log, as decisions of the deployments that the mail was for.

Another decision may have the same queue id: one recipient is refused, and the others get the message. So a refusal has a source
id of its own. Called by `refusal_chore` and `decisions`.
"""

from collections.abc import Sequence

from mailweir.store.database.connection import Database
from mailweir.store.record.writing import DecisionRow, Writer

_NO_QUEUE_ID = "NOQUEUE"
_BATCH_ROWS = 100  # per transaction: milliseconds, because the filter waits for the write lock meanwhile


def source_id(queue_id: str | None, key: str) -> str:
    """A refusal's own source id. key: hexadecimal digits, the same each time that the refusal is read from the log."""
    return f"{queue_id or _NO_QUEUE_ID}:{key}"


def queue_id_of(source: str) -> str | None:
    """Postfix's id of a refused message, None if it had none yet."""
    queue_id = source.partition(":")[0]
    return None if queue_id == _NO_QUEUE_ID else queue_id


def put(database: Database, rows: Sequence[DecisionRow]) -> None:
    """Writes decisions on new refusals, in short transactions. Skips the filter's own refusals, which already have decisions."""
    for start in range(0, len(rows), _BATCH_ROWS):
        part = rows[start : start + _BATCH_ROWS]
        with database.transaction():
            told = _decided(database, part)
            Writer(database).put_decisions(
                row for row in part if (queue_id_of(row.source_id), row.deployment_id) not in told
            )


def _decided(database: Database, rows: Sequence[DecisionRow]) -> set[tuple[str | None, int]]:
    """The queue ids, each with a deployment, under which the filter recorded that it refused the message."""
    ids = sorted({found for row in rows if (found := queue_id_of(row.source_id))})
    if not ids:
        return set()
    marks = ",".join("?" * len(ids))
    sql = f"SELECT source_id, deployment_id FROM decisions WHERE outcome = 'refused' AND source_id IN ({marks})"
    return {(str(found), int(deployment)) for found, deployment in database.fast_execute()(sql, ids).fetchall()}
