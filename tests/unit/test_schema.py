"""The migrations make the same tables on both databases: columns, NULL, defaults, keys, indexes, checks."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from mailweir.database_url import Postgresql
from mailweir.store.database.connection import Database
from tests import schemas
from tests.schemas import Column, Index, Table

# The search index: each database has an index of its own kind, and the indexed text in its own form.
OF_EACH = {"search_texts"}


@pytest.fixture
def both(sqlite_url: Path, postgresql_url: Postgresql) -> Iterator[tuple[dict[str, Table], dict[str, Table]]]:
    """SQLite's tables and PostgreSQL's."""
    with closing(Database(sqlite_url)) as one, closing(Database(postgresql_url)) as other:
        yield schemas.read(one), schemas.read(other)


def test_both_databases_have_the_same_tables(both: tuple[dict[str, Table], dict[str, Table]]) -> None:
    on_sqlite, on_postgresql = both
    assert len(on_sqlite) > 20
    assert sorted(on_sqlite) == sorted(on_postgresql)
    for name in sorted(on_sqlite.keys() - OF_EACH):
        table, other = on_sqlite[name], on_postgresql[name]
        assert list(table.columns) == list(other.columns), name
        assert table.columns == other.columns, name
        assert table.primary_key == other.primary_key, name
        assert table.foreign_keys == other.foreign_keys, name
        assert sorted(map(str, table.indexes)) == sorted(map(str, other.indexes)), name
        assert table.checks == other.checks, name


def test_a_schema_is_read_as_it_was_made(database: Database) -> None:
    """Otherwise two wrong readings could agree."""
    found = schemas.read(database)
    assert found["todos"].columns["done_at"] == Column("TEXT", not_null=False, default=None)
    assert found["activities"].columns["sender_verdict"] == Column("TEXT", not_null=True, default="'pending'")
    assert found["relay_uses"].primary_key == ("login_id", "hour")
    assert found["todos"].foreign_keys == {("activity_id", "activities", "id"), ("user_id", "users", "id")}
    assert Index(True, ("user_id", "activity_id"), "") in found["todos"].indexes
    assert Index(True, ("deployment_id", "username"), "removed_at is null") in found["users"].indexes
    once = Index(True, ("activity_id", "source_id", "route", "coalesce user_id, 0"), "")
    of_user = Index(False, ("user_id", "route", "seen_at"), "")
    uncommon = Index(False, ("route", "activity_id"), "route <> 'forward'")
    assert found["sightings"].indexes == {once, of_user, uncommon}
    by_hour = ("deployment_id", "substr decided_at, 1, 13", "substr recipients, 1, 400", "decided_at")
    assert Index(False, by_hour, "outcome = 'ignored'") in found["decisions"].indexes
    later = Index(False, ("stage", "next_try_at", "raw_id"), "lane = 1")
    assert found["digest_queue"].indexes == {later}
    assert ("direction", "incoming,outgoing") in found["activities"].checks
