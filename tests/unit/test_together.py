"""Statements that are sent together: a failure is reported at the end of the block at the latest, and nothing of the block
stays."""

from contextlib import closing, suppress

import pytest

from mailweir.database_url import Postgresql
from mailweir.errors import DatabaseUnavailable
from mailweir.store.database import batches
from mailweir.store.database.connection import Database

_INSERT = "INSERT INTO deployments (name, domain, created_at) VALUES (?, ?, '2026-11-24T00:00:00.000000Z')"


def _count(database: Database) -> int:
    return int(database.execute("SELECT COUNT(*) FROM deployments").fetchone()[0])


def test_what_was_sent_together_is_there(database: Database) -> None:
    with database.transaction(alone=False), database.together():
        execute = database.fast_execute()
        for name in ("one", "two"):
            execute(_INSERT, (name, f"{name}.example.net"))
        assert execute("SELECT COUNT(*) FROM deployments").fetchone() == (2,)
    assert _count(database) == 2


def test_one_that_fails_fails_the_transaction(database: Database) -> None:
    with pytest.raises(Exception, match=r"(?i)null"), database.transaction(alone=False), database.together():  # noqa: PT012
        execute = database.fast_execute()
        execute(_INSERT, ("one", "one.example.net"))
        execute(_INSERT, (None, "two.example.net"))
    assert _count(database) == 0


def test_a_part_that_fails_alone_leaves_the_others(database: Database) -> None:
    with database.transaction(alone=False):
        database.fast_execute()(_INSERT, ("one", "one.example.net"))
        with suppress(Exception), database.savepoint(), database.together():
            database.fast_execute()(_INSERT, (None, "two.example.net"))
        database.fast_execute()(_INSERT, ("three", "three.example.net"))
    assert _count(database) == 2


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # SQLite has no network
def test_nobody_waits_for_a_statement_whose_result_nobody_reads(database: Database) -> None:
    reached = []
    with pytest.raises(Exception, match=r"(?i)null"), database.transaction(alone=False), database.together():  # noqa: PT012
        database.fast_execute()(_INSERT, (None, "one.example.net"))
        reached.append("the next one")
    assert reached == ["the next one"]


def test_reads_at_once_have_each_its_own_rows(database: Database) -> None:
    with database.at_once():
        cursors = [database.execute("SELECT CAST(? AS INTEGER), 'x'", (number,)) for number in range(20)]
    assert [cursor.fetchall() for cursor in cursors] == [[(number, "x")] for number in range(20)]
    assert [column[0] for column in database.execute("SELECT 1 AS one").description] == ["one"]


def test_an_answer_that_came_is_no_sign_of_the_server_hanging_up(postgresql_url: Postgresql) -> None:
    with closing(Database(postgresql_url)) as database:
        asked = "SELECT pg_backend_pid(), REPEAT('x', 200000)"
        with database.at_once():
            cursors = [database.execute(asked) for _ in range(30)]
        assert len({cursor.fetchone()[0] for cursor in cursors}) == 1


def test_a_server_that_is_gone_is_told_from_reads_at_once(postgresql_url: Postgresql) -> None:
    with closing(Database(postgresql_url)) as database, closing(Database(postgresql_url)) as other:
        (pid,) = database.execute("SELECT pg_backend_pid()").fetchone()
        with pytest.raises(DatabaseUnavailable), database.at_once():  # noqa: PT012
            other.execute("SELECT pg_terminate_backend(?)", (pid,)).fetchone()
            for _ in range(3):
                database.execute("SELECT pg_sleep(0.1)")
        assert database.execute("SELECT 1").fetchone() == (1,), "the next transaction gets another connection"


def test_a_read_that_can_not_be_fails_the_block_and_no_later_one(database: Database) -> None:
    with pytest.raises(Exception, match="nothing_of_the_kind"), database.at_once():
        database.execute("SELECT nothing_of_the_kind FROM deployments")
    assert database.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize("ids", [[], [2], [3, 1, 99]])
def test_a_query_of_ids_takes_any_number_of_them(database: Database, ids: list[int]) -> None:
    with database.transaction():
        batches.insert(
            database,
            "deployments",
            ("id", "name", "domain", "created_at"),
            [(one, f"{one}", f"{one}", "") for one in (1, 2, 3)],
        )
    sql = "SELECT id FROM deployments WHERE name <> ? AND id IN ({}) ORDER BY id"
    found = [one for (one,) in database.execute(*batches.of_ids(database, sql, ids, ["1"])).fetchall()]
    assert found == sorted({2, 3} & set(ids))
