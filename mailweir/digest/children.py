"""What a child of the digest does with one mail: says who proved its author, or reads it. Answers are bounded bytes.

The first byte of an answer is one of the signs below. Errors are whatever hostile mail brings about: they end the child.
Called by `server` and `outcomes`; what it does runs in the child.
"""

from mailweir import sender_verdict
from mailweir.digest.workers import Facts
from mailweir.errors import DnsUnavailable, MailweirError
from mailweir.reading import frame, message
from mailweir.sender_auth import DkimProver
from mailweir.settings import Settings
from mailweir.store.database.moments import parse, rfc3339
from mailweir.store.record import raw_messages
from mailweir.store.record.digest_queue import Version

DONE = b"+"  # what was found follows
NO_DNS = b"?"
DAMAGED = b"!"
MAX_VERDICT_BYTES = 1 + sender_verdict.MAX_PACKED_BYTES
MAX_READING_BYTES = 1 + frame.MAX_BYTES


def facts(version: Version) -> Facts:
    """What goes to a child beside the compressed bytes."""
    return {
        "activity": version.activity_id,
        "author": version.author,
        "via_group": version.via is not None,
        "size": version.size_bytes,
        "recorded": rfc3339(version.recorded_at),
    }


class Examiner:
    """Says a packed `SenderVerdict`."""

    def __init__(self, config: Settings) -> None:
        self._prover = DkimProver(config.dns, keep_answers=True)
        self._prover.load()
        self._sealers = frozenset(config.digest.trusted_sealers)

    def __call__(self, about: Facts, content_zstd: bytes) -> bytes:
        """about: see `facts`."""
        try:
            raw = raw_messages.decompress(content_zstd, about["size"], about["activity"])
        except MailweirError:
            return DAMAGED
        ask = self._prover.verdict_through_group if about["via_group"] else self._prover.verdict
        try:
            return DONE + ask(raw, about["author"], self._sealers, parse(about["recorded"])).pack()
        except DnsUnavailable:
            return NO_DNS


def read(about: Facts, content_zstd: bytes) -> bytes:
    """A packed `Reading`. about: see `facts`."""
    try:
        raw = raw_messages.decompress(content_zstd, about["size"], about["activity"])
    except MailweirError:
        return DAMAGED
    del content_zstd
    return DONE + frame.pack(message.read(raw))
