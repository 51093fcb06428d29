"""The models of `store/` and the tables that the migrations make are the same."""

import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mailweir.database_url import DatabaseUrl
from mailweir.store import models, versions
from mailweir.store.connection import Database


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, tuple[str, bool, int]]]:
    """By table and column: type, whether NOT NULL, place in the primary key."""
    path = tmp_path_factory.mktemp("models") / "mailweir.db"
    versions.upgrade(path)
    with closing(sqlite3.connect(path)) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            name: {row[1]: (row[2], bool(row[3]), row[5]) for row in connection.execute(f"PRAGMA table_info({name})")}
            for name in names
            if name != versions._HISTORY and not name.startswith("sqlite_")
        }


def _meta(model: Any) -> Any:
    return model._meta


def test_each_table_has_its_model(tables: dict[str, Any]) -> None:
    assert {_meta(model).table_name for model in models.ALL} == set(tables)


@pytest.mark.parametrize("model", models.ALL, ids=lambda model: model.__name__)
def test_a_model_has_the_columns_of_its_table(model: Any, tables: dict[str, dict[str, tuple[str, bool, int]]]) -> None:
    columns = tables[_meta(model).table_name]
    fields = {field.column_name: field for field in _meta(model).sorted_fields}
    assert list(fields) == list(columns)
    keys = _meta(model).primary_key
    key = [fields_name for fields_name in getattr(keys, "field_names", (keys.name,))]
    assert [name for name, (_, _, place) in columns.items() if place] == [
        _meta(model).fields[name].column_name for name in key
    ]
    for name, (kind, not_null, place) in columns.items():
        field = fields[name]
        expected = {"AUTO": "INTEGER", "INT": "INTEGER", "TEXT": "TEXT", "BLOB": "BLOB"}[
            getattr(field, "rel_field", field).field_type
        ]
        assert kind == expected, name
        assert not_null is (not field.null) or place, name


def test_models_read_what_plain_sql_wrote(tmp_path: Path) -> None:
    path = tmp_path / "mailweir.db"
    versions.upgrade(path)
    with closing(Database(path)) as database:
        with database.transaction():
            database.execute(
                "INSERT INTO deployments (id, name, domain, created_at) VALUES (7, 'demo', 'demo.example.net', 'now')"
            )
        with database.bound():
            (row,) = models.Deployment.select()
            assert (row.id, row.name, row.domain, row.created_at) == (7, "demo", "demo.example.net", "now")


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)  # the binding is the models', whichever the database
def test_threads_that_bind_at_once_leave_nothing_bound(place: DatabaseUrl) -> None:
    first_is_in = threading.Event()

    def bind(waits_for: threading.Event | None, tells: threading.Event, seconds: float) -> None:
        with closing(Database(place)) as database:
            if waits_for:
                assert waits_for.wait(10)
            with database.bound():
                tells.set()
                time.sleep(
                    seconds
                )  # the first to begin ends first: without an order, the second would restore the first's

    threads = [
        threading.Thread(target=bind, args=(None, first_is_in, 0.2)),
        threading.Thread(target=bind, args=(first_is_in, threading.Event(), 0.4)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {_meta(model).database for model in models.ALL} == {None}


def test_models_are_bound_to_no_database_of_their_own() -> None:
    assert {_meta(model).database for model in models.ALL} == {None}
