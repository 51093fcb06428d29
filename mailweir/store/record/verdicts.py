"""Sender verdicts: which bodies wait for one, and what follows from one for the activity. In plain SQL; called by the digest.

Never touches a body. Safe to do twice, and with two digests at once: a body's verdict is settled once.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from mailweir.sender_verdict import SenderVerdict, Verdict, VerdictReason
from mailweir.store.database import batches
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse, rfc3339
from mailweir.store.record import digest_queue
from mailweir.store.record.digest_queue import Stage

_NOT_EXAMINED = frozenset({VerdictReason.DAMAGED, VerdictReason.EXAMINER_DIED})


@dataclass(frozen=True, slots=True)
class Examined:
    """A body that was looked at, and the activity that it is a version of."""

    raw_id: int
    activity_id: int


class Led(NamedTuple):
    """An activity that is led otherwise than before. is_other: by another body; else by the same one, which is proven now."""

    activity_id: int
    is_other: bool


def count_pending(database: Database) -> int:
    """How many wait for their first verdict, those whose turn isn't yet included: not what has one and is examined again."""
    sql = (
        "SELECT COUNT(*) FROM digest_queue WHERE (lane = 0 AND stage = 'verdict')"
        " OR (lane = 1 AND stage = 'verdict' AND attempts + deaths > 0)"
    )
    (count,) = database.execute(sql).fetchone()
    return int(count)


def lock(database: Database, activity_ids: Iterable[int]) -> None:
    """Holds these activities until the end of the caller's transaction, and before any of its other writes.

    Whoever records mail holds activities first, in this order, and then bodies; the other way round, the two would each wait for
    what the other has (on PostgreSQL: SQLite has one writer at a time). A repeat of a message comes at the very moment at which
    its first copy is examined.
    """
    ids = sorted(set(activity_ids))
    if ids and not database.is_sqlite:
        marks = ",".join("?" * len(ids))
        database.execute(
            f"SELECT id FROM activities WHERE id IN ({marks}) ORDER BY deployment_id, identity FOR UPDATE", ids
        )


def settle(database: Database, verdicts: Iterable[tuple[Examined, SenderVerdict]], now: datetime) -> list[Led]:
    """Writes final verdicts with their reasons, and lets the right body lead each activity; in the caller's transaction,
    which holds their activities (`lock`). The activities that another body leads now, or that are proven now.

    The first body that is proven leads; where none is, the first one. Its verdict and subject are the activity's (law 2).
    """
    activity_ids: dict[int, None] = {}
    for one, verdict in verdicts:
        digest_queue.done(database, Stage.VERDICT, one.raw_id)
        row = database.execute("SELECT verdict, author_doubt FROM raw_messages WHERE id = ?", (one.raw_id,)).fetchone()
        if row is None or not _replaces(row[0], row[1], verdict):
            continue
        database.execute(
            "UPDATE raw_messages SET verdict = ?, verdict_reason = ?, verdict_domain = ?, examined_at = ? WHERE id = ?",
            (str(verdict.value), str(verdict.reason), verdict.domain or None, rfc3339(now), one.raw_id),
        )
        activity_ids[one.activity_id] = None
    return [led for activity_id in activity_ids if (led := _lead(database, activity_id))]


def _replaces(before: str, doubt: str | None, verdict: SenderVerdict) -> bool:
    """May this take the place of the verdict that is there? Keys are withdrawn in time: what was proven stays so, and a bad
    signature isn't forgotten for the lack of a key."""
    if before == "pending":
        return True
    if before == str(Verdict.PASS) or doubt is not None or verdict.reason in _NOT_EXAMINED:
        return False
    return verdict.value is not Verdict.NONE or before == str(Verdict.NONE)


def unproven_since(database: Database, raw_id: int) -> datetime | None:
    """When a body came that was examined and isn't proven; None where it is, or is off the record. UTC."""
    sql = "SELECT recorded_at FROM raw_messages WHERE id = ? AND verdict IN ('none', 'fail')"
    row = database.execute(sql, (raw_id,)).fetchone()
    return parse(row[0]) if row else None


def leads(database: Database, raw_id: int) -> bool:
    """Does this body lead its activity?"""
    sql = "SELECT 1 FROM raw_messages r JOIN activities a ON a.leading_raw_id = r.id WHERE r.id = ?"
    return database.execute(sql, (raw_id,)).fetchone() is not None


def authors(database: Database, activity_ids: Iterable[int]) -> list[tuple[int, int, str, str]]:
    """(deployment's id, activity's id, author, sender verdict) of each that is on the record, in this order."""
    sql = "SELECT deployment_id, id, author, sender_verdict FROM activities WHERE id IN ({})"
    return sorted(tuple(row) for row in batches.among(database, sql, (), list(dict.fromkeys(activity_ids))))


def prove(database: Database, raw_id: int, activity_id: int, now: datetime) -> Led | None:
    """Writes that a body's author is proven, by a login, whatever its signatures say; in the caller's transaction.

    What it says of its activity, if anything, as `settle` says it.
    """
    database.execute(
        "UPDATE raw_messages SET verdict = 'pass', verdict_reason = ?, verdict_domain = NULL, examined_at = ?"
        " WHERE id = ? AND verdict <> 'pass'",
        (str(VerdictReason.LOGIN), rfc3339(now), raw_id),
    )
    digest_queue.done(database, Stage.VERDICT, raw_id)
    return _lead(database, activity_id)


def _lead(database: Database, activity_id: int) -> Led | None:
    """Lets the right body lead. None where it did and isn't proven now, and for what is off the record."""
    found = database.execute(
        "SELECT id, verdict FROM raw_messages WHERE activity_id = ? ORDER BY id", (activity_id,)
    ).fetchall()
    if not found:
        return None
    raw_id, verdict = next((row for row in found if row[1] == "pass"), found[0])
    before = database.execute(
        "SELECT leading_raw_id, sender_verdict FROM activities WHERE id = ?", (activity_id,)
    ).fetchone()
    if tuple(before) == (raw_id, verdict):
        return None
    database.execute(
        "UPDATE activities SET leading_raw_id = ?, sender_verdict = ?,"
        " subject = COALESCE((SELECT r.subject FROM raw_messages r WHERE r.id = ?), subject) WHERE id = ?",
        (raw_id, verdict, raw_id, activity_id),
    )
    is_other = raw_id != before[0]
    return Led(activity_id, is_other) if is_other or verdict == "pass" else None
