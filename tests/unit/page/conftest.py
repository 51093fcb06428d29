"""A page with a real DNS server of the test's own: for pages that query DNS."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest

from mailweir.database_url import DatabaseUrl
from mailweir.settings import Dns, Relay
from mailweir.store.database.connection import Database
from tests.held_mail import Clock
from tests.moody_zone import MoodyZoneServer
from tests.page import Page, make_page

INCLUDE = "_spf.example.net"
SENDS = (INCLUDE, "TXT"), ['"v=spf1 ip4:192.0.2.9 -all"']
Serve = Callable[..., AbstractContextManager[Page]]


@pytest.fixture
def zone() -> Iterator[MoodyZoneServer]:
    """A DNS with the relay's own record."""
    with MoodyZoneServer({SENDS[0]: SENDS[1]}) as running:
        yield running


@pytest.fixture
def serve(zone: MoodyZoneServer, page_clock: Clock, sqlite_url: DatabaseUrl, tmp_path: Path) -> Serve:
    """A page that asks this DNS: serve(relay_addresses=...)."""

    @contextmanager
    def run(**relay: object) -> Iterator[Page]:
        chosen = {"relay_addresses": ["192.0.2.9"], "spf_include": INCLUDE, **relay}
        sections = {
            "dns": Dns(nameserver="127.0.0.1", port=zone.port, timeout_seconds=5),
            "relay": Relay.model_validate(chosen),
        }
        with closing(Database(sqlite_url)) as database:
            made = make_page(database, page_clock, tmp_path, sections)
            yield made
            made.app.extensions["mailweir"].pool.close()

    return run
