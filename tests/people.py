"""The known people of the tests: two firms, in memory or in a database. All tests can use its fixtures (`conftest.py` names
them)."""

from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import dataclass, field

import pytest

from mailweir.directory import ContactRef, DeploymentRef, Directory, KnownThread, People, RuleRef, ThreadIds, UserRef
from mailweir.store.database import versions
from mailweir.store.database.connection import Database
from mailweir.store.people.directory import SqlDirectory

DEMO = DeploymentRef(1, "demo", "demo.example.net")
OTHER = DeploymentRef(2, "other", "other.example.org")


@dataclass
class MemoryDirectory:
    """`mailweir.directory.Directory` in memory. It can write the same people into a database."""

    tenants: list[DeploymentRef] = field(default_factory=list)
    users: list[tuple[int, UserRef, tuple[str, ...]]] = field(default_factory=list)
    contacts: list[tuple[int, int, tuple[str, ...]]] = field(default_factory=list)
    tokens: list[tuple[int, str]] = field(default_factory=list)
    groups: list[tuple[int, str]] = field(default_factory=list)
    rules: list[tuple[int, RuleRef]] = field(default_factory=list)
    auto_domains: list[tuple[int, str]] = field(default_factory=list)
    removed: list[tuple[int, str]] = field(default_factory=list)
    known_messages: list[tuple[int, bytes]] = field(default_factory=list)
    threads: dict[tuple[int, bytes], KnownThread] = field(default_factory=dict)
    known_domains: list[tuple[int, str]] = field(default_factory=list)

    def add_user(self, tenant: DeploymentRef, user_id: int, username: str, *addresses: str) -> None:
        """The first address is the mailbox."""
        self.users.append((tenant.id, UserRef(user_id, username, addresses[0]), addresses))

    def add_contact(self, tenant: DeploymentRef, contact_id: int, *addresses: str) -> None:
        """Two contacts may share an address."""
        self.contacts.append((tenant.id, contact_id, addresses))

    def deployments(self, domains: Collection[str]) -> dict[str, DeploymentRef]:
        """See mailweir.directory.Directory, also for the other methods."""
        return {tenant.domain: tenant for tenant in self.tenants if tenant.domain in domains}

    def users_named(self, deployment_id: int, usernames: Collection[str]) -> dict[str, UserRef]:
        return {user.username: user for at, user, _ in self.users if at == deployment_id and user.username in usernames}

    def people_with(self, deployment_id: int, addresses: Collection[str]) -> People:
        users = {a: user for at, user, own in self.users for a in own if at == deployment_id and a in addresses}
        found: dict[str, tuple[ContactRef, ...]] = {}
        for at, contact_id, own in self.contacts:
            for a in own:
                if at == deployment_id and a in addresses:
                    found[a] = (*found.get(a, ()), ContactRef(contact_id, a))
        return People(users, found)

    def groups_among(self, deployment_id: int, keys: Collection[str]) -> set[str]:
        return {key for at, key in self.groups if at == deployment_id and key in keys}

    def rules_among(self, deployment_id: int, keys: Collection[str]) -> list[RuleRef]:
        return [rule for at, rule in self.rules if at == deployment_id and rule.match_key in keys]

    def auto_domains_among(self, deployment_id: int, domains: Collection[str]) -> set[str]:
        return {domain for at, domain in self.auto_domains if at == deployment_id and domain in domains}

    def removed_among(self, deployment_id: int, keys: Collection[str]) -> set[str]:
        return {key for at, key in self.removed if at == deployment_id and key in keys}

    def knows_message(self, deployment_id: int, digests: Collection[bytes]) -> bool:
        return any((deployment_id, digest) in self.known_messages for digest in digests)

    def known_thread(self, deployment_id: int, named: ThreadIds) -> KnownThread:
        found = self.threads.get((deployment_id, next(iter(named.in_reply_to), b"")))
        return found or KnownThread()

    def knows_domain(self, deployment_id: int, domain: str) -> bool:
        return (deployment_id, domain) in self.known_domains

    def gave_token(self, deployment_id: int, tokens: Collection[str]) -> bool:
        return any((deployment_id, token) in self.tokens for token in tokens)

    def write(self, database: Database) -> None:
        """Puts everybody into a database, with the same ids."""
        now = "2026-11-24T03:12:55.123456Z"
        with database.transaction():
            for tenant in self.tenants:
                database.execute(
                    "INSERT INTO deployments (id, name, domain, created_at) VALUES (?, ?, ?, ?)", (*tenant[:3], now)
                )
            for at, user, addresses in self.users:
                columns = "(id, deployment_id, username, name, mailbox, created_at) VALUES (?, ?, ?, '', ?, ?)"
                database.execute(f"INSERT INTO users {columns}", (user.id, at, user.username, user.mailbox, now))
                for a in addresses:
                    columns = "(deployment_id, user_id, address, match_key) VALUES (?, ?, ?, ?)"
                    database.execute(f"INSERT INTO user_addresses {columns}", (at, user.id, a, a))
            for at, contact_id, addresses in self.contacts:
                columns = "(id, deployment_id, name, created_at) VALUES (?, ?, 'Client', ?)"
                database.execute(f"INSERT INTO contacts {columns}", (contact_id, at, now))
                for a in addresses:
                    columns = "(deployment_id, contact_id, address, match_key) VALUES (?, ?, ?, ?)"
                    database.execute(f"INSERT INTO contact_addresses {columns}", (at, contact_id, a, a))
            if not database.is_sqlite:  # PostgreSQL's sequence doesn't count given ids
                for table in ("deployments", "users", "contacts"):
                    database.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), 100)")


@pytest.fixture(scope="session")
def people() -> MemoryDirectory:
    """Two firms. `demo` knows richard (two addresses), mary, jane (two addresses) and joe, who share an office's address. It also
    knows pat, who is a user and a contact. `other` has a richard, too; demo's jane is its user, and demo's mary its contact."""
    known = MemoryDirectory([DEMO, OTHER])
    known.add_user(DEMO, 1, "richard", "richard@firm.example", "rick@firm.example")
    known.add_user(DEMO, 2, "mary", "mary@firm.example")
    known.add_user(DEMO, 3, "pat", "pat@both.example")
    known.add_user(OTHER, 4, "richard", "richard@else.example")
    known.add_user(OTHER, 5, "jane", "jane@client.example")
    known.add_contact(DEMO, 1, "jane@client.example", "jane@home.example", "office@client.example")
    known.add_contact(DEMO, 2, "joe@client.example", "office@client.example")
    known.add_contact(DEMO, 3, "pat@both.example")
    known.add_contact(OTHER, 4, "mary@firm.example", "joe@client.example")
    return known


@pytest.fixture(scope="session")
def database_of_people(people: MemoryDirectory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """The same people in a database; read only."""
    path = tmp_path_factory.mktemp("people") / "mailweir.db"
    versions.upgrade(path)
    with closing(Database(path)) as database:
        people.write(database)
        yield database


@pytest.fixture(params=["memory", "sql"])
def directory(
    request: pytest.FixtureRequest, people: MemoryDirectory, database_of_people: Database
) -> Iterator[Directory]:
    """The people, in a directory of either kind."""
    if request.param == "memory":
        yield people
    else:
        with database_of_people.reading():
            yield SqlDirectory(database_of_people)
