"""`mailweir db backup` and `db restore` on PostgreSQL, with PostgreSQL's own programs."""

import stat
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mailweir.database_url import Postgresql
from mailweir.store.database import postgresql_backup, versions
from mailweir.store.database.connection import Database
from mailweir.store.web import accounts, sessions
from mailweir.store.web.sessions import Means

Mailweir = Any
JANE = "jane@client.example"


@pytest.fixture
def database_url(postgresql_url: Postgresql) -> Postgresql:
    """The command line's database, on PostgreSQL only."""
    return postgresql_url


def test_restoring_brings_back_what_was_and_keeps_what_is(
    with_one_mail: Mailweir, database: Database, tmp_path: Path, record: Callable[..., int]
) -> None:
    file = tmp_path / "kept.dump"
    made = with_one_mail("db", "backup", str(file), "--json")
    assert made.code == 0, made.err
    assert made.json["counts"]["readings"] == 0
    assert (made.json["counts"]["activities"], stat.S_IMODE(file.stat().st_mode)) == (1, 0o600)
    assert not [one for one in tmp_path.iterdir() if one.name.startswith(".")]
    record("demo", "richard", JANE, number=2)
    database.close()
    ran = with_one_mail("db", "restore", str(file), "--json")
    assert ran.code == 0, ran.err
    assert (ran.json["counts"]["activities"], ran.json["applied"]) == (1, [])
    assert len(with_one_mail("activity", "list", "--json").json) == 1
    schema = ran.json["kept"].removeprefix("the schema ")
    with closing(Database(database.url)) as again:
        assert again.execute(f"SELECT COUNT(*) FROM {schema}.activities").fetchone() == (2,)
        again.execute(
            "INSERT INTO companies (deployment_id, name, created_at) SELECT 1, 'New Ltd', MIN(created_at) FROM deployments"
        )


def test_restoring_signs_everybody_out(with_one_mail: Mailweir, database: Database, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    account = accounts.named(database, with_one_mail("web", "link", "richard", "--json").json["account"])
    assert account is not None
    with database.transaction():
        sessions.begin(database, account.id, None, Means.LINK, "", now)
    assert with_one_mail("db", "backup", str(tmp_path / "kept.dump")).code == 0
    database.close()
    assert with_one_mail("db", "restore", str(tmp_path / "kept.dump")).code == 0
    assert sessions.of_account(database, account.id, now) == []
    assert database.execute("SELECT COUNT(*) FROM web_links").fetchone() == (0,)


def _newer(with_one_mail: Mailweir, database: Database, file: Path) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(versions, "check", lambda _: None)
        database.execute("INSERT INTO schema_migration (name, applied) VALUES ('9999_later', '2026-01-01')")
        file.touch()
        assert isinstance(database.url, Postgresql)
        postgresql_backup.dump(database.url, file)
    database.execute("DELETE FROM schema_migration WHERE name = '9999_later'")


def _cut(with_one_mail: Mailweir, database: Database, file: Path) -> None:
    assert with_one_mail("db", "backup", str(file)).code == 0
    raw = file.read_bytes()
    file.write_bytes(raw[: len(raw) * 2 // 3])


MAKE: dict[str, Callable[[Mailweir, Database, Path], object]] = {
    "absent": lambda with_one_mail, database, file: None,
    "text": lambda with_one_mail, database, file: file.write_text("hello\n" * 1000),
    "newer": _newer,
    "cut": _cut,
}


@pytest.mark.parametrize("what", MAKE)
def test_what_is_no_backup_changes_nothing(
    with_one_mail: Mailweir, database: Database, tmp_path: Path, what: str
) -> None:
    file = tmp_path / "kept.dump"
    MAKE[what](with_one_mail, database, file)
    database.close()
    ran = with_one_mail("db", "restore", str(file))
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1), ran.err
    assert len(with_one_mail("activity", "list", "--json").json) == 1
    assert with_one_mail("company", "add", "Another Ltd").code == 0


def test_restoring_is_refused_while_others_are_connected(
    with_one_mail: Mailweir, database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "kept.dump"
    assert with_one_mail("db", "backup", str(file)).code == 0
    database.open()
    ran = with_one_mail("db", "restore", str(file))
    assert ran.code == 1
    assert "1 other connections" in ran.err


def test_doctor_looks_at_postgresql_too(with_one_mail: Mailweir) -> None:
    found = with_one_mail("doctor", "--json").json
    said = [one["finding"] for one in found if one["area"] == "database"]
    assert any("has this program's version" in one for one in said), said
    assert "it can be written" in said
    assert any(one["finding"].startswith("route forward: last mail") for one in found)
