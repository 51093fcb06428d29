"""Sender verdicts: the number of versions that wait for one, and the effects on activities. In plain SQL; called by the digest.

Never touches a version's bytes. Safe to repeat, and with two digests at once: a version that is proven stays proven.
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
    """An examined version, and its activity."""

    raw_id: int
    activity_id: int


class Led(NamedTuple):
    """An activity with a change in its leading version. is_other: another version leads now; otherwise the same one leads, and is
    proven now."""

    activity_id: int
    is_other: bool


def count_pending(database: Database) -> int:
    """The number of versions that wait for their first verdict, due or not. It doesn't count versions with a verdict that are
    examined again."""
    sql = (
        "SELECT COUNT(*) FROM digest_queue WHERE (lane = 0 AND stage = 'verdict')"
        " OR (lane = 1 AND stage = 'verdict' AND attempts + deaths > 0)"
    )
    (count,) = database.execute(sql).fetchone()
    return int(count)


def lock(database: Database, activity_ids: Iterable[int]) -> None:
    """Locks these activities until the end of the caller's transaction. Call it before any other write of the transaction.

    The recording of mail locks activities first, in this order, and then versions; in the opposite order, the two would deadlock
    (on PostgreSQL: SQLite has one writer at a time). This is likely, because a repeat of a message comes at the very moment at
    which its first copy is examined.
    """
    ids = sorted(set(activity_ids))
    if ids and not database.is_sqlite:
        marks = ",".join("?" * len(ids))
        database.execute(
            f"SELECT id FROM activities WHERE id IN ({marks}) ORDER BY deployment_id, identity FOR UPDATE", ids
        )


def settle(database: Database, verdicts: Iterable[tuple[Examined, SenderVerdict]], now: datetime) -> list[Led]:
    """Writes final verdicts with their reasons, and chooses each activity's leading version; in the caller's transaction, which
    has locked the activities (`lock`). Returns the activities that have another leading version, or are proven now.

    The first proven version leads; if none is proven, the first version. Its verdict and subject are the activity's (law 2).
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
    """May this verdict replace the existing one? Domains withdraw their keys after a while. So a proven version stays proven, and
    a bad signature stays bad if its key is missing later."""
    if before == "pending":
        return True
    if before == str(Verdict.PASS) or doubt is not None or verdict.reason in _NOT_EXAMINED:
        return False
    return verdict.value is not Verdict.NONE or before == str(Verdict.NONE)


def unproven_since(database: Database, raw_id: int) -> datetime | None:
    """The time when an examined, unproven version came; None if it is proven, pending or no longer on the record. UTC."""
    sql = "SELECT recorded_at FROM raw_messages WHERE id = ? AND verdict IN ('none', 'fail')"
    row = database.execute(sql, (raw_id,)).fetchone()
    return parse(row[0]) if row else None


def leading(database: Database, raw_ids: Collection[int]) -> set[int]:
    """Those of these versions that lead their activities."""
    # Joined by the activity's id: leading_raw_id has no index, so a join by it alone would read all activities.
    sql = (
        "SELECT r.id FROM raw_messages r JOIN activities a ON a.id = r.activity_id AND a.leading_raw_id = r.id"
        " WHERE r.id IN ({})"
    )
    return {raw_id for (raw_id,) in batches.among(database, sql, (), raw_ids)}


def authors(database: Database, activity_ids: Iterable[int]) -> list[tuple[int, int, str, int]]:
    """(deployment's id, activity's id, author, 1 if the author is proven for the ids that the message names) of each activity
    that is on the record, sorted.

    A signature that doesn't cover the ids proves only the author: anybody can send the mail again with other ids. Mail that is
    recorded only because of its thread proves nobody, so it never merges threads.
    """
    sql = (
        "SELECT a.deployment_id, a.id, a.author, CASE WHEN a.sender_verdict = 'pass' AND r.proves_ids = 1 AND"
        " (a.by_known_thread = 0 OR EXISTS (SELECT 1 FROM activity_contacts p WHERE p.activity_id = a.id)) THEN 1 ELSE 0 END"
        " FROM activities a JOIN raw_messages r ON r.id = a.leading_raw_id WHERE a.id IN ({})"
    )
    return sorted(tuple(row) for row in batches.among(database, sql, (), list(dict.fromkeys(activity_ids))))


def prove(database: Database, raw_id: int, activity_id: int, now: datetime) -> Led | None:
    """Records that a login proves a version's author, whatever its signatures; in the caller's transaction.

    Returns its activity if that has another leading version, or is proven now; otherwise None.
    """
    database.execute(
        "UPDATE raw_messages SET verdict = 'pass', verdict_reason = ?, verdict_domain = NULL, examined_at = ?, proves_ids = 1"
        " WHERE id = ? AND verdict <> 'pass'",
        (str(VerdictReason.LOGIN), rfc3339(now), raw_id),
    )
    digest_queue.done(database, Stage.VERDICT, raw_id)
    return next(iter(choose_leading(database, [activity_id])), None)


def choose_leading(database: Database, activity_ids: Collection[int]) -> list[Led]:
    """Chooses the leading version of each activity. Returns the activities that have another leading version, or are proven
    now."""
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
