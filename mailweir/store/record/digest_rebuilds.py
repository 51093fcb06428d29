"""The digest's progress in doing its work on the record again: a cursor for each stage, from the newest version down. In plain
SQL.

A step checks a page of versions, and queues the wanted ones in the later lane. Its transaction takes some milliseconds, because
the filter waits for the write lock meanwhile. Safe to interrupt anywhere. Called by the digest, and by `mailweir digest`.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mailweir.reading.reading import READER_VERSION
from mailweir.store.database import rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import rfc3339
from mailweir.store.record import digest_queue
from mailweir.store.record.digest_queue import Stage

PAGE_ROWS = 200
# The versions of a page to do again. A verdict is examined again only if the author isn't proven.
_WANTED = {
    (
        Stage.READING,
        "older",
    ): "NOT EXISTS (SELECT 1 FROM readings d WHERE d.raw_id = r.id AND d.reader_version >= ?)",
    (Stage.READING, "all"): "1 = 1",
    (Stage.VERDICT, "older"): "r.verdict <> 'pass' AND r.author_doubt IS NULL AND r.verdict_reason IS NULL",
    (Stage.VERDICT, "all"): "r.verdict <> 'pass' AND r.author_doubt IS NULL",
}


class Which(StrEnum):
    """The part of the record: all versions, or only those of older code (an older reader, or a verdict without a reason)."""

    OLDER = "older"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuild:
    """A running rebuild. left: at most this many versions are still to be checked. queued: the number of versions queued so
    far."""

    stage: Stage
    which: Which
    left: int
    queued: int


def begin(database: Database, stage: Stage, which: Which, now: datetime) -> None:
    """Starts a rebuild at the newest version, in place of a running one; in the caller's transaction.

    If the running rebuild does all versions, the new one does so, too: a request for fewer versions doesn't cancel it.
    """
    deleted = "DELETE FROM digest_rebuilds WHERE stage = ? RETURNING which"
    if database.execute(deleted, (stage.value,)).fetchall() == [(Which.ALL.value,)]:
        which = Which.ALL
    database.execute(
        "INSERT INTO digest_rebuilds (stage, which, below_raw_id, began_at)"
        " SELECT ?, ?, MAX(id) + 1, ? FROM raw_messages HAVING MAX(id) IS NOT NULL",
        (stage.value, which.value, rfc3339(now)),
    )


def going_on(database: Database) -> list[Rebuild]:
    """The unfinished rebuilds."""
    sql = "SELECT stage, which, below_raw_id, queued FROM digest_rebuilds ORDER BY stage"
    return [
        Rebuild(
            stage=Stage(row["stage"]), which=Which(row["which"]), left=row["below_raw_id"] - 1, queued=row["queued"]
        )
        for row in rows.named(database.execute(sql))
    ]


def step(database: Database, stage: Stage, page_rows: int = PAGE_ROWS) -> bool:
    """Checks the next page of a stage's rebuild; False if none is running, or another host is doing it."""
    cursor = "SELECT which, below_raw_id FROM digest_rebuilds WHERE stage = ?"
    if database.execute(cursor, (stage.value,)).fetchone() is None:
        return False
    lock = "" if database.is_sqlite else " FOR UPDATE SKIP LOCKED"
    with database.transaction(alone=False):
        row = database.execute(f"{cursor}{lock}", (stage.value,)).fetchone()
        if row is None:
            return False
        which, below = Which(row[0]), row[1]
        page = database.execute(
            "SELECT id FROM raw_messages WHERE id < ? ORDER BY id DESC LIMIT ?", (below, page_rows)
        ).fetchall()
        if not page:
            database.execute("DELETE FROM digest_rebuilds WHERE stage = ?", (stage.value,))
            return False
        last = page[-1][0]
        condition = _WANTED[stage, which]
        version = (READER_VERSION,) if (stage, which) == (Stage.READING, Which.OLDER) else ()
        found = database.execute(
            f"SELECT r.id FROM raw_messages r WHERE r.id >= ? AND r.id < ? AND {condition} ORDER BY r.id",
            (last, below, *version),
        ).fetchall()
        digest_queue.again(database, stage, [raw_id for (raw_id,) in found])
        database.execute(
            "UPDATE digest_rebuilds SET below_raw_id = ?, queued = queued + ? WHERE stage = ?",
            (last, len(found), stage.value),
        )
    return True
