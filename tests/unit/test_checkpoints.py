"""Checkpoints beside those who write."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mailweir.store.database.checkpoints import PAGES, Checkpoints, waiting_pages
from mailweir.store.database.connection import Database

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # PostgreSQL's server makes its own


def _write(database: Database, pages: int) -> None:
    with database.transaction():
        database.execute("CREATE TABLE IF NOT EXISTS some (value BLOB)")
        database.execute("INSERT INTO some VALUES (?)", (b"x" * (pages * 4096),))


def _is_in_the_file(path: Path, folder: Path) -> bool:
    """Does the file itself have it? A copy without its log holds that alone."""
    alone = folder / "alone.db"
    alone.write_bytes(path.read_bytes())
    with closing(sqlite3.connect(alone)) as opened:
        return bool(opened.execute("SELECT COUNT(*) FROM sqlite_master WHERE name = 'some'").fetchone()[0])


@SQLITE
def test_what_was_written_is_carried_into_the_file(database: Database, tmp_path: Path) -> None:
    with closing(Database(database.url)) as other:
        _write(database, PAGES)
        assert not _is_in_the_file(database.path, tmp_path)
        assert Checkpoints(other).step()
        assert _is_in_the_file(database.path, tmp_path)
        assert waiting_pages(other) == 0


@SQLITE
def test_little_waits_for_more(database: Database) -> None:
    made = Checkpoints(database)
    _write(database, PAGES // 2)
    assert PAGES // 2 <= waiting_pages(database) < PAGES
    assert not made.step()
    _write(database, PAGES // 2)
    assert [made.step(), made.step()] == [True, False]


@SQLITE
def test_a_writer_amid_its_transaction_isn_t_waited_for_nor_held_up(database: Database) -> None:
    with closing(Database(database.url, busy_timeout_seconds=0.01)) as other:
        _write(database, PAGES)
        with database.transaction():
            database.execute("INSERT INTO some VALUES ('amid')")
            assert Checkpoints(other).step()
    assert database.execute("SELECT COUNT(*) FROM some").fetchone() == (2,)


@SQLITE
@pytest.mark.parametrize("found", [b"", b"short", b"\xff" * 16 + b"\x01\x00\x00\x00" + b"\xff" * 80])
def test_an_index_that_says_nothing_means_nothing_waits(database: Database, tmp_path: Path, found: bytes) -> None:
    with closing(Database(tmp_path / "other.db")) as other:
        assert waiting_pages(other) == 0
        (tmp_path / "other.db-shm").write_bytes(found)
        assert waiting_pages(other) == 0


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_server_makes_its_own(database: Database) -> None:
    assert not Checkpoints(database).step()
