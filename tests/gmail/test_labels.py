"""Law 12: a decision is made again when labels that it went by change. Scheduled mail, mail that an IMAP client copies,
aliases."""

import itertools
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from mailweir.store.record import raw_messages
from tests.gmail import faults
from tests.gmail.calls import Kind
from tests.gmail.seen_twice import by_filter, decisions
from tests.gmail.server import GmailServer, Mailbox
from tests.gmail.world import JANE, STRANGER, World, mail

RICHARD = "richard@firm.example"
ALIAS = "r.smith@firm.example"  # unknown to us
STATES: dict[str, list[str]] = {"none": [], "DRAFT": ["DRAFT"], "SENT": ["SENT"]}


@pytest.fixture
def small(gmail: GmailServer, tmp_path: Path) -> Iterator[World]:
    """The world on SQLite alone: the database makes no difference."""
    made = World(gmail, tmp_path)
    yield made
    made.close()


def dated(subject: str, moment: datetime, author: str = RICHARD, to: str = JANE) -> bytes:
    """A mail with this Date."""
    raw = mail(subject, author, to)
    return raw.replace(b"Date: Tue, 24 Nov 2026 03:12:55 +0000", f"Date: {format_datetime(moment)}".encode())


def put_into(box: Mailbox, message_id: str, before: Sequence[str], after: Sequence[str]) -> None:
    """Replaces the labels of a message."""
    add, remove = [one for one in after if one not in before], [one for one in before if one not in after]
    if add or remove:
        box.modify(message_id, add=add, remove=remove)


@pytest.mark.parametrize("inbound", [True, False])
@pytest.mark.parametrize(("author", "verdict"), [(RICHARD, "pass"), (ALIAS, "pending")])
def test_mail_that_is_sent_a_moment_after_it_was_seen_is_on_the_record(
    world: World, inbound: bool, author: str, verdict: str
) -> None:
    """An IMAP client copies it into All Mail, and SENT is added then."""
    box = world.connect(inbound=inbound, outbound=True)
    world.settle()
    one = box.insert(mail("copied", author, JANE), labels=[], at=world.at)
    world.settle()
    box.modify(one, add=["SENT"])
    world.later(minutes=1)
    world.settle()
    (activity,) = world.record()
    assert (activity.direction, activity.routes, activity.author) == ("outgoing", ("gmail_out",), author)
    assert activity.sender_verdict == verdict
    assert decisions(world) == [("captured", "author is a user")]
    # and nothing more happens
    asked = len(world.gmail.calls.of(box.address))
    for _ in range(3):
        world.later(minutes=1)
        world.settle()
    assert len(world.gmail.calls.of(box.address)) == asked + 3


def test_scheduled_mail_waits_until_its_date(world: World) -> None:
    box = world.connect()
    world.settle()
    due = world.at + timedelta(hours=30)
    scheduled = box.insert(dated("scheduled", due), labels=[], at=world.at)
    other = box.insert(dated("from the future", due, JANE, RICHARD), at=world.at)
    for _ in range(5):
        world.later(hours=5)
        world.settle()
    assert world.subjects() == ["from the future"], "only own mail waits"
    # the sync looked at each mail once
    assert len(world.gmail.calls.of(box.address, Kind.GET_METADATA)) == 2
    box.modify(scheduled, add=["SENT"])
    world.at = due
    world.settle()
    assert sorted(world.subjects()) == ["from the future", "scheduled"]
    assert {one.routes for one in world.record()} == {("gmail_in",), ("gmail_out",)}
    assert other


def test_what_is_sent_before_its_date_does_not_wait_for_it(small: World) -> None:
    box = small.connect()
    small.settle()
    scheduled = box.insert(dated("sent at once", small.at + timedelta(days=9)), labels=[], at=small.at)
    small.settle()
    small.later(minutes=1)
    box.modify(scheduled, add=["SENT"])
    small.settle()
    assert small.subjects() == ["sent at once"]
    assert small.queued() == []


def test_what_is_not_sent_at_its_date_is_decided_then_as_it_is(small: World) -> None:
    box = small.connect()
    small.settle()
    box.insert(dated("own", small.at + timedelta(hours=1)), labels=[], at=small.at)
    small.settle()
    assert len(small.queued()) == 1
    small.later(hours=1, minutes=1)
    small.settle()
    assert (small.subjects(), small.queued()) == (["own"], [])


@pytest.mark.parametrize("due_in", [timedelta(hours=2), timedelta(hours=-1)])
@pytest.mark.parametrize("path", [path for n in (1, 2, 3) for path in itertools.permutations(STATES, n)], ids="-".join)
def test_in_every_order_of_labels_only_what_was_sent_is_on_the_record(
    small: World, path: Sequence[str], due_in: timedelta
) -> None:
    """Google doesn't document which labels scheduled mail has. A mail that ends as a draft leaves nothing."""
    box = small.connect()
    small.settle()
    labels = STATES[path[0]]
    one = box.insert(dated("one", small.at + due_in), labels=labels, at=small.at)
    small.later(minutes=1)
    small.settle()
    _examined(small)
    for state in path[1:]:
        put_into(box, one, labels, STATES[state])
        labels = STATES[state]
        small.later(minutes=1)
        small.settle()
        small.later(minutes=6)
        small.settle()
    small.later(hours=3)
    small.settle()
    sent_for_good = path[-1] == "SENT" or (path[-1] == "none")  # own mail without any label is mail
    assert small.subjects() == ["one"] * sent_for_good
    assert small.queued() == []
    for table in ("raw_messages", "sightings", "activity_users", "activity_contacts", "decisions"):
        (count,) = small.database.execute(f"SELECT COUNT(*) FROM {table}").fetchone()
        assert (count > 0) == sent_for_good, table


def _examined(world: World) -> None:
    """As if the digest had examined all mail."""
    with world.database.transaction():
        world.database.execute("UPDATE raw_messages SET verdict = 'none' WHERE verdict = 'pending'")


def test_a_cancelled_mail_that_another_route_saw_stays(world: World) -> None:
    """The relay, or a copy at the log address, reported the sending."""
    box = world.connect()
    world.settle()
    raw = mail("really sent", RICHARD, JANE)
    one = box.insert(raw, labels=[], at=world.at)
    world.settle()
    by_filter(world, raw, "log@demo.example.net")
    _examined(world)
    box.modify(one, add=["DRAFT"])
    world.later(minutes=1)
    world.settle()
    (activity,) = world.record()
    assert activity.routes == ("log",)


def test_a_draft_that_was_thrown_away_at_once_leaves_nothing_either(small: World) -> None:
    box = small.connect()
    small.settle()
    one = box.insert(mail("cancelled", RICHARD, JANE), labels=[], at=small.at)
    small.settle()
    _examined(small)
    box.modify(one, add=["DRAFT"])
    box.delete(one)
    small.later(minutes=1)
    small.settle()
    assert small.record() == []


def test_what_the_digest_has_begun_with_is_taken_off_once_it_is_done(small: World) -> None:
    box = small.connect()
    small.settle()
    one = box.insert(mail("cancelled", RICHARD, JANE), labels=[], at=small.at)
    small.settle()
    box.modify(one, add=["DRAFT"])
    small.later(minutes=1)
    small.settle()
    (activity,) = small.record()
    assert raw_messages.versions(small.database, activity)[0].verdict == "none", "the digest doesn't examine it"
    small.later(minutes=5)
    small.settle()
    assert small.record() == []


def test_a_contacts_mail_is_never_taken_off(small: World) -> None:
    """Neither when it is thrown away nor when it is marked as spam."""
    box = small.connect()
    small.settle()
    kept = [box.insert(mail(name), at=small.at) for name in ("trash", "spam")]
    small.settle()
    _examined(small)
    box.trash(kept[0])
    box.modify(kept[1], add=["SPAM"], remove=["INBOX"])
    small.later(minutes=1)
    small.settle()
    assert sorted(small.subjects()) == ["spam", "trash"]


def test_the_audit_compares_by_the_labels_of_today(small: World, gmail: GmailServer) -> None:
    """This matters if history didn't report the change, for example because it expired."""
    box = small.connect(inbound=False)
    small.settle()
    one = box.insert(mail("copied", ALIAS, JANE), labels=[], at=small.at)
    small.settle()
    assert small.record() == []
    hidden = gmail.faults.add(faults.bare_page(), user=box.address, kind=Kind.HISTORY, times=0)
    box.modify(one, add=["SENT"])
    gmail.expire_history(box)
    small.later(minutes=1)
    small.settle()
    assert small.subjects() == ["copied"], "found by the list that fills the gap"
    hidden.lift()


def test_an_audit_finds_what_was_decided_too_early(small: World) -> None:
    box = small.connect(inbound=False)
    small.settle()
    box.insert(mail("copied", RICHARD, JANE), labels=["SENT"], at=small.at)
    small.settle()
    # as if it had been decided before SENT was set, and history hadn't reported that
    with small.database.transaction():
        small.database.execute("DELETE FROM sightings")
        small.database.execute("UPDATE decisions SET outcome = 'ignored', activity_id = NULL, labels = 0")
        for table in ("activity_users", "activity_contacts"):
            small.database.execute(f"DELETE FROM {table}")
        small.database.execute("UPDATE activities SET leading_raw_id = NULL")
        small.database.execute("DELETE FROM digest_queue")
        small.database.execute("DELETE FROM raw_messages")
        small.database.execute("DELETE FROM activities")
    assert small.sync_now().audit() == (1, 1)
    small.settle()
    assert small.subjects() == ["copied"]
    assert small.sync_now().audit() == (1, 0)


def test_changes_of_other_labels_fetch_nothing(small: World, gmail: GmailServer) -> None:
    box = small.connect()
    small.settle()
    ids = [box.insert(mail(f"m{number}", STRANGER), at=small.at) for number in range(20)]
    small.settle()
    asked = len(gmail.calls.of(box.address, (Kind.GET_METADATA, Kind.GET_RAW)))
    for one in ids:
        for _ in range(3):
            box.modify(one, remove=["UNREAD"])
            box.modify(one, add=["UNREAD", "STARRED"])
            box.modify(one, remove=["STARRED"])
    small.later(minutes=1)
    small.settle()
    assert len(gmail.calls.of(box.address, (Kind.GET_METADATA, Kind.GET_RAW))) == asked
