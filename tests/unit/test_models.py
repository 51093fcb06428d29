"""The models of `store/` and the tables that the migrations make are the same."""

import contextlib
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mailweir.database_url import DatabaseUrl
from mailweir.store.database import models, versions
from mailweir.store.database.connection import Database


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
    assert [name for name, (_, _, database_url) in columns.items() if database_url] == [
        _meta(model).fields[name].column_name for name in key
    ]
    for name, (kind, not_null, database_url) in columns.items():
        field = fields[name]
        expected = {"AUTO": "INTEGER", "INT": "INTEGER", "TEXT": "TEXT", "BLOB": "BLOB"}[
            getattr(field, "rel_field", field).field_type
        ]
        assert kind == expected, name
        assert not_null is (not field.null) or database_url, name


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


def _put(database_url: DatabaseUrl, name: str) -> None:
    with closing(Database(database_url)) as database, database.transaction():
        database.execute(
            "INSERT INTO deployments (name, domain, created_at) VALUES (?, ?, 'now')", (name, f"{name}.example")
        )


def test_threads_read_at_once_each_over_its_own_connection(database_url: DatabaseUrl, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    versions.upgrade(other)
    places: dict[str, DatabaseUrl] = {"here": database_url, "there": other}
    both_are_in = threading.Barrier(4, timeout=10)
    found: list[tuple[str, list[str]]] = []

    def read(name: str) -> None:
        with closing(Database(places[name])) as database, database.bound():
            both_are_in.wait()  # a lock around the models would keep the others out
            found.append((name, [row.name for row in models.Deployment.select()]))
            both_are_in.wait()

    for name in places:
        _put(places[name], name)
    threads = [threading.Thread(target=read, args=(name,)) for name in [*places, *places]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [("here", ["here"])] * 2 + [("there", ["there"])] * 2


def test_the_connection_is_the_blocks(tmp_path: Path) -> None:
    for name in ("outer", "inner"):
        versions.upgrade(tmp_path / name)
        _put(tmp_path / name, name)

    def names() -> list[str]:
        return [row.name for row in models.Deployment.select()]

    with closing(Database(tmp_path / "outer")) as outer, closing(Database(tmp_path / "inner")) as inner:
        with outer.bound():
            with inner.bound():
                assert names() == ["inner"]
            assert names() == ["outer"]
        with contextlib.suppress(ZeroDivisionError), inner.bound():
            raise ZeroDivisionError
        with pytest.raises(AttributeError):
            names()
