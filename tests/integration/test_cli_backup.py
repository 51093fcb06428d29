"""`mailweir db backup` while others write, and `db restore`. Neither leaves anything half done. SQLite."""

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from admin_cli import backups
from mailweir.errors import BackupError
from mailweir.store.database import backup
from mailweir.store.database.connection import Database
from mailweir.store.web import accounts, sessions
from mailweir.store.web.sessions import Means
from tests import needs

if TYPE_CHECKING:
    from tests.integration.conftest import MakeStack

Mailweir = Any
JANE = "jane@client.example"


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """The command line's database, on SQLite only."""
    return sqlite_database


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The target file of the backup."""
    return tmp_path / "kept" / "mailweir.bak"


@pytest.fixture(autouse=True)
def _nothing_is_left_half_done(file: Path, tmp_path: Path) -> Iterator[None]:
    file.parent.mkdir()
    yield
    names = {one.name for one in (*file.parent.iterdir(), *(tmp_path / "db").iterdir())}
    assert not [name for name in names if name.startswith(".")], names


@pytest.mark.parametrize("options", [(), ("--force",)])
def test_a_backup_follows_no_link_of_somebody_else(
    with_one_mail: Mailweir, file: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    needs.root()
    laid = tmp_path / "laid"
    laid.symlink_to(file.parent)
    os.chown(laid, 65534, 65534, follow_symlinks=False)
    ran = with_one_mail("db", "backup", str(laid / "mailweir.bak"), *options)
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert "leads through a symbolic link that somebody else made" in ran.err
    assert list(file.parent.iterdir()) == []
    assert with_one_mail("db", "backup", str(file)).code == 0


def activities(file: Path) -> int:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as opened:
        return int(opened.execute("SELECT COUNT(*) FROM activities").fetchone()[0])


def test_a_backup_is_one_whole_file_for_its_owner_alone(with_one_mail: Mailweir, file: Path) -> None:
    ran = with_one_mail("db", "backup", str(file), "--json")
    assert ran.code == 0, ran.err
    assert ran.json["file"] == str(file)
    assert ran.json["size_bytes"] == file.stat().st_size
    counts = ran.json["counts"]
    assert (counts["activities"], counts["raw_messages"], counts["readings"]) == (1, 1, 0)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [one.name for one in file.parent.iterdir()] == [file.name]
    assert file.read_bytes()[18:20] == b"\x01\x01"  # it has no write-ahead log
    assert activities(file) == 1


def test_a_backup_that_is_older_than_readings_is_one_of_ours(with_one_mail: Mailweir, file: Path) -> None:
    assert with_one_mail("db", "backup", str(file)).code == 0
    with closing(sqlite3.connect(file)) as older:
        older.execute("DROP TABLE attachments")
        older.execute("DROP TABLE readings")
    counts = backup.verify(file)
    assert counts["activities"] == 1
    assert "readings" not in counts


def test_a_backup_says_what_is_in_it(with_one_mail: Mailweir, file: Path) -> None:
    assert "is complete and checked" in (said := with_one_mail("db", "backup", str(file)).out)
    assert "1 activities" in said


def test_a_backup_overwrites_only_where_it_may(with_one_mail: Mailweir, file: Path) -> None:
    file.write_text("mine")
    ran = with_one_mail("db", "backup", str(file))
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert "overwrite it with --force" in ran.err
    assert file.read_text() == "mine"
    assert with_one_mail("db", "backup", str(file), "--force").code == 0
    assert activities(file) == 1


@pytest.mark.parametrize("name", ["db/mailweir.db", "db/mailweir.db-wal", "db"])
def test_a_backup_never_goes_over_the_database(with_one_mail: Mailweir, tmp_path: Path, name: str) -> None:
    assert with_one_mail("db", "backup", str(tmp_path / name), "--force").code == 1
    assert with_one_mail("activity", "list", "--json").json


def test_a_backup_that_can_not_be_written_is_one_line(with_one_mail: Mailweir, file: Path) -> None:
    ran = with_one_mail("db", "backup", str(file.parent / "absent" / "x"))
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "can't write in" in ran.err


def test_others_commit_while_a_backup_is_made_and_it_shows_one_moment(
    with_one_mail: Mailweir, database: Database, file: Path, now: Any
) -> None:
    """Another process commits between all of its steps, and fails if it has to wait."""
    with closing(sqlite3.connect(database.path, timeout=0, isolation_level=None)) as other:
        filled = "INSERT INTO companies (deployment_id, name, created_at) VALUES (1, ?, '2026-11-24T03:12:55.123456Z')"
        for number in range(50):
            other.execute(filled, (f"{number} {'x' * 4000}",))
        steps: list[int] = []

        def commit(done: int, total: int) -> None:
            other.execute(filled, (f"later {len(steps)}",))
            steps.append(total)

        file.touch()
        with closing(backup.Snapshot(database.path)) as snapshot:
            snapshot.copy(file, commit, pages=2)
        assert len(steps) > 20
        assert set(steps) == {steps[0]}  # the backup never began again
    backup.verify(file)
    with closing(sqlite3.connect(file)) as copied:
        assert copied.execute("SELECT COUNT(*) FROM companies").fetchone() == (50,)
    assert len(with_one_mail("company", "list", "--json").json) == 50 + len(steps)


def test_a_backup_of_a_damaged_database_is_refused(with_one_mail: Mailweir, database: Database, file: Path) -> None:
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    raw = bytearray(database.path.read_bytes())
    raw[4096 * 3 : 4096 * 12] = b"\xff" * (4096 * 9)
    database.path.write_bytes(raw)
    ran = with_one_mail("db", "backup", str(file))
    assert (ran.code, ran.err.count("\n"), file.exists()) == (1, 1, False), ran.err


def test_restoring_brings_back_what_was_and_keeps_what_is(
    with_one_mail: Mailweir, database: Database, file: Path, record: Callable[..., int]
) -> None:
    assert with_one_mail("db", "backup", str(file)).code == 0
    record("demo", "richard", JANE, number=2)
    database.close()
    ran = with_one_mail("db", "restore", str(file), "--json")
    assert ran.code == 0, ran.err
    assert (ran.json["counts"]["activities"], ran.json["applied"]) == (1, [])
    assert len(with_one_mail("activity", "list", "--json").json) == 1
    kept = Path(ran.json["kept"])
    assert kept.name.startswith("mailweir.db.before-restore-")
    assert activities(kept) == 2
    assert activities(file) == 1  # the backup itself stays


def test_restoring_signs_everybody_out(with_one_mail: Mailweir, database: Database, file: Path) -> None:
    """A session may have been ended since the backup was made, or a link used."""
    now = datetime.now(UTC)
    account = accounts.named(database, with_one_mail("web", "link", "richard", "--json").json["account"])
    assert account is not None
    with database.transaction():
        sessions.begin(database, account.id, None, Means.LINK, "", now)
    assert with_one_mail("db", "backup", str(file)).code == 0
    database.close()
    assert with_one_mail("db", "restore", str(file)).code == 0
    assert sessions.of_account(database, account.id, now) == []
    assert database.execute("SELECT COUNT(*) FROM web_links").fetchone() == (0,)
    assert accounts.find(database, account.id).name == "richard"


def test_restoring_keeps_what_only_the_log_held(
    with_one_mail: Mailweir, database: Database, file: Path, record: Callable[..., int]
) -> None:
    """After a kill -9 the last commits are in the write-ahead log."""
    assert with_one_mail("db", "backup", str(file)).code == 0
    database.close()
    code = (
        "import os, sqlite3, sys; d = sqlite3.connect(sys.argv[1], isolation_level=None); d.execute('PRAGMA journal_mode=wal');"
        'd.execute("INSERT INTO companies (deployment_id, name, created_at)'
        " VALUES (1, 'Late Ltd', '2026-11-24T03:12:55.123456Z')\"); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code, str(database.path)], check=True)
    assert database.path.with_name("mailweir.db-wal").stat().st_size > 0
    kept = with_one_mail("db", "restore", str(file), "--json").json["kept"]
    with closing(sqlite3.connect(kept)) as opened:
        assert opened.execute("SELECT name FROM companies").fetchall() == [("Late Ltd",)]
    assert with_one_mail("company", "list", "--json").json == []


def test_restoring_where_nothing_is(with_one_mail: Mailweir, database: Database, file: Path) -> None:
    assert with_one_mail("db", "backup", str(file)).code == 0
    database.close()
    for one in database.path.parent.iterdir():
        one.unlink()
    ran = with_one_mail("db", "restore", str(file), "--json")
    assert (ran.code, ran.json["kept"]) == (0, None)
    assert len(with_one_mail("activity", "list", "--json").json) == 1


def test_restoring_over_a_damaged_database(with_one_mail: Mailweir, database: Database, file: Path) -> None:
    assert with_one_mail("db", "backup", str(file)).code == 0
    database.close()
    database.path.write_bytes(b"no database " * 1000)
    ran = with_one_mail("db", "restore", str(file), "--json")
    assert ran.code == 0, ran.err
    assert Path(ran.json["kept"]).read_bytes().startswith(b"no database")
    assert len(with_one_mail("activity", "list", "--json").json) == 1


def _other(file: Path) -> None:
    file.unlink()
    with closing(sqlite3.connect(file)) as other:
        other.execute("CREATE TABLE cakes (name TEXT)")


def _newer(file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as newer:
        newer.execute("INSERT INTO schema_migration (name, applied) VALUES ('9999_later', '2026-01-01')")


SPOILT: dict[str, Callable[[Path], object]] = {
    "absent": Path.unlink,
    "text": lambda file: file.write_text("hello\n" * 1000),
    "other": _other,
    "newer": _newer,
    "cut": lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
}


@pytest.mark.parametrize("what", SPOILT)
def test_what_is_no_backup_changes_nothing(with_one_mail: Mailweir, database: Database, file: Path, what: str) -> None:
    assert with_one_mail("db", "backup", str(file)).code == 0
    database.close()
    SPOILT[what](file)
    before = database.path.read_bytes()
    ran = with_one_mail("db", "restore", str(file))
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1), ran.err
    assert database.path.read_bytes() == before
    assert not list(database.path.parent.glob("*before-restore*"))
    assert len(with_one_mail("activity", "list", "--json").json) == 1


def test_restoring_is_refused_while_somebody_holds_the_database(
    with_one_mail: Mailweir, database: Database, file: Path
) -> None:
    assert with_one_mail("db", "backup", str(file)).code == 0
    database.close()
    code = "import sys; f = open(sys.argv[1]); print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(database.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout
        holder.stdout.readline()
        ran = with_one_mail("db", "restore", str(file))
        assert holder.stdin
        holder.stdin.close()
    assert ran.code == 1
    assert "in use by python3" in ran.err or f"({holder.pid})" in ran.err


def test_a_disk_that_fills_up_leaves_no_backup(database: Database, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise BackupError("database or disk is full")

    monkeypatch.setattr(backup.Snapshot, "copy", full)
    with pytest.raises(BackupError, match="full"):
        backups.make(database.path, file, force=False, progress=lambda *_: None)
    assert list(file.parent.iterdir()) == []


def test_a_real_stack_is_backed_up_while_mail_flows_and_restored_when_it_stands(
    make_stack: "MakeStack", tmp_path: Path, database: Database
) -> None:
    stack = make_stack()
    for line in (
        "deployment add demo --domain demo.example.net",
        "user add richard --email richard@firm.example",
        f"contact add Jane {JANE}",
    ):
        stack.cli(*line.split(), check=True)
    file = tmp_path / "kept" / "stack.db"

    def deliver(number: int) -> None:
        raw = f"From: {JANE}\r\nMessage-ID: <{number}@client.example>\r\nSubject: {number}\r\n\r\nhello\r\n"
        assert stack.deliver(JANE, ["richard@demo.example.net"], raw.encode()) == {}

    for number in range(10):
        deliver(number)
    with subprocess.Popen(
        [stack.script, "db", "backup", str(file)], env={"MAILWEIR_CONFIG": str(stack.config), "PATH": "/usr/bin"}
    ) as running:
        number = 10
        while running.poll() is None or number == 10:
            deliver(number)
            number += 1
    assert running.returncode == 0
    assert 10 <= activities(file) <= number
    refused = stack.cli("db", "restore", str(file))
    assert refused.returncode == 1
    assert "another 'mailweir up' runs" in refused.stderr
    stack.stop()
    owner = stack.settings.database_path.stat().st_uid
    stack.cli("db", "restore", str(file), check=True)
    assert {one.stat().st_uid for one in stack.settings.database_path.parent.iterdir()} == {owner}
    stack.start()
    assert activities(stack.settings.database_path) == activities(file)
    deliver(1000)
