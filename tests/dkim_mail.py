"""Signed mail for verification, with our results and dkimpy's; a key of the test's own. For the tests of `dkim_verifying`."""

import base64
import hashlib
from functools import lru_cache

import dkim
import dkim.canonicalization
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from admin_cli.demo.signing import SigningKey
from mailweir import dkim_message, dkim_verifying
from mailweir.dkim_verifying import Finding
from mailweir.sender_verdict import VerdictReason

NOW = 1_900_000_000.0
DOMAIN, SELECTOR = "client.example", "sel"
GOOD = Finding(True, VerdictReason.DKIM)
HEADERS = [
    b"Received: from a by b;\r\n\tTue, 24 Nov 2026 03:12:55 +0000",
    b"From: Jane <jane@client.example>",
    b"To: richard@firm.example,\r\n mary@firm.example",
    b"Subject:  An \t offer  ",
    b"Date: Tue, 24 Nov 2026 03:12:55 +0000",
    b"Message-ID: <1@client.example>",
    b"X-Twice: one",
    b"X-Twice: two",
]
RAW = b"\r\n".join(HEADERS) + b"\r\n\r\nhello\r\n"


def check(raw: bytes, record: bytes, now: float = NOW) -> Finding:
    """The topmost signature's result; no finding for a message without a usable signature."""
    message = dkim_message.read(raw)
    if message is None or message.has_additions() or not message.named(b"dkim-signature"):
        return Finding(None, VerdictReason.UNREADABLE_HEADERS)
    signature = dkim_verifying.read(message.named(b"dkim-signature")[0])
    return dkim_verifying.check(message, signature, lambda _: record, now)


def dkimpys(raw: bytes, record: bytes) -> bool:
    """dkimpy's verdict on the topmost signature."""
    try:
        return bool(dkim.DKIM(raw).verify(dnsfunc=lambda name, timeout=5: record))
    except (dkim.DKIMException, ValueError, LookupError, TypeError, ArithmeticError):
        return False


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return SigningKey.generate()


@pytest.fixture(scope="module")
def record(key: SigningKey) -> bytes:
    return f"v=DKIM1; k=rsa; p={key.public}".encode()


@lru_cache
def _private(key: SigningKey) -> rsa.RSAPrivateKey:
    private = serialization.load_pem_private_key(key.private_pem, None)  # takes longer than signing
    assert isinstance(private, rsa.RSAPrivateKey)
    return private


def by_hand(key: SigningKey, raw: bytes = RAW, template: str = "", **tags: str) -> bytes:
    """A signature with any tags. template: with {tags} and {b}, for tests where b= isn't the last tag."""
    headers, body = dkim.rfc822_parse(raw)
    digest = base64.b64encode(hashlib.sha256(dkim.canonicalization.Relaxed.canonicalize_body(body)).digest()).decode()
    values = {
        "v": "1",
        "a": "rsa-sha256",
        "c": "relaxed/relaxed",
        "d": DOMAIN,
        "s": SELECTOR,
        "h": "from:to",
        "bh": digest,
    }
    text = "; ".join(f"{name}={value}" for name, value in (values | tags).items())
    template = template or " {tags}; b={b}"
    lowest = {name.lower(): (name, value) for name, value in headers}
    names = dict.fromkeys(name.strip().encode() for name in (values | tags)["h"].split(":"))  # a second one is absent
    named = [lowest[name] for name in names if name in lowest]
    emptied = (b"DKIM-Signature", template.replace(" {b} ", "").format(tags=text, b="").encode())
    lines = dkim.canonicalization.Relaxed.canonicalize_headers([*named, emptied])
    covered = b"".join(b"%s:%s" % line for line in lines).removesuffix(b"\r\n")
    made = base64.b64encode(_private(key).sign(covered, padding.PKCS1v15(), hashes.SHA256())).decode()
    return b"DKIM-Signature:" + template.format(tags=text, b=made).encode() + b"\r\n" + raw
