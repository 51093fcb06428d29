"""Many contacts at once: all or nothing, repeated rows, shared addresses, companies; and the export can be imported again."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailweir.contact_files import csv_file, forms, vcard
from mailweir.contact_files.rows import BadRow, Row
from mailweir.errors import BadInput, DatabaseUnavailable, MailweirError
from mailweir.store.database import versions
from mailweir.store.database.connection import Database
from mailweir.store.people import checks, companies, contact_import, contact_plan, contacts, deployments, users
from mailweir.store.people.contact_import import Imported
from mailweir.store.people.deployments import Deployment
from mailweir.store.people.directory import SqlDirectory

TABLES = ("companies", "contacts", "contact_addresses", "users", "user_addresses")


@pytest.fixture
def demo(database: Database, now: datetime) -> Deployment:
    """Two tenants; the user richard in both, and the contact Jane in the first, without a company."""
    other = deployments.add(database, "other", "other.example.net", now)
    made = deployments.add(database, "demo", "demo.example.net", now)
    for tenant in (made, other):
        users.add(database, tenant, "richard", "richard@firm.example", "", now)
    contacts.add(database, made, "Jane", ["jane@client.example"], None, now)
    return made


def _import(
    database: Database, deployment: Deployment, *lines: str, company: str | None = None, **how: bool
) -> Imported:
    """Imports lines: `name, address;address, company`."""
    found = csv_file.read("\n".join(("name,address,company", *lines)).encode())
    prepared = contact_import.prepare(deployment, found, company, lambda line: None)
    moment = datetime(2026, 11, 24, tzinfo=UTC)
    return contact_import.run(database, deployment, prepared, moment, progress=lambda part: None, **how)


def _content(database: Database) -> list[Any]:
    return [database.execute(f"SELECT * FROM {table} ORDER BY id").fetchall() for table in TABLES]


def _counts(imported: Imported) -> tuple[int, int, int, int]:
    return imported.added, imported.completed, imported.unchanged, imported.left_out


def _people(database: Database, deployment: Deployment) -> list[tuple[str, tuple[str, ...], str]]:
    return list(contacts.each(database, deployment))


JANE = ("Jane", ("jane@client.example",), "")


def test_rows_are_contacts(database: Database, demo: Deployment) -> None:
    imported = _import(
        database,
        demo,
        "Joe,Joe@Client.example;j@x.example,Client  Ltd",
        "Anna,anna@x.example,",
        "Jim,jim@x.example,Client Ltd",
    )
    assert imported == Imported(True, 3, 0, 0, 0, 1, 0, ())
    assert _people(database, demo) == [
        JANE,
        ("Joe", ("joe@client.example", "j@x.example"), "Client Ltd"),
        ("Anna", ("anna@x.example",), ""),
        ("Jim", ("jim@x.example",), "Client Ltd"),
    ]
    assert {name for name, _, _ in _people(database, demo)} == {row.name for row in contacts.list_all(database, demo)}
    assert [company.name for company in companies.list_all(database, demo)] == ["Client Ltd"]
    refs = SqlDirectory(database).people_with(demo.id, ["j@x.example"]).contacts["j@x.example"]
    assert len(refs) == 1
    assert _people(database, deployments.find(database, "other")) == [], "law 4"


def test_the_same_rows_twice_change_nothing(database: Database, demo: Deployment) -> None:
    lines = (
        "Joe,joe@x.example;j@x.example,Client",
        "JANE,jane@client.example;jane@y.example,Client",
        "Jim,jim@x.example,",
    )
    assert _counts(_import(database, demo, *lines)) == (2, 1, 0, 0)
    before = _content(database)
    again = _import(database, demo, *lines)
    assert (again.written, _counts(again), again.companies_added) == (True, (0, 0, 3, 0), 0)
    assert _content(database) == before
    assert _counts(_import(database, demo, *lines * 3)) == (0, 0, 9, 0)
    assert _content(database) == before


def test_a_known_contact_gets_what_it_lacks_and_keeps_what_it_has(database: Database, demo: Deployment) -> None:
    imported = _import(database, demo, "jane,JANE@client.example;j@x.example,Client")
    assert (_counts(imported), imported.companies_added) == ((0, 1, 0, 0), 1)
    assert _people(database, demo) == [("Jane", ("jane@client.example", "j@x.example"), "Client")]
    imported = _import(database, demo, "Jane,j@x.example,Another Ltd")
    assert (_counts(imported), imported.kept_company, imported.companies_added) == ((0, 0, 1, 0), 1, 0)
    assert _people(database, demo) == [("Jane", ("jane@client.example", "j@x.example"), "Client")]


def test_rows_of_one_contact_in_one_file_are_one_contact(database: Database, demo: Deployment) -> None:
    imported = _import(
        database, demo, "Joe,a@x.example,", "Joe,b@x.example;a@x.example,Client", "JOE,b@x.example;c@x.example,"
    )
    assert _counts(imported) == (1, 2, 0, 0)
    assert _people(database, demo)[1:] == [("Joe", ("a@x.example", "b@x.example", "c@x.example"), "Client")]
    # in other batches, too
    fill = [f"P{number},p{number}@x.example,Many" for number in range(1300)]
    imported = _import(database, demo, "Z,z@x.example,", *fill, "Z,y@x.example;z@x.example,", *fill)
    assert _counts(imported) == (1301, 1, 1300, 0)
    people = {name: addresses for name, addresses, _ in _people(database, demo)}
    assert people["Z"] == ("z@x.example", "y@x.example")
    assert all(people[f"P{number}"] == (f"p{number}@x.example",) for number in range(1300))
    assert len(people) == 1303


def test_contacts_of_one_name_in_one_batch_get_their_own_addresses(database: Database, demo: Deployment) -> None:
    _import(database, demo, *(f"Office,o{number}@x.example,C{number % 3}" for number in range(900)))
    found = _people(database, demo)[1:]
    assert found == [("Office", (f"o{number}@x.example",), f"C{number % 3}") for number in range(900)]


BAD = {
    "Joe,": "the contact Joe has no mail address",
    ",joe@x.example": "the contact's name is empty",
    "Joe,joe": "'joe' is not a mail address",
    "Joe,joe@x.example;JOE@x.example.": "joe@x.example is given twice",
    "Joe,joe@demo.example.net": "joe@demo.example.net is within the capture domain of demo",
    "Joe,j@x.example;Richard@Firm.example": "richard@firm.example is already an address of the user richard in demo",
    "Joe,j@x.example;jane@client.example": "jane@client.example is already an address of the contact Jane in demo",
    "J\x1be,joe@x.example": "holds a control character",
    "J\0e,joe@x.example": "holds a control character",
    f"{'x' * 201},joe@x.example": "longer than 200 characters",
    f"Joe,joe@x.example,{'x' * 201}": "longer than 200 characters",
    "Joe,joe@x.example,a,b": "4 cells where 3 are expected",
}


@pytest.mark.parametrize(("line", "words"), BAD.items(), ids=range(len(BAD)))
def test_one_bad_row_holds_all_back_unless_the_good_ones_are_wanted(
    database: Database, demo: Deployment, line: str, words: str
) -> None:
    lines = ("Anna,anna@x.example,New Ltd", line, "Jim,jim@x.example,")
    before = _content(database)
    imported = _import(database, demo, *lines)
    assert (imported.written, _counts(imported), imported.companies_added) == (False, (2, 0, 0, 1), 0)
    assert _content(database) == before
    assert [row.line for row in imported.bad] == [3]
    assert words in imported.bad[0].reason
    partial = _import(database, demo, *lines, partial=True)
    assert (partial.written, _counts(partial), partial.bad) == (True, (2, 0, 0, 1), imported.bad)
    assert [name for name, _, _ in _people(database, demo)] == ["Jane", "Anna", "Jim"]
    assert [company.name for company in companies.list_all(database, demo)] == ["New Ltd"]
    again = _import(database, demo, *lines, partial=True)
    assert _counts(again) == (0, 0, 2, 1)


def test_bad_rows_of_every_kind_are_told_in_the_order_of_the_file(database: Database, demo: Deployment) -> None:
    imported = _import(
        database, demo, "X,jane@client.example,", "Y,y,", "Z,richard@firm.example,", "W,w,", "W,w@x.example"
    )
    assert [row.line for row in imported.bad] == [2, 3, 4, 5]
    many = _import(database, demo, *(f"{'x' * 2_000},{number},B" for number in range(1200)))
    assert (many.left_out, len(many.bad)) == (1200, contact_plan.MAX_BAD_ROWS)
    assert all(len(row.reason) < 500 for row in many.bad)


def test_a_shared_address_is_both_contacts(database: Database, demo: Deployment) -> None:
    lines = ("Joe,jane@client.example;joe@x.example,", "Office,joe@x.example,")
    refused = _import(database, demo, *lines)
    assert (refused.written, [row.line for row in refused.bad]) == (False, [2])
    imported = _import(database, demo, *lines, shared=True)
    assert (imported.written, _counts(imported)) == (True, (2, 0, 0, 0))
    refs = SqlDirectory(database).people_with(demo.id, ["jane@client.example"]).contacts["jane@client.example"]
    assert len(refs) == 2, "mail is logged for both"
    before = _content(database)
    assert _counts(_import(database, demo, *lines)) == (0, 0, 2, 0), (
        "an address that is shared already needs no permission"
    )
    assert _counts(_import(database, demo, *lines, shared=True)) == (0, 0, 2, 0)
    assert _content(database) == before
    imported = _import(database, demo, "Zoe,richard@firm.example,", shared=True)
    assert (imported.written, imported.left_out) == (False, 1), "a user's address is never shared"


def test_of_two_namesakes_it_must_be_clear_which_one_is_meant(database: Database, demo: Deployment) -> None:
    _import(database, demo, "Joe,a@x.example,", "Joe,b@x.example,")
    assert len(_people(database, demo)) == 3
    before = _content(database)
    for shared in (False, True):
        imported = _import(database, demo, "joe,a@x.example;b@x.example,", shared=shared)
        assert (imported.written, imported.left_out) == (False, 1)
        assert "belong to 2 contacts joe" in imported.bad[0].reason
    assert _content(database) == before


def test_contact_add_shares_on_request_only(database: Database, demo: Deployment, now: datetime) -> None:
    with pytest.raises(BadInput, match="already an address of the contact Jane"):
        contacts.add(database, demo, "Office", ["jane@client.example"], None, now)
    contacts.add(database, demo, "Office", ["jane@client.example"], None, now, shared=True)
    assert [name for name, _, _ in _people(database, demo)] == ["Jane", "Office"]
    with pytest.raises(BadInput, match="already an address of the contact Office"):
        contacts.add(database, demo, "OFFICE", ["o@x.example", "jane@client.example"], None, now, shared=True)
    with pytest.raises(BadInput, match="already an address of the user richard"):
        contacts.add(database, demo, "Zoe", ["richard@firm.example"], None, now, shared=True)
    assert len(_people(database, demo)) == 2
    # and one of them can be removed
    assert [left.name for left in contacts.remove_address(database, demo, "jane@client.example", now)] == [
        "Jane",
        "Office",
    ]


def test_a_company_for_those_who_have_none(database: Database, demo: Deployment) -> None:
    _import(database, demo, "A,a@x.example,", "B,b@x.example,Own Ltd", "Jane,jane@client.example", company="Client Ltd")
    assert [company for _, _, company in _people(database, demo)] == ["Client Ltd", "Client Ltd", "Own Ltd"]
    with pytest.raises(BadInput, match="the company's name is empty"):
        _import(database, demo, "A,a@x.example,", company=" ")


def test_a_removed_contact_is_made_anew(database: Database, demo: Deployment, now: datetime) -> None:
    contacts.remove_address(database, demo, "jane@client.example", now)
    assert _counts(_import(database, demo, "Jane,jane@client.example")) == (1, 0, 0, 0)
    assert _people(database, demo) == [JANE]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # its page limit causes the error
def test_an_error_in_the_middle_leaves_nothing(
    database: Database, demo: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _content(database)

    def fail(*_: Any) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(contacts, "put_addresses", fail)
    with pytest.raises(DatabaseUnavailable, match="full"):
        _import(database, demo, "Joe,joe@x.example,Client")
    assert _content(database) == before


def test_the_filter_doesnt_wait_while_rows_are_only_looked_at(
    database: Database, demo: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file with an invalid row takes no lock at all."""

    def never(_: Database) -> None:
        raise AssertionError("a transaction")

    monkeypatch.setattr(Database, "transaction", never)
    assert not _import(database, demo, "Joe,joe,Client", "Jim,jim@x.example").written


def test_a_file_without_end_is_refused(database: Database, demo: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contact_import, "MAX_ROWS", 3)
    with pytest.raises(BadInput, match="more than 3 contacts"):
        _import(database, demo, *(f"P,p{number}@x.example" for number in range(4)))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # SQLite's plans; PostgreSQL has the same index
def test_addresses_are_asked_for_in_batches(
    database: Database, demo: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [f"P{number},p{number}@x.example;q{number}@x.example,C" for number in range(2000)]
    _import(database, demo, *lines)
    asked: list[str] = []
    execute = Database.execute

    def counted(self: Database, sql: str, *rest: Any) -> Any:
        asked.append(sql)
        return execute(self, sql, *rest)

    monkeypatch.setattr(Database, "execute", counted)
    assert _counts(_import(database, demo, *lines)) == (0, 0, 2000, 0)
    assert 4 <= len(asked) <= 30
    plan = database.execute(
        "EXPLAIN QUERY PLAN SELECT contact_id FROM contact_addresses WHERE deployment_id = ? AND address IN (?, ?)",
        (demo.id, "a", "b"),
    ).fetchall()
    assert "SEARCH" in plan[0][3]


def _clean(text: str, check: Any) -> str | None:
    try:
        return str(check(text))
    except MailweirError:
        return None


ODD = st.text(
    st.sampled_from("aAbé ,;:\\\"'=+-@|\t._ǅß\u00a0\u0301\U0001f600n<>/") | st.characters(), min_size=1, max_size=12
)
NAMES = ODD.map(lambda text: _clean(text, lambda given: checks.clean_name(given, "contact's"))).filter(bool)
LOCAL_PARTS = st.text(st.sampled_from("ab.+'") | st.characters(), min_size=1, max_size=6)
QUOTED = st.text(st.sampled_from(" ;,:@ab()"), min_size=1, max_size=8).map(lambda text: f'"{text}"')
DOMAINS = st.sampled_from(("x.example", "bücher.example", "[192.0.2.1]", "[IPv6:::1]"))
ADDRESSES = (
    st.builds(lambda local, domain: _clean(f"{local}@{domain}", checks.clean_address), LOCAL_PARTS | QUOTED, DOMAINS)
).filter(bool)
PEOPLE = st.lists(
    st.tuples(NAMES, st.lists(ADDRESSES, min_size=1, max_size=4, unique=True), NAMES | st.just("")), max_size=6
)


@pytest.fixture
def two(tmp_path: Path, now: datetime) -> Iterator[tuple[Database, Database]]:
    """Two databases with a deployment in each."""
    for name in ("one", "two"):
        versions.upgrade(tmp_path / name / "x.db")
    with closing(Database(tmp_path / "one" / "x.db")) as one, closing(Database(tmp_path / "two" / "x.db")) as second:
        for made in (one, second):
            deployments.add(made, "demo", "demo.example.net", now)
        yield one, second


@pytest.mark.slow
@pytest.mark.parametrize("form", [csv_file, vcard], ids=["csv", "vcard"])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(people=PEOPLE)
def test_what_is_exported_is_imported_as_the_same(two: tuple[Database, Database], form: Any, people: list[Any]) -> None:
    moment = datetime(2026, 11, 24, tzinfo=UTC)
    for database in two:
        with database.transaction():
            for table in ("contact_addresses", "contacts", "companies"):
                database.execute(f"DELETE FROM {table}")
    first, second = two
    demo = deployments.find(first, "demo")
    rows = [Row(number, name, tuple(addresses), company) for number, (name, addresses, company) in enumerate(people, 1)]

    def put(database: Database, found: list[Row | BadRow], *, partial: bool) -> Imported:
        prepared = contact_import.prepare(demo, found, None, lambda line: None)
        progress = lambda part: None  # noqa: E731
        return contact_import.run(database, demo, prepared, moment, partial=partial, shared=True, progress=progress)

    put(first, list(rows), partial=True)
    held = _people(first, demo)
    found = list(form.read("".join(form.write(iter(held))).encode()))
    imported = put(second, found, partial=False)
    assert imported.bad == ()
    assert _people(second, demo) == held
    again = put(first, found, partial=False)
    assert (again.unchanged, again.written) == (len(held), True)
    assert _people(first, demo) == held


@pytest.mark.parametrize(
    ("name", "form"),
    [("a.CSV", "csv"), ("a.b.tsv", "csv"), ("a.vcf", "vcard"), ("a.vcard", "vcard"), ("csv", None), (".csv", None)],
)
def test_a_files_name_says_its_form(name: str, form: str | None) -> None:
    assert forms.form_of(name) == form


def test_a_preview_says_what_the_import_would_do_and_writes_nothing(database: Database, demo: Deployment) -> None:
    companies.add(database, demo, "Client Ltd", None, datetime(2026, 11, 24, tzinfo=UTC))
    lines = (
        "Jane,jane@client.example;j@client.example,Client Ltd",
        "Joe,joe@new.example,New Ltd",
        "Bad,richard@firm.example,",
    )
    found = csv_file.read("\n".join(("name,address,company", *lines)).encode())
    prepared = contact_import.prepare(demo, found, None, lambda line: None)
    before = _content(database)
    said = contact_import.preview(database, demo, prepared)
    assert _content(database) == before
    assert (_counts(said), said.companies_added, said.written) == ((1, 1, 0, 1), 1, False)
    done = _import(database, demo, *lines, partial=True)
    assert replace(done, written=False) == said
