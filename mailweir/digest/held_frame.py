"""A child's answer for held mail, as bytes: the proof of its author, and the mail that it forwards. Parsed as hostile input.

A length of 4 bytes, a JSON head, then the headers and the compressed bytes of each attached message, in sequence. No pickle.
Called by `children` and `held`.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from mailweir.headers import Header
from mailweir.reading.forwarded import Original
from mailweir.reading.originals import MAX_ATTACHED, MAX_DEPTH, MAX_IDS, Attached, Originals
from mailweir.reading.thread_keys import DIGEST_BYTES
from mailweir.sender_verdict import SenderVerdict

MAX_BYTES = 64_000_000
_MAX_HEAD_BYTES = 4_000_000
_MAX_LINE_CHARS = 10_000
_MAX_INLINE = 30
_MAX_SIZE = 2**31
_LENGTH_BYTES = 4


class Malformed(ValueError):
    """The bytes aren't a valid answer for held mail."""


class Said(NamedTuple):
    """A child's answer."""

    verdict: SenderVerdict
    originals: Originals


def pack(said: Said) -> bytes:
    """The frame."""
    blobs: list[bytes] = []
    head = {"verdict": said.verdict.pack().decode("ascii"), "originals": _plain(said.originals, blobs)}
    packed = json.dumps(head).encode()
    return b"".join([len(packed).to_bytes(_LENGTH_BYTES), packed, *blobs])


def unpack(frame: bytes) -> Said:
    """The packed answer. Errors: Malformed if the bytes aren't one."""
    try:
        if len(frame) > MAX_BYTES:
            raise Malformed("size")
        length = int.from_bytes(frame[:_LENGTH_BYTES])
        if length > _MAX_HEAD_BYTES:
            raise Malformed("head")
        begin = _LENGTH_BYTES + length
        head = json.loads(frame[_LENGTH_BYTES:begin])
        reader = _Reader(memoryview(frame)[begin:])
        said = Said(SenderVerdict.parse(head["verdict"].encode()), reader.originals(head["originals"], depth=0))
        reader.end()
        return said
    except Malformed:
        raise
    except (ValueError, TypeError, KeyError, LookupError, AttributeError, RecursionError, OverflowError) as error:
        raise Malformed(type(error).__name__) from error


def _plain(originals: Originals, blobs: list[bytes]) -> dict[str, Any]:
    return {
        "inline": [
            [one.author, one.author_name, one.date and one.date.isoformat(), one.subject, one.start]
            for one in originals.inline
        ],
        "attached": [_plain_attached(one, blobs) for one in originals.attached],
        "named_ids": [one.hex() for one in originals.named_ids],
    }


def _plain_attached(one: Attached, blobs: list[bytes]) -> dict[str, Any]:
    head = b"".join(len(part).to_bytes(_LENGTH_BYTES) + part for line in one.headers for part in line)
    blobs += [head, one.kept]
    return {
        "head": len(head),
        "kept": len(one.kept),
        "size": one.size_bytes,
        "body_digest": one.body_digest.hex(),
        "inner": _plain(one.inner, blobs),
    }


class _Reader:
    def __init__(self, blobs: memoryview) -> None:
        self._blobs = blobs
        self._number_left = MAX_ATTACHED

    def originals(self, value: Any, depth: int) -> Originals:
        if depth > MAX_DEPTH:
            raise Malformed("depth")
        attached = _list(value["attached"], MAX_ATTACHED)
        return Originals(
            inline=tuple(_original(one) for one in _list(value["inline"], _MAX_INLINE)),
            attached=tuple(self._attached(one, depth) for one in attached),
            named_ids=tuple(_digest(one, DIGEST_BYTES) for one in _list(value["named_ids"], MAX_IDS)),
        )

    def end(self) -> None:
        if self._blobs:
            raise Malformed("more than it says")

    def _attached(self, value: Any, depth: int) -> Attached:
        self._number_left -= 1
        if self._number_left < 0:
            raise Malformed("number")
        head = self._take(value["head"])
        kept, size = self._take(value["kept"]), _integer(value["size"], _MAX_SIZE)
        return Attached(
            headers=tuple(_headers(head)),
            body_digest=_digest(value["body_digest"], 32),
            kept=kept,
            size_bytes=size,
            inner=self.originals(value["inner"], depth + 1),
        )

    def _take(self, length: Any) -> bytes:
        taken = bytes(self._blobs[: _integer(length, MAX_BYTES)])
        if len(taken) != length:
            raise Malformed("length")
        self._blobs = self._blobs[length:]
        return taken


def _headers(head: bytes) -> Iterator[Header]:
    at = 0
    while at < len(head):
        line: list[bytes] = []
        for _ in range(2):
            begin = at + _LENGTH_BYTES
            at = begin + int.from_bytes(head[at:begin])
            line.append(head[begin:at])
        if at > len(head):
            raise Malformed("headers")
        yield line[0], line[1]


def _original(value: Any) -> Original:
    author, name, date, subject, start = value
    moment = None if date is None else datetime.fromisoformat(_line(date))
    if moment is not None and moment.tzinfo is None:
        raise Malformed("moment")
    return Original(
        author=None if author is None else _line(author),
        author_name=_line(name),
        date=moment,
        subject=_line(subject),
        start=_integer(start, _MAX_SIZE),
    )


def _list(value: Any, max_length: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > max_length:
        raise Malformed("list")
    return value


def _line(value: Any) -> str:
    """Text that both databases accept: no NUL, no lone surrogate."""
    if not isinstance(value, str) or len(value) > _MAX_LINE_CHARS or "\0" in value:
        raise Malformed("text")
    value.encode()
    return value


def _integer(value: Any, maximum: int) -> int:
    if type(value) is not int or not 0 <= value <= maximum:
        raise Malformed("integer")
    return value


def _digest(value: Any, length: int) -> bytes:
    found = bytes.fromhex(_line(value))
    if len(found) != length:
        raise Malformed("digest")
    return found
