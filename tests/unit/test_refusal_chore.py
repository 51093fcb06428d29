"""The chore's rows for refused mail: written once, limited, each in its deployment. Strangers' data isn't in plain text."""

import json
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from admin_cli import health_report, refusal_chore
from mailweir import secrets_file
from mailweir.decision import FROM_THE_LOG
from mailweir.health.findings import Finding, Level, run
from mailweir.health.refusal_quota import A_MINUTE
from mailweir.settings import Settings
from mailweir.store.database.connection import Database
from mailweir.store.record import decision_search, retention

if TYPE_CHECKING:
    from tests.conftest import Ignore, Mailweir

HEAD = "2026-11-24T03:12:44.000000+00:00 mx postfix/smtpd[13710]: "
TIME = "2026-11-24T03:12:44.000000Z"

Chore = Callable[..., list[Finding]]


def _line(to: str, *, sender: str = "eve@evil.example", reply: str = "550 5.1.1", queue_id: str = "NOQUEUE") -> str:
    return (
        f"{HEAD}{queue_id}: reject: RCPT from unknown[192.0.2.7]: {reply} <{to}>: no; from=<{sender}> to=<{to}>"
        " proto=ESMTP helo=<evil.example>"
    )


@pytest.fixture
def settings(database: Database, tmp_path: Path) -> Settings:
    secrets_file.make(tmp_path / "token.key")
    log = tmp_path / "postfix.log"
    log.touch()
    url = "" if database.is_sqlite else str(database.url)
    return Settings(data_dir=tmp_path, token_key_file=str(tmp_path / "token.key"), postfix_log=str(log), database=url)


@pytest.fixture
def chore(settings: Settings, mailweir: "Mailweir", now: datetime) -> Chore:
    """Adds lines to the log, and processes the new ones: chore("…", host="mx", at=now)."""
    for line in (
        "deployment add demo --domain demo.example.net",
        "deployment add other --domain other.example.org",
        "user add richard --email richard@firm.example --deployment demo",
    ):
        assert mailweir(*line.split()).code == 0

    def take(*lines: str, host: str = "mx", at: datetime = now) -> list[Finding]:
        with settings.postfix_log_file.open("a") as stream:
            stream.writelines(f"{line}\n" for line in lines)
        return run("log", lambda: refusal_chore.take(settings, host, at))

    return take


def _rows(database: Database) -> list[Any]:
    columns = "deployment_id, source_id, decided_at, outcome, reason, recipients, author, message_id"
    return list(database.execute(f"SELECT {columns} FROM decisions ORDER BY id").fetchall())


def test_each_refusal_is_of_the_deployment_that_it_was_for(chore: Chore, database: Database) -> None:
    (found,) = chore(
        _line("richard@demo.example.net", reply="450 4.7.1"),
        _line("Nobody@Demo.Example.NET"),
        _line("x@other.example.org", reply="554 5.7.1", queue_id="4Xy1"),
        _line("x@foreign.example"),
        _line("x@sub.demo.example.net"),
    )
    assert found.level is Level.OK, found
    assert [(row[0], *row[2:]) for row in _rows(database)] == [
        (1, TIME, "refused", "put off by Postfix", '["richard@demo.example.net"]', "eve@evil.example", None),
        (1, TIME, "refused", "no such recipient", "[]", "eve@evil.example", None),
        (2, TIME, "refused", "refused by Postfix", "[]", "eve@evil.example", None),
    ]
    told = {one.deployment: one for one in decision_search.find(database, "eve@evil.example", told=())}
    assert told["other"].queue_id == "4Xy1"
    assert [one.deployment for one in decision_search.find(database, "4Xy1", told=())] == ["other"]
    assert decision_search.find(database, "eve@evil.example") == [], "entries of the log appear only on request"
    assert decision_search.find(database, "4Xy", told=()) == []


def test_nothing_of_strangers_is_kept_in_clear(chore: Chore, database: Database) -> None:
    """Law 3: as for ignored mail, it keeps the author's address, and keyed digests of recipients who are unknown here."""
    chore(_line("stranger@demo.example.net"))
    stored = json.dumps([str(row) for row in database.execute("SELECT * FROM decisions").fetchall()])
    assert "stranger" not in stored
    assert "192.0.2.7" not in stored
    (digests,) = database.execute("SELECT recipient_digests FROM decisions").fetchone()
    assert digests


def test_what_is_read_again_is_written_once(chore: Chore, database: Database, settings: Settings) -> None:
    chore(_line("richard@demo.example.net"))
    before = _rows(database)
    chore(host="another", at=datetime.fromisoformat("2026-11-25T00:00:00+00:00"))  # it has read nothing yet
    assert _rows(database) == before
    shutil.copy(settings.postfix_log_file, settings.postfix_log_file.with_suffix(".copy"))
    settings.postfix_log_file.write_text("")
    chore(settings.postfix_log_file.with_suffix(".copy").read_text().strip())
    assert _rows(database) == before


def test_what_the_filter_refused_has_its_decision_already(chore: Chore, database: Database, ignore: "Ignore") -> None:
    ignore("demo", outcome="refused", queue_id="4XyF")
    ignore("demo", queue_id="4XyG")
    chore(
        *(_line("richard@demo.example.net", reply="550 5.7.1", queue_id=name) for name in ("4XyF", "4XyG")),
        _line("x@other.example.org", reply="550 5.7.1", queue_id="4XyF"),
    )
    told = [(row[0], row[1].partition(":")[0]) for row in _rows(database) if row[4] in FROM_THE_LOG]
    assert told == [(1, "4XyG"), (2, "4XyF")]


def test_a_flood_is_bounded_said_and_goes_with_the_other_decisions(
    chore: Chore, database: Database, now: datetime
) -> None:
    found = chore(*(_line(f"x{number}@demo.example.net") for number in range(500)), _line("x@other.example.org"))
    assert [(one.level, "480 of demo left out" in one.sentence) for one in found] == [(Level.NOTE, True)]
    assert len(_rows(database)) == A_MINUTE + 1
    found = chore(_line("again@demo.example.net"), at=now + timedelta(seconds=1))
    assert "1 of demo left out" in found[0].sentence
    assert len(_rows(database)) == A_MINUTE + 1
    assert chore(_line("later@demo.example.net"), at=now + timedelta(minutes=1))[0].level is Level.OK
    assert retention.prune_decisions(database, now + timedelta(days=20), 14) == A_MINUTE + 2


def test_a_time_of_the_future_is_not_on_the_record(chore: Chore, database: Database, now: datetime) -> None:
    chore(_line("richard@demo.example.net").replace("2026-11-24", "2027-11-24"))
    assert _rows(database)[0][2] == now.isoformat(timespec="microseconds").replace("+00:00", "Z")


@pytest.mark.parametrize("hostile", ["\0", "\x1b[2J", "\ud800", "'; DROP TABLE decisions; --", "ü" * 60, "\\udcff"])
def test_hostile_bytes_do_no_harm(chore: Chore, database: Database, settings: Settings, hostile: str) -> None:
    lines = [_line(f'"{hostile}"@demo.example.net', sender=f"{hostile}@x.example"), _line(hostile)]
    with settings.postfix_log_file.open("ab") as log:
        for line in lines:
            log.write(line.encode("utf-8", "surrogatepass") + b"\n")
        log.write(b"\xff\xfe" + hostile.encode("utf-8", "surrogatepass") + b"\n")
    found = chore(_line("last@demo.example.net"))
    assert [one.level for one in found] == [Level.OK], found
    assert "last@demo.example.net" not in str(_rows(database))
    assert len(_rows(database)) >= 1


def test_a_log_that_is_not_there_is_said_and_the_next_one_is_read(
    chore: Chore, database: Database, settings: Settings
) -> None:
    settings.postfix_log_file.unlink()
    (found,) = run("log", lambda: refusal_chore.take(settings, "mx", datetime.fromisoformat("2026-11-24T04:00:00Z")))
    assert found.level is Level.WRONG
    assert "can't read Postfix's log" in found.sentence
    assert chore(_line("richard@demo.example.net"))[0].level is Level.OK
    assert len(_rows(database)) == 1


def test_only_one_looks_at_a_time(settings: Settings) -> None:
    with health_report.alone(settings) as first, health_report.alone(settings) as second:
        assert (first, second) == (True, False)
    with health_report.alone(settings) as again:
        assert again


def test_without_its_data_folder_there_is_nothing_to_report(settings: Settings) -> None:
    gone = settings.model_copy(update={"data_dir": settings.data_dir / "gone"})
    with pytest.raises(health_report.CannotLook, match=r"can't open the data folder .*gone: No such file"):
        health_report.alone(gone).__enter__()
