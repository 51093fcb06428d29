"""The mail that a message forwards: the originals in its text, and the messages attached to it, each with its own originals.

Other modules decide which of them are recorded, and for whom. Bounded in number, bytes and depth; anything beyond is skipped.
Never raises, on any bytes. Pure; called by the digest's children, for held mail.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from mailweir import headers, raw_message
from mailweir.headers import Header
from mailweir.identity import BodyDigest
from mailweir.reading import body, forwarded, part_text, parts, thread_keys, transfer
from mailweir.reading.forwarded import Original
from mailweir.reading.parts import IDENTITY, Part

MAX_ATTACHED = 50  # on all levels
MAX_DEPTH = 3  # of attached messages within attached messages
MAX_BYTES = 45_000_000  # of all attached messages
MAX_IDS = 110
_ZONE = re.compile(rb"[ \t]([+-]\d{4})(?!\d)")
_ENDS_AS_MESSAGE = re.compile(r"\.eml\Z", re.IGNORECASE)
_MAX_HEAD_BYTES = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """An attached message. headers: its own; body_digest: see `identity.BodyDigest`. kept: the result of `keep` for the whole
    message with CRLF line ends, which had size_bytes."""

    headers: tuple[Header, ...]
    body_digest: bytes
    kept: bytes
    size_bytes: int
    inner: "Originals"


@dataclass(frozen=True, slots=True, kw_only=True)
class Originals:
    """inline: as from `forwarded.find_all`, the outermost first. named_ids: digests of the Message-IDs that the forward names
    (`thread_keys.digest`), the most likely original's first."""

    inline: tuple[Original, ...] = ()
    attached: tuple[Attached, ...] = ()
    named_ids: tuple[bytes, ...] = ()


def find(raw: bytes, *, is_meant: bool, keep: Callable[[bytes], bytes] = bytes) -> Originals:
    """The originals of the mail. is_meant: see `forwarded.find`. keep: compresses an attached message."""
    return _Finder(keep).find(raw, is_meant=is_meant, depth=0)


class _Finder:
    def __init__(self, keep: Callable[[bytes], bytes]) -> None:
        self._keep = keep
        self._number_left = MAX_ATTACHED
        self._bytes_left = MAX_BYTES

    def find(self, raw: bytes, *, is_meant: bool, depth: int) -> Originals:
        found = parts.walk(raw)
        messages = {part.path for part in found if _is_attached_message(part)}
        view = headers.look(_headers(raw, found[0]), may_be_cut=False)
        written = body.read(raw, [part for part in found if not _is_within(messages, part.path)])
        zones = _ZONE.findall(view.raw_date[:1_000])
        zone = str(zones[-1], "ascii") if zones else ""
        subject = part_text.clean(view.subject).strip()
        return Originals(
            inline=forwarded.find_all(written.text, subject, zone, is_meant=is_meant),
            attached=tuple(self._attached(raw, found, messages, depth)) if depth < MAX_DEPTH else (),
            named_ids=tuple(_named_ids(view))[:MAX_IDS],
        )

    def _attached(
        self, raw: bytes, found: Sequence[Part], messages: set[tuple[int, ...]], depth: int
    ) -> Iterator[Attached]:
        for part in found:
            if part.path not in messages or _is_within(messages, part.path[:-1]):
                continue
            if self._number_left <= 0 or self._bytes_left < part.length:
                return
            whole = raw[part.offset : part.end] if part.encoding == IDENTITY else transfer.decode(raw, part)
            self._number_left -= 1
            self._bytes_left -= len(whole)
            lines, content = raw_message.split(whole)
            if not lines:
                continue
            digest = BodyDigest()
            digest.update(content)
            proper = whole if _has_whole_lines(whole) else _joined(lines, content)
            yield Attached(
                headers=tuple(lines),
                body_digest=digest.digest(),
                kept=self._keep(proper),
                size_bytes=len(proper),
                inner=self.find(whole, is_meant=False, depth=depth + 1),
            )


def _headers(raw: bytes, root: Part) -> list[Header]:
    return raw_message.split(raw[root.header_offset : min(root.offset, root.header_offset + _MAX_HEAD_BYTES)])[0]


def _is_attached_message(part: Part) -> bool:
    """Some programs declare an attached message as application/octet-stream."""
    return bool(part.path) and (
        part.is_message
        or (part.media_type == "application/octet-stream" and bool(_ENDS_AS_MESSAGE.search(part.filename)))
    )


def _is_within(messages: set[tuple[int, ...]], path: tuple[int, ...]) -> bool:
    """Is it an attached message, or a part of one?"""
    return bool(messages) and any(path[:depth] in messages for depth in range(1, len(path) + 1))


def _has_whole_lines(raw: bytes) -> bool:
    return raw.count(b"\r\n") == raw.count(b"\n") == raw.count(b"\r")


def _joined(lines: Sequence[Header], content: bytes) -> bytes:
    return b"".join([b"%s:%s\r\n" % line for line in lines]) + b"\r\n" + content


def _named_ids(view: headers.HeaderView) -> Iterator[bytes]:
    """Programs name the forwarded mail in In-Reply-To, in a header of their own, or as the last id in References."""
    named: dict[bytes, None] = {}
    for name in (b"x-forwarded-message-id", b"in-reply-to", b"references"):
        for digest in reversed(thread_keys.digests_of(view, name)):
            named.setdefault(digest)
    yield from named
