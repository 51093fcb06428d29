"""Seals of a mail (ARC, RFC 8617) with any results and tags that a test wants. The canonical forms are dkimpy's."""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from dkim import rfc822_parse
from dkim.canonicalization import Relaxed

from admin_cli.demo.signing import SigningKey

SELECTOR = "sel"
_NAMES = (b"arc-authentication-results", b"arc-message-signature", b"arc-seal")
_INSTANCE = re.compile(rb"i=([0-9]+);")


def seal(
    key: SigningKey,
    raw: bytes,
    results: bytes,
    domain: str = "google.com",
    *,
    chain: str = "",
    covers: str = "from:to:subject:date:message-id",
    signature_tags: Mapping[str, str] | None = None,
    seal_tags: Mapping[str, str] | None = None,
) -> bytes:
    """The message (CRLF) with a further set on top. chain: the sealer's statement about the earlier sets, instead of the usual
    one.

    signature_tags, seal_tags: added to the usual tags, or replace them; an empty tag is left out.
    """
    headers, body = rfc822_parse(raw)
    sets = [(name, value) for name, value in headers if name.lower() in _NAMES]
    number = len(sets) // 3 + 1
    usual = {"i": str(number), "a": "rsa-sha256", "d": domain, "s": SELECTOR, "t": "1764000000"}
    digest = base64.b64encode(hashlib.sha256(Relaxed.canonicalize_body(body)).digest()).decode()
    tags = usual | {"c": "relaxed/relaxed", "h": covers, "bh": digest} | dict(signature_tags or {})
    named = [_lowest(headers, name.strip().encode()) for name in tags["h"].split(":")]
    signature = _signed(key, tags, [one for one in named if one], "ARC-Message-Signature")
    added = [(b"ARC-Authentication-Results", b" i=%d; mx.example; %s\r\n" % (number, results)), signature]
    said = chain or ("none" if number == 1 else "pass")
    covered = [*sorted(sets, key=_order), *added]
    sealed = _signed(key, usual | {"cv": said} | dict(seal_tags or {}), covered, "ARC-Seal")
    return b"".join(b"%s:%s" % header for header in (sealed, signature, added[0])) + raw


@lru_cache
def _private(key: SigningKey) -> rsa.RSAPrivateKey:
    private = serialization.load_pem_private_key(key.private_pem, None)  # takes longer than signing
    assert isinstance(private, rsa.RSAPrivateKey)
    return private


def _order(header: tuple[bytes, bytes]) -> tuple[int, int]:
    found = _INSTANCE.search(header[1])
    assert found
    return int(found[1]), _NAMES.index(header[0].lower())


def _lowest(headers: Sequence[tuple[bytes, bytes]], name: bytes) -> tuple[bytes, bytes] | None:
    return next(((one[0], one[1]) for one in reversed(headers) if one[0].lower() == name), None)


def _signed(
    key: SigningKey, tags: Mapping[str, str], covered: Sequence[tuple[bytes, bytes]], name: str
) -> tuple[bytes, bytes]:
    unsigned = "; ".join(f"{tag}={value}" for tag, value in tags.items() if value) + "; b="
    lines = Relaxed.canonicalize_headers([*covered, (name.encode(), unsigned.encode())])
    text = b"".join(b"%s:%s" % line for line in lines).removesuffix(b"\r\n")
    made = base64.b64encode(_private(key).sign(text, padding.PKCS1v15(), hashes.SHA256())).decode()
    return name.encode(), f" {unsigned}{made}\r\n".encode()
