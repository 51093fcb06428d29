"""Which mail of a mailbox is recorded, how, and for whom."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from mailweir.store.people import contacts, deployments, users
from mailweir.store.record import activities, todos
from mailweir.store.record.activities import Filter
from tests.gmail.calls import Kind
from tests.gmail.faults import Fault
from tests.gmail.google_errors import Answer
from tests.gmail.seen_twice import MARY, RICHARD, SENT, decisions, kept
from tests.gmail.server import GmailServer, Mailbox
from tests.gmail.world import JANE, JOE, STRANGER, World, mail


@pytest.fixture
def small(gmail: GmailServer, tmp_path: Path) -> "World":
    """A world on SQLite alone: the database makes no difference."""
    return World(gmail, tmp_path)


def both(box: Mailbox, world: World) -> None:
    """One mail from jane, and one to her."""
    box.insert(mail("in"), at=world.at)
    box.insert(mail("out", RICHARD, JANE), labels=SENT, at=world.at)
    box.insert(mail("in, a stranger's", STRANGER), at=world.at)
    box.insert(mail("out, to a stranger", RICHARD, STRANGER), labels=SENT, at=world.at)


@pytest.mark.parametrize(
    ("inbound", "outbound", "wanted", "not_synced"),
    [
        (True, False, [("in", "incoming", ("gmail_in",))], 2),
        (False, True, [("out", "outgoing", ("gmail_out",))], 2),
        (True, True, [("in", "incoming", ("gmail_in",)), ("out", "outgoing", ("gmail_out",))], 0),
    ],
)
def test_what_is_ticked_is_synced(
    world: World, gmail: GmailServer, inbound: bool, outbound: bool, wanted: list[object], not_synced: int
) -> None:
    box = world.connect(inbound=inbound, outbound=outbound)
    world.settle()
    both(box, world)
    world.settle()
    assert sorted((one.subject, one.direction, one.routes) for one in world.record()) == wanted
    assert {one.users for one in world.record()} == {("richard",)}
    # Strangers' mail, and unselected directions, are never downloaded.
    assert gmail.calls.counts(box.address)[Kind.GET_RAW] == len(wanted)
    assert len(kept(world)) == len(wanted)
    assert len(decisions(world)) == 4
    assert decisions(world).count(("ignored", "direction that isn't synced")) == not_synced
    reasons = {reason for outcome, reason in decisions(world) if outcome == "ignored"}
    assert reasons <= {"unknown author", "no contact", "direction that isn't synced"}


@pytest.mark.parametrize(
    ("author", "verdict"),
    [(RICHARD, "pass"), ("Richard <rick@firm.example>", "pass"), ("sales@firm.example", "pending")],
)
def test_what_was_sent_is_the_users_and_proven_where_the_address_is_known_to_be(
    small: World, author: str, verdict: str
) -> None:
    """The last address is an alias that we don't know. An author is proven or marked (law 8)."""
    users.add_address(small.database, small.demo, "richard", "rick@firm.example")
    box = small.connect()
    small.settle()
    box.insert(mail("sent", author, JANE), labels=SENT, at=small.at)
    small.settle()
    (one,) = small.record()
    assert (one.direction, one.users, one.sender_verdict) == ("outgoing", ("richard",), verdict)
    assert todos.select(small.database, small.demo, None, with_done=True) == []


def test_what_a_colleague_wrote_is_not_proven_by_lying_in_the_inbox(small: World) -> None:
    box = small.connect()
    small.settle()
    box.insert(mail("mary's", MARY, f"{JANE}, {RICHARD}"), at=small.at)
    small.settle()
    (one,) = small.record()
    assert (one.direction, one.users, one.sender_verdict) == ("outgoing", ("mary", "richard"), "pending")


def test_mail_to_oneself_and_internal_mail_stay_out(small: World, gmail: GmailServer) -> None:
    box = small.connect()
    small.settle()
    box.insert(mail("note to myself", RICHARD, RICHARD), labels=("SENT", "INBOX"), at=small.at)
    box.insert(mail("from mary", MARY), at=small.at)
    box.insert(mail("to mary", RICHARD, MARY), labels=SENT, at=small.at)
    small.settle()
    assert small.record() == []
    assert decisions(small) == [("ignored", "internal")] * 3
    assert gmail.calls.counts(box.address)[Kind.GET_RAW] == 0


def test_mail_to_a_contact_and_oneself_is_outgoing_once(small: World) -> None:
    box = small.connect()
    small.settle()
    box.insert(mail("cc me", RICHARD, JANE, f"Cc: {RICHARD}"), labels=("SENT", "INBOX"), at=small.at)
    small.settle()
    assert [(one.direction, one.routes) for one in small.record()] == [("outgoing", ("gmail_out",))]


def test_bcc_counts_in_the_sent_copy_and_is_shown_to_the_sender_alone(world: World) -> None:
    richard, mary = world.connect("richard"), world.connect("mary")
    world.settle("richard")
    world.settle("mary")
    copy = mail("secret", RICHARD, f"{JANE}, {MARY}")
    mary.insert(copy, at=world.at)  # first the copy without Bcc
    world.settle("mary")
    richard.insert(copy.replace(b"Subject:", f"Bcc: {JOE}\r\nSubject:".encode()), labels=SENT, at=world.at)
    world.settle("richard")
    (one,) = world.record()
    assert [(c.address, c.bcc) for c in one.contacts] == [(JANE, False), (JOE, True)]
    assert one.users == ("mary", "richard")
    shown = {
        name: [c.address for c in activities.select(world.database, world.demo, Filter(user=name))[0].contacts]
        for name in ("richard", "mary")
    }
    assert shown == {"richard": [JANE, JOE], "mary": [JANE]}


def test_a_contact_in_bcc_alone_counts_and_in_mail_that_came_in_it_does_not(small: World) -> None:
    box = small.connect()
    small.settle()
    box.insert(mail("only hidden", RICHARD, MARY, f"Bcc: {JOE}"), labels=SENT, at=small.at)
    box.insert(mail("a trap", MARY, RICHARD, f"Bcc: {JOE}"), at=small.at)
    small.settle()
    assert [(one.subject, one.contacts[0].bcc) for one in small.record()] == [("only hidden", True)]


@pytest.mark.parametrize("label", ["SPAM", "TRASH", "DRAFT"])
def test_what_is_not_mail_leaves_nothing(small: World, gmail: GmailServer, label: str) -> None:
    box = small.connect()
    box.insert(mail("old"), labels=[label], at=small.at - timedelta(hours=1))
    small.settle()
    box.insert(mail("new"), labels=[label], at=small.at)
    small.settle()
    small.later(hours=2)
    small.settle()
    assert small.record() == []
    assert decisions(small) == []
    assert gmail.calls.counts(box.address)[Kind.GET_RAW] == 0
    assert small.state().audit_missing == 0


def test_a_chat_leaves_nothing(small: World, gmail: GmailServer) -> None:
    """The emulator has no chats, so the proxy gives the answer."""
    box = small.connect()
    small.settle()
    chat = box.insert(mail("chat"), at=small.at)
    body = {"id": chat, "labelIds": ["CHAT"], "internalDate": "1795547611615"}
    answer = Fault("chat", Answer(200, json.dumps(body).encode()))
    gmail.faults.add(answer, user=box.address, kind=Kind.GET_METADATA, message_id=chat)
    small.settle()
    assert small.record() == []
    assert decisions(small) == []
    assert small.queued() == []


@pytest.mark.parametrize(
    ("label", "take_out"),
    [("TRASH", Mailbox.untrash), ("SPAM", lambda box, hidden: box.modify(hidden, add=["INBOX"], remove=["SPAM"]))],
)
def test_what_is_rescued_or_put_back_counts_from_then_on(
    small: World, label: str, take_out: Callable[[Mailbox, str], object]
) -> None:
    box = small.connect()
    small.settle()
    hidden = box.insert(mail("hidden"), labels=[label], at=small.at)
    small.settle()
    take_out(box, hidden)
    small.later(minutes=1)
    small.settle()
    assert small.subjects() == ["hidden"]


def test_archived_before_the_first_look_and_thrown_away_after_it(small: World) -> None:
    box = small.connect()
    small.settle()
    archived = box.insert(mail("archived"), at=small.at)
    box.modify(archived, remove=["INBOX", "UNREAD"])
    thrown = box.insert(mail("thrown away"), at=small.at)
    small.settle()
    box.trash(thrown)
    small.later(minutes=1)
    small.settle()
    box.untrash(thrown)
    small.later(minutes=1)
    small.settle()
    assert small.subjects() == ["archived", "thrown away"]


def test_to_dos_are_of_what_came_since_connecting(world: World) -> None:
    box = world.connect()
    box.insert(mail("before"), at=world.at - timedelta(days=2))
    box.insert(mail("after"), at=world.at + timedelta(seconds=5))
    world.settle()
    world.later(minutes=1)
    box.insert(mail("late contact's", "new@late.example"), at=world.at)
    world.settle()
    contacts.add(world.database, world.demo, "New", ["new@late.example"], None, world.at)
    world.later(minutes=1)
    world.settle()
    assert sorted(world.subjects()) == ["after", "before", "late contact's"]
    listed = [one.activity.subject for one in todos.select(world.database, world.demo, None, with_done=True)]
    assert listed == ["after"]


@pytest.mark.parametrize("is_on", [True, False])
def test_an_automatic_answer_is_a_todo_where_the_deployment_wants_that(world: World, is_on: bool) -> None:
    deployments.set_automatic_todos(world.database, world.demo.name, is_on=is_on)
    box = world.connect("richard")
    world.settle()
    world.later(minutes=1)
    box.insert(mail("Away", JANE, "richard@firm.example", "Auto-Submitted: auto-replied"), at=world.at)
    world.settle()
    assert world.subjects() == ["Away"]
    assert len(todos.select(world.database, world.demo, None, with_done=True)) == int(is_on)
