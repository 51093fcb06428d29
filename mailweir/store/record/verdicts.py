"""Sender verdicts: which bodies wait for one, and what follows from one for the activity. In plain SQL; called by the digest.

Never touches a body. Safe to do twice, and with two digests at once: a body's verdict is settled once.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from mailweir.sender_verdict import SenderVerdict, VerdictReason
from mailweir.store.database import rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import rfc3339


@dataclass(frozen=True, slots=True)
class Waiting:
    """A body that waits for its verdict. author: the activity's, in normal form. via: see RawRow.author_via.
    attempts: made so far."""

    raw_id: int
    activity_id: int
    author: str
    size_bytes: int
    content_zstd: bytes
    attempts: int
    via: str | None = None


def due(database: Database, now: datetime, limit: int) -> list[int]:
    """The ids of the bodies whose turn it is: new ones, then those that are tried again, who waits longest first."""
    found = database.execute(
        "SELECT raw_id FROM digest_queue WHERE stage = 'verdict' AND lane = 0 ORDER BY raw_id LIMIT ?", (limit,)
    )
    new = [raw_id for (raw_id,) in found.fetchall()]
    later = database.execute(
        "SELECT raw_id FROM digest_queue WHERE stage = 'verdict' AND lane = 1 AND next_try_at <= ?"
        " ORDER BY next_try_at, raw_id LIMIT ?",
        (rfc3339(now), limit - len(new)),
    )
    return new + [raw_id for (raw_id,) in later.fetchall()]


def read(database: Database, raw_id: int) -> Waiting | None:
    """One that waits; None where it doesn't any more."""
    found = database.execute(
        "SELECT r.id, r.activity_id, a.author, r.size_bytes, r.content_zstd, q.attempts, r.author_via"
        " FROM raw_messages r JOIN activities a ON a.id = r.activity_id"
        " JOIN digest_queue q ON q.raw_id = r.id AND q.stage = 'verdict' AND q.lane IN (0, 1)"
        " WHERE r.id = ? AND r.verdict = 'pending'",
        (raw_id,),
    )
    row = rows.first(found)
    if row is None:
        return None
    return Waiting(
        raw_id=row["id"],
        activity_id=row["activity_id"],
        author=row["author"],
        size_bytes=row["size_bytes"],
        content_zstd=row["content_zstd"],
        attempts=row["attempts"],
        via=row["author_via"],
    )


def count_pending(database: Database) -> int:
    """How many wait, those whose turn isn't yet included."""
    (count,) = database.execute(
        "SELECT COUNT(*) FROM digest_queue WHERE stage = 'verdict' AND lane IN (0, 1)"
    ).fetchone()
    return int(count)


def lock(database: Database, waiting: Iterable[Waiting]) -> None:
    """Holds these bodies' activities until the end of the caller's transaction, and before any of its other writes.

    Whoever records mail holds activities first, in this order, and then bodies; the other way round, the two would each wait for
    what the other has (on PostgreSQL: SQLite has one writer at a time). A repeat of a message comes at the very moment at which
    its first copy is examined.
    """
    ids = sorted({one.activity_id for one in waiting})
    if ids and not database.is_sqlite:
        marks = ",".join("?" * len(ids))
        database.execute(
            f"SELECT id FROM activities WHERE id IN ({marks}) ORDER BY deployment_id, identity FOR UPDATE", ids
        )


def settle(database: Database, verdicts: Iterable[tuple[Waiting, SenderVerdict]], now: datetime) -> None:
    """Writes final verdicts with their reasons, and lets the right body lead each activity; in the caller's transaction,
    which holds their activities (`lock`).

    The first body that is proven leads; where none is, the first one. Its verdict and subject are the activity's (law 2).
    """
    activity_ids: dict[int, None] = {}
    for waiting, verdict in verdicts:
        database.execute(
            "UPDATE raw_messages SET verdict = ?, verdict_reason = ?, verdict_domain = ?, examined_at = ?"
            " WHERE id = ? AND verdict = 'pending'",
            (str(verdict.value), str(verdict.reason), verdict.domain or None, rfc3339(now), waiting.raw_id),
        )
        _leave_queue(database, waiting.raw_id)
        activity_ids[waiting.activity_id] = None
    for activity_id in activity_ids:
        _lead(database, activity_id)


def prove(database: Database, raw_id: int, activity_id: int, now: datetime) -> None:
    """Writes that a body's author is proven, by a login, whatever its signatures say; in the caller's transaction."""
    database.execute(
        "UPDATE raw_messages SET verdict = 'pass', verdict_reason = ?, verdict_domain = NULL, examined_at = ?"
        " WHERE id = ? AND verdict <> 'pass'",
        (str(VerdictReason.LOGIN), rfc3339(now), raw_id),
    )
    _leave_queue(database, raw_id)
    _lead(database, activity_id)


def _leave_queue(database: Database, raw_id: int) -> None:
    database.execute("DELETE FROM digest_queue WHERE lane IN (0, 1) AND stage = 'verdict' AND raw_id = ?", (raw_id,))


def _lead(database: Database, activity_id: int) -> None:
    found = database.execute(
        "SELECT id, verdict FROM raw_messages WHERE activity_id = ? ORDER BY id", (activity_id,)
    ).fetchall()
    raw_id, verdict = next((row for row in found if row[1] == "pass"), found[0])
    database.execute(
        "UPDATE activities SET leading_raw_id = ?, sender_verdict = ?,"
        " subject = COALESCE((SELECT r.subject FROM raw_messages r WHERE r.id = ?), subject) WHERE id = ?",
        (raw_id, verdict, raw_id, activity_id),
    )


def postpone(database: Database, waiting: Waiting, until: datetime) -> None:
    """Leaves one pending, to be tried again; in the caller's transaction."""
    database.execute(
        "UPDATE digest_queue SET lane = 1, attempts = attempts + 1, next_try_at = ?"
        " WHERE lane IN (0, 1) AND stage = 'verdict' AND raw_id = ?",
        (rfc3339(until), waiting.raw_id),
    )
