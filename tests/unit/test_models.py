"""The models of `store/` are the tables that the migrations make. Each thread uses them over its own connection."""

import contextlib
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import peewee
import pytest

from mailweir.database_url import DatabaseUrl
from mailweir.store.database import models, versions
from mailweir.store.database.connection import Database
from tests import schemas
from tests.schemas import Column


def _meta(model: Any) -> Any:
    return model._meta


def _column(field: Any) -> Column:
    """The column of a field."""
    kind = {"AUTO": "INTEGER", "INT": "INTEGER", "TEXT": "TEXT", "BLOB": "BLOB"}[
        getattr(field, "rel_field", field).field_type
    ]
    default = None if field.default is None else str(field.default) if kind == "INTEGER" else f"'{field.default}'"
    return Column(kind, not field.null, default)


def test_the_models_are_the_tables_on_both_databases(database: Database) -> None:
    tables = schemas.read(database)
    assert len(models.ALL) > 10
    for model in models.ALL:
        meta, table = _meta(model), tables[_meta(model).table_name]
        fields = {field.column_name: field for field in meta.sorted_fields}
        assert {name: _column(field) for name, field in fields.items()} == table.columns, model
        assert list(fields) == list(table.columns), model
        key = getattr(meta.primary_key, "field_names", None) or (meta.primary_key.name,)
        assert tuple(meta.fields[name].column_name for name in key) == table.primary_key, model
        keys = {
            (name, _meta(field.rel_model).table_name, field.rel_field.column_name)
            for name, field in fields.items()
            if isinstance(field, peewee.ForeignKeyField)
        }
        assert keys == table.foreign_keys, model
        assert not meta.indexes, "only the migrations define indexes"


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
            both_are_in.wait()  # a lock around the models would block the others
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
