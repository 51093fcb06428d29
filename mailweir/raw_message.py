"""A whole raw message as headers and body: for the sync, which gets it in one piece. Never raises, on any bytes.

The filter gets both from Postfix, in the same form. Called by `gmail_sync`. Standard library only.
"""

import re

from mailweir import address
from mailweir.headers import MAX_RECIPIENT_BYTES, Header

_END = re.compile(rb"\r?\n(?=\r?\n|\Z)|\A(?=\r?\n)")
_FIELD = re.compile(rb"([\x21-\x39\x3b-\x7e]+)[ \t]*:(.*)", re.DOTALL)  # RFC 5322 2.2, and 4.5's space before the colon
_BREAK = re.compile(rb"\r?\n(?![ \t])")


def split(raw: bytes) -> tuple[list[Header], bytes]:
    """The headers in their order, values with white space and folds (CRLF), and the body. A line that is no header is passed
    over."""
    end = _END.search(raw)
    head, rest = (raw[: end.start()], raw[end.end() :]) if end else (raw, b"")
    body = rest[2:] if rest.startswith(b"\r\n") else rest[1:] if rest.startswith(b"\n") else rest
    headers = []
    for line in _BREAK.split(head):
        field = _FIELD.match(line)
        if field:
            headers.append((field[1], re.sub(rb"\r?\n", b"\r\n", field[2])))
    return headers, body


def bcc(headers: list[Header]) -> tuple[str, ...]:
    """The addresses in Bcc, in normal form; the copy that a sender keeps has them."""
    found: dict[str, None] = {}
    for name, value in headers:
        if name.rstrip().lower() == b"bcc" and len(value) <= MAX_RECIPIENT_BYTES:
            found.update(dict.fromkeys(address.read_list(value.decode("utf-8", "surrogateescape")).addresses))
    return tuple(found)
