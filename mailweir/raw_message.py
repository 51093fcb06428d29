"""Splits a whole raw message into headers and body: for the sync, which gets it in one piece. Never raises, on any bytes.

The result equals what the filter gets from Postfix, which corrects some things in transit (docs/admin/known-issues.md), so that
one message has one identity and one version on every route. One exception: the bytes that Postfix cuts from a header over 60,000
bytes stay. Called by `gmail_sync`. Pure.
"""

import re

from mailweir import candidates
from mailweir.headers import MAX_RECIPIENT_BYTES, Header

_MAX_NAME_BYTES = 2_048  # with the colon; a longer line reaches Postfix's cleanup in pieces
_NAME = re.compile(rb"([\x21-\x39\x3b-\x7e]+)[ \t]*:")  # RFC 5322 2.2, and 4.5's space before the colon
_END = re.compile(rb"\r\n(?![ \t])")
_MAILBOX_LINE = re.compile(rb">*From [^\r\n]*(?:\r\n|\Z)")


def split(raw: bytes) -> tuple[list[Header], bytes]:
    """The headers in their order, values with white space and folds (CRLF), and the body, its lines ending in CRLF.

    A line that isn't a header ends the headers, and the body begins with it.
    """
    raw = _with_whole_lines(raw)
    headers: list[Header] = []
    at = 0
    while line := _MAILBOX_LINE.match(raw, at):
        at = line.end()
        headers.append((b"X-Mailbox-Line", b" " + line[0].removesuffix(b"\r\n").replace(b"\0", b"")))
    raw, at = raw[at:].replace(b"\0", b""), 0
    while at < len(raw):
        if raw.startswith(b"\r\n", at):
            return headers, raw[at + 2 :]
        name = _NAME.match(raw, at)
        if name is None or name.end() - at > _MAX_NAME_BYTES:
            break
        end = _END.search(raw, name.end())
        headers.append((name[1], raw[name.end() : end.start() if end else len(raw)]))
        at = end.end() if end else len(raw)
    return headers, raw[at:]


def _with_whole_lines(raw: bytes) -> bytes:
    """The message as SMTP would deliver it (RFC 5321 2.3.8): a bare LF is a line end, a bare CR a space."""
    if raw.count(b"\r\n") == raw.count(b"\n") == raw.count(b"\r"):
        return raw
    return raw.replace(b"\r\n", b"\n").replace(b"\r", b" ").replace(b"\n", b"\r\n")


def bcc(headers: list[Header]) -> tuple[str, ...]:
    """The addresses in Bcc, in normal form; the sender's copy has them. Headers that are too long are skipped."""
    found: dict[str, None] = {}
    left = MAX_RECIPIENT_BYTES
    for name, value in headers:
        if name.rstrip().lower() == b"bcc" and len(value) <= left:
            left -= len(value)
            found.update(dict.fromkeys(candidates.read(value.decode("utf-8", "surrogateescape")).recipients))
    return tuple(found)
