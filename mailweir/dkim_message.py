"""A message in the form that signatures cover: its headers in their order, and its body, in the canonical forms.

Strict where readers differ: a line that isn't a header makes the whole message unreadable, and such a message proves nothing.
Linear in time; needs a few times the message's size in memory. Never raises, on any bytes. Pure. Called by `sender_auth` and
`arc`.
"""

import re
from collections import Counter
from collections.abc import Sequence

from mailweir import dkim_canonical
from mailweir.headers import ONCE

_NAME = re.compile(rb"[\x21-\x39\x3b-\x7e]+")
_FIELD_START = re.compile(rb"\r\n(?![ \t])")
_MAILBOX_LINE = re.compile(rb"From [^\r\n]*(?:\r\n|\Z)")  # the separator line of an mbox file, not a header


class Message:
    """headers: name as it stands, value with its leading white space and folds, without the final CRLF. body: lines end in
    CRLF."""

    def __init__(self, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> None:
        self.headers = headers
        self.body = body
        self._places: dict[bytes, list[int]] = {}
        for index, (name, _) in enumerate(headers):
            self._places.setdefault(name.lower(), []).append(index)
        self._body_digests: dict[bool, bytes] = {}

    def named(self, name: bytes) -> list[tuple[bytes, bytes]]:
        """The headers of this name (in lower case), from the top."""
        return [self.headers[index] for index in self._places.get(name, ())]

    def has_additions(self) -> bool:
        """Does a header that may occur only once occur twice? A second one above the signed one isn't covered, and readers would
        show it (RFC 6376 8.15)."""
        return any(len(self._places.get(name, ())) > 1 for name in ONCE)

    def body_digest(self, *, is_relaxed: bool) -> bytes:
        """SHA-256 of the body in one canonical form; computed once, however many signatures need it."""
        if is_relaxed not in self._body_digests:
            digest = dkim_canonical.relaxed_digest if is_relaxed else dkim_canonical.simple_digest
            self._body_digests[is_relaxed] = digest(self.body)
        return self._body_digests[is_relaxed]

    def signed_text(self, names: Sequence[bytes], signature: tuple[bytes, bytes], *, is_relaxed: bool) -> bytes:
        """The header text that a signature covers (RFC 6376 3.7). names: of `h=`, in lower case; each takes the lowest header
        that isn't taken yet, and an absent header counts as nothing (5.4.2). signature: its own header, with an empty `b=`."""
        taken: Counter[bytes] = Counter()
        parts = []
        for name in names:
            places = self._places.get(name, ())
            taken[name] += 1
            if taken[name] <= len(places):
                parts.append(header_text(self.headers[places[-taken[name]]], is_relaxed=is_relaxed))
        parts.append(header_text(signature, is_relaxed=is_relaxed)[:-2])
        return b"".join(parts)


def header_text(header: tuple[bytes, bytes], *, is_relaxed: bool) -> bytes:
    """A header in one canonical form (RFC 6376 3.4.1, 3.4.2), with its CRLF."""
    name, value = header
    return dkim_canonical.relaxed_header(name.lower(), value) if is_relaxed else b"%s:%s\r\n" % (name, value)


def read(raw: bytes) -> Message | None:
    """Parses a message; its lines end in CRLF or LF. None if a line of its head isn't a header (RFC 5322 2.2)."""
    if raw.count(b"\n") != raw.count(b"\r\n"):
        raw = raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    line = _MAILBOX_LINE.match(raw)
    start = line.end() if line else 0
    if raw.startswith(b"\r\n", start):
        return Message((), raw[start + 2 :])
    end = raw.find(b"\r\n\r\n", start)
    if end < 0:
        head, body = raw[start:].removesuffix(b"\r\n"), b""
    else:
        head, body = raw[start:end], raw[end + 4 :]
    headers = _fields(head)
    return None if headers is None else Message(headers, body)


def _fields(head: bytes) -> list[tuple[bytes, bytes]] | None:
    found = []
    for field in _FIELD_START.split(head) if head else ():
        name, colon, value = field.partition(b":")
        if not colon or not _NAME.fullmatch(name):
            return None
        found.append((name, value))
    return found
