"""DKIM signatures (RFC 6376): rsa-sha256, relaxed/relaxed, made while the body passes, which is never held for it.

The canonical forms are dkimpy's (a test compares them on any bytes), worked out piece by piece; the RSA is OpenSSL's, by
`cryptography`, a twentieth of the time of dkimpy's own. Never changes a message. Called by the filter for what is relayed, and by
the command line for new keys.
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from mailweir.headers import MAX_WHOLE_BYTES, Header

KEY_BITS = 2048  # RFC 8301 3.2; a longer one's record no longer fits a DNS answer over UDP
# Signed once more than they stand there, so that none can be put on top of them (RFC 6376 8.15).
OVERSIGNED = (
    b"from",
    b"sender",
    b"reply-to",
    b"subject",
    b"date",
    b"message-id",
    b"to",
    b"cc",
    b"mime-version",
    b"content-type",
    b"content-transfer-encoding",
    b"in-reply-to",
    b"references",
)
# The same where they stand. Where they don't, a mailing list that the mail goes through adds its own, and may (RFC 6376 5.4.1).
OVERSIGNED_WHERE_PRESENT = (
    b"list-id",
    b"list-help",
    b"list-unsubscribe",
    b"list-unsubscribe-post",
    b"list-subscribe",
    b"list-post",
    b"list-owner",
    b"list-archive",
)
_MAX_NAMES = 200  # in h=: ordinary mail has 14; a thousand To headers are no reason for a signature of that size
_SPACES = re.compile(rb"[ \t]+")
_LINE_END = re.compile(rb"\r?\n")
_UNSETTLED = re.compile(rb" ?\r?\Z")
_ENDS_BACKWARDS = re.compile(rb"(?:\n\r)*+")  # possessive: else each end is remembered, to come back to
_BLANK_PIECE_LINES = 4_096
_FOLD = b"\r\n\t"
_LINE_CHARS = 72


class RelaxedBody:
    """SHA-256 of a body in its relaxed form (RFC 6376 3.4.4), which comes in pieces of any size. Holds two bytes of it."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._unsettled = b""  # at most a space and a CR: what they are is for the next piece to say
        self._blank_lines = 0  # line ends that count only where something follows
        self._is_empty = True

    def update(self, piece: bytes) -> None:
        """Takes the next part of the body."""
        text = _SPACES.sub(b" ", self._unsettled + piece).replace(b" \r\n", b"\r\n")
        match = _UNSETTLED.search(text, max(0, len(text) - 2))
        assert match
        self._unsettled = match[0]
        text = text[: match.start()]
        kept = text.rstrip(b"\r\n")
        ends = _ENDS_BACKWARDS.match(text[len(kept) :][::-1])
        assert ends
        self._take(text[: len(text) - ends.end()])
        self._blank_lines += ends.end() // 2

    def digest(self) -> bytes:
        """32 bytes; nothing can be added after it."""
        self._take(self._unsettled)
        if not self._is_empty:
            self._digest.update(b"\r\n")
        return self._digest.digest()

    def _take(self, text: bytes) -> None:
        if not text:
            return
        while self._blank_lines:
            lines = min(self._blank_lines, _BLANK_PIECE_LINES)
            self._digest.update(b"\r\n" * lines)
            self._blank_lines -= lines
        self._digest.update(text)
        self._is_empty = False


class SigningKey:
    """A domain's key, ready to sign. private_der: PKCS #8, as `generate` made it."""

    def __init__(self, domain: str, selector: str, private_der: bytes) -> None:
        # imported when needed: it costs a worker 9 MB
        from cryptography.hazmat.primitives import serialization

        self.domain = domain
        self.selector = selector
        # It comes from a value that is sealed against changes; the check of its primes would take 40 ms.
        self._key: Any = serialization.load_der_private_key(private_der, None, unsafe_skip_rsa_key_validation=True)

    def signature(self, headers: Sequence[Header], body_digest: bytes, now: datetime) -> bytes:
        """The value of the DKIM-Signature header, with its leading space and its folds (CRLF TAB).

        headers: the message's, in their order. body_digest: `RelaxedBody.digest`.
        """
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        names = signed_names(headers)
        value = _FOLD.join(
            (
                b" v=1; a=rsa-sha256; c=relaxed/relaxed; d=%s;" % self.domain.encode("ascii"),
                b"s=%s; t=%d;" % (self.selector.encode("ascii"), now.timestamp()),
                b"h=" + _folded_names(names) + b";",
                b"bh=" + base64.b64encode(body_digest) + b";",
                b"b=",
            )
        )
        text = b"".join(_relaxed_headers(headers, names)) + relaxed_header(b"dkim-signature", value)[:-2]
        signed = base64.b64encode(self._key.sign(text, padding.PKCS1v15(), hashes.SHA256()))
        lines = [signed[at : at + _LINE_CHARS] for at in range(0, len(signed), _LINE_CHARS)]
        return value + _FOLD.join(lines)


def generate() -> tuple[bytes, bytes]:
    """A new RSA key: the private one (PKCS #8 DER), and the public one (SubjectPublicKeyInfo DER, RFC 6376 3.6.1)."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65_537, key_size=KEY_BITS)
    private = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private, public


def signed_names(headers: Sequence[Header]) -> list[bytes]:
    """What goes into `h=`: each name as often as it stands there, and once more.

    A header that Postfix may have cut on its way to us is left out, with all of its name: its receiver gets it whole.
    """
    times: dict[bytes, int] = {}
    cut = set()
    for name, value in headers:
        key = name.rstrip().lower()
        times[key] = times.get(key, 0) + 1
        if len(value) > MAX_WHOLE_BYTES:
            cut.add(key)
    wanted = (*OVERSIGNED, *(name for name in OVERSIGNED_WHERE_PRESENT if name in times))
    return [name for name in wanted if name not in cut for _ in range(times.get(name, 0) + 1)][:_MAX_NAMES]


def _relaxed_headers(headers: Sequence[Header], names: Sequence[bytes]) -> list[bytes]:
    """Those of the names, for each the lowest that isn't taken yet (RFC 6376 5.4.2); an absent one is nothing."""
    left: dict[bytes, list[bytes]] = {name: [] for name in names}
    for name, value in headers:
        key = name.rstrip().lower()
        if key in left:
            left[key].append(value)
    return [relaxed_header(name, left[name].pop()) for name in names if left[name]]


def relaxed_header(name: bytes, value: bytes) -> bytes:
    """RFC 6376 3.4.2. name: in lower case."""
    return b"%s:%s\r\n" % (name, _SPACES.sub(b" ", _LINE_END.sub(b"", value)).strip())


def _folded_names(names: Sequence[bytes]) -> bytes:
    lines = [names[0]]
    for name in names[1:]:
        if len(lines[-1]) + len(name) >= _LINE_CHARS:
            lines[-1] += b":"
            lines.append(name)
        else:
            lines[-1] += b":" + name
    return _FOLD.join(lines)
