"""Raw messages: the versions of activities, with their bytes, and the sightings. Never writes: `writing` does.

Called by the command line, the page and the digest.
"""

import io
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import zstandard

from mailweir.errors import MailweirError, NotFound
from mailweir.sentence import said
from mailweir.store.database import batches, rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse
from mailweir.store.record.activities import Activity


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an activity's message. number: from 1, in order of arrival. leading: is it the leading version?

    verdict: is the author of this version proven? The leading version's verdict is the activity's sender verdict. verdict_reason,
    verdict_domain: as in `Activity`. recorded_at: UTC.
    """

    number: int
    size_bytes: int
    recorded_at: datetime
    leading: bool
    verdict: str
    verdict_reason: str | None = None
    verdict_domain: str | None = None


@dataclass(frozen=True, slots=True)
class Sighting:
    """One sighting of the message. source_id: queue id or Gmail id. user: username, or None. version: its version's number.
    seen_at: UTC."""

    route: str
    source_id: str
    user: str | None
    version: int
    seen_at: datetime


def versions(database: Database, activity: Activity) -> list[Version]:
    """An activity's versions."""
    return [
        Version(
            number=number,
            size_bytes=row["size_bytes"],
            recorded_at=parse(row["recorded_at"]),
            leading=row["id"] == row["leading_raw_id"],
            verdict=row["verdict"],
            verdict_reason=row["verdict_reason"],
            verdict_domain=row["verdict_domain"],
        )
        for number, row in enumerate(_kept(database, activity), 1)
    ]


def ids(database: Database, activity: Activity) -> list[int]:
    """The ids of an activity's versions, in the order of their numbers."""
    return [row["id"] for row in _kept(database, activity)]


def leading_id(database: Database, activity: Activity) -> int | None:
    """The id of an activity's leading version; None if none is stored."""
    return next((row["id"] for row in _kept(database, activity) if row["id"] == row["leading_raw_id"]), None)


def sightings(database: Database, activity: Activity) -> list[Sighting]:
    """Each sighting of an activity, in order."""
    numbers = {row["id"]: number for number, row in enumerate(_kept(database, activity), 1)}
    sql = (
        "SELECT s.route, s.source_id, u.username, s.raw_message_id, s.seen_at FROM sightings s"
        " LEFT JOIN users u ON u.id = s.user_id WHERE s.activity_id = ? ORDER BY s.id"
    )
    return [
        Sighting(
            route=row["route"],
            source_id=row["source_id"],
            user=row["username"],
            version=numbers[row["raw_message_id"]],
            seen_at=parse(row["seen_at"]),
        )
        for row in rows.named(database.execute(sql, (activity.id,)))
    ]


def read(database: Database, activity: Activity, number: int | None = None) -> bytes:
    """The message's bytes: the leading version's, or those of the version with this number. NotFound."""
    kept = _kept(database, activity)
    wanted = [
        row["id"]
        for at, row in enumerate(kept, 1)
        if (row["id"] == row["leading_raw_id"] if number is None else at == number)
    ]
    if not wanted:
        raise NotFound(
            said(
                "activity {id} has no version {what}: {number} are kept, from 1 on",
                id=activity.id,
                what=number or said("that leads"),
                number=len(kept),
            )
        )
    sql = "SELECT content_zstd, size_bytes FROM raw_messages WHERE id = ?"
    content_zstd, size_bytes = database.execute(sql, (wanted[0],)).fetchone()
    return decompress(bytes(content_zstd), size_bytes, activity.id)


def decompress(content_zstd: bytes, size_bytes: int, activity_id: int) -> bytes:
    """A stored message's bytes. MailweirError if they are damaged."""
    try:
        reader = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(content_zstd), read_across_frames=True)
        raw = reader.read(size_bytes + 1)
    except zstandard.ZstdError as error:
        raise MailweirError(
            said(
                "the raw message of activity {activity_id} is damaged in the database: {error}",
                activity_id=activity_id,
                error=error,
            )
        ) from error
    if len(raw) != size_bytes:
        raise MailweirError(
            said(
                "the raw message of activity {activity_id} is damaged in the database: {number} of {size_bytes} bytes",
                activity_id=activity_id,
                number=len(raw),
                size_bytes=size_bytes,
            )
        )
    return raw


def present(database: Database, raw_ids: Collection[int]) -> list[int]:
    """The versions that are on the record, in the order of their ids."""
    sql = "SELECT id FROM raw_messages WHERE id IN ({}) ORDER BY id"
    return [raw_id for (raw_id,) in batches.among(database, sql, (), raw_ids)]


def _kept(database: Database, activity: Activity) -> list[rows.Row]:
    """An activity's versions without their content, which may be many megabytes."""
    sql = (
        "SELECT r.id, r.size_bytes, r.recorded_at, r.verdict, r.verdict_reason, r.verdict_domain, a.leading_raw_id"
        " FROM raw_messages r JOIN activities a ON a.id = r.activity_id WHERE r.activity_id = ? ORDER BY r.id"
    )
    return rows.named(database.execute(sql, (activity.id,)))
