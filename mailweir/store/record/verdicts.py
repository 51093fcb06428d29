"""Sender verdicts: which bodies wait for one, and what follows from one for the activity. In plain SQL; called by the digest.

Never touches a body. Safe to do twice, and with two digests at once: a body's verdict is settled once.
"""

from collections.abc import Collection, Iterable
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
    wanted = {one.raw_id: (one.activity_id, verdict) for one, verdict in verdicts}
    digest_queue.done(database, Stage.VERDICT, *wanted)
    sql = "SELECT id, verdict, author_doubt FROM raw_messages WHERE id IN ({})"
    before = {raw_id: (verdict, doubt) for raw_id, verdict, doubt in batches.among(database, sql, (), wanted)}
    new = {
        raw_id: (activity_id, verdict)
        for raw_id, (activity_id, verdict) in wanted.items()
        if raw_id in before and _replaces(*before[raw_id], verdict)
    }
    rows = [
        (raw_id, str(verdict.value), str(verdict.reason), verdict.domain or None, rfc3339(now), int(verdict.covers_ids))
        for raw_id, (_, verdict) in new.items()
    ]
    columns = dict.fromkeys(("verdict", "verdict_reason", "verdict_domain", "examined_at"), "TEXT")
    columns["proves_ids"] = "BIGINT"
    batches.update(database, "raw_messages", "id", columns, rows)
    return choose_leading(database, sorted({activity_id for activity_id, _ in new.values()}))


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


def leading(database: Database, raw_ids: Collection[int]) -> set[int]:
    """Those of these bodies that lead their activities."""
    # by the activity's own key, for no index has leading_raw_id: it would read all activities
    sql = (
        "SELECT r.id FROM raw_messages r JOIN activities a ON a.id = r.activity_id AND a.leading_raw_id = r.id"
        " WHERE r.id IN ({})"
    )
    return {raw_id for (raw_id,) in batches.among(database, sql, (), raw_ids)}


def authors(database: Database, activity_ids: Iterable[int]) -> list[tuple[int, int, str, int]]:
    """(deployment's id, activity's id, author, 1 where he is proven to have named what the message names) of each that is on the
    record, in this order.

    A signature that isn't over the ids proves the author and not these: anybody can send the mail again with others. And what is
    there for its thread alone proves nobody: whatever it names, it merges no threads.
    """
    sql = (
        "SELECT a.deployment_id, a.id, a.author, CASE WHEN a.sender_verdict = 'pass' AND r.proves_ids = 1 AND"
        " (a.by_known_thread = 0 OR EXISTS (SELECT 1 FROM activity_contacts p WHERE p.activity_id = a.id)) THEN 1 ELSE 0 END"
        " FROM activities a JOIN raw_messages r ON r.id = a.leading_raw_id WHERE a.id IN ({})"
    )
    return sorted(tuple(row) for row in batches.among(database, sql, (), list(dict.fromkeys(activity_ids))))


def prove(database: Database, raw_id: int, activity_id: int, now: datetime) -> Led | None:
    """Writes that a body's author is proven, by a login, whatever its signatures say; in the caller's transaction.

    What it says of its activity, if anything, as `settle` says it.
    """
    database.execute(
        "UPDATE raw_messages SET verdict = 'pass', verdict_reason = ?, verdict_domain = NULL, examined_at = ?, proves_ids = 1"
        " WHERE id = ? AND verdict <> 'pass'",
        (str(VerdictReason.LOGIN), rfc3339(now), raw_id),
    )
    digest_queue.done(database, Stage.VERDICT, raw_id)
    return next(iter(choose_leading(database, [activity_id])), None)


def choose_leading(database: Database, activity_ids: Collection[int]) -> list[Led]:
    """Lets the right body lead each. Without those where it did and isn't proven now, and what is off the record."""
    sql = "SELECT activity_id, id, verdict, subject FROM raw_messages WHERE activity_id IN ({}) ORDER BY id"
    first: dict[int, tuple[int, str, str | None]] = {}
    proven: dict[int, tuple[int, str, str | None]] = {}
    for activity_id, *version in batches.among(database, sql, (), activity_ids):
        first.setdefault(activity_id, (version[0], version[1], version[2]))
        if version[1] == "pass":
            proven.setdefault(activity_id, (version[0], version[1], version[2]))
    sql = "SELECT id, leading_raw_id, sender_verdict, subject FROM activities WHERE id IN ({})"
    led: list[Led] = []
    rows: list[tuple[int, int, str, str]] = []
    for activity_id, before_id, before_verdict, before_subject in batches.among(database, sql, (), activity_ids):
        raw_id, verdict, subject = (
            proven.get(activity_id) or first.get(activity_id) or (before_id, before_verdict, None)
        )
        if (raw_id, verdict) == (before_id, before_verdict):
            continue
        rows.append((activity_id, raw_id, verdict, before_subject if subject is None else subject))
        if raw_id != before_id or verdict == "pass":
            led.append(Led(activity_id, raw_id != before_id))
    columns = {"leading_raw_id": "BIGINT", "sender_verdict": "TEXT", "subject": "TEXT"}
    batches.update(database, "activities", "id", columns, rows)
    return led
