"""The sender verdict: was the author proven, by which domain, and if not, why? The record stores these words, and a child process
may send them.

Pure. Made by `sender_auth` and `arc`; carried by the digest; stored by `recording` and the store; explained by `explain`.
Standard library only.
"""

import enum
import re
from dataclasses import dataclass
from typing import Self

MAX_PACKED_BYTES = 320
_DOMAIN = re.compile(r"[a-z0-9._-]{1,253}")


class Verdict(enum.StrEnum):
    """Was the author proven? fail: there are signatures of the author's organisation, and each of them is bad."""

    PASS = "pass"
    FAIL = "fail"
    NONE = "none"


class VerdictReason(enum.StrEnum):
    """The reason for a verdict. The reasons in PROOFS prove the author, and no others do. The record stores the words, so they
    must not change."""

    # proven
    DKIM = "dkim"
    SEAL = "seal"
    SEAL_SPF = "seal_spf"
    LOGIN = "login"
    # not proven: signatures
    NO_SIGNATURE = "no_signature"
    OTHER_DOMAIN = "other_domain"
    BODY_CHANGED = "body_changed"
    HEADERS_CHANGED = "headers_changed"
    MALFORMED = "malformed_signature"
    NOT_TIMELY = "not_timely"
    COVERS_TOO_LITTLE = "covers_too_little"
    WRONG_IDENTITY = "wrong_identity"
    KEY_MISSING = "key_missing"
    KEY_REVOKED = "key_revoked"
    KEY_UNUSABLE = "key_unusable"
    KEY_TOO_SHORT = "key_too_short"
    # not proven: seals
    SEAL_NOT_TRUSTED = "seal_not_trusted"
    SEAL_BROKEN = "seal_broken"
    SEAL_SAW_NO_PROOF = "seal_saw_no_proof"
    # not proven: the message itself
    UNREADABLE_HEADERS = "unreadable_headers"
    DOUBLED_HEADERS = "doubled_headers"
    TOO_MANY_HEADERS = "too_many_headers"
    THROUGH_GROUP = "through_group"
    AUTHOR_IN_DOUBT = "author_in_doubt"
    FORWARDED_BY_HAND = "forwarded_by_hand"
    # not examined
    DAMAGED = "damaged"
    EXAMINER_DIED = "examiner_died"


_COVERS_IDS = "+ids"  # no domain can have this form
PROOFS = frozenset({VerdictReason.DKIM, VerdictReason.SEAL, VerdictReason.SEAL_SPF, VerdictReason.LOGIN})


@dataclass(frozen=True, slots=True)
class SenderVerdict:
    """domain: of the signature or seal, in lower-case ASCII, or "". covers_ids: the proof also covers the headers that name the
    conversation, so a replay can't move the message to another conversation."""

    value: Verdict
    reason: VerdictReason
    domain: str = ""
    covers_ids: bool = False

    @property
    def is_pass(self) -> bool:
        """Is the author proven?"""
        return self.value is Verdict.PASS

    def pack(self) -> bytes:
        """The verdict in at most MAX_PACKED_BYTES of ASCII, for `parse`. A domain that doesn't fit is left out."""
        domain = self.domain if _DOMAIN.fullmatch(self.domain) else ""
        words = (self.value, self.reason, domain, _COVERS_IDS if self.covers_ids else "")
        return " ".join(filter(None, words)).encode("ascii")

    @classmethod
    def parse(cls, packed: bytes) -> Self:
        """Parses a packed verdict. ValueError for anything else, such as `pass` with a reason that proves nothing: hostile mail
        may have taken over the child that sent it."""
        words = packed.decode("ascii").split(" ") if len(packed) <= MAX_PACKED_BYTES else []
        covers_ids = words[-1:] == [_COVERS_IDS]
        if covers_ids:
            words.pop()
        domain = words[2] if len(words) == 3 else ""
        if len(words) not in (2, 3) or (len(words) == 3 and not _DOMAIN.fullmatch(domain)):
            raise ValueError("it is no packed verdict")
        found = cls(Verdict(words[0]), VerdictReason(words[1]), domain, covers_ids)
        if found.is_pass != (found.reason in PROOFS) or (covers_ids and not found.is_pass):
            raise ValueError("the reason doesn't fit the verdict")
        return found


def none(reason: VerdictReason, domain: str = "") -> SenderVerdict:
    """Not proven, and no sign of a forgery."""
    return SenderVerdict(Verdict.NONE, reason, domain)
