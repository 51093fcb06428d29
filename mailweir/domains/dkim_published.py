"""Is a DKIM key published correctly (RFC 6376 3.6.1)? There is exactly one record, its key is ours, long enough and not revoked,
it is for mail and sha256, and isn't marked as a test. Called by `checks`."""

import binascii
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from mailweir import dkim_record
from mailweir.domains.questions import Questions
from mailweir.sentence import said

LEAST_BITS = 1024  # RFC 8301 3.2
GOOD_BITS = 2048


@dataclass(frozen=True, slots=True)
class Key:
    """A key that signs now or later. public_key_der: ours, or None if only the selector is known."""

    selector: str
    public_key_der: bytes | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """name: of the record. kind: such as rsa-2048, or "". is_ours: None if our key isn't known. fault: an error, or "". note: a
    hint, or ""."""

    selector: str
    name: str
    kind: str = ""
    is_ours: bool | None = None
    fault: str = ""
    note: str = ""


def look(questions: Questions, domain: str, key: Key) -> Published:
    """The published state of a key. Errors: DnsUnavailable."""
    name = f"{key.selector}._domainkey.{domain}"
    values = [value.encode("latin-1") for value in questions.ask(name, "TXT").values]
    if key.public_key_der is not None:
        fault = dkim_record.fault_of(values, key.public_key_der)
        return Published(key.selector, name, _kind(key.public_key_der), fault is None, fault or "")
    published = dkim_record.published_key(values)
    if isinstance(published, str):
        return Published(key.selector, name, fault=published)
    fault = dkim_record.unusable(published)
    if published.kind == "ed25519":
        return Published(
            key.selector, name, "ed25519", None, fault, said("few receivers verify Ed25519: sign with an RSA key, too")
        )
    kind, bits = _kind(published.data), _bits(published.data)
    if bits is None:
        return Published(key.selector, name, fault=said("the published p= is not an RSA key"))
    if bits < LEAST_BITS:
        fault = said("{bits} bits are too few: receivers require at least {least}", bits=bits, least=LEAST_BITS)
    note = said("{bits} bits are usual", bits=GOOD_BITS) if LEAST_BITS <= bits < GOOD_BITS else ""
    return Published(key.selector, name, kind, None, fault, note)


def _kind(der: bytes) -> str:
    bits = _bits(der)
    return f"rsa-{bits}" if bits else ""


def _bits(der: bytes) -> int | None:
    try:
        key = load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm, binascii.Error):
        return None
    return key.key_size if isinstance(key, RSAPublicKey) else None
