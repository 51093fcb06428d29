"""The digest's pending work: a row for each version and stage, in two lanes. In plain SQL.

Lane NEW has new mail, lane LATER has retries and repeated work. On PostgreSQL, where several hosts may digest, other hosts get a
taken row only once its lease is over; on SQLite the one digest itself remembers the work in hand. Called by the digest, and by
`mailweir digest`.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any

from mailweir.store.database import batches, rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse, rfc3339


class Stage(StrEnum):
    """The work to be done on a version."""

    VERDICT = "verdict"
    READING = "reading"


class Lane(IntEnum):
    """Independent lanes: neither waits for the other."""

    NEW = 0
    LATER = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One item of work. attempts: tries without an answer from DNS. deaths: child processes that it ended."""

    raw_id: int
    stage: Stage
    lane: Lane
    attempts: int = 0
    deaths: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """The facts about a version that a child process needs. author: the activity's, in normal form. via: see RawRow.author_via.
    recorded_at: UTC."""

    activity_id: int
    author: str
    via: str | None
    size_bytes: int
    recorded_at: datetime
    content_zstd: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The number of waiting items in a stage. ended: those that ended a child process before."""

    stage: Stage
    new: int
    later: int
    ended: int


# The lanes are constants in the statements: PostgreSQL uses the later lane's partial index only for a constant.
_DUE = {
    Lane.NEW: (
        "SELECT raw_id, attempts, deaths FROM digest_queue WHERE stage = ? AND lane = 0 AND next_try_at <= ?"
        " ORDER BY raw_id LIMIT ?"
    ),
    Lane.LATER: (
        "SELECT raw_id, attempts, deaths FROM digest_queue WHERE stage = ? AND lane = 1 AND next_try_at <= ?"
        " ORDER BY next_try_at, raw_id LIMIT ?"
    ),
}


def take(
    database: Database,
    stage: Stage,
    lane: Lane,
    limit: int,
    *,
    now: datetime,
    until: datetime,
    without: Collection[int] = (),
) -> list[Entry]:
    """The due items, at most this many, in order. until: the lease's end. without: raw ids that are in hand already."""
    if database.is_sqlite:
        found = _due(database, stage, lane, limit + len(without), now)
    else:
        found = _leased(database, stage, lane, limit, now, until)
    entries = [
        Entry(raw_id=raw_id, stage=stage, lane=lane, attempts=attempts, deaths=deaths)
        for raw_id, attempts, deaths in found
        if raw_id not in without
    ]
    return entries[:limit]


def _due(database: Database, stage: Stage, lane: Lane, limit: int, now: datetime) -> list[tuple[int, int, int]]:
    return list(database.execute(_DUE[lane], (stage.value, rfc3339(now), limit)).fetchall())


def _leased(
    database: Database, stage: Stage, lane: Lane, limit: int, now: datetime, until: datetime
) -> list[tuple[int, int, int]]:
    # If nothing is due, no lock is needed.
    if not _due(database, stage, lane, 1, now):
        return []
    lease = "UPDATE digest_queue SET next_try_at = ? WHERE lane = ? AND stage = ?"
    with database.transaction(alone=False):
        sql = f"{_DUE[lane]} FOR UPDATE SKIP LOCKED"
        found = database.execute(sql, (stage.value, rfc3339(now), limit)).fetchall()
        _change(database, lease, (rfc3339(until), int(lane), stage.value), [row[0] for row in found])
    return list(found)


def _change(database: Database, sql: str, first: Sequence[Any], raw_ids: Iterable[int]) -> None:
    """Runs a statement, whose WHERE ends with lane and stage, for these versions.

    The statement gets the range of the ids, too. The queue grows and empties within minutes, so PostgreSQL's statistics of it are
    wrong. Without the range PostgreSQL would read the stage's whole queue each time.
    """
    for part in batches.parts(sorted(raw_ids)):
        marks = ",".join("?" * len(part))
        within = f"{sql} AND raw_id >= ? AND raw_id <= ? AND raw_id IN ({marks})"
        database.execute(within, (*first, part[0], part[-1], *part))


def release(database: Database, entries: Iterable[Entry]) -> None:
    """Gives back unfinished items, on PostgreSQL; on SQLite nobody else takes them."""
    if database.is_sqlite:
        return
    for one in entries:
        database.execute(
            "UPDATE digest_queue SET next_try_at = '' WHERE lane = ? AND stage = ? AND raw_id = ?",
            (int(one.lane), one.stage.value, one.raw_id),
        )


def version(database: Database, raw_id: int) -> Version | None:
    """The version of an entry; None if it is no longer on the record."""
    found = database.execute(
        "SELECT r.activity_id, a.author, r.author_via, r.size_bytes, r.recorded_at, r.content_zstd"
        " FROM raw_messages r JOIN activities a ON a.id = r.activity_id WHERE r.id = ?",
        (raw_id,),
    )
    row = rows.first(found)
    if row is None:
        return None
    return Version(
        activity_id=row["activity_id"],
        author=row["author"],
        via=row["author_via"],
        size_bytes=row["size_bytes"],
        recorded_at=parse(row["recorded_at"]),
        content_zstd=bytes(row["content_zstd"]),
    )


def small_versions(database: Database, raw_ids: Collection[int], max_bytes: int) -> dict[int, Version]:
    """The versions, by id, that are on the record and whose mail has at most this many bytes; many at a time."""
    sql = (
        "SELECT r.id, r.activity_id, a.author, r.author_via, r.size_bytes, r.recorded_at, r.content_zstd"
        " FROM raw_messages r JOIN activities a ON a.id = r.activity_id WHERE r.size_bytes <= ? AND r.id IN ({})"
    )
    return {
        raw_id: Version(
            activity_id=activity_id,
            author=author,
            via=via,
            size_bytes=size_bytes,
            recorded_at=parse(recorded_at),
            content_zstd=bytes(content_zstd),
        )
        for raw_id, activity_id, author, via, size_bytes, recorded_at, content_zstd in batches.among(
            database, sql, (max_bytes,), raw_ids
        )
    }


def done(database: Database, stage: Stage, *raw_ids: int) -> None:
    """Removes the entries of these versions, in both lanes; in the caller's transaction."""
    _change(database, "DELETE FROM digest_queue WHERE lane IN (0, 1) AND stage = ?", (stage.value,), raw_ids)


def postpone(database: Database, entry: Entry, until: datetime) -> None:
    """Schedules a retry, with the entry's counts; in the caller's transaction. Does nothing if the entry was removed."""
    key = (entry.stage.value, entry.raw_id)
    here = "SELECT 1 FROM digest_queue WHERE lane IN (0, 1) AND stage = ? AND raw_id = ?"
    if database.execute(here, key).fetchone() is None:
        return
    database.execute("DELETE FROM digest_queue WHERE lane = 0 AND stage = ? AND raw_id = ?", key)
    put_later(database, entry, until)


def put_later(database: Database, entry: Entry, until: datetime) -> None:
    """Schedules an entry in the later lane, due at `until`; in the caller's transaction, which has locked its activity."""
    ending = (
        "ON CONFLICT (lane, stage, raw_id) DO UPDATE SET attempts = excluded.attempts, deaths = excluded.deaths,"
        " next_try_at = excluded.next_try_at"
    )
    columns = ("lane", "stage", "raw_id", "attempts", "deaths", "next_try_at")
    row = (int(Lane.LATER), entry.stage.value, entry.raw_id, entry.attempts, entry.deaths, rfc3339(until))
    batches.insert(database, "digest_queue", columns, [row], ending)


def again(database: Database, stage: Stage, raw_ids: Sequence[int]) -> None:
    """Schedules these versions again in the later lane; versions that wait already don't wait longer because of that. In the
    caller's transaction.

    Versions removed from the record meanwhile are left out; the others can't be removed until the transaction's end, because
    their rows are locked.
    """
    lock = "" if database.is_sqlite else " FOR KEY SHARE"
    found = batches.among(database, f"SELECT id FROM raw_messages WHERE id IN ({{}}) ORDER BY id{lock}", (), raw_ids)
    kept = [raw_id for (raw_id,) in found]
    waiting = "SELECT raw_id FROM digest_queue WHERE lane IN (0, 1) AND stage = ? AND raw_id IN ({})"
    known = {raw_id for (raw_id,) in batches.among(database, waiting, (stage.value,), kept)}
    _change(database, "UPDATE digest_queue SET next_try_at = '' WHERE lane = 1 AND stage = ?", (stage.value,), known)
    new = [(int(Lane.LATER), stage.value, raw_id) for raw_id in kept if raw_id not in known]
    batches.insert(database, "digest_queue", ("lane", "stage", "raw_id"), new, "ON CONFLICT DO NOTHING")


def oldest_new(database: Database) -> datetime | None:
    """When the oldest waiting new mail came; None if none waits. UTC."""
    sql = (
        "SELECT r.recorded_at FROM digest_queue q JOIN raw_messages r ON r.id = q.raw_id"
        " WHERE q.lane = 0 AND q.stage = ? ORDER BY q.raw_id LIMIT 1"
    )
    found = [database.execute(sql, (stage.value,)).fetchone() for stage in Stage]
    return min((parse(row[0]) for row in found if row), default=None)


def count_without_dns(database: Database) -> int:
    """The number of versions that wait for a verdict because DNS didn't answer."""
    sql = "SELECT COUNT(*) FROM digest_queue WHERE lane = 1 AND stage = 'verdict' AND attempts > 0"
    (count,) = database.execute(sql).fetchone()
    return int(count)


def versions(database: Database, activity_ids: Sequence[int]) -> list[int]:
    """The ids of these activities' versions."""
    sql = "SELECT id FROM raw_messages WHERE activity_id IN ({}) ORDER BY id"
    return [raw_id for (raw_id,) in batches.among(database, sql, (), activity_ids)]


def waiting(database: Database) -> list[Waiting]:
    """The number of waiting items in each stage, including those that aren't due yet."""
    sql = (
        "SELECT stage, lane, COUNT(*) AS number, SUM(CASE WHEN deaths > 0 THEN 1 ELSE 0 END) AS ended FROM digest_queue"
        " GROUP BY stage, lane"
    )
    found = {(row["stage"], row["lane"]): row for row in rows.named(database.execute(sql))}
    none = {"number": 0, "ended": 0}
    return [
        Waiting(
            stage=stage, new=int(new["number"]), later=int(later["number"]), ended=int(new["ended"] + later["ended"])
        )
        for stage in Stage
        for new, later in [(found.get((stage.value, 0), none), found.get((stage.value, 1), none))]
    ]
