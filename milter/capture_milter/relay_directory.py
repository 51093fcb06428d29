"""The relay's directory: the known people, with logins and signing keys. It remembers people for the time of one message.

Each query costs the filter a thread switch, and the relay's rules ask for the same people again. Used by `session` and `relay`.
"""

from datetime import datetime
from typing import Protocol

from mailweir.cached_directory import CachedDirectory
from mailweir.directory import Directory
from mailweir.store.people.dkim_keys import SealedKey
from mailweir.store.people.relay_logins import Holder, Use


class RelayDirectory(Directory, Protocol):
    """The known people, including the logins and the signing keys."""

    def relay_holder(self, login: str) -> Holder | None:
        """The owner of a login."""

    def relay_use(self, login_id: int, now: datetime) -> Use:
        """The login's use within this hour."""

    def signing_key(self, deployment_id: int, domain: str) -> SealedKey | None:
        """The key that signs for the domain, if it is the deployment's."""


class CachedRelayDirectory(CachedDirectory[RelayDirectory]):
    """RelayDirectory for one message."""

    def relay_holder(self, login: str) -> Holder | None:
        """See RelayDirectory; the same holds for the other methods."""
        holder = self.directory.relay_holder(login)
        if holder:
            self.note_deployment(holder.deployment)
        return holder

    def relay_use(self, login_id: int, now: datetime) -> Use:
        return self.directory.relay_use(login_id, now)

    def signing_key(self, deployment_id: int, domain: str) -> SealedKey | None:
        return self.directory.signing_key(deployment_id, domain)
