"""A directory for the time in which one message is examined. It asks for each deployment, user and contact only once.

The filter examines a message's envelope and headers, the sync its metadata and raw form: both parts mostly name the same people.
The cache ends with the message, so an admin's changes count for the next message. Pure. Used by the filter and the sync.
"""

from collections.abc import Collection, Mapping
from typing import Generic, TypeVar

from mailweir.directory import ContactRef, DeploymentRef, Directory, KnownThread, People, RuleRef, ThreadIds, UserRef

_Known = TypeVar("_Known", bound=Directory)


class CachedDirectory(Generic[_Known]):
    """A caching `Directory` in front of another one."""

    def __init__(self, directory: _Known) -> None:
        self.directory = directory
        self._deployments: dict[str, DeploymentRef | None] = {}
        self._named: dict[tuple[int, str], UserRef | None] = {}
        self._keys: dict[int, set[str]] = {}
        self._users: dict[int, dict[str, UserRef]] = {}
        self._contacts: dict[int, dict[str, tuple[ContactRef, ...]]] = {}

    def note_deployment(self, deployment: DeploymentRef) -> None:
        """Remembers a deployment that another question already found."""
        self._deployments[deployment.domain] = deployment

    def deployments(self, domains: Collection[str]) -> Mapping[str, DeploymentRef]:
        """See mailweir.directory.Directory; the same holds for the other methods."""
        new = {domain for domain in domains if domain not in self._deployments}
        if new:
            found = self.directory.deployments(new)
            self._deployments.update({domain: found.get(domain) for domain in new})
        return {domain: ref for domain in domains if (ref := self._deployments[domain]) is not None}

    def users_named(self, deployment_id: int, usernames: Collection[str]) -> Mapping[str, UserRef]:
        new = {name for name in usernames if (deployment_id, name) not in self._named}
        if new:
            found = self.directory.users_named(deployment_id, new)
            self._named.update({(deployment_id, name): found.get(name) for name in new})
        return {name: ref for name in usernames if (ref := self._named[deployment_id, name]) is not None}

    def people_with(self, deployment_id: int, keys: Collection[str]) -> People:
        asked = self._keys.setdefault(deployment_id, set())
        users = self._users.setdefault(deployment_id, {})
        contacts = self._contacts.setdefault(deployment_id, {})
        new = {key for key in keys if key not in asked}
        if new:
            found = self.directory.people_with(deployment_id, new)
            users.update(found.users)
            contacts.update(found.contacts)
            asked |= new
        return People(
            {key: users[key] for key in keys if key in users}, {key: contacts[key] for key in keys if key in contacts}
        )

    def groups_among(self, deployment_id: int, keys: Collection[str]) -> Collection[str]:
        return self.directory.groups_among(deployment_id, keys)

    def auto_domains_among(self, deployment_id: int, domains: Collection[str]) -> Collection[str]:
        return self.directory.auto_domains_among(deployment_id, domains)

    def removed_among(self, deployment_id: int, keys: Collection[str]) -> Collection[str]:
        return self.directory.removed_among(deployment_id, keys)

    def knows_message(self, deployment_id: int, digests: Collection[bytes]) -> bool:
        return self.directory.knows_message(deployment_id, digests)

    def known_thread(self, deployment_id: int, named: ThreadIds) -> KnownThread:
        return self.directory.known_thread(deployment_id, named)

    def knows_domain(self, deployment_id: int, domain: str) -> bool:
        return self.directory.knows_domain(deployment_id, domain)

    def rules_among(self, deployment_id: int, keys: Collection[str]) -> Collection[RuleRef]:
        return self.directory.rules_among(deployment_id, keys)

    def gave_token(self, deployment_id: int, tokens: Collection[str]) -> bool:
        return self.directory.gave_token(deployment_id, tokens)
