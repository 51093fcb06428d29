"""The child of `extraction`: extracts one file, or the whole message, and ends. `python -m mailweir.extraction_child`.

Standard input: a line of JSON with the request, then the stored message, compressed. The output goes to standard output. The exit
code is the answer. It has no database, no settings and no secret. Started by `extraction`.
"""

import json
import re
import resource
import sys
from dataclasses import dataclass
from typing import Any, BinaryIO

import zstandard

from mailweir.reading import transfer

DONE, FAILED, HAS_BCC, DAMAGED = 0, 1, 3, 4
_CHUNK_BYTES = 262_144
_MAX_ORDER_BYTES = 4_096
_MAX_HEAD_BYTES = 16_000_000
# Anything that a reader takes for a line end.
_BCC = re.compile(rb"(?:^|[\r\n])(?:resent-)?bcc[ \t]*:", re.IGNORECASE)
_HEAD_END = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True, slots=True)
class _Slice:
    """See `transfer.Encoded`."""

    offset: int
    length: int
    encoding: str


def main() -> int:
    """Executes the request on standard input; returns the exit code."""
    order = json.loads(sys.stdin.buffer.readline(_MAX_ORDER_BYTES))
    _confine(order)
    whole = zstandard.ZstdDecompressor().stream_reader(sys.stdin.buffer, read_across_frames=True)
    try:
        code = _part(whole, order) if "offset" in order else _all(whole, order)
    except zstandard.ZstdError:
        return DAMAGED
    sys.stdout.buffer.flush()
    return code


def _confine(order: dict[str, Any]) -> None:
    for limit, most in (
        (resource.RLIMIT_DATA, order["data_bytes"]),
        (resource.RLIMIT_CPU, order["cpu_seconds"]),
        (resource.RLIMIT_FSIZE, order["answer_bytes"]),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0),
    ):
        resource.setrlimit(limit, (most, most))


def _part(whole: BinaryIO, order: dict[str, Any]) -> int:
    """One file, decoded: the bytes before it are skipped, and the bytes after it aren't read."""
    skipped = 0
    while skipped < order["offset"]:
        piece = whole.read(min(_CHUNK_BYTES, order["offset"] - skipped))
        if not piece:
            return DAMAGED
        skipped += len(piece)
    raw = _exactly(whole, order["length"])
    if len(raw) < order["length"]:
        return DAMAGED
    for decoded in transfer.pieces(raw, _Slice(0, len(raw), order["encoding"])):
        sys.stdout.buffer.write(decoded)
    return DONE


def _exactly(whole: BinaryIO, count: int) -> bytes:
    """This many bytes, or fewer at the end of the input. A single read would allocate memory for all of them, even if the mail is
    shorter."""
    pieces = []
    while count > 0:
        piece = whole.read(min(_CHUNK_BYTES, count))
        if not piece:
            break
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)


def _all(whole: BinaryIO, order: dict[str, Any]) -> int:
    """The message byte for byte; nothing of it if it names recipients that the reader may not see."""
    head = bytearray()
    while not (end := _HEAD_END.search(head, max(0, len(head) - _CHUNK_BYTES - 4))) and len(head) < _MAX_HEAD_BYTES:
        piece = whole.read(_CHUNK_BYTES)
        if not piece:
            break
        head += piece
    if not order["with_bcc"] and _BCC.search(head, 0, end.start() if end else len(head)):
        return HAS_BCC
    sys.stdout.buffer.write(head)
    written = len(head)
    while piece := whole.read(_CHUNK_BYTES):
        sys.stdout.buffer.write(piece)
        written += len(piece)
    return DONE if written == order["size"] else DAMAGED


if __name__ == "__main__":
    sys.exit(main())
