"""Commands' changes are in the log of changes: each command is classified, and each that changes something is run."""

import os
import pwd
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import typer

from admin_cli import change_notes, main
from mailweir import secrets_file
from mailweir.store.database.connection import Database
from mailweir.store.gmail import gmail_connections, gmail_revocations
from mailweir.store.people import deployments, users
from mailweir.store.web import change_log
from mailweir.store.web.change_log import COMMAND_LINE, Change
from tests.conftest import Record

Mailweir = Any
JANE = "jane@client.example"
# For each command that changes something: its line, and the noted key, subject and details.
LINES: dict[str, tuple[str, str, str, str]] = {
    "deployment add": (
        "deployment add two --domain two.example.net",
        "deployment.added",
        "two",
        "--domain two.example.net",
    ),
    "deployment set": ("deployment set demo --plus-addresses", "deployment.changed", "demo", "--plus-addresses"),
    "user add": ("user add kim --email kim@firm.example", "user.added", "kim", "--email kim@firm.example"),
    "user alias": ("user alias anna a@firm.example", "user.address_added", "anna", "a@firm.example"),
    "user set": ("user set anna --name Anna", "user.changed", "anna", "--name Anna"),
    "user remove": ("user remove anna", "user.removed", "anna", ""),
    "company add": ("company add Bolts --domain bolts.example", "company.added", "Bolts", "--domain bolts.example"),
    "company set": ("company set Client --visibility metadata", "company.changed", "Client", "--visibility metadata"),
    "contact add": ("contact add Bo bo@bolts.example", "contact.added", "Bo", "bo@bolts.example"),
    "contact set": (f"contact set {JANE} --visibility metadata", "contact.visibility", JANE, "--visibility metadata"),
    "contact remove": (f"contact remove {JANE}", "contact.address_removed", JANE, ""),
    "contact import": ("contact import FOLDER/new.csv --partial", "contacts.imported", "FOLDER/new.csv", "--partial"),
    "group add": ("group add list@firm.example", "group.added", "list@firm.example", ""),
    "group remove": ("group remove sales@firm.example", "group.removed", "sales@firm.example", ""),
    "never-log add": ("never-log add @bank.example --user anna", "never_log.added", "@bank.example", "--user anna"),
    "never-log remove": ("never-log remove @old.example", "never_log.removed", "@old.example", ""),
    "domain add": ("domain add client.example", "dkim.added", "client.example", ""),
    "domain rotate": ("domain rotate firm.example --selector b", "dkim.next", "firm.example", "--selector b"),
    "domain remove-key": ("domain remove-key else.example y", "dkim.removed", "else.example", "y"),
    "domain remove": ("domain remove else.example", "domain.removed", "else.example", ""),
    "relay connect": ("relay connect anna", "relay.connected", "anna", ""),
    "relay rotate": ("relay rotate richard", "relay.rotated", "richard", ""),
    "relay disconnect": ("relay disconnect richard", "relay.disconnected", "richard", ""),
    "gmail disconnect": ("gmail disconnect richard", "gmail.disconnected", "richard", ""),
    "gmail forget-consent": (
        "gmail forget-consent anna@firm.example",
        "gmail.consent_forgotten",
        "anna@firm.example",
        "",
    ),
    "activity set": (
        "activity set 1 --visibility participants",
        "activity.visibility",
        "1",
        "--visibility participants",
    ),
    "web link": ("web link anna --admin", "account.linked", "anna", "--admin"),
    "web account add": ("web account add boss --admin", "account.added", "boss", "--admin"),
    "web account password": ("web account password richard --off", "account.password_set", "richard", "--off"),
    "web account remove": ("web account remove richard", "account.removed", "richard", ""),
}
PLACES = {"deployment add": "two"}  # the others in demo
# these need more preparation, and have tests of their own below or elsewhere
ELSEWHERE = {"gmail connect", "gmail retry"}
BEFORE = (
    "deployment add demo --domain demo.example.net",
    "user add richard --email richard@firm.example",
    "user add anna --email anna@firm.example",
    "company add Client",
    f"contact add Jane {JANE} --company Client",
    "group add sales@firm.example",
    "never-log add @old.example",
    "domain add firm.example --selector a",
    "domain add else.example --selector x",
    "domain rotate else.example --selector y",
    "relay connect richard",
    "web link richard",
)


def _leaves(command: Any, names: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    found = [command.get_command(None, name) for name in getattr(command, "commands", ())]
    for one in found:
        yield from _leaves(one, (*names, str(one.name)))
    yield from [(" ".join(names), command)] * (not found)


COMMANDS = dict(_leaves(typer.main.get_command(main.build())))


@pytest.fixture
def stage(mailweir: Mailweir, database: Database, record: Record, now: datetime, tmp_path: Path) -> Mailweir:
    """A command line with something of each kind, and an empty log."""
    (tmp_path / "secrets").mkdir()
    secrets_file.make(tmp_path / "secrets" / "token.key")
    for line in BEFORE:
        ran = mailweir(*line.split())
        assert ran.code == 0, (line, ran.err)
    record("demo", "richard", JANE)
    demo = deployments.find(database, "demo")
    options: dict[str, Any] = {"inbound": True, "outbound": True, "token_sealed": None, "now": now, "first_days": 7}
    gmail_connections.connect(database, demo, "richard", "richard@firm.example", **options)
    anna = users.find(database, demo, "anna")
    gmail_revocations.ask(database, anna.id, anna.mailbox, None, b"sealed", now)
    (tmp_path / "new.csv").write_text("name,address,company\nNew,new@client.example,\n")
    _forget(database)
    return mailweir


def _forget(database: Database) -> None:
    with database.transaction():
        database.execute("DELETE FROM change_log")


def _noted(database: Database, deployment: str | None = "demo") -> list[Change]:
    place = None if deployment is None else deployments.find(database, deployment).id
    return change_log.select(database, place, None, 50)


def test_each_command_says_whether_it_changes_something() -> None:
    assert [name for name, one in COMMANDS.items() if not hasattr(one.callback, change_notes.MARK)] == []
    assert len(COMMANDS) > 50


def test_each_that_changes_something_is_run_here() -> None:
    unnoted = (change_notes.READS, change_notes.UNNOTED)
    changing = {name for name, one in COMMANDS.items() if getattr(one.callback, change_notes.MARK) not in unnoted}
    assert changing == set(LINES) | ELSEWHERE


@pytest.mark.parametrize("name", LINES)
def test_what_a_command_changes_is_noted(stage: Mailweir, database: Database, tmp_path: Path, name: str) -> None:
    line, what, subject, detail = (part.replace("FOLDER", str(tmp_path)) for part in LINES[name])
    ran = stage(*line.split())
    assert ran.code == 0, ran.err
    (noted,) = _noted(database, PLACES.get(name, "demo"))
    assert (noted.what, noted.subject, noted.detail) == (what, subject, detail)
    assert noted.changed_by == COMMAND_LINE + change_notes.who()


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("user alias richard richard@firm.example --remove", None),
        ("user add richard --email r@firm.example", None),
        ("contact import FOLDER/same.csv", None),
        ("contact import FOLDER/bad.csv", None),
        ("never-log add no-pattern", None),
        ("domain rotate firm.example --activate --force", None),
        ("user list", None),
        ("todo list", None),
        ("activity list", None),
        ("web account list", None),
        ("doctor", None),
        ("why jane@client.example", None),
        ("user alias anna x@firm.example --remove", "user.address_removed"),
        ("domain rotate else.example --activate --force", "dkim.activated"),
    ],
)
def test_what_changed_nothing_isnt_noted(
    stage: Mailweir, database: Database, tmp_path: Path, line: str, what: str | None
) -> None:
    (tmp_path / "same.csv").write_text(f"name,address,company\nJane,{JANE},Client\n")
    (tmp_path / "bad.csv").write_text("name,address,company\nGood,good@client.example,\nBad,no address,\n")
    stage("user", "alias", "anna", "x@firm.example")
    _forget(database)
    stage(*line.replace("FOLDER", str(tmp_path)).split())
    assert [one.what for one in _noted(database)] == [what] * (what is not None)
    assert _noted(database, None) == []


@pytest.mark.parametrize(
    "line",
    [
        *[LINES[name][0] for name in ("deployment set", "user set", "company set", "contact set", "activity set")],
        LINES["never-log add"][0],
        LINES["web account password"][0],
        "deployment set demo --private-words secret --automatic-todos on --held-forwards off --known-threads on",
        "user set anna --email a@firm.example --visibility metadata",
        "company set Client --visibility participants --auto-contacts off",
        "gmail retry richard",
    ],
)
def test_the_same_again_changes_nothing_and_isnt_noted(stage: Mailweir, database: Database, line: str) -> None:
    assert stage(*line.split()).code == 0
    _forget(database)
    assert stage(*line.split()).code == 0
    assert _noted(database) == []


def test_operators_are_noted_with_what_belongs_to_no_deployment(stage: Mailweir, database: Database) -> None:
    for line in ("web link --operator", "web account add root --operator", "web account remove root"):
        assert stage(*line.split()).code == 0
    assert [one.what for one in _noted(database, None)] == ["account.removed", "account.added", "account.linked"]
    assert _noted(database) == []


def test_no_secret_is_noted(stage: Mailweir, database: Database) -> None:
    secrets = [stage("relay", "connect", "anna", "--json").json["password"]]
    secrets.append(stage("relay", "rotate", "richard", "--json").json["password"])
    secrets.append(stage("web", "link", "anna", "--json").json["url"].rpartition("/")[2])
    kept = repr(_noted(database))
    assert (len(_noted(database)), [one in kept for one in secrets]) == (3, [False] * 3)


def test_a_change_that_isnt_committed_leaves_no_note(
    stage: Mailweir, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The note is in the transaction that makes the change, so neither exists without the other."""

    def fails(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(change_log, "note", fails)
    assert stage("group", "add", "new@firm.example").code == main.INTERRUPTED
    assert [one["address"] for one in stage("group", "list", "--json").json] == ["sales@firm.example"]


@pytest.mark.parametrize(
    ("sudo_user", "shown"),
    [
        ("", "{own}"),
        ("richard", "richard as {own}"),
        ("ri\x1b[2Jch\nard", "ri\\x1b[2Jch ard as {own}"),
        ("r" * 500, "r" * 64 + " as {own}"),
        ("\u202eeve", "\\u202eeve as {own}"),
    ],
)
def test_who_ran_it_is_the_systems_login(monkeypatch: pytest.MonkeyPatch, sudo_user: str, shown: str) -> None:
    monkeypatch.setenv("SUDO_USER", sudo_user)
    assert change_notes.who() == shown.replace("{own}", pwd.getpwuid(os.getuid()).pw_name)


def test_a_user_without_a_name_has_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_000)
    assert change_notes.who() == "uid 4000000000"
