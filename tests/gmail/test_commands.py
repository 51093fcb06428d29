"""`mailweir gmail status|sync|audit|retry` and `doctor`, on a mailbox of the test's Gmail."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mailweir import settings
from tests.gmail import faults
from tests.gmail.calls import Kind
from tests.gmail.faults import Fault
from tests.gmail.google_errors import token_error
from tests.gmail.server import GmailServer
from tests.gmail.world import JANE, STRANGER, World, mail

SCRIPT = Path(sys.executable).with_name("mailweir")


def run(world: World, *arguments: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
    """Runs the command line, without a terminal."""
    done = subprocess.run(
        [SCRIPT, *arguments],
        env=os.environ | {settings.PATH_VARIABLE: str(world.settings_file)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def shown(world: World, *arguments: str) -> Any:
    """Its --json output."""
    return json.loads(run(world, *arguments, "--json").stdout)


@pytest.fixture(params=["sqlite"])
def database_url(tmp_path: Path) -> Path:
    """The commands are the same on both databases."""
    return tmp_path / "db" / "mailweir.db"


def test_sync_sweeps_now_until_nothing_is_left(world: World) -> None:
    box = world.connect()
    for number, author in enumerate([JANE, *[STRANGER] * 5] * 10):  # more than a sweep handles in one turn
        box.insert(mail(f"m{number}", author), at=world.at)
    assert "60 messages looked at, 10 on the record." in run(world, "gmail", "sync", "richard").stdout
    assert len(world.record()) == 10
    assert shown(world, "gmail", "sync", "richard") == {"looked": 0, "recorded": 0, "failed": 0}
    (state,) = shown(world, "gmail", "status")
    assert (state["username"], state["address"], state["state"]) == ("richard", "richard@firm.example", "connected")
    assert (state["waiting"], state["dead"], state["error"]) == (0, 0, None)
    assert state["swept_at"]
    assert state["last_message_at"]
    listed = run(world, "gmail", "status").stdout.splitlines()
    assert listed[0].split()[:3] == ["username", "mailbox", "syncs"]
    assert "inbound, outbound" in listed[1]


def test_audit_says_what_was_missing_and_fetches_it(world: World) -> None:
    box = world.connect()
    run(world, "gmail", "sync", "richard")
    box.insert(mail("lost"))
    with world.database.transaction():
        world.database.execute("UPDATE gmail_mailboxes SET cursor = ?", (box.history_id,))
    said = run(world, "gmail", "audit", "richard").stdout
    assert "1 message within the last 48 hours, 1 of them never seen" in said
    assert world.subjects() == ["lost"]
    again = shown(world, "gmail", "audit", "richard")
    assert (again["listed"], again["missing"]) == (1, 0)


def test_what_needs_somebody_is_told_in_status_and_doctor(world: World, gmail: GmailServer) -> None:
    box = world.connect()
    world.settle()
    bad = box.insert(mail("bad"))
    gmail.faults.add(faults.server_error(), user=box.address, message_id=bad)
    for _ in range(world.settings.gmail.max_attempts):
        world.later(hours=1, minutes=1)
        world.settle()
    assert bad in run(world, "gmail", "status", "richard").stdout
    gmail.faults.lift_all()
    assert "1 dead letter of" in run(world, "gmail", "retry", "richard").stdout
    assert "no dead letters" in run(world, "gmail", "retry", "richard").stdout
    run(world, "gmail", "sync", "richard")
    assert world.subjects() == ["bad"]
    gmail.revoke_access(box)
    said = run(world, "gmail", "sync", "richard", code=1).stderr
    assert len(said.splitlines()) == 1
    assert "connect" in said
    (state,) = shown(world, "gmail", "status")
    assert state["state"] == "reconnect"
    found = [one for one in json.loads(run(world, "doctor", "--json", code=1).stdout) if one["area"] == "gmail demo"]
    assert [one["level"] for one in found] == ["wrong"]
    assert found[0]["to_do"] == "mailweir gmail connect richard"


def test_what_cannot_be_read_now_is_shown_with_its_reason(world: World, gmail: GmailServer) -> None:
    box = world.connect()
    bad = box.insert(mail("bad"), at=world.at)
    gmail.faults.add(faults.server_error(), user=box.address, message_id=bad)
    assert "Waiting for another try: 1;" in run(world, "gmail", "sync", "richard").stdout
    said = run(world, "gmail", "status", "richard").stdout
    assert bad in said
    assert "Backend Error" in said
    (state,) = shown(world, "gmail", "status", "richard")
    assert [(one["message_id"], one["attempts"]) for one in state["failing"]] == [(bad, 1)]
    assert state["dead_letters"] == []


def test_a_long_wait_is_told(world: World, gmail: GmailServer) -> None:
    box = world.connect()
    for number in range(120):  # more than the bucket holds
        box.insert(mail(f"m{number}", STRANGER), at=world.at)
    told: list[str] = []
    assert world.sync_now(notice=told.append).sweep().looked == 120
    assert told
    assert "quota" in told[0]


@pytest.mark.parametrize("command", ["sync", "audit", "retry", "status"])
def test_nobody_by_that_name(world: World, command: str) -> None:
    said = run(world, "gmail", command, "nobody", code=1).stderr
    assert said.splitlines() == ["mailweir: unknown user 'nobody' in demo; 'mailweir user list' shows them"]
    assert "gmail connect richard" in run(world, "gmail", command, "richard", code=1).stderr


def test_what_concerns_the_app_is_told_once(world: World, gmail: GmailServer) -> None:
    for name in ("richard", "mary"):
        box = world.connect(name)
        world.settle(name)
        gmail.tokens.expire_access(box.address)
    world.later(hours=3)
    gmail.faults.add(Fault("app", token_error("invalid_client", "Unauthorized", 401)), kind=Kind.TOKEN)
    for name in ("richard", "mary"):
        world.sweep(name)
    ran = run(world, "gmail", "status")
    assert (ran.stdout + ran.stderr).count("put its right file") == 1
    assert "Google has refused the app since" in ran.stderr
    assert [(one["state"], "OAuth client" in one["error"]) for one in shown(world, "gmail", "status")] == [
        ("connected", True)
    ] * 2
    found = json.loads(run(world, "doctor", "--json", code=1).stdout)
    told = [one for one in found if "put its right file" in one["finding"]]
    assert [(one["area"], one["level"]) for one in told] == [("gmail", "wrong")]
