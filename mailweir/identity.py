"""The key by which two sightings are one message of a deployment (law 2).

Pure; called by the filter and the sync. Standard library only.
"""

import hashlib

from mailweir.headers import HeaderView


def key(view: HeaderView, author: str, body_digest: bytes) -> bytes:
    """32 bytes: of Message-ID, author and date; of the content where there is no Message-ID.

    Trace headers, recipients of the envelope and what forwarders add don't count, so the copies that two users forward, a copy
    at the log address and the one that the sync finds are one message. The body doesn't count either where there is a
    Message-ID: another body under the same key is kept beside the first (`recording`), for forwarders re-encode.
    """
    sent_at = view.sent_at
    date = sent_at.isoformat().encode() if sent_at else view.raw_date
    if view.message_id:
        parts = [b"message-id", view.message_id.encode("utf-8", "replace"), author.encode(), date]
    else:
        parts = [b"content", author.encode(), date, b" ".join(view.raw_subject.split()), body_digest]
    return hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in parts)).digest()


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
