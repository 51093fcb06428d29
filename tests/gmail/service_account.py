"""A service account with domain-wide delegation, which the emulator doesn't have: its key file, and the check of its assertions.

Sources: RFC 7523 (JWT bearer), developers.google.com/identity/protocols/oauth2/service-account.
"""

import base64
import binascii
import functools
import json
import time
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_BITS = 2048
_CLIENT_EMAIL = "sync@mailweir-tests.iam.gserviceaccount.example"
_GOOGLES_AUDIENCE = "https://oauth2.googleapis.com/token"  # google-auth's, for any token endpoint
_SKEW_SECONDS = 300


class Denied(Exception):
    """The assertion isn't valid; with error and description as the token endpoint returns them."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error


class ServiceAccount:
    """A service account, and the permissions that the domain's admin gave it."""

    def __init__(self, delegated_scopes: frozenset[str]) -> None:
        self.delegated_scopes = delegated_scopes
        self._key = _key()

    def write(self, path: Path, token_uri: str) -> None:
        """Writes the key file in Google's form, mode 0600."""
        pem = self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path.touch(mode=0o600)
        path.write_text(
            json.dumps(
                {
                    "type": "service_account",
                    "project_id": "mailweir-tests",
                    "private_key_id": "1",
                    "private_key": pem.decode(),
                    "client_email": _CLIENT_EMAIL,
                    "client_id": "1",
                    "token_uri": token_uri,
                }
            )
        )

    def subject(self, assertion: str, token_uri: str) -> tuple[str, str]:
        """The requested user, and the scopes. Raises Denied."""
        claims = self._claims(assertion)
        if claims.get("iss") != _CLIENT_EMAIL or claims.get("aud") not in (token_uri, _GOOGLES_AUDIENCE):
            raise Denied("invalid_grant", "Invalid issuer or audience.")
        if not claims.get("iat", 0) - _SKEW_SECONDS <= time.time() < claims.get("exp", 0):
            raise Denied(
                "invalid_grant", "Invalid JWT: Token must be a short-lived token and in a reasonable timeframe."
            )
        scope = str(claims.get("scope", ""))
        if not scope.split() or not set(scope.split()) <= self.delegated_scopes:
            raise Denied(
                "unauthorized_client",
                "Client is unauthorized to retrieve access tokens using this method, or client not authorized"
                " for any of the scopes requested.",
            )
        return str(claims.get("sub", "")), scope

    def _claims(self, assertion: str) -> dict[str, Any]:
        signed, _, signature = assertion.rpartition(".")
        try:
            self._key.public_key().verify(_decode(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
            claims = json.loads(_decode(signed.partition(".")[2]))
        except (InvalidSignature, ValueError, binascii.Error) as error:
            raise Denied("invalid_grant", "Invalid JWT Signature.") from error
        if not isinstance(claims, dict):
            raise Denied("invalid_grant", "Invalid JWT.")
        return claims


@functools.cache
def _key() -> rsa.RSAPrivateKey:
    """One key for the whole run: making it takes a tenth of a second."""
    return rsa.generate_private_key(public_exponent=65537, key_size=_BITS)


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
