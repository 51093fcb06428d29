"""The work of a digest child on one mail: it examines the author, reads the mail, or does both for held mail. Answers are bounded
bytes.

The first byte of an answer is one of the signs below. Any error that hostile mail causes ends the child. Called by `server`,
`outcomes` and `held`; the work itself runs in the child.
"""

from mailweir import content, sender_verdict
from mailweir.digest import held_frame
from mailweir.digest.held_frame import Said
from mailweir.digest.workers import Facts
from mailweir.errors import DnsUnavailable, MailweirError
from mailweir.reading import frame, message, originals
from mailweir.reading.originals import Originals
from mailweir.sender_auth import DkimProver
from mailweir.sender_verdict import SenderVerdict, Verdict, VerdictReason
from mailweir.settings import Settings
from mailweir.store.database.moments import parse, rfc3339
from mailweir.store.record import raw_messages
from mailweir.store.record.digest_queue import Version

_BY_LOGIN = SenderVerdict(Verdict.PASS, VerdictReason.LOGIN, covers_ids=True)
DONE = b"+"  # the result follows
NO_DNS = b"?"
DAMAGED = b"!"
MAX_VERDICT_BYTES = 1 + sender_verdict.MAX_PACKED_BYTES
MAX_READING_BYTES = 1 + frame.MAX_BYTES
MAX_HELD_BYTES = 1 + held_frame.MAX_BYTES


def facts(version: Version) -> Facts:
    """The facts that a child gets beside the compressed bytes."""
    return {
        "activity": version.activity_id,
        "author": version.author,
        "via_group": version.via is not None,
        "size": version.size_bytes,
        "recorded": rfc3339(version.recorded_at),
    }


class Examiner:
    """Returns a packed `SenderVerdict`."""

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
        try:
            return DONE + self.verdict(about, raw).pack()
        except DnsUnavailable:
            return NO_DNS

    def verdict(self, about: Facts, raw: bytes) -> SenderVerdict:
        """about: see `facts`. Errors: DnsUnavailable."""
        ask = self._prover.verdict_through_group if about["via_group"] else self._prover.verdict
        return ask(raw, about["author"], self._sealers, parse(about["recorded"]))


class HeldExaminer:
    """Returns a packed `held_frame.Said` of held mail: the verdict and the forwarded mail, in one pass."""

    def __init__(self, examiner: Examiner) -> None:
        self._examiner = examiner

    def __call__(self, about: Facts, content_zstd: bytes) -> bytes:
        """about: as from `facts`, and has_login: the author is proven without a check; forwards: read it for forwarded mail;
        is_meant: see `originals.find`."""
        try:
            raw = raw_messages.decompress(content_zstd, about["size"], about["activity"])
        except MailweirError:
            return DAMAGED
        try:
            verdict = _BY_LOGIN if about["has_login"] else self._examiner.verdict(about, raw)
        except DnsUnavailable:
            return NO_DNS
        found = Originals()
        if verdict.is_pass and about["forwards"]:  # otherwise the originals aren't needed
            found = originals.find(raw, is_meant=about["is_meant"], keep=content.compress)
        return DONE + held_frame.pack(Said(verdict, found))


def read(about: Facts, content_zstd: bytes) -> bytes:
    """A packed `Reading`. about: see `facts`."""
    try:
        raw = raw_messages.decompress(content_zstd, about["size"], about["activity"])
    except MailweirError:
        return DAMAGED
    del content_zstd
    return DONE + frame.pack(message.read(raw))
