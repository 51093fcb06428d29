"""`mailweir gmail connect` and `disconnect` as processes, with a browser, against the Gmail server by another author."""

import json
import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Sequence
from datetime import timedelta

import pytest

from mailweir import secrets_file
from mailweir.database_url import DatabaseUrl
from mailweir.gmail.errors import NeedsReconnect
from mailweir.store.gmail import gmail_connections, gmail_leases, gmail_mailboxes
from mailweir.store.gmail.gmail_mailboxes import State, token_purpose
from mailweir.store.people import users
from tests.gmail import faults
from tests.gmail.calls import Kind
from tests.gmail.google_errors import api_error
from tests.gmail.server import GmailServer
from tests.gmail.world import World, cursor, mail

RUN = "import sys; from admin_cli.main import run; sys.exit(run())"


@pytest.fixture
def database_url(sqlite_url: DatabaseUrl) -> DatabaseUrl:
    """Other tests cover the differences between the databases."""
    return sqlite_url


class Process:
    """A command that waits for a consent. It has no display, so that it opens no browser."""

    def __init__(self, world: World, arguments: Sequence[str]) -> None:
        environment = {name: value for name, value in os.environ.items() if "DISPLAY" not in name and name != "BROWSER"}
        self._process = subprocess.Popen(
            [sys.executable, "-c", RUN, "gmail", *arguments],
            env={**environment, "MAILWEIR_CONFIG": str(world.settings_file)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._killer = threading.Timer(60, self._process.kill)
        self._killer.start()
        self.said: list[str] = []

    def page(self) -> str:
        """The address that it prints."""
        assert self._process.stderr
        for line in self._process.stderr:
            self.said.append(line)
            if "response_type=code" in line:
                return line.strip()
        raise AssertionError(f"no address: {self.said}")

    def end(self, typed: str = "") -> tuple[int, str, str]:
        """Exit code, output, and the last line of the rest."""
        out, err = self._process.communicate(typed)
        self._killer.cancel()
        return self._process.returncode, out, (err.splitlines() or [""])[-1]


def test_from_consent_to_revoke(world: World, gmail: GmailServer) -> None:
    box = gmail.mailbox("richard")
    process = Process(world, ("connect", "richard", "--inbound", "--outbound"))
    urllib.request.urlopen(gmail.approve(process.page(), box.address), timeout=10).read()
    code, out, err = process.end()
    assert (code, out.splitlines()[0]) == (0, "The Gmail of richard@firm.example is connected for richard of demo."), (
        err
    )
    box.insert(mail("an offer"), at=world.at)
    world.settle()
    assert world.subjects() == ["an offer"]

    leased = gmail_leases.lease_one(world.database, "test", world.at, world.state().id)
    assert leased
    reader = world.job_factory.job(leased, world.project).mailbox
    code, _, err = Process(world, ("disconnect", "richard")).end()
    assert (code, err) == (0, "")
    with pytest.raises(NeedsReconnect, match="no longer valid"):
        reader.profile()


def test_by_hand_on_another_machine(world: World, gmail: GmailServer) -> None:
    process = Process(world, ("connect", "mary", "--inbound", "--no-browser", "--json"))
    end = gmail.approve(process.page(), "mary@firm.example")
    code, out, err = process.end(end + "\n")
    assert (code, json.loads(out or "{}").get("address")) == (0, "mary@firm.example"), err


def test_declined(world: World, gmail: GmailServer) -> None:
    process = Process(world, ("connect", "mary", "--inbound"))
    urllib.request.urlopen(gmail.decline(process.page()), timeout=10).read()
    assert process.end() == (1, "", "mailweir: the consent was declined at Google")


def test_the_wrong_account(world: World, gmail: GmailServer) -> None:
    process = Process(world, ("connect", "richard", "--inbound", "--no-browser"))
    code, _, err = process.end(gmail.approve(process.page(), "mary@firm.example") + "\n")
    assert (code, "mailweir user alias richard mary@firm.example" in err) == (1, True)


def test_reconnect_goes_on_at_the_same_cursor(world: World, gmail: GmailServer) -> None:
    box = world.connect()
    world.settle()
    gmail.revoke_access(box)
    world.later(minutes=2)
    world.settle()
    assert world.state().state is State.RECONNECT
    box.insert(mail("meanwhile"), at=world.at)
    process = Process(world, ("connect", "richard", "--inbound", "--no-browser"))
    code, _, err = process.end(gmail.approve(process.page(), box.address) + "\n")
    assert code == 0, err
    assert world.state().state is State.CONNECTED
    world.settle()
    assert world.subjects() == ["meanwhile"]


def test_what_the_admin_mends_for_all_needs_no_new_consent(world: World, gmail: GmailServer) -> None:
    box = world.connect()
    text = "Gmail API has not been used in project 1 before or it is disabled."
    off = faults.Fault("API off", api_error(403, text, "accessNotConfigured", domain="usageLimits"))
    gmail.faults.add(off, user=box.address)
    world.settle()
    state = world.state()
    assert (state.state, state.failures) == (State.CONNECTED, 1)
    assert "enable" in (state.error or "")
    gmail.faults.lift_all()
    box.insert(mail("meanwhile"), at=world.at)
    world.later(hours=1)
    world.settle()
    assert (world.state().error, world.subjects()) == (None, ["meanwhile"])


def test_a_service_account(world: World, gmail: GmailServer) -> None:
    plain = world.settings_file.read_text()
    key = gmail.service_account_file(world.settings_file.with_name("robot.json"))
    lines = [line for line in plain.splitlines() if not line.startswith("oauth_client_file")]
    world.settings_file.write_text("\n".join([*lines, f'service_account_file = "{key}"']) + "\n")
    code, _, err = Process(world, ("connect", "richard", "--outbound")).end()
    assert code == 0, err
    assert gmail_mailboxes.token_sealed(world.database, world.state().id) is None
    users.add(world.database, world.demo, "nobody", "nobody@firm.example", "", world.at)
    code, _, err = Process(world, ("connect", "nobody", "--outbound")).end()
    assert (code, "no such mailbox" in err) == (1, True), err


def test_without_first_days_what_comes_before_the_first_sweep_is_on_the_record(
    world: World, gmail: GmailServer
) -> None:
    """The sync may not be running yet. Recording starts with the connection, not with the first sweep."""
    world.settings_file.write_text(world.settings_file.read_text() + "first_days = 0\n")
    box = gmail.mailbox("richard")
    box.insert(mail("before"), at=world.at)
    process = Process(world, ("connect", "richard", "--inbound", "--no-browser"))
    code, _, err = process.end(gmail.approve(process.page(), box.address) + "\n")
    assert code == 0, err
    box.insert(mail("meanwhile"), at=world.at)
    world.later(minutes=30)  # before the first audit, which would find it
    world.settle()
    assert world.subjects() == ["meanwhile"]


def test_connected_without_knowing_where_history_stands(world: World, gmail: GmailServer) -> None:
    box = gmail.mailbox("richard")
    sealed = secrets_file.load(world.settings.token_key_path).seal(box.consent().encode(), token_purpose(box.address))
    gmail_connections.connect(
        world.database,
        world.demo,
        "richard",
        box.address,
        inbound=True,
        outbound=True,
        token_sealed=sealed,
        now=world.at,
        first_days=0,
    )
    world.later(minutes=5)
    box.insert(mail("meanwhile"), at=world.at)
    world.settle()
    assert world.subjects() == ["meanwhile"]


# --- under another name ----------------------------------------------------------------------------------------------


def connected_again(world: World, gmail: GmailServer, name: str, *more: str) -> tuple[int, str]:
    """richard consents with the account of this name."""
    process = Process(world, ("connect", "richard", "--inbound", "--no-browser", *more))
    code, _, err = process.end(gmail.approve(process.page(), f"{name}@firm.example") + "\n")
    return code, err


def rename(world: World, name: str, wanted: int = 3) -> None:
    """As if richard's mailbox had had another name when so much of it was recorded; and the address is known."""
    box = world.connect()
    for number in range(wanted):
        box.insert(mail(f"before {number}"), at=world.at)
    world.settle()
    users.add_address(world.database, world.demo, "richard", f"{name}@firm.example")
    with world.database.transaction():
        world.database.execute("UPDATE gmail_mailboxes SET address = ?", (f"{name}@firm.example",))
    world.later(minutes=5)
    box.insert(mail("meanwhile"), at=world.at)


def test_an_account_that_was_renamed_goes_on_at_its_cursor(world: World, gmail: GmailServer) -> None:
    rename(world, "r.smith")
    kept = cursor(world)
    code, err = connected_again(world, gmail, "richard")
    assert code == 0, err
    state = world.state()
    assert (state.address, cursor(world)) == ("richard@firm.example", kept)
    world.settle()
    assert sorted(world.subjects()) == ["before 0", "before 1", "before 2", "meanwhile"]
    (count,) = world.database.execute("SELECT COUNT(*) FROM gmail_mailboxes").fetchone()
    assert count == 1


def test_another_persons_mailbox_is_refused_whoever_vouches(world: World, gmail: GmailServer) -> None:
    rename(world, "r.smith")
    users.remove(world.database, world.demo, "mary", world.at)
    users.add_address(world.database, world.demo, "richard", "mary@firm.example")
    gmail.mailbox("mary").insert(mail("mary's own"), at=world.at)
    for more in ((), ("--address", "mary@firm.example")):
        code, err = connected_again(world, gmail, "mary", *more)
        assert (code, "another mailbox: 'mailweir gmail disconnect richard' first" in err) == (1, True), err
    assert world.state().address == "r.smith@firm.example"


def test_where_too_little_is_on_the_record_the_address_has_to_be_named(world: World, gmail: GmailServer) -> None:
    rename(world, "r.smith", wanted=2)
    code, err = connected_again(world, gmail, "richard")
    assert (code, "--address richard@firm.example" in err) == (1, True), err
    code, err = connected_again(world, gmail, "richard", "--address", "richard@firm.example")
    assert code == 0, err
    world.settle()
    assert sorted(world.subjects()) == ["before 0", "before 1", "meanwhile"]


def test_what_came_while_it_was_disconnected_is_listed(world: World, gmail: GmailServer) -> None:
    box = world.connect()
    box.insert(mail("before"), at=world.at)
    world.settle()
    box.insert(mail("never swept"), at=world.at)
    gmail_connections.disconnect(world.database, world.demo, "richard", world.at)
    world.later(days=20)
    box.insert(mail("meanwhile"), at=world.at - timedelta(days=10))
    gmail.expire_history(box)
    code, err = connected_again(world, gmail, "richard")
    assert code == 0, err
    world.settle()
    assert sorted(world.subjects()) == ["before", "meanwhile", "never swept"]
    assert all(len(one.routes) == 1 for one in world.record())
    (count,) = world.database.execute("SELECT COUNT(*) FROM sightings").fetchone()
    assert count == 3, "mail that was recorded before isn't read again"


# --- right after the consent -----------------------------------------------------------------------------------------


def test_a_bad_moment_right_after_the_consent_costs_no_second_one(world: World, gmail: GmailServer) -> None:
    gmail.faults.add(faults.server_error(503), kind=Kind.PROFILE, times=1)
    gmail.faults.add(faults.token_endpoint_down(), kind=Kind.TOKEN, times=1)
    code, err = connected_again(world, gmail, "richard")
    assert code == 0, err


def test_what_comes_to_nothing_leaves_no_grant_at_google(world: World, gmail: GmailServer) -> None:
    code, err = connected_again(world, gmail, "mary")
    assert (code, "isn't an address of richard" in err or "another" in err) == (1, True), err
    assert gmail.tokens.grants_of("mary@firm.example") == []
    # unless that address reads the mailbox already
    world.connect("mary")
    code, err = connected_again(world, gmail, "mary")
    assert code == 1
    assert gmail.tokens.grants_of("mary@firm.example") != []
