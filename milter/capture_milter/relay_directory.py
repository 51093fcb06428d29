"""Who is known on the relay: whose the login is and what it may send, and the keys that sign; asked once for each message.

Each question costs the filter's threads a change, and the relay has many. Used by `session` and `relay`.
"""

from datetime import datetime
from typing import Protocol

from mailweir.cached_directory import CachedDirectory
from mailweir.directory import Directory
from mailweir.store.people.dkim_keys import SealedKey
from mailweir.store.people.relay_logins import Holder, Use


class RelayDirectory(Directory, Protocol):
    """Who is known, the logins and the signing keys among them."""

    def relay_holder(self, login: str) -> Holder | None:
        """Who stands behind a login."""

    def relay_use(self, login_id: int, now: datetime) -> Use:
        """What a login sent within this hour."""

    def signing_key(self, deployment_id: int, domain: str) -> SealedKey | None:
        """The key that signs for the domain, if it is the deployment's."""


class CachedRelayDirectory(CachedDirectory[RelayDirectory]):
    """RelayDirectory for one message."""

    def relay_holder(self, login: str) -> Holder | None:
        """See RelayDirectory; so are the others."""
        holder = self.directory.relay_holder(login)
        if holder:
            self.note_deployment(holder.deployment)
        return holder

    def relay_use(self, login_id: int, now: datetime) -> Use:
        return self.directory.relay_use(login_id, now)

    def signing_key(self, deployment_id: int, domain: str) -> SealedKey | None:
        return self.directory.signing_key(deployment_id, domain)
