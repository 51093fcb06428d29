"""Date and Message-ID, which the relay adds to a submission that lacks them (RFC 6409 8.2 and 8.3), and how to recognise both
later.

The Message-ID is a keyed digest of login and message, so a retry has the same one and nobody can predict it. Both carry a mark,
so that `identity` can leave them out: a copy that comes back has the key of the mail as submitted. An existing header is the
author's and stays, even if it is blank or unreadable. Pure; called by the filter and by `identity`. Standard library only.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime

from mailweir.headers import Header

MESSAGE_ID, DATE = b"Message-ID", b"Date"
DIGEST_BYTES = 20  # 32 characters of base32
# A form that relays and readers know well: much mail has such a comment after the zone (RFC 5322 3.3, 3.2.2).
_DATE_MARK = b" (MWR)"
_ID_MARK = "mwr."
_OWN_ID = re.compile(rf"<{re.escape(_ID_MARK)}[a-z2-7]{{32}}@[^@<>]+>")
# Added by the client's own servers: a retry may pass through another one.
_TRACE = frozenset({b"received", b"return-path"})


def missing(headers: Sequence[Header]) -> tuple[bytes, ...]:
    """Names the headers among MESSAGE_ID and DATE that are absent."""
    there = {name.strip().lower() for name, _ in headers}
    return tuple(name for name in (MESSAGE_ID, DATE) if name.lower() not in there)


def date(moment: datetime) -> bytes:
    """The value of a Date header, with its leading space and the mark."""
    return b" " + format_datetime(moment.astimezone(UTC)).encode("ascii") + _DATE_MARK


def is_own_date(raw_date: bytes) -> bool:
    """Did `date` make this value? raw_date: without surrounding white space."""
    return raw_date.endswith(_DATE_MARK)


def is_own_id(message_id: str) -> bool:
    """Does the Message-ID have the form of `ContentId`? An imitation counts as no Message-ID either, and has no other effect."""
    return message_id.startswith("<" + _ID_MARK) and _OWN_ID.fullmatch(message_id) is not None


class ContentId:
    """Builds a message's Message-ID; the body may come in pieces of any size.

    key: secret, and the same on all hosts. login: in its normal form. headers: as submitted; trace headers don't count.
    """

    def __init__(self, key: bytes, login: str, headers: Sequence[Header]) -> None:
        self._digest = hmac.new(key, digestmod=hashlib.sha256)
        counted = [header for header in headers if header[0].strip().lower() not in _TRACE]
        for part in (login.encode("utf-8", "surrogateescape"), b"%d" % len(counted), *(p for h in counted for p in h)):
            # Prefixed by its length, so that no two messages give the same input.
            self._digest.update(b"%d:%s" % (len(part), part))

    def update(self, piece: bytes) -> None:
        """Takes the next part of the body."""
        self._digest.update(piece)

    def value(self, domain: str) -> bytes:
        """The header's value, with its leading space. domain: the author's, in its normal form, hence ASCII."""
        local = base64.b32encode(self._digest.digest()[:DIGEST_BYTES]).decode("ascii").lower()
        return f" <{_ID_MARK}{local}@{domain}>".encode("ascii")
