"""uuencoded files within a text (POSIX, `uuencode`): their positions and their bytes.

A block without its `end` ends where its lines do. Never raises, and its time is linear. Called by `parts` and `transfer`. Pure.
"""

import binascii
import re
from collections.abc import Iterator
from typing import NamedTuple

MAX_LINES = 600_000  # of one file: 27 MB
MAX_FILES = 2_000  # examined in one text, including false ones

_BEGIN_LINE = rb"begin [0-7]{3,4} ([^\r\n]{1,255})\r?\n"
_BEGINS = re.compile(_BEGIN_LINE)
_BEGINS_LATER = re.compile(rb"\n" + _BEGIN_LINE)
_LINE = re.compile(rb"([ -`])([ -`]*+)(?:\r?\n|\r?\Z)")
_END = re.compile(rb"end[ \t]*+(?:\r?\n|\r?\Z)")


class File(NamedTuple):
    """A file from its `begin` line to its last line. start, end: in raw; name: as in the mail."""

    name: bytes
    start: int
    end: int


def find(raw: bytes, begin: int, end: int) -> Iterator[File]:
    """The files in that part of raw, in order."""
    match = _BEGINS.match(raw, begin, end)
    at = begin
    for _ in range(MAX_FILES):
        match = match or _BEGINS_LATER.search(raw, at, end)
        if match is None:
            return
        start = match.end() - len(match[0].lstrip(b"\n"))
        at = _behind_lines(raw, match.end(), end)
        if at > match.end():
            yield File(match[1], start, at)
        match, at = None, at - 1  # the next file's first byte is the end of this one's last line


def decode(data: bytes) -> Iterator[bytes]:
    """The bytes of one file, in pieces; without its `begin` line all lines count."""
    match = _BEGINS.match(data) or _BEGINS_LATER.search(data)
    at = match.end() if match else 0
    for _ in range(MAX_LINES):
        line = _LINE.match(data, at)
        if line is None or line.end() == at or not (size := _size(line)):
            return
        at = line.end()
        chars = (size + 2) // 3 * 4
        try:
            yield binascii.a2b_uu(line[1] + line[2][:chars])
        except binascii.Error:
            return


def _behind_lines(raw: bytes, at: int, end: int) -> int:
    """The end of a file's lines: after its `end`, or before the first line that doesn't belong to a file."""
    for _ in range(MAX_LINES):
        line = _LINE.match(raw, at, end)
        if line is None or line.end() == at or not _fits(line):
            return at
        size = _size(line)
        at = line.end()
        if not size:
            last = _END.match(raw, at, end)
            return last.end() if last else at
    return at


def _size(line: re.Match[bytes]) -> int:
    """The number of bytes in a line, by its first character."""
    return (line[1][0] - 32) & 63


def _fits(line: re.Match[bytes]) -> bool:
    """Does the line have as many characters as it states? Trailing blanks get lost in transit, and some programs write one more
    as a checksum."""
    chars = (_size(line) + 2) // 3 * 4
    return len(line[2].rstrip(b" ")) <= chars + 1 and (len(line[2]) >= chars * 2 // 3)
