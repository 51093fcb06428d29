"""Every route of the page with hostile values in every field, as a person who may open it: none is a fault of ours.

Values are put into one field at a time, with plausible values in the others, so that the code after a refused field is reached.
"""

import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailweir.database_url import DatabaseUrl
from mailweir.settings import Dns, Relay
from mailweir.store.database.connection import Database
from tests import page_forms
from tests.held_mail import Clock
from tests.moody_zone import MoodyZoneServer
from tests.page import Page, make_page
from tests.page_routes import Route
from tests.postgresql import Cluster

VALUES = (
    "",
    "a\x00b@client.example",
    "\x1b]0;x\x07\r\nX-Header: y",
    "\ud800",
    "%zz%ff",
    "9" * 30,
    "9" * 5_000,
    "9223372036854775808",
    "-1",
    "٣²",
    "1e308",
    "9999-99-99",
    "9999-12-31",
    "0001-01-01",
    "x" * 100_000,
    "🦄" * 300,
    "a@" + "b." * 200 + "example",
    "a@xn--zzzzzz.example",
    "\u202e\u2028",
    '"unclosed (((',
    "../../etc/passwd",
    "{{ 7 * 7 }}%(num)d_%\\",
)


# The databases differ in these values. All others are refused or shown before a database is asked, as on SQLite.
OF_DATABASES = {"a\x00b@client.example", "\ud800", "9" * 30, "9223372036854775808", "9999-12-31", "%zz%ff"}


@dataclass(frozen=True)
class Besieged:
    """A page with a row of each kind, and their ids. values: for its fields."""

    page: Page
    ids: dict[str, int | str]
    values: tuple[str, ...]

    def faults(self, route: Route) -> list[str]:
        """Its wrong answers to each value: in each field of the query or form, and in the path."""
        fields, path = page_forms.learned(self.page, route, self.ids), route.path(self.ids)
        tries = [
            (path, {**page_forms.likely(fields), field: value}) for field in sorted(fields) for value in self.values
        ]
        tries += [(_with_text(route, self.ids, value), {}) for value in self.values]
        browser = page_forms.browser_of(self.page, route)
        found = [(page_forms.ask(browser, route, *one), *one) for one in tries]
        return [f"{status} {path[:80]!r} {str(sent)[:300]}" for status, path, sent in found if status >= 500]


def _with_text(route: Route, ids: dict[str, int | str], value: str) -> str:
    escaped = "".join(f"%{byte:02X}" for byte in value[:2_000].encode(errors="surrogatepass"))
    return route.path(dict.fromkeys(ids, escaped)).replace("/x", f"/{escaped}")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, _sqlite_template: Path
) -> Iterator[DatabaseUrl]:
    """An empty database on each kind, for all tests here."""
    if request.param == "sqlite":
        file = tmp_path_factory.mktemp("hostile") / "mailweir.db"
        shutil.copy(_sqlite_template, file)
        yield file
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    made = cluster.make_database()
    yield made
    cluster.drop_database(made)


@pytest.fixture(scope="module")
def besieged(shared_url: DatabaseUrl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Besieged]:
    """One page for all routes; DNS is a server of our own."""
    with MoodyZoneServer({}) as zone, closing(Database(shared_url)) as database:
        sections = {
            "dns": Dns(nameserver="127.0.0.1", port=zone.port, timeout_seconds=1),
            "relay": Relay.model_validate({"relay_addresses": ["192.0.2.9"], "spf_include": "_spf.example.net"}),
        }
        clock = Clock(datetime(2026, 11, 24, 3, 12, 55, tzinfo=UTC))
        page = make_page(database, clock, tmp_path_factory.mktemp("page"), sections)
        values = VALUES if database.is_sqlite else tuple(one for one in VALUES if one in OF_DATABASES)
        yield Besieged(page, page_forms.rows_of_each_kind(page), values)
        page.app.extensions["mailweir"].pool.close()


@pytest.mark.slow
@pytest.mark.parametrize("route", page_forms.IN_ORDER, ids=lambda one: f"{one.method} {one.rule}")
def test_no_value_is_a_fault_of_ours(besieged: Besieged, route: Route) -> None:
    assert besieged.faults(route) == []
