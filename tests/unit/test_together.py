"""Statements that are sent together: a failure is reported at the end of the block at the latest, and nothing of it stays."""

from contextlib import suppress

import pytest

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


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # to SQLite nothing travels
def test_nobody_waits_for_a_statement_whose_result_nobody_reads(database: Database) -> None:
    reached = []
    with pytest.raises(Exception, match=r"(?i)null"), database.transaction(alone=False), database.together():  # noqa: PT012
        database.fast_execute()(_INSERT, (None, "one.example.net"))
        reached.append("the next one")
    assert reached == ["the next one"]
