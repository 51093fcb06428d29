"""Readers: connections that threads borrow, and that recover."""

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from capture_milter.readers import Readers
from mailweir.errors import DatabaseUnavailable
from mailweir.store.connection import Database

if TYPE_CHECKING:
    from tests.unit.conftest import MemoryDirectory


@pytest.fixture
def path(database: Database, people: "MemoryDirectory") -> Path:
    people.write(database)
    database.close()
    return database.path


def _noted(opened: list[Database], database: Database) -> Database:
    opened.append(database)
    return database


def test_a_connection_is_lent_again_and_a_second_one_opened_only_where_needed(path: Path) -> None:
    opened: list[Database] = []
    readers = Readers(lambda: _noted(opened, Database(path)))
    for _ in range(3):
        with readers.directory() as directory:
            assert directory.users_named(1, ["richard"])
    assert len(opened) == 1
    with readers.directory() as one, readers.directory() as two:
        assert one.users_named(1, ["mary"]) == two.users_named(1, ["mary"]) != {}
    assert len(opened) == 2


def test_many_threads_read_at_once(path: Path) -> None:
    readers = Readers(lambda: Database(path))
    wrong: list[object] = []

    def work() -> None:
        for _ in range(20):
            with readers.directory() as directory:
                found = directory.people_with(1, ["office@client.example"]).contacts
                if [ref.id for ref in found.get("office@client.example", ())] != [1, 2]:
                    wrong.append(found)

    threads = [threading.Thread(target=work) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert wrong == []


def test_a_missing_database_is_unavailable_and_found_when_it_is_back(path: Path) -> None:
    away = path.with_name("away")
    path.rename(away)
    readers = Readers(lambda: Database(path))
    with pytest.raises(DatabaseUnavailable, match="unable to open"), readers.directory():
        pytest.fail("not reached")
    assert not path.exists()  # nor made by looking
    away.rename(path)
    with readers.directory() as directory:
        assert directory.users_named(1, ["richard"])


def test_a_damaged_database_is_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "mailweir.db"
    path.write_bytes(b"no database, whatever its name says" * 300)
    readers = Readers(lambda: Database(path))
    with pytest.raises(DatabaseUnavailable, match="not a database"), readers.directory() as directory:
        directory.deployments(["demo.example.net"])


def test_a_connection_that_failed_is_opened_anew(path: Path) -> None:
    opened: list[Database] = []
    readers = Readers(lambda: _noted(opened, Database(path)))
    with pytest.raises(DatabaseUnavailable), readers.directory():
        raise DatabaseUnavailable("disk I/O error")
    assert opened[0].peewee.is_closed()
    with readers.directory() as directory:
        assert directory.users_named(1, ["richard"])


def test_an_error_of_the_borrower_keeps_the_connection(path: Path) -> None:
    opened: list[Database] = []
    readers = Readers(lambda: _noted(opened, Database(path)))
    with pytest.raises(KeyError), readers.directory():
        raise KeyError
    with readers.directory() as directory:
        assert directory.users_named(1, ["richard"])
    assert len(opened) == 1
