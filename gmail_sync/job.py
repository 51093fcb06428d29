"""The context of a sweep: a leased mailbox, its Gmail side, the quota, and fenced transactions. Used by `sweep` and `listing`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

import structlog

from gmail_sync.app_state import AppState
from gmail_sync.budget import Spending
from gmail_sync.database_pool import DatabasePool, PooledDirectory
from gmail_sync.memory_limit import MemoryLimit
from mailweir.gmail.api import MailboxReader
from mailweir.settings import Settings
from mailweir.store.database.connection import Database
from mailweir.store.gmail import gmail_leases
from mailweir.store.gmail.gmail_leases import Leased
from mailweir.traces import Traces


@dataclass(frozen=True)
class Services:
    """The services that all sweeps of a process share. clock: the time, aware."""

    database_pool: DatabasePool
    directory: PooledDirectory
    settings: Settings
    log: structlog.stdlib.BoundLogger
    clock: Callable[[], datetime]
    memory: MemoryLimit = field(default_factory=MemoryLimit)

    @cached_property
    def traces(self) -> Traces:
        """Digests of header recipients."""
        return Traces(self.settings.token_key_path)

    @cached_property
    def app(self) -> AppState:
        """The state of the app with which the command line connects mailboxes."""
        return AppState(self.database_pool, self.log, self.clock)

    @cached_property
    def page_app(self) -> AppState:
        """The same for the page's OAuth client: Google may refuse one and accept the other."""
        return AppState(self.database_pool, self.log, self.clock)


@dataclass
class Job:
    """One sweep's job. leased: updated with this sweep's own writes. is_by_page: was it connected by the page's client?"""

    services: Services
    leased: Leased
    mailbox: MailboxReader
    spending: Spending
    is_by_page: bool = False

    @property
    def app(self) -> AppState:
        """The state of the app that the mailbox's token belongs to."""
        return self.services.page_app if self.is_by_page else self.services.app

    @contextmanager
    def writing(self) -> Iterator[Database]:
        """A transaction that fails if the lease is lost. Errors: LeaseLost, DatabaseUnavailable."""
        with self.services.database_pool.lent() as database, database.transaction(alone=False):
            gmail_leases.fence(database, self.leased)
            yield database

    @contextmanager
    def reading(self) -> Iterator[Database]:
        """A connection for queries."""
        with self.services.database_pool.lent() as database:
            yield database

    def facts(self) -> dict[str, object]:
        """The mailbox, for a log line."""
        return {"deployment": self.leased.deployment.name, "mailbox": self.leased.address}
