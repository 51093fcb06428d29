"""Raw messages: what was kept of an activity byte for byte, and when each was seen. Never writes: `writing` does.

Called by the command line and the digest.
"""

import io
from dataclasses import dataclass
from typing import Any

import zstandard

from mailweir.errors import MailweirError, NotFound
from mailweir.store.database import models
from mailweir.store.database.connection import Database
from mailweir.store.record.activities import Activity


@dataclass(frozen=True, slots=True)
class Version:
    """One body that came under an activity's identity. number: from 1, in order of arrival. leading: it speaks for it.

    verdict: is the author of this one proven; the leading one's is the activity's sender verdict.
    """

    number: int
    size_bytes: int
    recorded_at: str
    leading: bool
    verdict: str


@dataclass(frozen=True, slots=True)
class Sighting:
    """One time the message was seen. source_id: queue id or Gmail id. user: username, or None. version: which body it had."""

    route: str
    source_id: str
    user: str | None
    version: int
    seen_at: str


def versions(database: Database, activity: Activity) -> list[Version]:
    """An activity's kept bodies."""
    with database.bound():
        leading_id = _leading_id(activity)
        return [
            Version(number, row.size_bytes, row.recorded_at, row.id == leading_id, row.verdict)
            for number, row in enumerate(_rows(activity), 1)
        ]


def sightings(database: Database, activity: Activity) -> list[Sighting]:
    """Each time that an activity was seen, in order."""
    with database.bound():
        numbers = {row.id: number for number, row in enumerate(_rows(activity), 1)}
        query: Any = models.Sighting.select(models.Sighting, models.User.id, models.User.username).join(
            models.User, "LEFT OUTER JOIN"
        )
        return [
            Sighting(
                row.route,
                row.source_id,
                row.user.username if row.user_id is not None else None,
                numbers[row.raw_message_id],
                row.seen_at,
            )
            for row in query.where(models.Sighting.activity == activity.id).order_by(models.Sighting.id)
        ]


def read(database: Database, activity: Activity, number: int | None = None) -> bytes:
    """The message's bytes: the leading version's, or those of the version with this number. NotFound."""
    with database.bound():
        rows = _rows(activity)
        leading_id = _leading_id(activity)
        wanted = [
            row.id for at, row in enumerate(rows, 1) if (row.id == leading_id if number is None else at == number)
        ]
        if not wanted:
            raise NotFound(
                f"activity {activity.id} has no version {number or 'that leads'}: {len(rows)} are kept, from 1 on"
            )
        row = models.RawMessage.get_by_id(wanted[0])
    return decompress(row.content_zstd, row.size_bytes, activity.id)


def decompress(content_zstd: bytes, size_bytes: int, activity_id: int) -> bytes:
    """A kept message's bytes. MailweirError where they are damaged."""
    try:
        reader = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(content_zstd), read_across_frames=True)
        raw = reader.read(size_bytes + 1)
    except zstandard.ZstdError as error:
        raise MailweirError(f"the raw message of activity {activity_id} is damaged in the database: {error}") from error
    if len(raw) != size_bytes:
        raise MailweirError(
            f"the raw message of activity {activity_id} is damaged in the database: {len(raw)} of {size_bytes} bytes"
        )
    return raw


def _rows(activity: Activity) -> Any:
    # without the content, which may be many megabytes
    table = models.RawMessage
    fields = (table.id, table.size_bytes, table.recorded_at, table.verdict)
    return list(table.select(*fields).where(table.activity == activity.id).order_by(table.id))


def _leading_id(activity: Activity) -> Any:
    return models.Activity.get_by_id(activity.id).leading_raw_id
