"""The key by which two sightings are one message of a deployment (law 2).

Pure; called by the filter and the sync, and by `reading.thread_keys` for how an id is spelt. Standard library only.
"""

import hashlib
import re
from collections.abc import Sequence

from mailweir import added_headers, dates, encoded_words
from mailweir.headers import MAX_MESSAGE_ID_BYTES, MAX_PROVABLE_HEADERS, ONCE, Header, HeaderView
from mailweir.original_author import ORIGINAL_FROM

_SIGNATURE = b"dkim-signature"
_GROUPS_PROOF = frozenset({ORIGINAL_FROM, b"arc-seal", b"arc-message-signature", b"arc-authentication-results"})
_SIGNED_NAMES = re.compile(rb"(?:^|;)\s*h\s*=([^;]*)")


def key(view: HeaderView, body_digest: bytes, *, author: str | None = None) -> bytes:
    """32 bytes: of Message-ID, author and date; of the content where there is no Message-ID.

    The author is all that From could name: whom we take for the author may change with the contacts, and the message doesn't.
    author: where a group put its own address there, who stood in From before, so that its copy and a direct one are one message.

    Trace headers, recipients of the envelope and what forwarders add don't count, so the copies that two users forward, a copy
    at the log address and the one that the sync finds are one message. The body doesn't count either where there is a
    Message-ID: what differs under the same key is kept beside the first (`version`), for forwarders re-encode. A Message-ID and a
    Date that our relay added count as none (`added_headers`): the key is that of the mail as it was submitted, whoever has it.
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
    """As it was before a program folded it, put a blank into it or encoded it as if it were text."""
    if "=?" in message_id:
        message_id = encoded_words.decode(message_id.encode("utf-8", "replace"), max_chars=MAX_MESSAGE_ID_BYTES)
    return "".join(message_id.split())


def _date_part(view: HeaderView) -> bytes:
    if added_headers.is_own_date(view.raw_date):
        return b""
    sent_at = view.sent_at
    if sent_at:
        return sent_at.isoformat().encode()
    # what names no moment counts as it is written, but for folds and comments, which servers change on the way
    text, _ = dates.without_comments(view.raw_date.decode("latin-1"))
    return b" ".join(text.encode("latin-1").split())


def version(headers: Sequence[Header], body_digest: bytes, *, through_group: bool = False) -> bytes:
    """32 bytes that tell apart what comes under one key: of the body, the signatures, and the headers that the verdict goes by.

    Those are the signed ones (RFC 6376 5.4) and those of which a second one makes all signatures worthless, and whether they are
    too many (`sender_auth`). So two copies with one digest have one verdict, and none takes the place of one that can be proven.
    Byte for byte, for a signature may be over the white space too (3.4.1). Trace headers don't count: copies of one mail that two
    users forward are one version. through_group: then the verdict goes by what the group left of the author and by seals, too.
    """
    names = {_SIGNATURE, *ONCE}
    if through_group:
        names |= _GROUPS_PROOF
    for name, value in headers:
        if name.strip().lower() == _SIGNATURE and (signed := _SIGNED_NAMES.search(value)):
            names.update(part.strip().lower() for part in signed[1].split(b":"))
    counted = [(key, value) for name, value in headers if (key := name.strip().lower()) in names]
    counted.sort(key=lambda header: header[0])  # stable: headers of one name stay in their order
    too_many = b"%d" % (len(headers) > MAX_PROVABLE_HEADERS)
    lines = [b"%s:%s" % header for header in counted]
    return hashlib.sha256(b"\n".join([*lines, b"", too_many, body_digest])).digest()


class BodyDigest:
    """SHA-256 of a body, without the empty lines at its end, which forwarders add and drop (RFC 6376 3.4.3 likewise)."""

    def __init__(self) -> None:
        self._all = hashlib.sha256()
        self._to_last_text = self._all.copy()

    def update(self, chunk: bytes) -> None:
        """Takes the next part of the body."""
        text = chunk.rstrip(b"\r\n")
        if text:
            self._all.update(text)
            self._to_last_text = self._all.copy()
        self._all.update(chunk[len(text) :])

    def digest(self) -> bytes:
        """The 32 bytes of what was taken so far."""
        return self._to_last_text.digest()
