"""Readers: connections that threads borrow, and that recover."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from capture_milter.readers import MAX_READERS, Readers
from mailweir.database_url import DatabaseUrl, Postgresql
from mailweir.errors import DatabaseUnavailable
from mailweir.store.database.connection import Database
from tests.postgresql import Cluster

if TYPE_CHECKING:
    from tests.people import MemoryDirectory


@pytest.fixture
def knowing(database_url: DatabaseUrl, people: "MemoryDirectory") -> DatabaseUrl:
    """A database that knows the people."""
    with closing(Database(database_url)) as database:
        people.write(database)
    return database_url


def _noted(opened: list[Database], database: Database) -> Database:
    opened.append(database)
    return database


def test_a_connection_is_lent_again_and_a_second_one_opened_only_where_needed(knowing: DatabaseUrl) -> None:
    opened: list[Database] = []
    readers = Readers(lambda: _noted(opened, Database(knowing)))
    for _ in range(3):
        with readers.directory() as directory:
            assert directory.users_named(1, ["richard"])
    assert len(opened) == 1
    with readers.directory() as one, readers.directory() as two:
        assert one.users_named(1, ["mary"]) == two.users_named(1, ["mary"]) != {}
    assert len(opened) == 2


def test_a_stall_takes_no_more_than_a_few_connections(knowing: DatabaseUrl, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Database] = []
    monkeypatch.setattr("capture_milter.readers.WAIT_SECONDS", 0.1)
    readers = Readers(lambda: _noted(opened, Database(knowing)))
    with ExitStack() as held:
        for _ in range(MAX_READERS):
            held.enter_context(readers.directory())
        with pytest.raises(DatabaseUnavailable, match="busy"), readers.directory():
            pass
    with readers.directory() as directory:
        assert directory.users_named(1, ["richard"])
    assert len(opened) == MAX_READERS


def test_many_threads_read_at_once(knowing: DatabaseUrl) -> None:
    readers = Readers(lambda: Database(knowing))

    def work() -> list[list[int]]:
        found = []
        for _ in range(20):
            with readers.directory() as directory:
                contacts = directory.people_with(1, ["office@client.example"]).contacts
                found.append([ref.id for ref in contacts.get("office@client.example", ())])
        return found

    with ThreadPoolExecutor(10) as pool:
        for done in [pool.submit(work) for _ in range(10)]:
            assert done.result(20) == [[1, 2]] * 20


def test_a_missing_database_is_unavailable_and_found_when_it_is_back(
    sqlite_database: Database, people: "MemoryDirectory"
) -> None:
    people.write(sqlite_database)
    sqlite_database.close()
    path = sqlite_database.path
    away = path.with_name("away")
    path.rename(away)
    readers = Readers(lambda: Database(path))
    with pytest.raises(DatabaseUnavailable, match="unable to open"), readers.directory():
        pytest.fail("not reached")
    assert not path.exists()  # nor made by the attempt
    away.rename(path)
    with readers.directory() as directory:
        assert directory.users_named(1, ["richard"])


def test_a_damaged_database_is_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "mailweir.db"
    path.write_bytes(b"no database, whatever its name says" * 300)
    readers = Readers(lambda: Database(path))
    with pytest.raises(DatabaseUnavailable, match="not a database"), readers.directory() as directory:
        directory.deployments(["demo.example.net"])


def test_a_connection_that_failed_is_opened_anew(knowing: DatabaseUrl) -> None:
    opened: list[Database] = []
    readers = Readers(lambda: _noted(opened, Database(knowing)))
    with pytest.raises(DatabaseUnavailable), readers.directory():
        raise DatabaseUnavailable("disk I/O error")
    assert opened[0].peewee.is_closed()
    with readers.directory() as directory:
        assert directory.users_named(1, ["richard"])


def test_an_error_of_the_borrower_keeps_the_connection(knowing: DatabaseUrl) -> None:
    opened: list[Database] = []
    readers = Readers(lambda: _noted(opened, Database(knowing)))
    with pytest.raises(KeyError), readers.directory():
        raise KeyError
    with readers.directory() as directory:
        assert directory.users_named(1, ["richard"])
    assert len(opened) == 1


def test_a_server_that_was_away_costs_no_message_once_it_is_back(cluster: Cluster, people: "MemoryDirectory") -> None:
    database_url = cluster.make_database()
    with closing(Database(database_url)) as database:
        people.write(database)
    readers = Readers(lambda: Database(database_url))
    with readers.directory() as one, readers.directory() as two:
        assert one.users_named(1, ["richard"]) == two.users_named(1, ["richard"]) != {}
    cluster.stop()
    with pytest.raises(DatabaseUnavailable), readers.directory():
        pytest.fail("not reached")
    cluster.start()
    for _ in range(3):
        with readers.directory() as one, readers.directory() as two:
            assert one.users_named(1, ["richard"]) == two.users_named(1, ["richard"]) != {}
    cluster.drop_database(database_url)


def test_a_connection_that_the_server_killed_is_opened_anew_before_its_use(
    postgresql_url: Postgresql, people: "MemoryDirectory"
) -> None:
    with closing(Database(postgresql_url)) as database:
        people.write(database)
    readers = Readers(lambda: Database(postgresql_url))
    with readers.directory():
        pass
    with closing(Database(postgresql_url)) as other:
        sql = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ((pid,),) = other.execute(sql).fetchall()
    os.kill(pid, signal.SIGTERM)  # the backend ends; after SIGKILL the server would restart all of them
    _until_gone(pid)
    with readers.directory() as directory:
        assert directory.users_named(1, ["richard"])


def _until_gone(pid: int) -> None:
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
