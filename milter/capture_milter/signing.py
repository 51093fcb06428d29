"""The DKIM signature of relayed mail: the choice of the key, and the body's digest while its chunks pass.

The database is queried for the signing key for each relayed message, so that a rotation counts at the next one on every host; a
worker caches decrypted keys. A key that can't be decrypted is an error (451, the sender keeps the mail), because mail that should
be signed is worth little unsigned. Called by `session`.
"""

from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from mailweir import address, secrets_file
from mailweir.directory import DeploymentRef
from mailweir.dkim_canonical import RelaxedBody
from mailweir.dkim_signing import SigningKey
from mailweir.headers import Header, HeaderView
from mailweir.store.people.dkim_keys import SealedKey

NAME = "DKIM-Signature"
MAX_KEYS = 1_000  # 5 kB each


class KeyDirectory(Protocol):
    """The directory of signing keys."""

    def deployments(self, domains: Collection[str]) -> Mapping[str, DeploymentRef]:
        """See mailweir.directory.Directory."""

    def signing_key(self, deployment_id: int, domain: str) -> SealedKey | None:
        """The key that signs for the domain, if it is the deployment's."""


class Signing:
    """The signature of one message while it is computed."""

    def __init__(self, key: SigningKey, headers: Sequence[Header]) -> None:
        self._key = key
        self._headers = headers
        self._body = RelaxedBody()

    def add(self, chunk: bytes) -> None:
        """Adds the next part of the body."""
        self._body.update(chunk)

    def value(self, now: datetime | None = None, added: Sequence[Header] = ()) -> str:
        """The header's value, as libmilter needs it: its own leading space, and folds of LF and a tab.

        added: the headers that are added below the message's own.
        """
        headers = [*self._headers, *added]
        signature = self._key.signature(headers, self._body.digest(), now or datetime.now(UTC))
        return signature.decode("ascii").replace("\r\n", "\n")


class Signers:
    """A worker's decrypted keys. key_file: see `secrets_file`. enabled: False if another system signs."""

    def __init__(self, key_file: Path, *, enabled: bool) -> None:
        self._key_file = key_file
        self._enabled = enabled
        self._opened: OrderedDict[SealedKey, SigningKey] = OrderedDict()

    def begin(
        self, login: str | None, view: HeaderView, headers: Sequence[Header], directory: KeyDirectory
    ) -> Signing | None:
        """The signature of a relayed message, if the login's deployment has a key for the author's domain; else None.

        Errors: DatabaseUnavailable; SettingsError if the key file is missing, or another one sealed the key.
        """
        if not self._enabled or login is None or view.author is None:
            return None
        deployment = _deployment_of(login, directory)
        key = deployment and directory.signing_key(deployment.id, address.split(view.author)[1])
        return Signing(self._open(key), headers) if key else None

    def _open(self, sealed: SealedKey) -> SigningKey:
        key = self._opened.get(sealed)
        if key is None:
            secrets = secrets_file.load(self._key_file)  # read again: it may have been repaired since
            key = SigningKey(sealed.domain, sealed.selector, sealed.private_der(secrets))
            self._opened[sealed] = key
            if len(self._opened) > MAX_KEYS:
                self._opened.popitem(last=False)
        return key


def _deployment_of(login: str, directory: KeyDirectory) -> DeploymentRef | None:
    """The deployment of a login, which is a capture address."""
    domain = address.split(address.normalise(login) or "")[1]
    return directory.deployments([domain]).get(domain) if domain else None
