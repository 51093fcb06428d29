"""PostgreSQL's settings hold for the statement that they travel with, and no longer."""

from contextlib import closing

import pytest

from mailweir.database_url import DatabaseUrl
from mailweir.store.database.connection import Database
from mailweir.store.record import by_the_index

NAMES = ("enable_seqscan", "enable_mergejoin", "max_parallel_workers_per_gather", "random_page_cost")
ASKED = "SELECT " + ", ".join(f"current_setting('{name}')" for name in NAMES)
DEFAULTS = ("on", "on", "2", "4")


def test_settings_hold_for_one_statement(postgresql_url: DatabaseUrl) -> None:
    with closing(Database(postgresql_url)) as database:
        for _ in range(10):  # prepared, too
            assert by_the_index.rows(database, ASKED) == [("off", "off", "0", "4")]
            assert by_the_index.merged_rows(database, ASKED) == [("off", "on", "0", "0.1")]
            assert database.execute(ASKED).fetchall() == [DEFAULTS]


def test_settings_hold_for_all_statements_of_a_block(postgresql_url: DatabaseUrl) -> None:
    with closing(Database(postgresql_url)) as database:
        with by_the_index.all_of_these(database):
            for _ in range(2):
                assert database.execute(ASKED).fetchall() == [("off", "off", "0", "4")]
        assert database.execute(ASKED).fetchall() == [DEFAULTS]


def test_a_connection_is_of_use_after_an_error(database: Database) -> None:
    with pytest.raises(Exception, match="no_such"):
        by_the_index.rows(database, "SELECT no_such FROM activities")
    assert by_the_index.rows(database, "SELECT COUNT(*) FROM activities") == [(0,)]


def test_within_a_transaction_it_is_part_of_it(database: Database) -> None:
    with database.transaction():
        database.execute("INSERT INTO threads (id, deployment_id, created_at) SELECT 7, 1, '' WHERE 1 = 0")
        assert by_the_index.rows(database, "SELECT COUNT(*) FROM threads WHERE id = ?", (7,)) == [(0,)]
    assert not database.peewee.in_transaction()
