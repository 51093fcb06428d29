"""The readings of versions: text, folds, HTML to be shown, labels, attachments. Derived: the raw message is authoritative.

A reading belongs to one version; the leading version's is the activity's. The columns for lists precede the large ones. In plain
SQL. Written by the digest, within its transaction; read by the command line and the page.
"""

import json
from collections.abc import Collection, Iterable, Mapping
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
from mailweir.sentence import said
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
from mailweir.store.record import leading as leading_versions
from mailweir.store.record.visibility import Reader

READ, UNREADABLE = "read", "unreadable"
_LEVEL = 3
_MAX_TEXT_BYTES = 16_000_000  # decompressed: far more than a reading has
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
    "deployment_id",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptReading:
    """A version's reading. is_unreadable: the version ended the processes that read it, or its bytes are damaged; then there is
    only a subject. html: to be shown, or None. attachments: by their number, from 1 on. labels: including those of the headers at
    recording. read_at: UTC."""

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


def write(database: Database, raw_id: int, reading: Reading, now: datetime) -> bool:
    """Stores a reading, and replaces the earlier one; in the caller's transaction. Was the version never read before?"""
    return raw_id in write_all(database, {raw_id: reading}, now)


def write_all(database: Database, found: Mapping[int, Reading], now: datetime) -> set[int]:
    """Stores readings of versions, and replaces earlier ones; in the caller's transaction. Returns the versions that were never
    read before."""
    compressor = zstandard.ZstdCompressor(level=_LEVEL)
    rows_of = {raw_id: _row(raw_id, reading, now, compressor) for raw_id, reading in found.items()}
    keys_before = _replace(database, rows_of)
    deployments = _deployments(database, [raw_id for raw_id, reading in found.items() if reading.attachments])
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
            deployments[raw_id],
        )
        for raw_id, reading in found.items()
        for number, one in enumerate(reading.attachments, 1)
    ]
    batches.insert(database, "attachments", _ATTACHMENT_COLUMNS, files)
    return {raw_id for raw_id in found if not keys_before.get(raw_id)}


def _deployments(database: Database, raw_ids: Collection[int]) -> dict[int, int]:
    """The deployments of these versions, by version."""
    sql = (
        "SELECT r.id, a.deployment_id FROM raw_messages r JOIN activities a ON a.id = r.activity_id WHERE r.id IN ({})"
    )
    return dict(batches.among(database, sql, (), raw_ids))


def _row(raw_id: int, reading: Reading, now: datetime, compressor: zstandard.ZstdCompressor) -> dict[str, Any]:
    original, view = reading.original, reading.view
    return {
        "raw_id": raw_id,
        "reader_version": READER_VERSION,
        "state": READ,
        "read_at": rfc3339(now),
        "subject": reading.subject,
        "snippet": reading.snippet,
        "labels": to_bits(reading.labels),
        "thread_keys": leading_versions.packed_keys(reading.thread_keys),
        "problems": " ".join(reading.problems),
        "remote_images": view.remote_images if view else 0,
        "sanitizer_version": reading.sanitizer_version if view else None,
        "original_author": original.author if original else None,
        "original_name": original.author_name if original else None,
        "original_date": rfc3339_or_none(original.date) if original else None,
        "original_subject": original.subject if original else None,
        "original_start": original.start if original else None,
        "invitation": _packed_invitation(reading.invitation),
        "folds": json.dumps([[str(one.kind), one.start, one.end] for one in reading.folds]),
        "text_zstd": compressor.compress(reading.text.encode()),
        "html_zstd": compressor.compress(view.html.encode()) if view else None,
    }


def write_unreadable(database: Database, raw_id: int, problem: str, now: datetime) -> None:
    """Records that a version could not be read, with the subject from its recording; in the caller's transaction."""
    row = database.execute("SELECT subject FROM raw_messages WHERE id = ?", (raw_id,)).fetchone()
    if row is None:
        return
    nothing: dict[str, Any] = dict.fromkeys(_COLUMNS)
    known = {"raw_id": raw_id, "reader_version": READER_VERSION, "state": UNREADABLE, "read_at": rfc3339(now)}
    empty = {"snippet": "", "labels": 0, "thread_keys": "", "remote_images": 0, "folds": "[]"}
    told = {"subject": row[0] or "", "problems": problem, "text_zstd": _compressed("")}
    _replace(database, {raw_id: {**nothing, **known, **empty, **told}})


def _replace(database: Database, rows_of: Mapping[int, dict[str, Any]]) -> dict[int, str]:
    """Replaces rows; returns the thread keys of the earlier rows, by version. They are empty if the version was unreadable."""
    # Whether mail is automatic also depends on the envelope, which only the filter has seen.
    of_headers = "SELECT id, header_labels FROM raw_messages WHERE id IN ({})"
    for raw_id, labels in batches.among(database, of_headers, (), rows_of):
        rows_of[raw_id]["labels"] |= labels or 0
    sql = "SELECT raw_id, thread_keys FROM readings WHERE raw_id IN ({})"
    before = dict(batches.among(database, sql, (), rows_of))
    # Mail is nearly always read once: then there is nothing to delete.
    batches.change(database, "DELETE FROM attachments WHERE raw_id IN ({})", (), before)
    batches.change(database, "DELETE FROM readings WHERE raw_id IN ({})", (), before)
    rows_new = [[row[column] for column in _COLUMNS] for row in rows_of.values()]
    batches.insert(database, "readings", _COLUMNS, rows_new)
    return before


def read(database: Database, raw_id: int) -> KeptReading | None:
    """A version's reading; None if it isn't read yet. MailweirError if it is damaged."""
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
    """The whole texts of read versions, by version."""
    sql = "SELECT raw_id, text_zstd FROM readings WHERE raw_id IN ({})"
    return {
        raw_id: _text(content_zstd, raw_id)
        for raw_id, content_zstd in batches.among(database, sql, (), list(dict.fromkeys(raw_ids)))
    }


def same_file(
    database: Database, deployment_id: int, sha256: bytes, limit: int, reader: Reader | None = None
) -> list[tuple[int, int]]:
    """Occurrences of a file with this digest in a deployment: (activity's id, number of the file) in leading versions, the last
    recorded first. Files of other deployments, and files that the reader may not see, don't count, not even towards the limit
    (laws 4 and 13).

    reader: only activities that this user may see whole, because a file reveals the content of mail (law 13); a user of another
    deployment sees nothing. None is an operator.
    """
    if reader is not None and reader.deployment_id != deployment_id:
        return []
    narrower = ""
    users: tuple[int, ...] = ()
    if reader is not None:
        of_reader = ",".join("?" * len(reader.user_ids))
        users = reader.user_ids
        # An OR costs nothing here: the index of the deployment's files comes first, and gives few rows.
        narrower = (
            " AND (a.visibility = 'everyone' OR EXISTS (SELECT 1 FROM activity_users mine"
            f" WHERE mine.activity_id = a.id AND mine.user_id IN ({of_reader})))"
        )
    sql = (
        "SELECT a.id, f.number FROM attachments f JOIN raw_messages r ON r.id = f.raw_id"
        " JOIN activities a ON a.id = r.activity_id AND a.leading_raw_id = r.id WHERE f.deployment_id = ? AND f.sha256 = ?"
        f" AND a.deployment_id = ?{narrower} ORDER BY f.raw_id DESC, f.number LIMIT ?"
    )
    values = (deployment_id, sha256, deployment_id, *users, limit)
    return [(row[0], row[1]) for row in database.execute(sql, values).fetchall()]


def count_unreadable(database: Database) -> int:
    """The number of versions that could not be read."""
    (count,) = database.execute("SELECT COUNT(*) FROM readings WHERE state = 'unreadable'").fetchone()
    return int(count)


def count_older(database: Database, most: int | None = None) -> int:
    """The number of versions read by an older reader. most: counts no further."""
    if most is None:
        sql = "SELECT COUNT(*) FROM readings WHERE reader_version < ?"
        (count,) = database.execute(sql, (READER_VERSION,)).fetchone()
    else:
        sql = "SELECT COUNT(*) FROM (SELECT 1 AS one FROM readings WHERE reader_version < ? LIMIT ?) AS of_these"
        (count,) = database.execute(sql, (READER_VERSION, most)).fetchone()
    return int(count)


def unreadable(database: Database, deployment_id: int, limit: int, *, is_damaged: bool) -> list[int]:
    """The activities of a deployment whose leading version could not be read, the newest first. is_damaged: those whose raw bytes
    are damaged in the database; otherwise those that are unreadable because of their content."""
    sql = (
        "SELECT a.id FROM readings d JOIN raw_messages r ON r.id = d.raw_id"
        " JOIN activities a ON a.id = r.activity_id AND a.leading_raw_id = r.id"
        " WHERE d.state = 'unreadable' AND CASE WHEN d.problems = 'damaged' THEN 1 ELSE 0 END = ? AND a.deployment_id = ?"
        " ORDER BY d.raw_id DESC LIMIT ?"
    )
    values = (int(is_damaged), deployment_id, limit)
    return [activity_id for (activity_id,) in database.execute(sql, values).fetchall()]


# --- the stored form ------------------------------------------------------------------------------------------------------


def _compressed(text: str) -> bytes:
    return zstandard.ZstdCompressor(level=_LEVEL).compress(text.encode())


def _text(content_zstd: Any, raw_id: int) -> str:
    try:
        return zstandard.ZstdDecompressor().decompress(bytes(content_zstd), max_output_size=_MAX_TEXT_BYTES).decode()
    except (zstandard.ZstdError, UnicodeDecodeError) as error:
        raise MailweirError(
            said(
                "the reading of version {raw_id} is damaged in the database: {error}: 'mailweir digest again' reads "
                "it anew",
                raw_id=raw_id,
                error=error,
            )
        ) from error


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
