"""A self-signed certificate, used if the admin has none.

Sending servers on port 25 encrypt with any certificate and don't check it (RFC 7435). The certificate is made once and kept, so
that clients that pinned it still accept it. Called by `instance`.
"""

import datetime
import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

VALID_DAYS = 3650


def ensure_self_signed(file: Path, hostname: str, now: datetime.datetime) -> bool:
    """Writes key and certificate for the host into one file of mode 0600, if there is none; returns True if it did.

    One file, key first: Postfix reads this form, and key and certificate can't get separated.
    """
    if file.exists():
        return False
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    certificate = _sign(key, hostname, now).public_bytes(serialization.Encoding.PEM)
    part = file.with_name(f".{file.name}.new")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(private + certificate)
    part.replace(file)
    return True


def _sign(key: ec.EllipticCurvePrivateKey, hostname: str, now: datetime.datetime) -> x509.Certificate:
    # A common name has at most 64 characters (RFC 5280 A.1); the host's full name is in subjectAltName.
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hostname[:64])])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))  # a peer's clock may be slow
        .not_valid_after(now + datetime.timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(hostname)]), critical=False)
        .sign(key, hashes.SHA256())
    )
