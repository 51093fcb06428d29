"""New lines in Postfix's log since the last reading: from a position that survives rotation, whole lines only, and bounded.

A file is identified by its inode and its first bytes: `logrotate` renames it, `copytruncate` copies it. The content of a log that
is deleted (or compressed) by now can't be read any more, and is reported as lost. Never writes. Called by `refusal_chore`.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from mailweir.store.record.log_positions import LogPosition
from postfix.log_lines import LogUnreadable

MAX_BYTES = 16 * 2**20  # of one reading
CONTEXT_BYTES = 256 * 2**10  # before it: for the beginning of a message that was given up
_HEAD_BYTES = 512
_LONGEST_LINE_BYTES = 64 * 2**10  # a longer incomplete line isn't waited for


@dataclass(frozen=True, slots=True)
class Tail:
    """lines: the new ones, the oldest first, without their ends. context: those before them. position: where to continue.

    skipped_bytes: older new bytes, too many for one reading. is_lost: the file that was read last doesn't exist any more.
    """

    lines: list[bytes]
    context: list[bytes]
    position: LogPosition
    skipped_bytes: int
    is_lost: bool


def read(log: Path, last: LogPosition | None, max_bytes: int = MAX_BYTES) -> Tail:
    """The new lines since `last`; None: the log wasn't read yet. Errors: LogUnreadable."""
    with ExitStack() as kept:
        newest = kept.enter_context(_opened(log))
        before: BinaryIO | None = None
        with suppress(LogUnreadable):
            before = kept.enter_context(_opened(log.with_name(log.name + ".1")))
        if last is None:
            return _assemble([(newest, 0)], max_bytes, is_lost=False)
        for is_known in (_is_file, _has_head):
            if is_known(newest, last):
                return _assemble([(newest, last.offset)], max_bytes, is_lost=False)
            if before is not None and is_known(before, last):
                return _assemble([(before, last.offset), (newest, 0)], max_bytes, is_lost=False)
        return _assemble([(newest, 0)], max_bytes, is_lost=True)


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    try:
        # doesn't wait for a writer if it is a pipe
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise LogUnreadable(f"can't read Postfix's log {file} ({error.strerror})") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise LogUnreadable(f"{file} is no file")
    with os.fdopen(descriptor, "rb") as stream:
        yield stream


def _is_file(stream: BinaryIO, last: LogPosition) -> bool:
    """Is it the same file, and is its part that was read still there?"""
    return os.fstat(stream.fileno()).st_ino == last.inode and (not last.offset or _has_head(stream, last))


def _has_head(stream: BinaryIO, last: LogPosition) -> bool:
    """Does it begin with the known bytes, and isn't it shorter? This can't be determined for a log with no bytes read."""
    is_long_enough = 0 < last.offset <= os.fstat(stream.fileno()).st_size
    return is_long_enough and _head(stream, last.offset) == last.head


def _head(stream: BinaryIO, offset: int) -> bytes:
    return hashlib.sha256(os.pread(stream.fileno(), min(offset, _HEAD_BYTES), 0)).digest()


def _assemble(parts: list[tuple[BinaryIO, int]], max_bytes: int, *, is_lost: bool) -> Tail:
    """The newest max_bytes of the parts, each from its offset on; the last one is the current log."""
    newest = parts[-1][0]
    sizes = [max(0, os.fstat(stream.fileno()).st_size - start) for stream, start in parts]
    skipped = max(0, sum(sizes) - max_bytes)
    lines: list[bytes] = []
    context: list[bytes] = []
    left, end = skipped, 0
    for number, ((stream, start), size) in enumerate(zip(parts, sizes, strict=True)):
        jump = min(left, size)
        left -= jump
        begin = start + jump
        if number == 0:
            context = _lines_before(stream, begin)
        found, end = _whole_lines(stream, begin, size - jump, is_cut=jump > 0, is_over=stream is not newest)
        lines += found
    inode = os.fstat(newest.fileno()).st_ino
    return Tail(lines, context, LogPosition(inode, end, _head(newest, end)), skipped, is_lost)


def _whole_lines(stream: BinaryIO, begin: int, size: int, *, is_cut: bool, is_over: bool) -> tuple[list[bytes], int]:
    """The lines within these bytes, and where the next one begins. is_cut: the first one isn't whole. is_over: nothing more will
    be written to this file."""
    raw = os.pread(stream.fileno(), size, begin)
    if is_cut:
        first_end = raw.find(b"\n") + 1
        raw, begin = raw[first_end:], begin + first_end
    whole = raw.rfind(b"\n") + 1
    if len(raw) - whole > _LONGEST_LINE_BYTES or (is_over and whole < len(raw)):
        return raw.split(b"\n"), begin + len(raw)
    return raw[:whole].split(b"\n")[:-1], begin + whole


def _lines_before(stream: BinaryIO, end: int) -> list[bytes]:
    start = max(0, end - CONTEXT_BYTES)
    lines = os.pread(stream.fileno(), end - start, start).split(b"\n")
    return lines[1 if start else 0 : -1]
