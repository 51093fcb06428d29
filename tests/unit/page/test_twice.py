"""Every form is sent twice at once (a double click), and once more (back, and send). Nothing is done twice.

Two pages begin with the same rows. One page gets each form once, the other three times. Afterwards both have as many rows of each
kind.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailweir.database_url import DatabaseUrl
from mailweir.settings import Dns, Relay
from mailweir.store.database import versions
from mailweir.store.database.connection import Database
from tests import page_forms
from tests.held_mail import Clock
from tests.moody_zone import MoodyZoneServer
from tests.page import Page, make_page
from tests.page_routes import Route
from tests.postgresql import Cluster

FORMS = [one for one in page_forms.IN_ORDER if one.method == "POST"]
# The logs contain each repeated action. The others contain rows that expire by themselves, and have no effect.
_LOGS = {"change_log", "reader_log", "visibility_changes"}
_MAY_DIFFER = {*_LOGS, "web_sessions", "web_attempts", "web_states", "web_links", "sqlite_sequence"}


class Twin:
    """A page with a row of each kind."""

    def __init__(self, database: Database, folder: Path, port: int) -> None:
        sections = {
            "dns": Dns(nameserver="127.0.0.1", port=port, timeout_seconds=1),
            "relay": Relay.model_validate({"relay_addresses": ["192.0.2.9"], "spf_include": "_spf.example.net"}),
        }
        self.page: Page = make_page(database, Clock(datetime(2026, 11, 24, 3, 12, 55, tzinfo=UTC)), folder, sections)
        self.ids = page_forms.rows_of_each_kind(self.page)

    def send(self, route: Route, fields: set[str], times: int) -> list[int]:
        """Sends the form so many times at once; returns the statuses."""
        browsers = [page_forms.browser_of(self.page, route) for _ in range(times)]
        for one in browsers:
            one.token()
        with ThreadPoolExecutor(times) as pool:
            path, sent = route.path(self.ids), page_forms.likely(fields)
            return [one.result() for one in [pool.submit(page_forms.ask, b, route, path, sent) for b in browsers]]

    def counts(self) -> dict[str, int]:
        """The number of rows in each table."""
        database = self.page.database
        sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'search%'"
        if not database.is_sqlite:
            sql = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        tables = sorted({name for (name,) in database.execute(sql).fetchall()} - _MAY_DIFFER)
        return {name: database.execute(f"SELECT COUNT(*) FROM {name}").fetchone()[0] for name in tables}


@pytest.fixture
def urls(
    request: pytest.FixtureRequest, database_url: DatabaseUrl, tmp_path: Path
) -> Iterator[tuple[DatabaseUrl, DatabaseUrl]]:
    """Two empty databases of the same kind."""
    if isinstance(database_url, Path):
        versions.upgrade(tmp_path / "other.db")
        yield database_url, tmp_path / "other.db"
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    other = cluster.make_database()
    yield database_url, other
    cluster.drop_database(other)


@pytest.fixture
def twins(urls: tuple[DatabaseUrl, DatabaseUrl], tmp_path: Path) -> Iterator[list[Twin]]:
    """Two pages with the same rows."""
    with MoodyZoneServer({}) as zone, ExitStack() as kept:
        opened = [kept.enter_context(closing(Database(url))) for url in urls]
        made = [Twin(database, tmp_path, zone.port) for database in opened]
        yield made
        for one in made:
            one.page.app.extensions["mailweir"].pool.close()


@pytest.fixture
def fields(tmp_path: Path, _sqlite_template: Path) -> dict[str, set[str]]:
    """The fields of each form, learned on a third page."""
    file = tmp_path / "learned.db"
    file.write_bytes(_sqlite_template.read_bytes())
    with MoodyZoneServer({}) as zone, closing(Database(file)) as database:
        third = Twin(database, tmp_path, zone.port)
        found = {route.endpoint: page_forms.learned(third.page, route, third.ids) for route in FORMS}
        third.page.app.extensions["mailweir"].pool.close()
    return found


def _done_twice(twins: list[Twin], fields: dict[str, set[str]]) -> tuple[dict[str, list[str]], set[str]]:
    """Forms after which the twins differ, with the tables; and all forms that added or removed a row."""
    once, often = twins
    found: dict[str, list[str]] = {}
    did: set[str] = set()
    before = once.counts()
    for route in FORMS:
        once.send(route, fields[route.endpoint], 1)
        statuses = [*often.send(route, fields[route.endpoint], 2), *often.send(route, fields[route.endpoint], 1)]
        first, second = once.counts(), often.counts()
        did |= {route.endpoint} if first != before else set()
        differing = [f"{name}: {first[name]}, {second[name]}" for name in first if first[name] != second[name]]
        faults = [str(status) for status in statuses if status >= 500]
        if differing + faults != [one for many in found.values() for one in many]:
            found[route.endpoint] = differing + faults
        before = first
    return found, did


@pytest.mark.slow
def test_what_is_sent_twice_is_done_once(twins: list[Twin], fields: dict[str, set[str]]) -> None:
    differing, did = _done_twice(twins, fields)
    assert differing == {}
    assert did >= {"admin_users.add", "admin_companies.add", "admin_rules.add", "accounts.add"}
