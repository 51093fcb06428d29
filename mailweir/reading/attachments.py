"""The files of a message: name, type, size, digest, and position in raw.

Stores no file content. Never raises, on any bytes. Called by readers of messages, and where a file is extracted. Pure.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from mailweir import encoded_words
from mailweir.reading import file_names, layout, media_types, transfer
from mailweir.reading.parts import Part

MAX_CIDS = 2_000
_MAX_SUBJECT_BYTES = 64_000
_MAX_SUBJECT_CHARS = 150

_CID = re.compile(r"cid:([^\"'\s<>()]{1,500})", re.IGNORECASE)
_SUBJECT = re.compile(rb"^Subject[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*)", re.IGNORECASE | re.MULTILINE)
_TNEF_NAME = "winmail.dat"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file. name: safe, never empty. media_type: by its content, if that shows it. size_bytes, sha256: of the decoded bytes.

    is_inline: the HTML shows it in place. content_id: without angle brackets, or ''. offset, length, encoding: its position in
    raw and its transfer encoding; see `decode`.
    """

    name: str
    media_type: str
    size_bytes: int
    sha256: bytes
    is_inline: bool
    content_id: str
    offset: int
    length: int
    encoding: str


def index(raw: bytes, parts: Sequence[Part], html: str | None) -> tuple[Attachment, ...]:
    """The attachments in document order. parts: from `parts.walk`; html: from `body.read`."""
    files = list(_files(parts))
    shown = cids(html) if html and any(part.content_id for part in files) else frozenset()
    return tuple(_read(raw, part, number, shown) for number, part in enumerate(files, start=1))


def decode(raw: bytes, attachment: Attachment) -> bytes:
    """The file's bytes. Reads only `offset` to `offset + length` of raw."""
    return transfer.decode(raw, attachment)


def cids(html: str) -> frozenset[str]:
    """The Content-IDs that the HTML shows (RFC 2392)."""
    found: set[str] = set()
    for match in _CID.finditer(html):
        found.add(unquote(match[1]))
        if len(found) >= MAX_CIDS:
            break
    return frozenset(found)


def _files(parts: Sequence[Part]) -> Iterator[Part]:
    return layout.of(parts).all_files()


def _read(raw: bytes, part: Part, number: int, shown: frozenset[str]) -> Attachment:
    digest = hashlib.sha256()
    size = 0
    head = b""
    for piece in transfer.pieces(raw, part):
        if len(head) < media_types.HEAD_BYTES:
            head += bytes(piece[: media_types.HEAD_BYTES])
        digest.update(piece)
        size += len(piece)
    media_type = media_types.of(head, part.media_type) if not part.is_message else part.media_type
    return Attachment(
        name=_name(raw, part, media_type, number),
        media_type=media_type,
        size_bytes=size,
        sha256=digest.digest(),
        is_inline=bool(part.content_id) and part.content_id in shown,
        content_id=part.content_id,
        offset=part.offset,
        length=part.length,
        encoding=part.encoding,
    )


def _name(raw: bytes, part: Part, media_type: str, number: int) -> str:
    name = file_names.safe(part.filename)
    if not name and part.is_message:
        subject = file_names.safe(_subject(raw, part).replace("/", "_").replace("\\", "_"))
        name = file_names.safe(f"{subject}.eml") if subject else ""  # truncated again, keeping the extension
    if not name and media_type == media_types.TNEF:
        name = _TNEF_NAME
    return name or f"attachment-{number}.{media_types.extension(media_type)}"


def _subject(raw: bytes, part: Part) -> str:
    """The subject of an attached message."""
    head = transfer.decode(raw, part, max_bytes=_MAX_SUBJECT_BYTES)
    match = _SUBJECT.search(head.partition(b"\r\n\r\n")[0].partition(b"\n\n")[0])
    return encoded_words.decode(match[1], max_chars=_MAX_SUBJECT_CHARS) if match else ""
