"""Law 11: a single refusal by Google may be temporary. A lasting refusal is reported, asks no person without need, and ends by
itself."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gmail_sync.ending import MIN_REFUSALS
from mailweir.gmail.errors import GmailError, NeedsReconnect
from mailweir.store.gmail import gmail_app, gmail_leases
from mailweir.store.gmail.gmail_mailboxes import State
from mailweir.store.people import users
from tests.gmail import faults
from tests.gmail.calls import API, Kind
from tests.gmail.faults import Fault
from tests.gmail.google_errors import api_error, token_error
from tests.gmail.server import GmailServer
from tests.gmail.world import World, cursor, mail, seconds_until

PASSING: dict[str, tuple[Callable[[], Fault], str]] = {
    "precondition": (
        lambda: Fault("400", api_error(400, "Precondition check failed.", "failedPrecondition")),
        "isn't on for this account",
    ),
    "mail not enabled": (faults.mail_not_enabled, "isn't on for this account"),
    "domain policy": (faults.domain_policy, "trust the app"),
    "scope": (faults.insufficient_scope, "doesn't cover reading mail"),
    "delegation": (
        lambda: Fault("403", api_error(403, "Delegation denied for x@firm.example", "forbidden")),
        "may not read that mailbox",
    ),
}


@pytest.fixture
def small(gmail: GmailServer, tmp_path: Path) -> Iterator[World]:
    """A world on SQLite alone: the database makes no difference."""
    made = World(gmail, tmp_path)
    yield made
    made.close()


def run_for(world: World, hours: float, name: str = "richard") -> None:
    """Sweeps a mailbox whenever it is due, for this long."""
    end = world.at + timedelta(hours=hours)
    while True:
        due = world.state(name).next_sweep_at
        if due > end:
            world.at = end
            return
        world.at = max(world.at, due)
        world.sweep(name)


# --- one mailbox ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PASSING)
@pytest.mark.parametrize("kind", [Kind.HISTORY, Kind.GET_METADATA, Kind.GET_RAW])
def test_one_bad_answer_ends_no_mailbox(small: World, gmail: GmailServer, name: str, kind: Kind) -> None:
    make, _ = PASSING[name]
    box = small.connect()
    small.settle()
    box.insert(mail("one"), at=small.at)
    armed = gmail.faults.add(make(), user=box.address, kind=kind, times=1)
    small.sweep()
    assert armed.hits == 1
    assert small.state().state is State.CONNECTED
    small.later(minutes=1)
    small.settle()
    assert (small.subjects(), small.state().error) == (["one"], None)
    assert small.database.execute("SELECT refused_since, refusals FROM gmail_mailboxes").fetchone() == (None, 0)


@pytest.mark.parametrize("name", PASSING)
def test_what_lasts_is_said_and_ends_by_itself(small: World, gmail: GmailServer, name: str) -> None:
    make, words = PASSING[name]
    box = small.connect()
    small.settle()
    kept = cursor(small)
    box.insert(mail("one"), at=small.at)
    gmail.faults.add(make(), user=box.address)
    run_for(small, small.settings.gmail.refused_hours - 1)
    assert small.state().state is State.CONNECTED
    assert words in (small.state().error or "")
    run_for(small, 3)
    state = small.state()
    assert (state.state, state.dead, cursor(small)) == (State.RECONNECT, 0, kept)
    assert words in (state.error or "")

    # it is probed about once an hour, with one call
    asked = sum(gmail.calls.counts(box.address).values())
    run_for(small, 24)
    probes = sum(gmail.calls.counts(box.address).values()) - asked
    assert 24 / 1.25 - 1 <= probes <= 24 / 0.75
    assert small.state().state is State.RECONNECT
    # and it continues from its position, by itself
    box.insert(mail("two"), at=small.at)
    gmail.faults.lift_all()
    run_for(small, 2)
    assert (small.state().state, small.state().error) == (State.CONNECTED, None)
    assert sorted(small.subjects()) == ["one", "two"]


def test_a_host_that_was_off_has_seen_too_few(small: World, gmail: GmailServer) -> None:
    box = small.connect()
    small.settle()
    gmail.faults.add(faults.domain_policy(), user=box.address)
    for _ in range(MIN_REFUSALS - 1):
        small.later(hours=8)
        small.sweep()
        assert small.state().state is State.CONNECTED
    small.later(hours=8)
    small.sweep()
    assert small.state().state is State.RECONNECT


def test_an_outage_in_between_changes_nothing(small: World, gmail: GmailServer) -> None:
    """An outage says neither that the refusal is over nor that it lasts."""
    box = small.connect()
    small.settle()
    refusal = gmail.faults.add(faults.domain_policy(), user=box.address)
    small.sweep()
    refusal.lift()
    gmail.faults.add(faults.server_error(), user=box.address)
    small.later(minutes=5)
    small.sweep()
    since, refusals = small.database.execute("SELECT refused_since, refusals FROM gmail_mailboxes").fetchone()
    assert (datetime.fromisoformat(since) < small.at, refusals) == (True, 1)


def test_a_withdrawn_consent_counts_at_once_and_is_probed_daily(small: World, gmail: GmailServer) -> None:
    box = small.connect()
    small.settle()
    kept = cursor(small)
    dead = gmail.faults.add(faults.invalid_grant(), user=box.address, kind=Kind.TOKEN)
    gmail.tokens.expire_access(box.address)
    box.insert(mail("one"), at=small.at)
    small.later(minutes=1)
    assert small.sweep() is None
    assert (small.state().state, cursor(small)) == (State.RECONNECT, kept)
    assert "no longer valid" in (small.state().error or "")
    assert gmail_leases.lease(small.database, "test", small.at + timedelta(hours=17), 9) == []
    asked = dead.hits
    run_for(small, 24 * 7)
    assert 7 / 1.25 - 1 <= dead.hits - asked <= 7 / 0.75
    # a request by hand gets an answer at once
    with pytest.raises(NeedsReconnect, match="no longer valid"):
        small.sync_now().sweep()
    # after a new connection, the sync continues at once
    box.insert(mail("two"), at=small.at)
    gmail.faults.lift_all()
    small.connect()
    small.settle()
    assert sorted(small.subjects()) == ["one", "two"]


def test_a_probe_in_an_outage_leaves_what_is_wrong(small: World, gmail: GmailServer) -> None:
    box = small.connect()
    small.settle()
    gmail.faults.add(faults.invalid_grant(), user=box.address, kind=Kind.TOKEN)
    gmail.tokens.expire_access(box.address)
    small.sweep()
    gmail.faults.lift_all()
    gmail.faults.add(faults.server_error(), user=box.address, kind=API)
    small.later(hours=31)
    rest = small.sweep()
    assert (small.state().state, seconds_until(rest, small)) == (State.RECONNECT, 3600)
    assert "no longer valid" in (small.state().error or "")
    with pytest.raises(GmailError, match="no longer valid"):
        small.sync_now().sweep()


def test_a_mailbox_that_a_user_disconnected_is_never_probed(small: World, gmail: GmailServer) -> None:
    from mailweir.store.gmail import gmail_connections

    box = small.connect()
    small.settle()
    gmail.revoke_access(box)
    small.sweep()
    gmail_connections.disconnect(small.database, small.demo, "richard", small.at)
    small.later(days=9)
    assert gmail_leases.lease(small.database, "test", small.at, 9) == []
    assert gmail_leases.seconds_to_next(small.database, small.at) is None


@pytest.mark.parametrize("kind", [Kind.GET_METADATA, Kind.GET_RAW])
def test_mail_that_is_not_on_for_one_message_is_that_messages(small: World, gmail: GmailServer, kind: Kind) -> None:
    box = small.connect()
    small.settle()
    bad = box.insert(mail("bad"), at=small.at)
    box.insert(mail("good"), at=small.at)
    gmail.faults.add(faults.mail_not_enabled(), user=box.address, kind=kind, message_id=bad)
    for _ in range(small.settings.gmail.max_attempts + 1):
        small.settle()
        assert small.state().state is State.CONNECTED
        small.later(hours=1, minutes=1)
    assert (small.subjects(), small.state().dead) == (["good"], 1)


def test_two_of_a_hundred_calls_fail_for_an_hour(small: World, gmail: GmailServer) -> None:
    """As operators have seen for years. All mailboxes stay connected, and nothing is missing."""
    names = [f"box{number:02}" for number in range(20)]
    boxes = {}
    for name in names:
        users.add(small.database, small.demo, name, f"{name}@firm.example", "", small.at)
        boxes[name] = small.connect(name)
        small.settle(name)
    for number, (make, _) in enumerate(PASSING.values()):
        gmail.faults.add(make(), kind=API, probability=0.02 / len(PASSING), seed=number)
    end, sent = small.at + timedelta(hours=1), 0
    while small.at < end:
        small.later(seconds=90)
        for name in names[-sent % 7 :: 7]:
            boxes[name].insert(mail(f"{name} {sent}", to=boxes[name].address), at=small.at)
        for name in [name for name in names if small.state(name).next_sweep_at <= small.at]:
            small.sweep(name)
        sent += 1
    assert {small.state(name).state for name in names} == {State.CONNECTED}
    wanted = sum((at + number) % 7 == 0 for at in range(sent) for number in range(len(names)))
    gmail.faults.lift_all()
    small.later(hours=2)
    for name in names:
        small.settle(name)
    assert len(small.record()) == wanted
    assert {(small.state(name).dead, small.state(name).waiting) for name in names} == {(0, 0)}


# --- the app ----------------------------------------------------------------------------------------------------------

APP: dict[str, tuple[Fault, Kind | frozenset[Kind], str]] = {
    "invalid_client": (Fault("app", token_error("invalid_client", "Unauthorized", 401)), Kind.TOKEN, "OAuth client"),
    "disabled_client": (Fault("app", token_error("disabled_client", "Disabled.", 401)), Kind.TOKEN, "OAuth client"),
    "deleted_client": (Fault("app", token_error("deleted_client", "Deleted.", 401)), Kind.TOKEN, "OAuth client"),
    "unauthorized_client": (
        Fault("app", token_error("unauthorized_client", "Unauthorized", 401)),
        Kind.TOKEN,
        "another OAuth client",
    ),
    "accessNotConfigured": (Fault("app", api_error(403, "Off.", "accessNotConfigured")), API, "Gmail API is off"),
    "SERVICE_DISABLED": (Fault("app", api_error(403, "Off.", "SERVICE_DISABLED")), API, "Gmail API is off"),
}


@pytest.mark.parametrize("name", APP)
def test_what_concerns_the_app_asks_nobody_for_a_consent(small: World, gmail: GmailServer, name: str) -> None:
    fault, kind, words = APP[name]
    boxes = {one: small.connect(one) for one in ("richard", "mary", "olga")}
    for one, box in boxes.items():
        small.settle(one)
        gmail.tokens.expire_access(box.address)
        box.insert(mail(f"to {one}", to=box.address), at=small.at)
    small.later(hours=3)  # an old success proves nothing
    gmail.faults.add(fault, kind=kind)
    for _ in range(12):
        for one in boxes:
            small.sweep(one)
        small.later(hours=2)
    assert {small.state(one).state for one in boxes} == {State.CONNECTED}
    found = gmail_app.find(small.database)
    assert found is not None
    assert words in found.error

    gmail.faults.lift_all()
    small.later(hours=2)
    for one in boxes:
        small.settle(one)
    assert sorted(small.subjects()) == ["to mary", "to olga", "to richard"]
    assert gmail_app.find(small.database) is None
    assert {small.state(one).error for one in boxes} == {None}


def test_while_the_app_is_refused_one_mailbox_asks_for_all(small: World, gmail: GmailServer) -> None:
    fault, kind, _ = APP["invalid_client"]
    boxes = {one: small.connect(one) for one in ("richard", "mary", "olga")}
    for one, box in boxes.items():
        small.settle(one)
        gmail.tokens.expire_access(box.address)
    armed = gmail.faults.add(fault, kind=kind)
    for one in boxes:
        small.sweep(one)
    assert armed.hits == 1
    small.later(seconds=31)
    for one in boxes:
        small.sweep(one)
    assert armed.hits == 2


def test_a_client_file_that_is_put_right_counts_without_a_restart(small: World, gmail: GmailServer) -> None:
    """This holds even if the file was unreadable in between. No mailbox uses the wrong file for longer than until the next
    sweep."""
    box = small.connect()
    small.settle()
    gmail.tokens.expire_access(box.address)
    file = small.settings.gmail.identity_file
    assert file is not None
    right = file.read_text()
    wrong = json.loads(right)
    wrong["installed"]["client_secret"] = "another"
    fault, kind, _ = APP["invalid_client"]
    small.later(hours=3)
    gmail.faults.add(fault, kind=kind)
    file.write_text(json.dumps(wrong))
    small.sweep()
    assert gmail_app.find(small.database) is not None
    file.write_text("half a fi")
    small.later(minutes=1)
    small.sweep()
    gmail.faults.lift_all()
    file.write_text(right)
    box.insert(mail("one"), at=small.at)
    # at once, although the app would be held for longer
    small.settle()
    assert (small.subjects(), gmail_app.find(small.database)) == (["one"], None)


def test_where_others_are_read_it_is_not_the_app(small: World, gmail: GmailServer) -> None:
    """A new client, to which some users have consented. The others have to consent, too."""
    mary = small.connect("mary")
    small.connect("richard")
    small.settle("mary")
    small.settle("richard")
    gmail.tokens.expire_access(mary.address)
    gmail.faults.add(APP["unauthorized_client"][0], user=mary.address, kind=Kind.TOKEN)
    for _ in range(9):
        small.later(hours=1, minutes=1)
        small.sweep("richard")
        small.sweep("mary")
    assert small.state("mary").state is State.RECONNECT
    assert "connect them again" in (small.state("mary").error or "")
    assert (small.state("richard").state, small.state("richard").error) == (State.CONNECTED, None)
    assert gmail_app.find(small.database) is None
