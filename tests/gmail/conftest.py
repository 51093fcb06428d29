"""The fixture `gmail`: a Gmail server of the test's own. Its end checks that the quota's limits were kept.

As many tests share an emulator as it has realms.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mailweir.database_url import DatabaseUrl
from tests.gmail.client import Users, users_of
from tests.gmail.emulator import Emulator, missing
from tests.gmail.server import GmailServer, addresses
from tests.gmail.world import World
from tests.needs import lacks

REALMS = 40


class Realms:
    """Unused realms; one emulator has REALMS of them."""

    def __init__(self) -> None:
        self._emulator: Emulator | None = None
        self._next = REALMS

    def take(self) -> tuple[Emulator, int]:
        """A ready emulator, and a realm in it."""
        if self._emulator is None or self._next == REALMS:
            self.stop()
            self._emulator, self._next = Emulator(addresses(), REALMS), 0
            self._emulator.ready()
        self._next += 1
        return self._emulator, self._next - 1

    def stop(self) -> None:
        """Ends the emulator."""
        if self._emulator is not None:
            self._emulator.stop()
            self._emulator = None


@pytest.fixture(scope="session")
def realms() -> Iterator[Realms]:
    """Emulators, shared by all tests."""
    reason = missing()
    if reason:
        lacks(reason)
    shared = Realms()
    yield shared
    shared.stop()


@pytest.fixture
def gmail(realms: Realms) -> Iterator[GmailServer]:
    """A server with empty mailboxes (server.PEOPLE), no faults, and the quota of the settings' defaults."""
    server = GmailServer(*realms.take())
    yield server
    server.stop()
    assert server.failures == []


@pytest.fixture
def world(gmail: GmailServer, tmp_path: Path, database_url: DatabaseUrl) -> Iterator[World]:
    """The sync with that server, on SQLite and on PostgreSQL."""
    made = World(gmail, tmp_path, database_url)
    yield made
    made.close()


@pytest.fixture
def users(gmail: GmailServer) -> Users:
    """users(richard): users() of the client library with richard's credentials, as the sync builds it."""
    return lambda box: users_of(gmail, box.credentials())
