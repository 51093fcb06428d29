"""The original author of mail that a group or mailing list passed on under its own address, and the From that it replaced.

Google's groups, and lists that rewrite From because of DMARC, put the author into headers of their own. Anybody can write such
headers, so they prove no more than a plain From; matching looks at them only if From is the firm's own address or its group's.
Pure, and never raises. Called by `headers` and the sender verdict. Standard library only.
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mailweir import candidates

ORIGINAL_FROM = b"x-original-from"
_ORIGINALS = (ORIGINAL_FROM, b"x-original-sender")  # the first header present counts
_REPLY_TO = b"reply-to"
_LIST_MARKS = (b"list-id", b"list-post", b"mailing-list", b"x-google-group-id")  # RFC 2369, RFC 2919, and Google's
_PRECEDENCE = b"precedence"
NAMES = frozenset({*_ORIGINALS, _REPLY_TO, *_LIST_MARKS, _PRECEDENCE})
_FIELD_START = re.compile(rb"\r\n(?![ \t])")
_MAX_VALUES = 4
_MAX_BYTES = 50_000  # as of a From (`headers`)


class Original(NamedTuple):
    """The author that a mail names beside its From, in normal form. is_reply_to: only Reply-To names it, so it may be the list
    itself."""

    address: str
    is_reply_to: bool = False


def read(found: Mapping[bytes, Sequence[bytes]]) -> Original | None:
    """The original author; None if none is named, or more than one. found: header values by name in lower case."""
    for name in _ORIGINALS:
        if name in found:
            address = _one_address(found[name])
            return Original(address) if address else None
    if _REPLY_TO in found and _is_from_a_list(found):
        address = _one_address(found[_REPLY_TO])
        return Original(address, is_reply_to=True) if address else None
    return None


def _is_from_a_list(found: Mapping[bytes, Sequence[bytes]]) -> bool:
    marked = any(name in found for name in _LIST_MARKS)
    return marked or any(value.strip().lower() == b"list" for value in found.get(_PRECEDENCE, ()))


def _one_address(values: Sequence[bytes]) -> str | None:
    """The one address that all values name in every reading, or None."""
    named: set[str] = set()
    for value in values[:_MAX_VALUES]:
        reading = candidates.read(value[:_MAX_BYTES].decode("utf-8", "surrogateescape"))
        one = {*reading.shown, *reading.raw}
        if len(one) != 1 or len(value) > _MAX_BYTES:
            return None
        named |= one
    return named.pop() if len(named) == 1 and len(values) <= _MAX_VALUES else None


def restored(raw: bytes) -> bytes | None:
    """The message (CRLF) with the From that it had before a group changed it; None if no group noted it."""
    head, blank, body = raw.partition(b"\r\n\r\n")
    lines = _FIELD_START.split(b"\r\n" + head)[1:]
    originals = {value for name, value in map(_field, lines) if name == ORIGINAL_FROM}
    senders = [index for index, line in enumerate(lines) if _field(line)[0] == b"from"]
    if len(originals) != 1 or len(senders) != 1:
        return None
    lines[senders[0]] = b"From:" + originals.pop()
    return b"\r\n".join(lines) + blank + body


def _field(line: bytes) -> tuple[bytes, bytes]:
    name, _, value = line.partition(b":")
    return name.strip().lower(), value
