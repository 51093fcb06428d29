"""DKIM's canonical forms of headers and bodies (RFC 6376 3.4), and a body's digest in each form, in linear time.

A large body is digested in pieces, so it takes no extra memory, whatever its content. Never changes a message. Pure. Called by
`dkim_signing` and `dkim_message`. Standard library only.
"""

import hashlib
import re

_LINE_END = re.compile(rb"\r?\n")
_UNSETTLED = re.compile(rb" ?\r?\Z")
_ENDS_BACKWARDS = re.compile(rb"(?:\n\r)*+")  # possessive: otherwise each line end is remembered for backtracking
_BLANK_PIECE_LINES = 4_096
_PIECE_BYTES = 65_536
# Empty lines at the end are removed in blocks: removing them one by one takes seconds for 25 MB.
_END_BLOCKS = (b"\r\n" * 4_096, b"\r\n" * 64, b"\r\n")


def collapsed(text: bytes) -> bytes:
    """Each run of spaces and tabs becomes one space. Halves the runs repeatedly: a regex would look at each space."""
    if b"\t" in text:
        text = text.replace(b"\t", b" ")
    while b"  " in text:
        text = text.replace(b"  ", b" ")
    return text


def relaxed_header(name: bytes, value: bytes) -> bytes:
    """A header in relaxed form (RFC 6376 3.4.2), with its CRLF. name: in lower case. value: with or without its own CRLF."""
    return b"%s:%s\r\n" % (name, collapsed(_LINE_END.sub(b"", value)).strip())


class RelaxedBody:
    """SHA-256 of a body in its relaxed form (RFC 6376 3.4.4); takes the body in pieces of any size and keeps at most two
    bytes."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._unsettled = b""  # at most a space and a CR: the next piece decides what they mean
        self._blank_lines = 0  # line ends that count only if something follows
        self._is_empty = True

    def update(self, piece: bytes) -> None:
        """Adds the next part of the body."""
        text = collapsed(self._unsettled + piece).replace(b" \r\n", b"\r\n")
        match = _UNSETTLED.search(text, max(0, len(text) - 2))
        assert match
        self._unsettled = match[0]
        text = text[: match.start()]
        kept = text.rstrip(b"\r\n")
        ends = _ENDS_BACKWARDS.match(text[len(kept) :][::-1])
        assert ends
        self._take(text[: len(text) - ends.end()])
        self._blank_lines += ends.end() // 2

    def digest(self) -> bytes:
        """The 32 bytes; nothing can be added afterwards."""
        self._take(self._unsettled)
        if not self._is_empty:
            self._digest.update(b"\r\n")
        return self._digest.digest()

    def _take(self, text: bytes) -> None:
        if not text:
            return
        while self._blank_lines:
            lines = min(self._blank_lines, _BLANK_PIECE_LINES)
            self._digest.update(b"\r\n" * lines)
            self._blank_lines -= lines
        self._digest.update(text)
        self._is_empty = False


def relaxed_digest(body: bytes) -> bytes:
    """SHA-256 of a whole body in its relaxed form."""
    relaxed = RelaxedBody()
    for at in range(0, len(body), _PIECE_BYTES):
        relaxed.update(body[at : at + _PIECE_BYTES])
    return relaxed.digest()


def simple_digest(body: bytes) -> bytes:
    """SHA-256 of a whole body in its simple form (RFC 6376 3.4.3): empty lines at the end removed, and one CRLF in their
    place."""
    end = len(body)
    for block in _END_BLOCKS:
        while body.endswith(block, 0, end):
            end -= len(block)
    digest = hashlib.sha256(memoryview(body)[:end])
    digest.update(b"\r\n")
    return digest.digest()
