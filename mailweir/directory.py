"""The directory of known people: the questions that matching asks, and the types of the answers.

Pure. `store.directory` answers from the database; `cached_directory` caches another directory. Asked by `arrivals`, `authorship`
and `matching`. Standard library only.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple, Protocol

from mailweir.folding import EXACT, Folding


class DeploymentRef(NamedTuple):
    """A tenant, as matching sees it. automatic_todos: automatic answers become to-dos too. holds_forwards: mail that its users
    forward to log@ by hand is held until it is read. has_auto_contacts: a company has auto-contacts. known_threads: replies from
    unknown addresses are recorded if their thread is known."""

    id: int
    name: str
    domain: str
    folding: Folding = EXACT
    automatic_todos: bool = False
    holds_forwards: bool = True
    has_auto_contacts: bool = False
    known_threads: bool = False

    @property
    def holds_strangers(self) -> bool:
        """Could mail of an unknown author be held?"""
        return self.has_auto_contacts or self.known_threads


class UserRef(NamedTuple):
    """A user, as matching sees it."""

    id: int
    username: str
    mailbox: str


class ContactRef(NamedTuple):
    """A contact by one of its addresses. is_bcc: the address is in the envelope and not in the headers."""

    id: int
    address: str
    is_bcc: bool = False


class RuleRef(NamedTuple):
    """A never-log rule. pattern: an address, or `@` and a domain. match_key: see `never_log`. user_id, username: its owner, or
    None if it holds for the deployment."""

    pattern: str
    match_key: str
    user_id: int | None
    username: str | None


class People(NamedTuple):
    """Users and contacts by the key of their addresses (see `folding`); an address may belong to several contacts."""

    users: Mapping[str, UserRef]
    contacts: Mapping[str, tuple[ContactRef, ...]]


class KnownThread(NamedTuple):
    """The thread that a mail answers, as far as it is on the record. users: ids of its participants. unknown: its number of mails
    from unknown addresses."""

    users: frozenset[int] = frozenset()
    unknown: int = 0


class ThreadIds(Protocol):
    """The Message-IDs by which a mail names its thread, as digests: see `reading.thread_keys`."""

    @property
    def in_reply_to(self) -> Collection[bytes]: ...
    @property
    def references(self) -> Collection[bytes]: ...
    @property
    def subject(self) -> bytes: ...


class Directory(Protocol):
    """The known people. Every method except the first answers for one deployment only."""

    def deployments(self, domains: Collection[str]) -> Mapping[str, DeploymentRef]:
        """The deployments of these capture domains, by domain."""

    def users_named(self, deployment_id: int, usernames: Collection[str]) -> Mapping[str, UserRef]:
        """Users by username."""

    def people_with(self, deployment_id: int, keys: Collection[str]) -> People:
        """Users and contacts by the keys of their own addresses."""

    def groups_among(self, deployment_id: int, keys: Collection[str]) -> Collection[str]:
        """The keys that belong to addresses of the firm's groups and lists."""

    def auto_domains_among(self, deployment_id: int, domains: Collection[str]) -> Collection[str]:
        """The domains whose senders become contacts."""

    def removed_among(self, deployment_id: int, keys: Collection[str]) -> Collection[str]:
        """The keys of addresses that an admin removed from a contact."""

    def knows_message(self, deployment_id: int, digests: Collection[bytes]) -> bool:
        """Is one of these the Message-ID of a message in a recorded thread? digests: see `reading.thread_keys`."""

    def known_thread(self, deployment_id: int, named: ThreadIds) -> KnownThread:
        """The recorded thread that a mail answers; references count if the subject is the same."""

    def knows_domain(self, deployment_id: int, domain: str) -> bool:
        """Is it a company's domain, or the domain of a user's or group's address?"""

    def rules_among(self, deployment_id: int, keys: Collection[str]) -> Collection[RuleRef]:
        """The never-log rules with these keys, of the deployment and of its users."""

    def gave_token(self, deployment_id: int, tokens: Collection[str]) -> bool:
        """Is one of these the token of a forwarding confirmation that was redirected?"""


def people_among(deployment: DeploymentRef, addresses: tuple[str, ...], directory: Directory) -> People:
    """Users and contacts by these addresses, as the mail spells them; the deployment's folding decides which spellings are
    equal."""
    if deployment.folding == EXACT:
        return directory.people_with(deployment.id, addresses)
    keys = {a: deployment.folding.key(a) for a in addresses}
    users, contacts = directory.people_with(deployment.id, set(keys.values()))
    return People(
        {a: users[key] for a, key in keys.items() if key in users},
        {a: tuple(ContactRef(ref.id, a) for ref in contacts[key]) for a, key in keys.items() if key in contacts},
    )


def are_groups(deployment: DeploymentRef, addresses: Collection[str], directory: Directory) -> bool:
    """Do all of these addresses belong to groups of the firm?"""
    keys = {deployment.folding.key(one) for one in addresses}
    return len(directory.groups_among(deployment.id, keys)) == len(keys)
