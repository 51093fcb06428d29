"""A file's bytes as numbered lines of text: detects the encoding, and bounds the length of lines.

Never guesses an encoding silently: bytes that are invalid in the file's encoding make a BadRow. Pure. Called by both readers.
"""

import codecs
import io
import re
from collections.abc import Iterator

from mailweir.contact_files.rows import BadRow
from mailweir.sentence import said

MAX_FILE_BYTES = 200 * 1024 * 1024
MAX_LINE_CHARS = 131_072  # csv's own limit for a cell

_CHUNK_BYTES = 1024 * 1024
_UTF8_SEQUENCE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_ASCII = bytes(range(128))


def encoding_of(raw: bytes) -> str | BadRow:
    """The name of the encoding in which the whole file is readable: UTF-16 with a byte order mark, UTF-8, or else
    Windows-1252."""
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        broken = _first_broken(raw, "utf-16")
        return "utf-16" if broken is None else BadRow(1, said("the file begins as UTF-16, but isn't UTF-16 throughout"))
    if b"\0" in raw[:4]:
        return BadRow(1, said("the file isn't text in UTF-8; UTF-16 needs its byte order mark"))
    broken = _first_broken(raw, "utf-8")
    if broken is None:
        return "utf-8-sig"
    if raw.startswith(codecs.BOM_UTF8) or _is_mostly_utf8(raw):
        return BadRow(_line_at(raw, broken), said("bytes that aren't UTF-8, in a file that is UTF-8 otherwise"))
    broken = _first_broken(raw, "cp1252")
    if broken is not None:
        return BadRow(_line_at(raw, broken), said("bytes that are neither UTF-8 nor Windows-1252"))
    return "cp1252"


def _first_broken(raw: bytes, encoding: str) -> int | None:
    """The position of the first undecodable bytes. Decodes chunks: the whole text would take too much memory."""
    decoder = codecs.getincrementaldecoder(encoding)()
    for start in range(0, len(raw), _CHUNK_BYTES):
        pending = len(decoder.getstate()[0])
        end = start + _CHUNK_BYTES
        try:
            decoder.decode(raw[start:end], final=end >= len(raw))
        except UnicodeDecodeError as error:
            return start - pending + error.start
    return None


def _is_mostly_utf8(raw: bytes) -> bool:
    """Do most of the bytes above ASCII form UTF-8 characters? In Windows-1252, characters that look like UTF-8 (`É’`) only occur
    by chance."""
    readable = sum(len(match[0]) for match in _UTF8_SEQUENCE.finditer(raw))
    return readable * 2 > len(raw.translate(None, _ASCII))


def _line_at(raw: bytes, offset: int) -> int:
    return raw.count(b"\n", 0, offset) + 1


class Lines(Iterator[str]):
    """The lines in sequence, with their ends. number: of the last one returned. whole: False if it was cut at the bound."""

    def __init__(self, raw: bytes, encoding: str) -> None:
        self._text = io.TextIOWrapper(io.BytesIO(raw), encoding, newline="")
        self.number = 0
        self.whole = True

    def __next__(self) -> str:
        line = part = self._text.readline(MAX_LINE_CHARS)
        if not line:
            raise StopIteration
        self.number += 1
        self.whole = len(line) < MAX_LINE_CHARS or line[-1] in "\r\n"
        while len(part) == MAX_LINE_CHARS and part[-1] not in "\r\n":
            part = self._text.readline(MAX_LINE_CHARS)
        return line
