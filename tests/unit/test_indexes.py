"""Indexes that are made and dropped while mail is recorded."""

import importlib
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import peewee
import pytest

from mailweir.database_url import DatabaseUrl, Postgresql
from mailweir.store.database import indexes, versions
from mailweir.store.database.connection import Database
from tests import schemas
from tests.schemas import Index

STATEMENT = "CREATE INDEX todos_of_old ON todos(created_at)"
OF_OLD = Index(False, ("created_at",), "")


def _indexes(database: Database) -> frozenset[Index]:
    return schemas.read(database)["todos"].indexes


def _not_valid(database: Database) -> list[str]:
    sql = "SELECT CAST(i.indexrelid AS regclass) FROM pg_index AS i WHERE NOT i.indisvalid"
    return [name for (name,) in database.execute(sql).fetchall()]


def _wait_for_half_of_it(database: Database, maker: threading.Thread) -> None:
    """Waits until there is an unfinished index, or the attempt is over."""
    while maker.is_alive() and not _not_valid(database):
        maker.join(0.01)


def _try_to_make(url: DatabaseUrl, failed: list[BaseException]) -> None:
    with closing(Database(url)) as database:
        database.open()
        try:
            indexes.make(database.peewee, [STATEMENT], sleep=lambda _: None)
        except peewee.OperationalError as error:
            failed.append(error)


@pytest.fixture
def raw(database: Database) -> Any:
    """peewee's own object, as a migration gets it."""
    database.open()
    return database.peewee


def test_an_index_is_made_once_and_dropped_once(database: Database, raw: Any) -> None:
    for _ in range(2):
        indexes.make(raw, [STATEMENT])
        assert OF_OLD in _indexes(database)
    for _ in range(2):
        indexes.drop(raw, ["todos_of_old"])
        assert OF_OLD not in _indexes(database)


@pytest.fixture
def postgresql(postgresql_url: Postgresql) -> Iterator[Database]:
    with closing(Database(postgresql_url)) as database:
        database.open()
        yield database


@pytest.mark.slow  # each attempt waits for the lock
def test_what_others_hold_is_waited_for_and_what_was_half_made_is_made_anew(
    postgresql: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexes, "LOCK_TIMEOUT_SECONDS", 1)
    left: list[list[str]] = []
    with closing(Database(postgresql.url)) as other:
        other.open()
        transaction = other.peewee.atomic()
        transaction.__enter__()
        other.execute("UPDATE todos SET done_at = NULL")

        def once_then_let_go(_: float) -> None:
            with closing(Database(postgresql.url)) as third:
                left.append(_not_valid(third))
            transaction.__exit__(None, None, None)

        indexes.make(postgresql.peewee, [STATEMENT], sleep=once_then_let_go)
    assert left == [["todos_of_old"]]
    assert _not_valid(postgresql) == []
    assert OF_OLD in _indexes(postgresql)


@pytest.mark.slow
def test_nobody_who_writes_waits_while_an_index_can_not_be_had(
    postgresql: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexes, "LOCK_TIMEOUT_SECONDS", 1)
    monkeypatch.setattr(indexes, "ATTEMPTS", 2)
    failed: list[BaseException] = []

    with closing(Database(postgresql.url)) as other:
        other.open()
        with other.peewee.atomic():
            other.execute("UPDATE todos SET done_at = NULL")
            thread = threading.Thread(target=_try_to_make, args=(postgresql.url, failed))
            thread.start()
            _wait_for_half_of_it(postgresql, thread)
            with closing(Database(postgresql.url, busy_timeout_seconds=0.5)) as writer:
                writer.execute("UPDATE todos SET done_at = NULL")
            thread.join(30)
    assert [type(one) for one in failed] == [peewee.OperationalError]
    assert "lock timeout" in str(failed[0])
    indexes.make(postgresql.peewee, [STATEMENT])
    assert OF_OLD in _indexes(postgresql)
    assert postgresql.execute("SHOW lock_timeout").fetchone() == ("5s",)


@pytest.mark.slow
def test_upgrades_at_once_on_postgresql_do_not_wait_for_each_other_for_ever(
    cluster: Any,
) -> None:
    """If a process waited within a statement, an index that is made CONCURRENTLY would wait for it."""
    url = cluster.make_database(empty=True)
    done: list[list[str]] = []
    threads = [threading.Thread(target=lambda: done.append(versions.upgrade(url))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(map(len, done)) == [0, 0, len(list(versions.STEPS.glob("0*.py")))]
    with closing(Database(url)) as database:
        versions.check(database)
        assert _not_valid(database) == []
    cluster.drop_database(url)


def _definitions(database: Database) -> list[tuple[str, str]]:
    on_sqlite = "SELECT name, sql FROM sqlite_master WHERE type = 'index' ORDER BY name"
    on_postgresql = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexname"
    return [tuple(row) for row in database.execute(on_sqlite if database.is_sqlite else on_postgresql).fetchall()]


@pytest.mark.parametrize(
    "interrupted",
    [
        [],
        ["DROP INDEX decisions_authors"],
        ["DROP INDEX activity_contacts_addresses", "DROP INDEX decisions_bare_ids"],
        ["DROP INDEX decisions_authors", "CREATE INDEX decisions_authors ON decisions((id / 500), (LENGTH(author)))"],
    ],
)
def test_indexes_take_the_place_of_others_of_their_name(database: Database, raw: Any, interrupted: list[str]) -> None:
    """Migration 0042: whatever an interrupted attempt left."""
    step = importlib.import_module("mailweir.store.database.migrations.0042_addresses")
    before = _definitions(database)
    for statement in interrupted:
        database.execute(statement)
    step.up(None, raw)
    assert _definitions(database) == before


def test_an_index_that_was_ready_takes_its_place(postgresql_url: DatabaseUrl) -> None:
    step = importlib.import_module("mailweir.store.database.migrations.0042_addresses")
    with closing(Database(postgresql_url)) as database:
        before = _definitions(database)
        database.execute("ALTER INDEX decisions_authors RENAME TO decisions_authors_next")
        step.up(None, database.peewee)
        assert _definitions(database) == before
