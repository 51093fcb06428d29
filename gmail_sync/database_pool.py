"""Connections to the database, shared by the sweeping threads: each borrows one while it queries or writes, never while it waits
for Gmail. Used by `job_factory`, which opens it, and through `job` by all of the sync."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager

from mailweir.directory import DeploymentRef, KnownThread, People, RuleRef, ThreadIds, UserRef
from mailweir.store.database.connection import Database
from mailweir.store.database.pool import Pool
from mailweir.store.people.directory import SqlDirectory

MAX_CONNECTIONS = 6
WAIT_SECONDS = 30.0


class DatabasePool:
    """Lends out connections to the sweeping threads."""

    def __init__(self, open_database: Callable[[], Database]) -> None:
        self._pool = Pool(open_database, MAX_CONNECTIONS)

    @contextmanager
    def lent(self) -> Iterator[Database]:
        """A connection. DatabaseUnavailable also if other threads hold all of them for too long."""
        with self._pool.lent(WAIT_SECONDS) as database:
            yield database

    def close(self) -> None:
        """Closes the idle connections."""
        self._pool.close()


class PooledDirectory:
    """`mailweir.directory.Directory` over borrowed connections."""

    def __init__(self, database_pool: DatabasePool) -> None:
        self._database_pool = database_pool

    @contextmanager
    def _lent(self) -> Iterator[SqlDirectory]:
        with self._database_pool.lent() as database, database.reading():
            yield SqlDirectory(database)

    def deployments(self, domains: Collection[str]) -> Mapping[str, DeploymentRef]:
        """See mailweir.directory.Directory."""
        with self._lent() as directory:
            return directory.deployments(domains)

    def users_named(self, deployment_id: int, usernames: Collection[str]) -> Mapping[str, UserRef]:
        """See mailweir.directory.Directory."""
        with self._lent() as directory:
            return directory.users_named(deployment_id, usernames)

    def people_with(self, deployment_id: int, keys: Collection[str]) -> People:
        """See mailweir.directory.Directory."""
        with self._lent() as directory:
            return directory.people_with(deployment_id, keys)

    def groups_among(self, deployment_id: int, keys: Collection[str]) -> Collection[str]:
        """See mailweir.directory.Directory."""
        with self._lent() as directory:
            return directory.groups_among(deployment_id, keys)

    def rules_among(self, deployment_id: int, keys: Collection[str]) -> Collection[RuleRef]:
        """See mailweir.directory.Directory."""
        with self._lent() as directory:
            return directory.rules_among(deployment_id, keys)

    def auto_domains_among(self, deployment_id: int, domains: Collection[str]) -> Collection[str]:
        """See mailweir.directory.Directory."""
        with self._lent() as directory:
            return directory.auto_domains_among(deployment_id, domains)

    def removed_among(self, deployment_id: int, keys: Collection[str]) -> Collection[str]:
        """See mailweir.directory.Directory."""
        with self._lent() as directory:
            return directory.removed_among(deployment_id, keys)

    def knows_message(self, deployment_id: int, digests: Collection[bytes]) -> bool:
        """See mailweir.directory.Directory."""
        with self._lent() as directory:
            return directory.knows_message(deployment_id, digests)

    def known_thread(self, deployment_id: int, named: ThreadIds) -> KnownThread:
        """See mailweir.directory.Directory."""
        with self._lent() as directory:
            return directory.known_thread(deployment_id, named)

    def knows_domain(self, deployment_id: int, domain: str) -> bool:
        """See mailweir.directory.Directory."""
        with self._lent() as directory:
            return directory.knows_domain(deployment_id, domain)

    def gave_token(self, deployment_id: int, tokens: Collection[str]) -> bool:
        """See mailweir.directory.Directory."""
        with self._lent() as directory:
            return directory.gave_token(deployment_id, tokens)
