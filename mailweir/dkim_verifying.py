"""Verifies one DKIM signature (RFC 6376 6.1, RFC 8463): its form, its key, the body, the headers. OpenSSL does the arithmetic.

Makes no network queries: the caller supplies the look-up of key records. `cryptography` is imported when first needed: it costs a
worker 9 MB. Called by `sender_auth` and `arc`.
"""

from collections.abc import Callable, Collection
from functools import lru_cache
from typing import Any, NamedTuple

from mailweir import dkim_record, dkim_tags
from mailweir.dkim_message import Message
from mailweir.dkim_record import PublishedKey
from mailweir.dkim_tags import Tags
from mailweir.sender_verdict import VerdictReason

MIN_RSA_BITS = 1024  # RFC 8301 3.2
MAX_RSA_BITS = 16_384  # OpenSSL's own limit; RFC 8301 3.2 requires verifiers to accept 4096
_MANDATORY = (b"v", b"a", b"b", b"bh", b"d", b"h", b"s")
_MAX_KEYS = 512  # a domain signs all of its mail with one or two

Txt = Callable[[str], bytes]


class Signature(NamedTuple):
    """header: its name and value, as the message has them. domain: see `dkim_tags.domain`."""

    header: tuple[bytes, bytes]
    tags: Tags
    domain: str


class Finding(NamedTuple):
    """The result for one signature. is_good: None if unknown, for example because there is no key or the signature has
    expired."""

    is_good: bool | None
    reason: VerdictReason


def read(header: tuple[bytes, bytes]) -> Signature:
    """Parses a signature or seal header; it has no tags if it can't be parsed."""
    tags = dkim_tags.read(header[1])
    return Signature(header, tags, dkim_tags.domain(tags))


def check(
    message: Message, signature: Signature, txt: Txt, now: float, must_cover: frozenset[bytes] = dkim_tags.MUST_COVER
) -> Finding:
    """Checks a DKIM signature of the message. txt: returns a key's record by its name, empty if there is none.

    now: seconds since 1970. must_cover: names of headers in lower case. Errors: whatever txt raises.
    """
    tags = signature.tags
    if not dkim_tags.proves_something(tags, must_cover):
        return Finding(None, VerdictReason.COVERS_TOO_LITTLE)
    if not dkim_tags.is_timely(tags, now):
        return Finding(None, VerdictReason.NOT_TIMELY)
    if not dkim_tags.is_well_formed(tags, _MANDATORY) or dkim_tags.identity_domain(tags) is None:
        return Finding(False, VerdictReason.MALFORMED)
    key = published_key(signature, txt)
    if isinstance(key, VerdictReason):
        return Finding(None, key)
    reason = fault(message, signature, key)
    if reason is None and key.is_for_same_domain and dkim_tags.identity_domain(tags) != signature.domain:
        reason = VerdictReason.WRONG_IDENTITY
    if reason is None:
        return Finding(True, VerdictReason.DKIM)
    # 3.6.1: a failing signature by a test key has no consequence for the signer.
    return Finding(None if key.is_test or reason is VerdictReason.KEY_UNUSABLE else False, reason)


def published_key(signature: Signature, txt: Txt) -> PublishedKey | VerdictReason:
    """The key of a well-formed signature or seal, or why there is no usable one (RFC 6376 6.1.2)."""
    record = txt(f"{signature.tags[b's'].decode('ascii')}._domainkey.{signature.domain}.")
    if not record:
        return VerdictReason.KEY_MISSING
    key = dkim_record.published_key([record])
    if isinstance(key, str):
        return VerdictReason.KEY_REVOKED if dkim_record.is_revoked(record) else VerdictReason.KEY_UNUSABLE
    return key if key.takes(signature.tags[b"a"].decode("ascii")) else VerdictReason.KEY_UNUSABLE


def fault(message: Message, signature: Signature, key: PublishedKey) -> VerdictReason | None:
    """Why a well-formed signature of body and headers doesn't verify with this key; None if it verifies."""
    forms = dkim_tags.forms(signature.tags)
    assert forms is not None
    head_is_relaxed, body_is_relaxed = forms
    if dkim_tags.decoded(signature.tags, b"bh") != message.body_digest(is_relaxed=body_is_relaxed):
        return VerdictReason.BODY_CHANGED
    name, value = signature.header
    emptied = (name, dkim_tags.unsigned(value))
    text = message.signed_text(dkim_tags.covered(signature.tags), emptied, is_relaxed=head_is_relaxed)
    return fault_of_text(text, signature, key)


def fault_of_text(text: bytes, signature: Signature, key: PublishedKey) -> VerdictReason | None:
    """Why `b=` isn't this key's signature of the text; None if it is."""
    public = _loaded(key.kind, key.data)
    if public is None:
        return VerdictReason.KEY_UNUSABLE
    if key.kind == "rsa" and public.key_size < MIN_RSA_BITS:
        return VerdictReason.KEY_TOO_SHORT
    is_good = _holds(public, key.kind, dkim_tags.decoded(signature.tags, b"b"), text)
    return None if is_good else VerdictReason.HEADERS_CHANGED


@lru_cache(maxsize=_MAX_KEYS)
def _loaded(kind: str, data: bytes) -> Any:
    """A public key, or None if the bytes aren't one. kind, data: see PublishedKey."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        key: Any = Ed25519PublicKey.from_public_bytes(data) if kind == "ed25519" else load_der_public_key(data)
    except (ValueError, TypeError, OverflowError, UnsupportedAlgorithm):
        return None
    if kind == "rsa":
        return key if isinstance(key, RSAPublicKey) and key.key_size <= MAX_RSA_BITS else None
    return key


def _holds(key: Any, kind: str, signature: bytes, text: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    try:
        if kind == "ed25519":
            digest = hashes.Hash(hashes.SHA256())  # RFC 8463 3: Ed25519 signs the digest
            digest.update(text)
            key.verify(signature, digest.finalize())
        else:
            key.verify(signature, text, padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True


def is_well_formed(signature: Signature, mandatory: Collection[bytes]) -> bool:
    """Is the signature's domain valid, and are its tags well-formed (`dkim_tags.is_well_formed`)?"""
    return bool(signature.domain) and dkim_tags.is_well_formed(signature.tags, mandatory)
