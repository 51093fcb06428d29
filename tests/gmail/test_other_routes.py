"""A message that the sync and other routes saw is one activity."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from mailweir.store.people import contacts, deployments, relay_logins, users
from mailweir.store.record import activities, todos
from mailweir.store.record.activities import Filter
from tests.gmail.seen_twice import MARY, RICHARD, SENT, by_filter, kept
from tests.gmail.server import GmailServer, Mailbox
from tests.gmail.world import JANE, STRANGER, World, mail


@pytest.fixture
def small(gmail: GmailServer, tmp_path: Path) -> "World":
    """A world on SQLite alone: the database makes no difference."""
    return World(gmail, tmp_path)


def _signed(raw: bytes) -> bytes:
    return raw.replace(b"Subject:", b"DKIM-Signature: v=1; a=rsa-sha256; h=from : to; b=abc\r\n def\r\nSubject:")


def _by_relay(world: World, raw: bytes) -> None:
    relay_logins.connect(world.database, world.demo, "richard", "x", world.at)
    by_filter(world, raw, JANE, login="richard@demo.example.net")


Step = Callable[[], object]
IN_TURN = pytest.mark.parametrize(
    "in_turn",
    [lambda sync, other: (sync(), other()), lambda sync, other: (other(), sync())],
    ids=["sync first", "sync last"],
)


def _by_sync(world: World, box: Mailbox, raw: bytes, labels: Sequence[str]) -> None:
    """The message with Gmail's own trace header on top, as in the mailbox."""
    box.insert(b"Delivered-To: richard@firm.example\r\n" + raw, labels=labels, at=world.at)
    world.settle()


@IN_TURN
def test_one_incoming_activity_whichever_routes_saw_it_and_in_whichever_order(
    world: World, in_turn: Callable[[Step, Step], object]
) -> None:
    box = world.connect("richard")
    world.settle()
    world.later(seconds=5)
    raw = _signed(mail("both", JANE, f"{RICHARD}, {MARY}"))
    in_turn(lambda: _by_sync(world, box, raw, ("INBOX",)), lambda: by_filter(world, raw, "mary@demo.example.net"))
    (one,) = world.record()
    assert (one.routes, one.users) == (("forward", "gmail_in"), ("mary", "richard"))
    assert (one.direction, one.sender_verdict) == ("incoming", "pending")
    assert len(kept(world)) == 1  # one version: its digest ignores trace headers
    listed = todos.select(world.database, world.demo, None, with_done=True)
    assert sorted(todo.user for todo in listed) == ["mary", "richard"]


@IN_TURN
@pytest.mark.parametrize(
    ("route", "go"),
    [("log", lambda world, raw: by_filter(world, raw, "log@demo.example.net")), ("relay", _by_relay)],
    ids=["log", "relay"],
)
def test_one_outgoing_activity_whichever_routes_saw_it_and_in_whichever_order(
    world: World, route: str, go: Callable[[World, bytes], object], in_turn: Callable[[Step, Step], object]
) -> None:
    box = world.connect("richard")
    world.settle()
    world.later(seconds=5)
    raw = _signed(mail("both", RICHARD, JANE))
    in_turn(lambda: _by_sync(world, box, raw, SENT), lambda: go(world, raw))
    (one,) = world.record()
    assert (one.routes, one.users) == (("gmail_out", route), ("richard",))
    assert (one.direction, one.sender_verdict) == ("outgoing", "pass")
    assert len(kept(world)) == 1
    assert todos.select(world.database, world.demo, None, with_done=True) == []


def test_forwarding_and_inbound_of_one_user_give_no_duplicates(world: World) -> None:
    box = world.connect("richard", outbound=False)
    world.settle()
    for number in (0, 2, 4):
        box.insert(mail(f"m{number}"), at=world.at)
        world.settle()
        by_filter(world, mail(f"m{number}"), "richard@demo.example.net", f"4Xy{number}")
        by_filter(world, mail(f"m{number + 1}"), "richard@demo.example.net", f"4Xy{number + 1}")
        box.insert(mail(f"m{number + 1}"), at=world.at)
    world.settle()
    assert sorted(world.subjects()) == [f"m{number}" for number in range(6)]
    assert {one.routes for one in world.record()} == {("forward", "gmail_in")}
    assert len(todos.select(world.database, world.demo, "richard", with_done=True)) == 6


def test_another_body_under_the_same_key_is_kept_beside_the_first(small: World) -> None:
    box = small.connect()
    small.settle()
    by_filter(small, mail("one", body="hello\r\n"), "richard@demo.example.net")
    box.insert(mail("one", body="something else\r\n"), at=small.at)
    small.settle()
    assert len(small.record()) == 1
    assert len(kept(small)) == 2


def test_two_deployments_know_nothing_of_each_other(small: World) -> None:
    other = deployments.add(small.database, "other", "other.example.org", small.at)
    users.add(small.database, other, "olga", "olga@else.example", "", small.at)
    contacts.add(small.database, other, "X", [STRANGER], None, small.at)
    box = small.connect()
    small.settle()
    box.insert(mail("x", STRANGER), at=small.at)
    small.settle()
    assert small.record() == []
    assert activities.select(small.database, other, Filter()) == []
