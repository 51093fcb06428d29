"""Makes DKIM signatures (RFC 6376): rsa-sha256, relaxed/relaxed, computed while the body passes, without delaying it.

`dkim_canonical` computes the canonical forms piece by piece; OpenSSL does the RSA, through `cryptography`, in a twentieth of
dkimpy's time. Never changes a message. Called by the filter for relayed mail, and by the command line for new keys.
"""

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from mailweir.dkim_canonical import relaxed_header
from mailweir.headers import MAX_WHOLE_BYTES, Header

KEY_BITS = 2048  # RFC 8301 3.2; with a longer key the record no longer fits a DNS answer over UDP
# Signed once more than they occur, so that nobody can add one above them (RFC 6376 8.15).
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
# The same, if they occur. If they don't, a mailing list that the mail passes may add its own (RFC 6376 5.4.1).
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
_MAX_NAMES = 200  # in h=: ordinary mail has 14; a thousand To headers don't justify a signature of that size
_FOLD = b"\r\n\t"
_LINE_CHARS = 72


class SigningKey:
    """A domain's key, ready to sign. private_der: PKCS #8, as `generate` made it."""

    def __init__(self, domain: str, selector: str, private_der: bytes) -> None:
        # Imported when needed: it costs a worker 9 MB.
        from cryptography.hazmat.primitives import serialization

        self.domain = domain
        self.selector = selector
        # No check of the primes, which would take 40 ms: the key was stored sealed, and unsealing detects changes.
        self._key: Any = serialization.load_der_private_key(private_der, None, unsafe_skip_rsa_key_validation=True)

    def signature(self, headers: Sequence[Header], body_digest: bytes, now: datetime) -> bytes:
        """The value of the DKIM-Signature header, with its leading space and its folds (CRLF TAB).

        headers: the message's, in their order. body_digest: `dkim_canonical.RelaxedBody.digest`.
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
    """The names for `h=`: each name as often as it occurs, and once more.

    A header that Postfix may have cut on its way to us is left out, with all headers of its name: the message's receiver gets it
    whole.
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
    """The headers with these names, each name taking the lowest header that isn't taken yet (RFC 6376 5.4.2); an absent one adds
    nothing."""
    left: dict[bytes, list[bytes]] = {name: [] for name in names}
    for name, value in headers:
        key = name.rstrip().lower()
        if key in left:
            left[key].append(value)
    return [relaxed_header(name, left[name].pop()) for name in names if left[name]]


def _folded_names(names: Sequence[bytes]) -> bytes:
    lines = [names[0]]
    for name in names[1:]:
        if len(lines[-1]) + len(name) >= _LINE_CHARS:
            lines[-1] += b":"
            lines.append(name)
        else:
            lines[-1] += b":" + name
    return _FOLD.join(lines)
