"""The contacts' addresses that are still to be searched for: each that was added later, whatever was removed in between."""

import shutil
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from mailweir.store.database import versions
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import rfc3339
from mailweir.store.gmail import gmail_backfill, gmail_leases
from mailweir.store.gmail.gmail_leases import Leased
from mailweir.store.people import contacts, deployments
from mailweir.store.people.deployments import Deployment
from tests.gmail_rows import connect, make_firm, rest, take


@pytest.fixture
def demo(database: Database, now: datetime) -> Deployment:
    """A deployment with richard and olga, and a contact."""
    made = make_firm(database, now)
    contacts.add(database, made, "First", ["first@client.example"], None, now)
    return made


def _searched(database: Database, leased: Leased, limit: int = 99) -> list[str]:
    """Gets the next addresses, and notes that they were searched for."""
    found = gmail_backfill.addresses_after(database, leased, limit)
    if found:
        with database.transaction():
            gmail_leases.note_backfilled(database, leased, found[-1][0])
    return [address for _, address in found]


def _again(database: Database, leased: Leased, now: datetime) -> Leased:
    gmail_leases.end(database, [rest(leased, now)])
    return take(database, leased.id, now)


def test_what_came_later_is_searched_for_once_and_in_its_order(
    database: Database, demo: Deployment, now: datetime
) -> None:
    leased = take(database, connect(database, demo, "richard", now).id, now)
    assert _searched(database, leased) == []
    contacts.add(database, demo, "Jane", ["jane@client.example", "jane@home.example"], None, now)
    contacts.add(database, demo, "Joe", ["joe@client.example"], None, now)
    leased = _again(database, leased, now)
    assert leased.has_new_contacts
    assert _searched(database, leased, 2) == ["jane@client.example", "jane@home.example"]
    leased = _again(database, leased, now)
    assert _searched(database, leased, 2) == ["joe@client.example"]
    leased = _again(database, leased, now)
    assert not leased.has_new_contacts
    assert _searched(database, leased) == []


def test_each_mailbox_has_its_own_place(database: Database, demo: Deployment, now: datetime) -> None:
    mine = take(database, connect(database, demo, "richard", now).id, now)
    contacts.add(database, demo, "Jane", ["jane@client.example"], None, now)
    olgas = take(database, connect(database, demo, "olga", now).id, now)
    assert _searched(database, olgas) == []  # her first days' list has them
    assert _searched(database, mine) == ["jane@client.example"]


def test_other_deployments_contacts_are_not_searched_for(database: Database, demo: Deployment, now: datetime) -> None:
    mine = take(database, connect(database, demo, "richard", now).id, now)
    other = deployments.add(database, "other", "other.example.org", now)
    contacts.add(database, other, "Jane", ["jane@client.example"], None, now)
    mine = _again(database, mine, now)
    assert not mine.has_new_contacts
    assert _searched(database, mine) == []


def test_an_address_that_comes_after_a_removed_one_is_searched_for(
    database: Database, demo: Deployment, now: datetime
) -> None:
    """SQLite would use the number of the newest row again, which every mailbox has already passed."""
    leased = take(database, connect(database, demo, "richard", now).id, now)
    for turn, removed in enumerate(("first@client.example", "c0@x.example", "c1@x.example")):
        contacts.remove_address(database, demo, removed, now)
        contacts.add(database, demo, f"C{turn}", [f"c{turn}@x.example"], None, now)
        leased = _again(database, leased, now)
        assert leased.has_new_contacts
        assert _searched(database, leased) == [f"c{turn}@x.example"]
        leased = _again(database, leased, now)
        assert not leased.has_new_contacts


def test_a_contact_who_was_removed_is_not_searched_for(database: Database, demo: Deployment, now: datetime) -> None:
    leased = take(database, connect(database, demo, "richard", now).id, now)
    contacts.add(database, demo, "Jane", ["jane@client.example"], None, now)
    contacts.remove_address(database, demo, "jane@client.example", now)
    leased = _again(database, leased, now)
    assert not leased.has_new_contacts
    assert _searched(database, leased) == []


def test_contacts_of_an_older_database_are_all_there_after_the_upgrade(
    tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On SQLite the migration makes the table again because of its numbers."""
    older = tmp_path / "migrations"
    older.mkdir()
    for step in versions.STEPS.glob("000[0-8]*.py"):
        shutil.copy(step, older)
    path = tmp_path / "mailweir.db"
    with monkeypatch.context() as patched:
        patched.setattr(versions, "STEPS", older)
        versions.upgrade(path)
    with closing(sqlite3.connect(path)) as file, file:
        at = rfc3339(now)
        columns = "(id, name, domain, created_at)"
        file.execute(f"INSERT INTO deployments {columns} VALUES (1, 'demo', 'demo.example.net', ?)", (at,))
        for number in (3, 7):
            columns = "(id, deployment_id, name, created_at)"
            file.execute(f"INSERT INTO contacts {columns} VALUES (?, 1, 'C', ?)", (number, at))
            values = (number, number, f"c{number}@x.example", f"key{number}")
            file.execute("INSERT INTO contact_addresses VALUES (?, 1, ?, ?, ?)", values)
        indexes = file.execute(
            "SELECT sql FROM sqlite_master WHERE tbl_name = 'contact_addresses' AND sql LIKE '%INDEX%'"
        )
        before = {row[0] for row in indexes}
    assert versions.upgrade(path)[0].startswith("0009")
    with closing(Database(path)) as database:
        rows = database.execute("SELECT * FROM contact_addresses ORDER BY id").fetchall()
        assert rows == [(3, 1, 3, "c3@x.example", "key3"), (7, 1, 7, "c7@x.example", "key7")]
        demo = deployments.find(database, "demo")
        contacts.remove_address(database, demo, "c7@x.example", now)
        contacts.add(database, demo, "New", ["new@x.example"], None, now)
        assert database.execute("SELECT MAX(id) FROM contact_addresses").fetchone() == (8,)
        with pytest.raises(Exception, match="UNIQUE"):
            database.execute("INSERT INTO contact_addresses SELECT 99, 1, 3, 'c3@x.example', 'x'")
        with pytest.raises(Exception, match="FOREIGN KEY"):
            database.execute("INSERT INTO contact_addresses SELECT 99, 1, 55, 'c9@x.example', 'x'")
        indexes = database.execute("SELECT sql FROM sqlite_master WHERE tbl_name = 'contact_addresses'")
        assert before <= {row[0] for row in indexes.fetchall()}
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
