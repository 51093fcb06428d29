"""A DKIM key made for one run, its record in DNS, and signing with it.

For the demo and the tests, which stand in for Google; nothing that Mailweir sends is signed here. The key never touches the disk.
"""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

KEY_BITS = 2048
# The headers in Google's own signature. From, To, Subject, Date and Message-ID are signed once more than they occur, so that
# nobody can add them.
SIGNED_HEADERS = ("to", "subject", "message-id", "date", "from", "mime-version")
OVERSIGNED_HEADERS = ("from", "to", "cc", "subject", "date", "message-id", "reply-to")


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key pair. private_pem: PKCS #8. public: base64, as in DKIM's `p=`."""

    private_pem: bytes
    public: str

    @classmethod
    def generate(cls) -> Self:
        """A new RSA key."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        public = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return cls(private, base64.b64encode(public).decode("ascii"))

    @property
    def record(self) -> str:
        """The value of the TXT record, in strings of at most 255 bytes (RFC 1035 3.3)."""
        text = f"v=DKIM1; k=rsa; p={self.public}"
        return " ".join(f'"{part}"' for part in re.findall(".{1,255}", text))


def key_name(selector: str, domain: str) -> str:
    """The name of a key's record (RFC 6376 3.6.2.1)."""
    return f"{selector}._domainkey.{domain}"


def sign(
    raw: bytes,
    key: SigningKey,
    *,
    selector: str,
    domain: str,
    headers: Sequence[str] | None = None,
    with_length: bool = False,
) -> bytes:
    """The message (CRLF) with a DKIM-Signature on top. headers: the signed headers; default: those of Google's signature."""
    covered = (*SIGNED_HEADERS, *OVERSIGNED_HEADERS) if headers is None else headers
    signature: bytes = dkim.sign(
        raw,
        selector.encode(),
        domain.encode(),
        key.private_pem,
        canonicalize=(b"relaxed", b"relaxed"),
        include_headers=[name.encode() for name in covered],
        length=with_length,
    )
    return signature + raw
