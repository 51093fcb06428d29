"""Files in the form of Google's console, with the test's own keys and addresses."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

WriteFile = Callable[[Any], Path]


def writer(folder: Path) -> WriteFile:
    """Writes a private file; from a text, or as JSON."""

    def put(content: Any) -> Path:
        path = folder / "google.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        path.chmod(0o600)
        return path

    return put


def make_private_key() -> str:
    """Makes a service account's private key."""
    key = rsa.generate_private_key(65_537, 2_048)
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(*form).decode()


def account_file(url: str, private_key: str) -> dict[str, str]:
    return {
        "type": "service_account",
        "client_id": "1234",
        "client_email": "sync@project.example",
        "private_key_id": "key-7",
        "private_key": private_key,
        "token_uri": url + "/token",
    }
