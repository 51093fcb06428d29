"""Checkpoints beside those who write."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mailweir.store.database.checkpoints import SECONDS, Checkpoints
from mailweir.store.database.connection import Database


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def _write(database: Database) -> None:
    with database.transaction():
        database.execute("CREATE TABLE IF NOT EXISTS some (value TEXT)")
        database.execute("INSERT INTO some VALUES (?)", ("x" * 100_000,))


def _bytes_in_the_file(path: Path, folder: Path) -> int:
    """How much stands in the file itself: a copy without its log holds that alone."""
    alone = folder / "alone.db"
    alone.write_bytes(path.read_bytes())
    with closing(sqlite3.connect(alone)) as opened:
        found = opened.execute("SELECT COUNT(*) FROM sqlite_master WHERE name = 'some'").fetchone()
    return int(found[0])


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # PostgreSQL's server makes its own
def test_what_was_written_is_carried_into_the_file(database: Database, clock: Clock, tmp_path: Path) -> None:
    with closing(Database(database.url)) as other:
        made = Checkpoints(other, clock)
        _write(database)
        assert _bytes_in_the_file(database.path, tmp_path) == 0
        assert made.step()
        assert _bytes_in_the_file(database.path, tmp_path) == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_writer_amid_its_transaction_isn_t_waited_for_nor_held_up(database: Database, clock: Clock) -> None:
    with closing(Database(database.url, busy_timeout_seconds=0.01)) as other:
        made = Checkpoints(other, clock)
        _write(database)
        with database.transaction():
            database.execute("INSERT INTO some VALUES ('amid')")
            assert made.step()
    assert database.execute("SELECT COUNT(*) FROM some").fetchone() == (2,)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_next_one_has_its_time(database: Database, clock: Clock) -> None:
    made = Checkpoints(database, clock)
    assert [made.step(), made.step()] == [True, False]
    clock.now = SECONDS
    assert made.step()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_server_makes_its_own(database: Database, clock: Clock) -> None:
    assert not Checkpoints(database, clock).step()
