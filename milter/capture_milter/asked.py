"""A directory for one message on the relay, which asks the database once for what is needed several times.

Each question costs the filter's threads a change, and the relay has many: whose the login is, whose the addresses in the header
are, which recipients are contacts. Not kept beyond the message, so what an admin changes counts at the next one. Used by
`session` and `relay`.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Protocol

from mailweir import matching
from mailweir.matching import ContactRef, DeploymentRef, People, UserRef
from mailweir.store.dkim_keys import SealedKey
from mailweir.store.relay_logins import Holder, Use


class Directory(matching.Directory, Protocol):
    """Who is known, the logins and the signing keys among them."""

    def relay_holder(self, login: str) -> Holder | None:
        """Who stands behind a login."""

    def relay_use(self, login_id: int, now: datetime) -> Use:
        """What a login sent within this hour."""

    def signing_key(self, deployment_id: int, domain: str) -> SealedKey | None:
        """The key that signs for the domain, if it is the deployment's."""


class Asked:
    """Answers as the directory does, from what it answered before where that is enough."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._deployments: dict[str, DeploymentRef | None] = {}
        self._keys: dict[int, set[str]] = {}
        self._users: dict[int, dict[str, UserRef]] = {}
        self._contacts: dict[int, dict[str, tuple[ContactRef, ...]]] = {}

    def deployments(self, domains: Collection[str]) -> Mapping[str, DeploymentRef]:
        """See matching.Directory; so are the others."""
        new = {domain for domain in domains if domain not in self._deployments}
        if new:
            found = self._directory.deployments(new)
            self._deployments.update({domain: found.get(domain) for domain in new})
        return {domain: ref for domain in domains if (ref := self._deployments[domain]) is not None}

    def users_named(self, deployment_id: int, usernames: Collection[str]) -> Mapping[str, UserRef]:
        return self._directory.users_named(deployment_id, usernames)

    def people_with(self, deployment_id: int, keys: Collection[str]) -> People:
        asked = self._keys.setdefault(deployment_id, set())
        users = self._users.setdefault(deployment_id, {})
        contacts = self._contacts.setdefault(deployment_id, {})
        new = {key for key in keys if key not in asked}
        if new:
            found = self._directory.people_with(deployment_id, new)
            users.update(found.users)
            contacts.update(found.contacts)
            asked |= new
        return People(
            {key: users[key] for key in keys if key in users}, {key: contacts[key] for key in keys if key in contacts}
        )

    def groups_among(self, deployment_id: int, keys: Collection[str]) -> Collection[str]:
        return self._directory.groups_among(deployment_id, keys)

    def gave_token(self, deployment_id: int, tokens: Collection[str]) -> bool:
        return self._directory.gave_token(deployment_id, tokens)

    def relay_holder(self, login: str) -> Holder | None:
        holder = self._directory.relay_holder(login)
        if holder:
            self._deployments[holder.deployment.domain] = holder.deployment
        return holder

    def relay_use(self, login_id: int, now: datetime) -> Use:
        return self._directory.relay_use(login_id, now)

    def signing_key(self, deployment_id: int, domain: str) -> SealedKey | None:
        return self._directory.signing_key(deployment_id, domain)
