"""What was read out of versions: text, folds, HTML for view, labels, attachments. Derived: the raw message is what counts.

A reading belongs to one version; the leading version's is the activity's. What a list shows stands before what is large. In plain
SQL. Written by the digest, within its transaction; read by the command line.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import zstandard

from mailweir.errors import MailweirError
from mailweir.reading.attachments import Attachment
from mailweir.reading.folds import Fold, FoldKind
from mailweir.reading.forwarded import Original
from mailweir.reading.invitation import Invitation
from mailweir.reading.labels import Label, from_bits, to_bits
from mailweir.reading.reading import READER_VERSION, Reading
from mailweir.reading.thread_keys import ThreadKeys
from mailweir.store.database import batches, rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import (
    parse,
    parse_or_none,
    parse_with_offset,
    rfc3339,
    rfc3339_or_none,
    with_offset,
)

READ, UNREADABLE = "read", "unreadable"
_LEVEL = 3
_MAX_TEXT_BYTES = 16_000_000  # of what was compressed here: far more than a reading has
_COLUMNS = (
    "raw_id",
    "reader_version",
    "state",
    "read_at",
    "subject",
    "snippet",
    "labels",
    "thread_keys",
    "problems",
    "remote_images",
    "sanitizer_version",
    "original_author",
    "original_name",
    "original_date",
    "original_subject",
    "original_start",
    "invitation",
    "folds",
    "text_zstd",
    "html_zstd",
)
_ATTACHMENT_COLUMNS = (
    "raw_id",
    "number",
    "name",
    "media_type",
    "size_bytes",
    "sha256",
    "is_inline",
    "content_id",
    "offset_bytes",
    "length_bytes",
    "encoding",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptReading:
    """A version's reading. is_unreadable: it ended whoever read it; then there is no more than a subject. html: for view, or
    None. attachments: by their number, from 1 on. labels: of the headers as they were recorded, too. read_at: UTC."""

    raw_id: int
    reader_version: int
    is_unreadable: bool
    read_at: datetime
    subject: str
    snippet: str
    labels: frozenset[Label]
    problems: tuple[str, ...]
    remote_images: int
    original: Original | None
    invitation: Invitation | None
    folds: tuple[Fold, ...]
    text: str
    html: str | None
    attachments: tuple[Attachment, ...]


def write(database: Database, raw_id: int, reading: Reading, now: datetime) -> None:
    """Keeps what was read, in place of what was before; in the caller's transaction."""
    write_all(database, {raw_id: reading}, now)


def write_all(database: Database, found: Mapping[int, Reading], now: datetime) -> None:
    """Keeps what was read of versions, in place of what was before; in the caller's transaction."""
    compressor = zstandard.ZstdCompressor(level=_LEVEL)
    _replace(database, {raw_id: _row(raw_id, reading, now, compressor) for raw_id, reading in found.items()})
    files = [
        (
            raw_id,
            number,
            one.name,
            one.media_type,
            one.size_bytes,
            one.sha256,
            int(one.is_inline),
            one.content_id,
            one.offset,
            one.length,
            one.encoding,
        )
        for raw_id, reading in found.items()
        for number, one in enumerate(reading.attachments, 1)
    ]
    batches.insert(database, "attachments", _ATTACHMENT_COLUMNS, files)


def _row(raw_id: int, reading: Reading, now: datetime, compressor: zstandard.ZstdCompressor) -> tuple[Any, ...]:
    """In the order of `_COLUMNS`."""
    original, view = reading.original, reading.view
    of_original: tuple[Any, ...] = (None, None, None, None, None)
    if original:
        date = rfc3339_or_none(original.date)
        of_original = (original.author, original.author_name, date, original.subject, original.start)
    return (
        *(raw_id, READER_VERSION, READ, rfc3339(now), reading.subject, reading.snippet, to_bits(reading.labels)),
        *(_packed_keys(reading.thread_keys), " ".join(reading.problems), view.remote_images if view else 0),
        *(reading.sanitizer_version if view else None, *of_original, _packed_invitation(reading.invitation)),
        json.dumps([[str(one.kind), one.start, one.end] for one in reading.folds]),
        compressor.compress(reading.text.encode()),
        compressor.compress(view.html.encode()) if view else None,
    )


def write_unreadable(database: Database, raw_id: int, problem: str, now: datetime) -> None:
    """Keeps that a version could not be read, with the subject that it was recorded with; in the caller's transaction."""
    row = database.execute("SELECT subject FROM raw_messages WHERE id = ?", (raw_id,)).fetchone()
    if row is None:
        return
    nothing: dict[str, Any] = dict.fromkeys(_COLUMNS)
    known = {"raw_id": raw_id, "reader_version": READER_VERSION, "state": UNREADABLE, "read_at": rfc3339(now)}
    empty = {"snippet": "", "labels": 0, "thread_keys": "", "remote_images": 0, "folds": "[]"}
    told = {"subject": row[0] or "", "problems": problem, "text_zstd": _compressed("")}
    row = {**nothing, **known, **empty, **told}
    _replace(database, {raw_id: [row[column] for column in _COLUMNS]})


def _replace(database: Database, rows_of: Mapping[int, Sequence[Any]]) -> None:
    """rows_of: by version, in the order of `_COLUMNS`."""
    batches.change(database, "DELETE FROM attachments WHERE raw_id IN ({})", (), rows_of)
    batches.change(database, "DELETE FROM readings WHERE raw_id IN ({})", (), rows_of)
    batches.insert(database, "readings", _COLUMNS, rows_of.values())


def read(database: Database, raw_id: int) -> KeptReading | None:
    """A version's reading; None where it isn't read yet. MailweirError where it is damaged."""
    sql = "SELECT d.*, r.header_labels FROM readings d JOIN raw_messages r ON r.id = d.raw_id WHERE d.raw_id = ?"
    row = rows.first(database.execute(sql, (raw_id,)))
    if row is None:
        return None
    return KeptReading(
        raw_id=raw_id,
        reader_version=row["reader_version"],
        is_unreadable=row["state"] == UNREADABLE,
        read_at=parse(row["read_at"]),
        subject=row["subject"],
        snippet=row["snippet"],
        labels=from_bits(row["labels"]) | from_bits(row["header_labels"]),
        problems=tuple(row["problems"].split()),
        remote_images=row["remote_images"],
        original=_original(row),
        invitation=_invitation(row["invitation"]),
        folds=tuple(Fold(kind=FoldKind(kind), start=start, end=end) for kind, start, end in json.loads(row["folds"])),
        text=_text(row["text_zstd"], raw_id),
        html=_text(row["html_zstd"], raw_id) if row["html_zstd"] is not None else None,
        attachments=attachments(database, raw_id),
    )


def attachments(database: Database, raw_id: int) -> tuple[Attachment, ...]:
    """A version's files, in the order of their numbers, which begin with 1."""
    sql = (
        "SELECT name, media_type, size_bytes, sha256, is_inline, content_id, offset_bytes, length_bytes, encoding"
        " FROM attachments WHERE raw_id = ? ORDER BY number"
    )
    return tuple(
        Attachment(
            name=row["name"],
            media_type=row["media_type"],
            size_bytes=row["size_bytes"],
            sha256=bytes(row["sha256"]),
            is_inline=bool(row["is_inline"]),
            content_id=row["content_id"],
            offset=row["offset_bytes"],
            length=row["length_bytes"],
            encoding=row["encoding"],
        )
        for row in rows.named(database.execute(sql, (raw_id,)))
    )


def leading(database: Database, activity_id: int) -> KeptReading | None:
    """An activity's reading: that of its leading version."""
    row = database.execute("SELECT leading_raw_id FROM activities WHERE id = ?", (activity_id,)).fetchone()
    return read(database, row[0]) if row and row[0] is not None else None


def texts(database: Database, raw_ids: Iterable[int]) -> dict[int, str]:
    """The texts of versions that are read, by version; with nothing folded away."""
    sql = "SELECT raw_id, text_zstd FROM readings WHERE raw_id IN ({})"
    return {
        raw_id: _text(content_zstd, raw_id)
        for raw_id, content_zstd in batches.among(database, sql, (), list(dict.fromkeys(raw_ids)))
    }


def keys_of_leading(database: Database, activity_ids: Collection[int]) -> dict[int, ThreadKeys]:
    """What their leading versions say of activities' threads, by activity; without those where that isn't read."""
    sql = (
        "SELECT a.id, d.thread_keys FROM readings d JOIN activities a ON a.leading_raw_id = d.raw_id"
        " WHERE d.thread_keys <> '' AND a.id IN ({})"
    )
    return {activity_id: _keys(text) for activity_id, text in batches.among(database, sql, (), activity_ids)}


def same_file(database: Database, deployment_id: int, sha256: bytes) -> list[tuple[int, int]]:
    """Where a deployment has a file with this digest: (activity's id, number of the file) in leading versions, the newest first.

    The caller leaves out what its reader may not see.
    """
    sql = (
        "SELECT a.id, f.number FROM attachments f JOIN raw_messages r ON r.id = f.raw_id"
        " JOIN activities a ON a.leading_raw_id = r.id WHERE f.sha256 = ? AND a.deployment_id = ? ORDER BY a.id DESC, f.number"
    )
    return [(row[0], row[1]) for row in database.execute(sql, (sha256, deployment_id)).fetchall()]


def count_unreadable(database: Database) -> int:
    """How many versions could not be read."""
    (count,) = database.execute("SELECT COUNT(*) FROM readings WHERE state = 'unreadable'").fetchone()
    return int(count)


def count_older(database: Database) -> int:
    """How many were read by an older reader."""
    sql = "SELECT COUNT(*) FROM readings WHERE reader_version < ?"
    (count,) = database.execute(sql, (READER_VERSION,)).fetchone()
    return int(count)


def unreadable(database: Database, deployment_id: int, limit: int) -> list[int]:
    """The activities of a deployment whose leading version could not be read, the newest first."""
    sql = (
        "SELECT a.id FROM readings d JOIN activities a ON a.leading_raw_id = d.raw_id"
        " WHERE d.state = 'unreadable' AND a.deployment_id = ? ORDER BY d.raw_id DESC LIMIT ?"
    )
    return [activity_id for (activity_id,) in database.execute(sql, (deployment_id, limit)).fetchall()]


# --- how it is kept -------------------------------------------------------------------------------------------------------


def _compressed(text: str) -> bytes:
    return zstandard.ZstdCompressor(level=_LEVEL).compress(text.encode())


def _text(content_zstd: Any, raw_id: int) -> str:
    try:
        return zstandard.ZstdDecompressor().decompress(bytes(content_zstd), max_output_size=_MAX_TEXT_BYTES).decode()
    except (zstandard.ZstdError, UnicodeDecodeError) as error:
        raise MailweirError(
            f"the reading of version {raw_id} is damaged in the database: {error}: 'mailweir digest again' reads it anew"
        ) from error


def _packed_keys(keys: ThreadKeys) -> str:
    return json.dumps(
        [
            keys.own.hex() if keys.own else None,
            [one.hex() for one in keys.in_reply_to],
            [one.hex() for one in keys.references],
            keys.base_subject,
            keys.is_reply,
            keys.has_ids,
        ]
    )


def _keys(text: str) -> ThreadKeys:
    own, in_reply_to, references, base_subject, is_reply, has_ids = json.loads(text)
    return ThreadKeys(
        own=bytes.fromhex(own) if own else None,
        in_reply_to=tuple(map(bytes.fromhex, in_reply_to)),
        references=tuple(map(bytes.fromhex, references)),
        base_subject=base_subject,
        is_reply=is_reply,
        has_ids=has_ids,
    )


def _packed_invitation(found: Invitation | None) -> str | None:
    if found is None:
        return None
    times = [with_offset(one) if one else None for one in (found.starts_at, found.ends_at)]
    return json.dumps(
        [found.method, found.summary, found.location, *times, found.is_all_day, found.zone, found.repeats]
    )


def _invitation(text: str | None) -> Invitation | None:
    if text is None:
        return None
    method, summary, location, starts_at, ends_at, is_all_day, zone, repeats = json.loads(text)
    return Invitation(
        method=method,
        summary=summary,
        location=location,
        starts_at=parse_with_offset(starts_at) if starts_at else None,
        ends_at=parse_with_offset(ends_at) if ends_at else None,
        is_all_day=is_all_day,
        zone=zone,
        repeats=repeats,
    )


def _original(row: rows.Row) -> Original | None:
    if row["original_start"] is None:
        return None
    return Original(
        author=row["original_author"],
        author_name=row["original_name"] or "",
        date=parse_or_none(row["original_date"]),
        subject=row["original_subject"] or "",
        start=row["original_start"],
    )
