"""The command line and the database's state, the settings, signals, and the owners of the files."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mailweir.store.database.connection import Database
from tests.needs import lacks

Mailweir = Any
# -P: not from the working folder, which may be a checkout that the unprivileged user can't read
COMMAND = [sys.executable, "-P", "-c", "import sys; from admin_cli.main import run; sys.exit(run())"]
ACCOUNT = "mailweir"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # about a file, its lock and its default place
def test_upgrade_makes_the_database_and_says_what_it_did(
    mailweir: Mailweir, database: Database, tmp_path: Path
) -> None:
    database.close()
    shutil.rmtree(tmp_path / "db")
    ran = mailweir("user", "list")
    assert ran.code == 1
    assert (
        ran.err
        == f"mailweir: there is no database at {tmp_path}/db/mailweir.db: run 'mailweir db upgrade' to create it\n"
    )
    foreseen = mailweir("db", "upgrade", "--check", "--json").json["pending"]
    assert foreseen[:2] == ["0001_record", "0002_match_keys"]
    assert not (tmp_path / "db").exists()
    assert "is upgraded: 0001_record, 0002_match_keys, 0003_sender_verdicts" in mailweir("db", "upgrade").out
    assert "up to date" in mailweir("db", "upgrade").out
    assert mailweir("db", "upgrade", "--json").json == {"database": f"{tmp_path}/db/mailweir.db", "applied": []}
    assert mailweir("deployment", "list").code == 0


def test_a_newer_database_is_refused_in_one_line(mailweir: Mailweir, database: Database) -> None:
    database.execute("INSERT INTO schema_migration (name, applied) VALUES ('9999_later', '2026-01-01')")
    for line in ("user list", "db upgrade", "db upgrade --check", "db prune", "why x"):
        ran = mailweir(*line.split())
        assert (ran.code, ran.out) == (1, ""), line
        assert "is newer than this program (it has 9999_later)" in ran.err
        assert ran.err.count("\n") == 1


def test_what_an_upgrade_would_do_can_be_asked(mailweir: Mailweir, database: Database) -> None:
    assert "is up to date" in mailweir("db", "upgrade", "--check").out
    assert mailweir("db", "upgrade", "--check", "--json").json == {"database": str(database.url), "pending": []}
    database.execute("DELETE FROM schema_migration WHERE name = '0009_gmail'")
    for _ in range(2):  # and it isn't done
        assert "lacks 0009_gmail; nothing was done" in mailweir("db", "upgrade", "--check").out


def test_an_older_database_is_refused_in_one_line(mailweir: Mailweir, database: Database) -> None:
    database.execute("DELETE FROM schema_migration")
    ran = mailweir("user", "list")
    assert ran.code == 1
    assert "is older than this program" in ran.err
    assert "run 'mailweir db upgrade'" in ran.err


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # a file
def test_what_is_no_database_is_refused_in_one_line(mailweir: Mailweir, database: Database) -> None:
    database.close()
    for left in database.path.parent.glob("mailweir.db*"):
        left.unlink()
    database.path.write_bytes(b"this is no database, whatever it is called\n" * 100)
    for line in ("user list", "db upgrade"):
        ran = mailweir(*line.split())
        assert (ran.code, ran.out) == (1, ""), line
        assert ran.err.startswith("mailweir: ")
        assert ran.err.count("\n") == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # about a file, its lock and its default place
def test_a_locked_database_is_one_line(mailweir: Mailweir, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "mailweir.store.database.connection.Database.__init__.__kwdefaults__",
        {"busy_timeout_seconds": 0.1, "create": False, "durable": True, "patience_seconds": None},
    )
    with database.transaction():
        ran = mailweir("deployment", "add", "demo", "--domain", "demo.example.net")
    assert ran.code == 1
    assert "locked" in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # about a file, its lock and its default place
def test_config_show_tells_values_and_where_they_are_from(mailweir: Mailweir, tmp_path: Path) -> None:
    with (tmp_path / "mailweir.toml").open("a") as file:
        file.write('[retention]\ndecision_days = 3\n[web.openid.google]\nissuer = "https://accounts.google.com"\n')
        file.write('client_id = "1234"\nclient_secret_file = "/etc/mailweir/openid-google.secret"\n')
    shown = mailweir("config", "show", "--json").json
    assert shown["file"] == str(tmp_path / "mailweir.toml")
    assert shown["settings"]["retention"] == {
        "decision_days": 3,
        "reader_log_days": 365,
        "prune_hours": 24.0,
    }
    assert shown["settings"]["database"] == f"sqlite:{tmp_path}/db/mailweir.db"
    assert shown["settings"]["smtp"]["smtp_port"] == 2525
    of_provider = [f"web.openid.google.{key}" for key in ("client_id", "client_secret_file", "issuer")]
    assert shown["from_file"] == ["data_dir", "hostname", "retention.decision_days", *of_provider]
    lines = [line.split() for line in mailweir("config", "show").out.splitlines()]
    assert ["retention.decision_days", "3", "file"] in lines
    assert ["smtp.smtp_port", "2525", "default"] in lines
    assert ["web.openid.google.client_id", "1234", "file"] in lines


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('data_dir = "/x"\nnonsense = 1\n', "unknown key 'nonsense'"),
        ("data_dir =", "mailweir.toml: "),
        ('data_dir = "x"\n', "must be an absolute path"),
    ],
)
def test_bad_settings_are_one_line(mailweir: Mailweir, tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "mailweir.toml").write_text(text)
    ran = mailweir("config", "show")
    assert (ran.code, ran.out) == (1, "")
    assert words in ran.err
    assert ran.err.count("\n") == 1


def test_missing_settings_are_one_line(mailweir: Mailweir, tmp_path: Path) -> None:
    (tmp_path / "mailweir.toml").unlink()
    ran = mailweir("user", "list")
    assert ran.code == 1
    assert "no settings file at" in ran.err


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # it waits for SQLite's lock
def test_ctrl_c_is_exit_130_without_a_traceback(mailweir: Mailweir, database: Database) -> None:
    # if the machine stood still for the five seconds that a command waits, the test tries again
    tries = (_interrupt_a_waiting_command(database) for _ in range(3))
    code, errors = next(one for one in tries if b"database is locked" not in one[1])
    assert code == 130, errors
    assert b"Traceback" not in errors


def _interrupt_a_waiting_command(database: Database) -> tuple[int, bytes]:
    with (
        database.transaction(),  # so that the command waits for the lock
        subprocess.Popen(
            [*COMMAND, "deployment", "add", "demo", "--domain", "demo.example.net"], stderr=subprocess.PIPE
        ) as process,
    ):
        assert process.stderr
        database_file = os.fspath(database.path)
        deadline = time.monotonic() + 20
        while not _holds_open(process.pid, database_file):
            assert time.monotonic() < deadline, "the command never opened the database"
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        errors = process.stderr.read()
    return process.returncode, errors


def _holds_open(pid: int, path: str) -> bool:
    with contextlib.suppress(OSError):
        return any(str(found.readlink()) == path for found in Path(f"/proc/{pid}/fd").iterdir())
    return False


def test_a_reader_that_goes_away_is_no_traceback(mailweir: Mailweir) -> None:
    with subprocess.Popen([*COMMAND, "config", "show"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        errors = process.stderr.read()
    assert process.returncode in (0, 1)
    assert b"Traceback" not in errors


def _account() -> pwd.struct_passwd:
    if os.geteuid() != 0:
        lacks("needs root, who runs the command, and another user, who runs the daemons")
    try:
        return pwd.getpwnam(ACCOUNT)
    except KeyError:
        lacks(f"there is no user {ACCOUNT}: scripts/setup.sh makes it")


@pytest.fixture
def shared_dir(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data folder that the daemons' user can reach; pytest's own folders are closed to it."""
    with tempfile.TemporaryDirectory(prefix="mailweir-test-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        (folder / "mailweir.toml").write_text(f'data_dir = "{folder}"\nhostname = "mail.example.net"\n')
        monkeypatch.setenv("MAILWEIR_CONFIG", str(folder / "mailweir.toml"))
        yield folder


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=60)


# Plain SQL, so that the unprivileged user needs to read nothing except Python's own library
_DAEMON = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("PRAGMA journal_mode = wal")
made = "INSERT INTO companies (deployment_id, name, created_at) SELECT id, ?, '2026-11-24T03:12:55.123456Z' FROM deployments"
database.execute(made, (sys.argv[2],))
print(database.execute("SELECT COUNT(*) FROM companies").fetchone()[0], flush=True)
if len(sys.argv) > 3:
    sys.stdin.read()
    database.execute("UPDATE companies SET name = name || '!'")
"""


def _daemon(account: pwd.struct_passwd, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["/usr/bin/python3", "-c", _DAEMON, *arguments],
        user=account.pw_uid,
        group=account.pw_gid,
        extra_groups=[],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_files_that_root_makes_are_the_daemons_users(shared_dir: Path) -> None:
    account = _account()
    assert _run("db", "upgrade").returncode == 0
    assert _run("deployment", "add", "demo", "--domain", "demo.example.net").returncode == 0
    path = shared_dir / "db" / "mailweir.db"
    with contextlib.closing(Database(path)) as held:
        held.execute(
            "UPDATE deployments SET created_at = '2026-11-24T03:12:55.123456Z'"
        )  # root holds -wal and -shm open
        daemon = _daemon(account, str(path), "a", "wait")
        assert daemon.stdout
        assert daemon.stdout.readline() == "1\n", daemon.communicate()[1]
    assert _run("company", "add", "b").returncode == 0, "with the daemon there"
    owners = {file.name: file.stat().st_uid for file in path.parent.iterdir()}
    assert set(owners) >= {"mailweir.db", "mailweir.db-wal", "mailweir.db-shm"}
    assert set(owners.values()) == {account.pw_uid}
    _, errors = daemon.communicate("go on\n", timeout=20)
    assert daemon.returncode == 0, errors
    assert _run("company", "list", "--json").stdout.count('!"') == 2


def test_root_follows_no_link_that_the_daemons_user_laid(shared_dir: Path) -> None:
    account = _account()
    assert _run("db", "upgrade").returncode == 0
    folder = shared_dir / "db"
    assert not list(folder.glob("*-wal"))
    secret = shared_dir / "secret"
    secret.write_text("root's own")
    secret.chmod(0o600)
    for name in ("mailweir.db-wal", "mailweir.db.upgrade-lock"):
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(secret)
    for arguments in (("deployment", "add", "demo", "--domain", "demo.example.net"), ("db", "upgrade")):
        ran = _run(*arguments)
        assert ran.returncode == 1, arguments
        assert ran.stderr.startswith("mailweir: ")
        assert ran.stderr.count("\n") == 1
    assert secret.read_text() == "root's own"
    assert (secret.stat().st_uid, secret.stat().st_mode & 0o777) == (0, 0o600)
    assert account.pw_uid != 0


def test_upgrade_gives_a_new_folder_to_the_daemons_user(shared_dir: Path) -> None:
    account = _account()
    assert "is upgraded" in _run("db", "upgrade").stdout
    folder = shared_dir / "db"
    assert (folder.stat().st_uid, folder.stat().st_mode & 0o777) == (account.pw_uid, 0o700)
    assert {file.stat().st_uid for file in folder.iterdir()} == {account.pw_uid}


def test_where_the_daemons_user_cannot_reach_the_folder_root_works_on(shared_dir: Path) -> None:
    account = _account()
    shared_dir.chmod(0o700)
    assert _run("db", "upgrade").returncode == 0
    ran = _run("deployment", "add", "demo", "--domain", "demo.example.net")
    assert ran.returncode == 0, ran.stderr
    assert {file.stat().st_uid for file in (shared_dir / "db").iterdir()} == {account.pw_uid}


def test_a_stranger_gets_one_line(shared_dir: Path) -> None:
    account = _account()
    assert _run("db", "upgrade").returncode == 0
    nobody = pwd.getpwnam("nobody").pw_uid
    _readable_by(nobody) or lacks("the checkout can't be read by another user")
    assert nobody != account.pw_uid
    for arguments in (["user", "list"], ["db", "upgrade"]):
        ran = subprocess.run(
            [*COMMAND, *arguments], capture_output=True, text=True, check=False, user=nobody, extra_groups=[]
        )
        assert (ran.returncode, ran.stdout) == (1, ""), arguments
        assert ran.stderr.startswith("mailweir: ")
        assert "permission" in ran.stderr.lower()
        assert ran.stderr.count("\n") == 1


def _readable_by(uid: int) -> bool:
    script = "import admin_cli.main, peewee, pydantic"
    return (
        subprocess.run([sys.executable, "-P", "-c", script], user=uid, capture_output=True, check=False).returncode == 0
    )
