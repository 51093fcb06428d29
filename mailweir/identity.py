"""The key by which two sightings are one message of a deployment (law 2).

Pure; called by the filter and the sync, and by `reading.thread_keys` for the spelling of an id. Standard library only.
"""

import hashlib
import re
from collections.abc import Sequence

from mailweir import added_headers, dates, encoded_words
from mailweir.headers import MAX_MESSAGE_ID_BYTES, MAX_PROVABLE_HEADERS, ONCE, Header, HeaderView
from mailweir.original_author import ORIGINAL_FROM

_SIGNATURE = b"dkim-signature"
_SEALS = frozenset({b"arc-seal", b"arc-message-signature", b"arc-authentication-results"})
_SIGNER = re.compile(rb"(?:^|;)\s*d\s*=\s*([^;\s]*)")
_SIGNED_NAMES = re.compile(rb"(?:^|;)\s*h\s*=([^;]*)")


def key(view: HeaderView, body_digest: bytes, *, author: str | None = None) -> bytes:
    """32 bytes: of Message-ID, author and date; of the content if there is no Message-ID.

    The author is the list of all addresses that From could name: which of them we choose may change with the contacts, and the
    message stays the same. author: the author in From before a group put its own address there, so that the group's copy and a
    direct one are one message.

    Trace headers, envelope recipients and headers that forwarders add don't count. So the copies that two users forward, a copy
    at the log address and the copy that the sync finds are one message. The body doesn't count either if there is a Message-ID:
    messages that differ under the same key are stored beside the first (`version`), because forwarders re-encode. A Message-ID
    and a Date that our relay added don't count (`added_headers`): the key is that of the mail as submitted, for every copy.
    """
    author = author or ",".join(sorted(view.candidates))
    date = _date_part(view)
    message_id = plain_id(view.message_id) if view.message_id else None
    if message_id is not None and not added_headers.is_own_id(message_id):
        parts = [b"message-id", message_id.encode("utf-8", "replace"), author.encode(), date]
    else:
        parts = [b"content", author.encode(), date, b" ".join(view.raw_subject.split()), body_digest]
    return hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in parts)).digest()


def plain_id(message_id: str) -> str:
    """The Message-ID as it was before a program folded it, put a blank into it or encoded it like text."""
    if "=?" in message_id:
        message_id = encoded_words.decode(message_id.encode("utf-8", "replace"), max_chars=MAX_MESSAGE_ID_BYTES)
    return "".join(message_id.split())


def _date_part(view: HeaderView) -> bytes:
    if added_headers.is_own_date(view.raw_date):
        return b""
    sent_at = view.sent_at
    if sent_at:
        return sent_at.isoformat().encode()
    # A date that gives no moment counts as written, without folds and comments, which servers change in transit.
    text, _ = dates.without_comments(view.raw_date.decode("latin-1"))
    return b" ".join(text.encode("latin-1").split())


def version(
    headers: Sequence[Header], body_digest: bytes, *, through_group: bool = False, author: str | None = None
) -> bytes:
    """32 bytes that distinguish versions under one key: of the body, the signatures, and the headers that the verdict depends on.

    The verdict depends on the signed headers (RFC 6376 5.4), on the headers that may occur only once, because a second one makes
    all signatures worthless, and on whether there are too many headers (`sender_auth`). So two copies with one digest have one
    verdict, and none replaces a copy that can be proven. Headers count byte for byte, because a signature may cover the white
    space too (3.4.1). Trace headers don't count: copies of one mail that two users forward are one version. through_group: the
    verdict also depends on seals and on the author that the group noted. author: in normal form; without a signature by the
    author's domain the verdict depends on seals (`arc`), so they count. Otherwise they don't: each forwarder adds its own.
    """
    names = {_SIGNATURE, *ONCE}
    if through_group:
        names |= {ORIGINAL_FROM, *_SEALS}
    elif author and not _is_signed_for(author, headers):
        names |= _SEALS
    for name, value in headers:
        if name.strip().lower() == _SIGNATURE and (signed := _SIGNED_NAMES.search(value)):
            names.update(part.strip().lower() for part in signed[1].split(b":"))
    counted = [(key, value) for name, value in headers if (key := name.strip().lower()) in names]
    counted.sort(key=lambda header: header[0])  # stable: headers of one name keep their order
    too_many = b"%d" % (len(headers) > MAX_PROVABLE_HEADERS)
    lines = [b"%s:%s" % header for header in counted]
    return hashlib.sha256(b"\n".join([*lines, b"", too_many, body_digest])).digest()


def _is_signed_for(author: str, headers: Sequence[Header]) -> bool:
    """Is there a signature by the author's domain, a parent domain or a subdomain? `mailweir-digest` checks whether it holds."""
    domain = author.rpartition("@")[2].encode("ascii", "replace")
    for name, value in headers:
        if name.strip().lower() == _SIGNATURE and (found := _SIGNER.search(value)):
            signer = found[1].lower()
            if signer == domain or signer.endswith(b"." + domain) or domain.endswith(b"." + signer):
                return True
    return False


class BodyDigest:
    """SHA-256 of a body, without the empty lines at its end, which forwarders add and remove (RFC 6376 3.4.3 likewise)."""

    def __init__(self) -> None:
        self._all = hashlib.sha256()
        self._to_last_text = self._all.copy()

    def update(self, chunk: bytes) -> None:
        """Adds the next part of the body."""
        text = chunk.rstrip(b"\r\n")
        if text:
            self._all.update(text)
            self._to_last_text = self._all.copy()
        self._all.update(chunk[len(text) :])

    def digest(self) -> bytes:
        """The 32 bytes for the parts added so far."""
        return self._to_last_text.digest()
