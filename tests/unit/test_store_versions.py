"""The database's version: upgrades are safe to repeat and to run at the same time. A mismatch is refused with the remedy."""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from mailweir.database_url import DatabaseUrl
from mailweir.errors import DatabaseUnavailable, DatabaseVersionError
from mailweir.store.database import versions
from mailweir.store.database.connection import Database

REPOSITORY = Path(__file__).parents[2]


def _shape(path: Path) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT type, name, sql FROM sqlite_master ORDER BY type, name").fetchall()


def _check(path: Path) -> None:
    with closing(Database(path)) as database:
        versions.check(database)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The path of the future database. Neither it nor its folder exists yet."""
    return tmp_path / "a folder" / "mailweir.db"


@pytest.fixture
def steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of migrations of the test's own, which includes the real ones."""
    folder = tmp_path / "migrations"
    shutil.copytree(versions.STEPS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(versions, "STEPS", folder)
    return folder


def _add_step(steps: Path, name: str, *statements: str) -> None:
    calls = "".join(f"    db.execute_sql({statement!r})\n" for statement in statements)
    (steps / f"{name}.py").write_text(f"def up(migrator, db):\n{calls}")


def test_the_first_upgrade_makes_the_database_and_the_second_does_nothing(path: Path) -> None:
    assert versions.upgrade(path) == sorted(file.stem for file in versions.STEPS.glob("0*.py"))
    shape = _shape(path)
    assert {"activities", "decisions", "todos"} <= {name for _, name, _ in shape}
    _check(path)
    assert versions.upgrade(path) == []
    assert _shape(path) == shape
    _check(path)


def test_the_database_is_in_wal_mode_and_commits_are_synchronous(path: Path) -> None:
    versions.upgrade(path)
    with closing(Database(path)) as database:
        asked = [
            database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert asked == ["wal", 2, 1]


@pytest.mark.slow
def test_upgrades_at_once_do_the_work_once(path: Path) -> None:
    """Several processes at once, as with a supervisor and two impatient admins."""
    code = "import pathlib, sys; from mailweir.store.database.versions import upgrade; print(*upgrade(pathlib.Path(sys.argv[1])))"
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(path)],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    told = [worker.communicate(timeout=30) for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * 4, told
    assert sorted(out.strip() for out, _ in told) == [
        "",
        "",
        "",
        " ".join(sorted(f.stem for f in versions.STEPS.glob("0*.py"))),
    ]
    _check(path)


def test_an_older_database_is_refused_and_upgraded_with_its_rows(path: Path, steps: Path) -> None:
    versions.upgrade(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "INSERT INTO deployments (id, name, domain, created_at) VALUES (1, 'demo', 'demo.example.net', '')"
        )
    _add_step(steps, "0998_colour", "ALTER TABLE deployments ADD COLUMN colour TEXT")
    _add_step(steps, "0999_shape", "ALTER TABLE deployments ADD COLUMN shape TEXT")
    with pytest.raises(DatabaseVersionError) as caught:
        _check(path)
    assert str(caught.value) == (
        f"the database {path} is older than this program (it lacks 0998_colour, 0999_shape): run 'mailweir db upgrade'"
    )
    assert versions.upgrade(path) == ["0998_colour", "0999_shape"]
    _check(path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name, colour, shape FROM deployments").fetchall() == [("demo", None, None)]


def test_what_waited_for_its_verdict_is_queued_and_the_record_is_to_be_read(path: Path, steps: Path) -> None:
    """The upgrade itself reads no mail, because that takes long."""
    later = sorted(step.name for step in steps.glob("[0-9]*.py") if step.name >= "0022")
    for name in later:
        (steps / name).rename(steps.parent / f"{name}.later")
    versions.upgrade(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(
            "INSERT INTO deployments (id, name, domain, created_at) VALUES (1, 'demo', 'demo.example.net', '');"
            "INSERT INTO activities (id, deployment_id, identity, direction, author, subject, recorded_at)"
            " VALUES (5, 1, x'01', 'incoming', 'jane@client.example', 'x', '');"
            "INSERT INTO raw_messages"
            " (id, activity_id, version_digest, size_bytes, content_zstd, recorded_at, verdict, attempts, next_try_at)"
            " VALUES (7, 5, x'01', 1, x'00', '', 'pass', 0, ''), (8, 5, x'02', 1, x'00', '', 'pending', 0, ''),"
            " (9, 5, x'03', 1, x'00', '', 'pending', 2, '2026-11-24T03:12:55.123456Z');"
        )
    for name in later:
        (steps.parent / f"{name}.later").rename(steps / name)
    assert versions.upgrade(path)[0] == "0022_readings"
    with closing(sqlite3.connect(path)) as connection:
        queue = connection.execute("SELECT raw_id, stage, lane, attempts, next_try_at FROM digest_queue").fetchall()
        assert queue == [(8, "verdict", 0, 0, ""), (9, "verdict", 1, 2, "2026-11-24T03:12:55.123456Z")]
        cursor = connection.execute("SELECT stage, which, below_raw_id FROM digest_rebuilds").fetchall()
        assert cursor == [("reading", "all", 10)]
        connection.execute("DELETE FROM digest_queue")
        connection.execute("DELETE FROM raw_messages")
        connection.execute(
            "INSERT INTO raw_messages (activity_id, version_digest, size_bytes, content_zstd, recorded_at)"
            " VALUES (5, x'04', 1, x'00', '')"
        )
        assert connection.execute("SELECT id FROM raw_messages").fetchall() == [(10,)]
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_newer_database_is_refused_by_both_and_left_alone(path: Path, steps: Path) -> None:
    _add_step(steps, "0999_shape", "ALTER TABLE deployments ADD COLUMN shape TEXT")
    versions.upgrade(path)
    (steps / "0999_shape.py").unlink()
    _add_step(steps, "0998_colour", "ALTER TABLE deployments ADD COLUMN colour TEXT")
    shape = _shape(path)
    for attempt in (_check, versions.upgrade):
        with pytest.raises(DatabaseVersionError) as caught:
            attempt(path)
        assert str(caught.value) == (
            f"the database {path} is newer than this program (it has 0999_shape): "
            "install the version of mailweir that it was last used with, or a newer one"
        )
    assert _shape(path) == shape


def _newer_program(database_url: DatabaseUrl, steps: Path, *, adds: bool) -> None:
    """Upgrades the database by a migration that this program doesn't have."""
    _add_step(steps, "0999_shape", "ALTER TABLE deployments ADD COLUMN shape TEXT")
    step = steps / "0999_shape.py"
    step.write_text(f"ONLY_ADDS = {adds}\n{step.read_text()}")
    assert versions.upgrade(database_url) == ["0999_shape"]
    step.unlink()


def test_a_database_that_is_ahead_by_what_only_adds_is_gone_on_with(database_url: DatabaseUrl, steps: Path) -> None:
    """So hosts can be upgraded one after the other."""
    _newer_program(database_url, steps, adds=True)
    with closing(Database(database_url)) as database:
        versions.check(database)
    assert versions.pending(database_url) == []
    assert versions.upgrade(database_url) == []


def test_one_that_is_ahead_by_more_than_that_is_refused(database_url: DatabaseUrl, steps: Path) -> None:
    _newer_program(database_url, steps, adds=False)
    with closing(Database(database_url)) as database, pytest.raises(DatabaseVersionError, match="it has 0999_shape"):
        versions.check(database)
    for attempt in (versions.pending, versions.upgrade):
        with pytest.raises(DatabaseVersionError, match="newer than this program"):
            attempt(database_url)


def test_an_older_program_may_start_while_a_step_that_only_adds_is_run(path: Path, steps: Path) -> None:
    """Migrations that only add are announced before, because they may take minutes."""
    versions.upgrade(path)
    _add_step(steps, "0999_shape", "CREATE TABLE shapes (id INTEGER)", "nonsense")
    step = steps / "0999_shape.py"
    step.write_text(f"ONLY_ADDS = True\natomic = False\n{step.read_text()}")
    with pytest.raises(DatabaseUnavailable, match="nonsense"):
        versions.upgrade(path)
    with closing(sqlite3.connect(path)) as connection:
        assert ("0999_shape",) in connection.execute("SELECT name FROM schema_additions").fetchall()


def test_the_indexes_of_lists_are_made_anew_after_an_interruption(path: Path, steps: Path) -> None:
    versions.upgrade(path)
    shape = _shape(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM schema_migration WHERE name = '0028_lists'")
        connection.execute("DROP INDEX todos_done")
        connection.execute("CREATE INDEX activity_threads_thread ON activity_threads(thread_id)")
    assert versions.upgrade(path) == ["0028_lists"]
    assert _shape(path) == shape


def test_a_step_that_fails_leaves_nothing_of_itself(path: Path, steps: Path) -> None:
    _add_step(steps, "0998_good", "CREATE TABLE good (id INTEGER)")
    _add_step(steps, "0999_bad", "CREATE TABLE half (id INTEGER)", "CREATE TABLE half (id INTEGER)")
    with pytest.raises(DatabaseUnavailable, match="half already exists"):
        versions.upgrade(path)
    names = {name for _, name, _ in _shape(path)}
    assert "good" in names
    assert "half" not in names
    _add_step(steps, "0999_bad", "CREATE TABLE half (id INTEGER)")
    assert versions.upgrade(path) == ["0999_bad"]


def test_a_missing_database_is_told_and_not_made(path: Path) -> None:
    with pytest.raises(DatabaseVersionError) as caught:
        _check(path)
    assert str(caught.value) == f"there is no database at {path}: run 'mailweir db upgrade' to create it"
    assert not path.parent.exists()
    with closing(Database(path)) as database, pytest.raises(DatabaseUnavailable, match="unable to open"):
        database.open()
    assert not path.exists()


def test_a_new_database_is_its_owners_alone(path: Path) -> None:
    versions.upgrade(path)
    with closing(Database(path)) as database:
        database.open()
        modes = {file.name: f"{file.stat().st_mode & 0o777:o}" for file in path.parent.glob(f"{path.name}*")}
    assert {"mailweir.db", "mailweir.db-wal", "mailweir.db-shm"} < set(modes)
    assert set(modes.values()) == {"600"}


def test_an_empty_file_is_an_older_database(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    with pytest.raises(DatabaseVersionError, match="older than this program"):
        _check(path)
    assert versions.upgrade(path)
    _check(path)


def test_another_programs_database_is_not_taken_for_ours(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE activities (id INTEGER)")
    with pytest.raises(DatabaseVersionError, match="older than this program"):
        _check(path)
    with pytest.raises(DatabaseUnavailable, match="already exists"):
        versions.upgrade(path)


@pytest.mark.parametrize("attempt", [_check, versions.upgrade])
def test_what_is_no_database_is_told_in_one_line(path: Path, attempt: object) -> None:
    path.parent.mkdir()
    path.write_bytes(b"a letter, of some length\n" * 500)
    assert callable(attempt)
    with pytest.raises(DatabaseUnavailable) as caught:
        attempt(path)
    assert str(caught.value) == f"database {path}: file is not a database"
    assert path.read_bytes() == b"a letter, of some length\n" * 500


def test_a_folder_that_can_not_be_made_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "mailweir.db"
    with pytest.raises(DatabaseUnavailable, match=r"^database .*mailweir\.db: (Not a directory|File exists)$"):
        versions.upgrade(path)


@pytest.mark.parametrize("name", ["a#b", "a?b", "a%41b", "a b", "a&mode=ro", "ä", "a'b"])
def test_a_folder_of_any_name_will_do(tmp_path: Path, name: str) -> None:
    path = tmp_path / name / "mailweir.db"
    versions.upgrade(path)
    _check(path)
    assert path.stat().st_size > 0
    assert [file.name for file in tmp_path.iterdir()] == [name]
