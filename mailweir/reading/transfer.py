"""Decodes a part's transfer encoding (RFC 2045 6), even if it is damaged.

Decodes base64 with foreign bytes, with padding in the middle or none at the end; quoted-printable with stray signs; uuencode.
Works in pieces of bounded size, so a file of 30 MB needs no second 30 MB. Never raises, on any bytes. Called by `body` and
`attachments`. Pure.
"""

import binascii
import re
from collections.abc import Iterator
from typing import Protocol

from mailweir.reading import uuencode
from mailweir.reading.parts import BASE64, QUOTED_PRINTABLE, UUENCODE

_PIECE_BYTES = 256 * 1024
_MAX_PADDINGS = 1_000  # in the middle of base64; further ones are dropped like foreign bytes
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_FOREIGN = bytes(byte for byte in range(256) if byte not in _BASE64)
_WORDS = re.compile(rb"^[ \t]*+[A-Za-z0-9+/=]*+[ \t\r]*+[^\n]++", re.MULTILINE)
_BLANKS_BEFORE_END = re.compile(rb"=[ \t]++(?=\r?\n)")


class Encoded(Protocol):
    """Encoded data within raw: a part, or an attachment."""

    @property
    def offset(self) -> int:
        """Its position in raw."""

    @property
    def length(self) -> int:
        """Its number of bytes in raw."""

    @property
    def encoding(self) -> str:
        """One of the four of `parts`."""


def decode(raw: bytes, part: Encoded, *, max_bytes: int | None = None) -> bytes:
    """The part's bytes, decoded; only the first max_bytes of them."""
    if max_bytes is None:
        return b"".join(pieces(raw, part))
    found: list[bytes] = []
    size = 0
    for piece in pieces(raw, part):
        found.append(bytes(piece))
        size += len(piece)
        if size >= max_bytes:
            break
    return b"".join(found)[:max_bytes]


def pieces(raw: bytes, part: Encoded) -> Iterator[bytes | memoryview]:
    """The same in pieces."""
    end = min(part.offset + part.length, len(raw))
    if part.encoding == BASE64:
        return _from_base64(raw, part.offset, end)
    if part.encoding == QUOTED_PRINTABLE:
        return _from_quoted_printable(raw, part.offset, end)
    if part.encoding == UUENCODE:
        return uuencode.decode(raw[part.offset : end])
    view = memoryview(raw)
    return (view[at : min(at + _PIECE_BYTES, end)] for at in range(part.offset, end, _PIECE_BYTES))


def _from_base64(raw: bytes, begin: int, end: int) -> Iterator[bytes]:
    left = b""  # of a group of four
    paddings = 0
    for at in range(begin, end, _PIECE_BYTES):
        piece = raw[at : min(at + _PIECE_BYTES, end)]
        if b"=" in piece or paddings:
            runs = _runs(piece, is_padded=paddings > 0, most=max(_MAX_PADDINGS - paddings, 0))
            paddings += len(runs) - 1
            runs[0] = left + runs[0]
            yield from map(_group, runs[:-1])
            clean = runs[-1]
        else:
            clean = left + piece.translate(None, _FOREIGN)
        whole = len(clean) - len(clean) % 4
        yield binascii.a2b_base64(clean[:whole])
        left = clean[whole:]
    yield _group(left)


def _runs(piece: bytes, *, is_padded: bool, most: int) -> list[bytes]:
    """The runs of base64 between padding; only the first `most` signs of it divide. Below the first padding, a line of words is
    dropped: it is a list's footer."""
    if is_padded:
        return _between(_WORDS.sub(b"", piece), most)
    first, _, rest = piece.partition(b"=")
    return [first.translate(None, _FOREIGN), *_between(_WORDS.sub(b"", rest), most - 1)]


def _between(piece: bytes, most: int) -> list[bytes]:
    runs = piece.translate(None, _FOREIGN).split(b"=", max(most, 0))
    return [*runs[:-1], runs[-1].translate(None, b"=")]


def _group(clean: bytes) -> bytes:
    """Decodes the characters before padding; a single character encodes no byte."""
    rest = len(clean) % 4
    if rest == 1:
        clean = clean[:-1]
    return binascii.a2b_base64(clean + b"=" * (4 - rest) if rest > 1 else clean)


def _from_quoted_printable(raw: bytes, begin: int, end: int) -> Iterator[bytes]:
    at = begin
    while at < end:
        limit = min(at + _PIECE_BYTES, end)
        if limit < end:
            line = raw.rfind(b"\n", at, limit)
            sign = raw.rfind(b"=", limit - 2, limit)
            limit = line + 1 if line >= at else sign if sign > at else limit
        piece = raw[at:limit]
        if b"= " in piece or b"=\t" in piece:
            piece = _BLANKS_BEFORE_END.sub(b"=", piece)
        if b"=\r" in piece:  # Python's decoder drops everything up to the next LF
            piece = piece.replace(b"=\r\n", b"=\n").replace(b"=\r", b"=\n")
        yield binascii.a2b_qp(piece)
        at = limit
