"""The nine ways in which other syncs lost, doubled or leaked mail (docs/admin/gmail.md names them), each tried on this sync."""

from datetime import timedelta
from pathlib import Path

import pytest

from mailweir.errors import NotFound
from mailweir.store.gmail import gmail_connections, gmail_waiting
from mailweir.store.gmail.gmail_mailboxes import State
from mailweir.store.people import contacts
from mailweir.store.record import retention
from tests.gmail import faults
from tests.gmail.calls import Kind
from tests.gmail.server import GmailServer
from tests.gmail.world import JANE, JOE, STRANGER, World, mail


def test_1_what_is_missing_is_counted_and_fetched(world: World) -> None:
    """A mailbox of which 41 % never came in, although its status was healthy."""
    box = world.connect()
    world.settle()
    lost = [box.insert(mail(f"lost {number}"), at=world.at) for number in range(4)]
    with world.database.transaction():  # a cursor that was moved past them
        world.database.execute("UPDATE gmail_mailboxes SET cursor = ?", (box.history_id,))
    box.insert(mail("seen"), at=world.at)
    world.settle()
    assert world.subjects() == ["seen"]
    world.later(hours=2)
    world.settle()
    state = world.state()
    assert (state.audit_listed, state.audit_missing) == (5, len(lost))
    assert sorted(world.subjects()) == ["lost 0", "lost 1", "lost 2", "lost 3", "seen"]
    world.later(hours=25)
    world.settle()
    assert world.state().audit_missing == 0


def test_1_what_was_decided_and_is_forgotten_by_now_is_not_called_missing(tmp_path: Path, gmail: GmailServer) -> None:
    world = World(gmail, tmp_path, None, "[retention]\ndecision_days = 1\n")
    box = world.connect()
    box.insert(mail("stranger's", STRANGER), at=world.at)
    world.settle()
    world.later(hours=30)
    retention.prune_decisions(world.database, world.at, world.settings.retention.decision_days)
    world.settle()
    assert (world.state().audit_listed, world.state().audit_missing) == (0, 0)
    assert gmail.calls.counts(box.address)[Kind.GET_METADATA] == 1
    world.close()


def test_2_a_failed_fetch_neither_loses_the_message_nor_pins_the_cursor(world: World, gmail: GmailServer) -> None:
    box = world.connect()
    world.settle()
    bad = box.insert(mail("bad"))
    box.insert(mail("good"))
    gmail.faults.add(faults.server_error(), user=box.address, message_id=bad)
    world.settle()
    assert world.subjects() == ["good"]
    box.insert(mail("later"))
    world.later(minutes=1)
    world.settle()
    assert world.subjects() == ["good", "later"]
    assert world.queued() == [bad]
    gmail.faults.lift_all()
    world.later(hours=2)
    world.settle()
    assert world.subjects() == ["good", "later", "bad"]
    assert world.queued() == []


def test_2_a_message_that_vanished_is_done(world: World) -> None:
    box = world.connect()
    world.settle()
    gone = box.insert(mail("gone"))
    box.insert(mail("there"))
    box.delete(gone)
    world.settle()
    assert world.subjects() == ["there"]
    assert world.queued() == []
    assert world.state().dead == 0


def test_2_a_message_that_fails_for_ever_becomes_a_dead_letter(world: World, gmail: GmailServer) -> None:
    box = world.connect()
    world.settle()
    bad = box.insert(mail("bad"))
    gmail.faults.add(faults.server_error(), user=box.address, message_id=bad)
    for _ in range(world.settings.gmail.max_attempts):
        world.later(hours=1, minutes=1)
        world.settle()
    state = world.state()
    assert (state.waiting, state.dead) == (0, 1)
    (letter,) = gmail_waiting.dead_letters(world.database, state.id)
    assert (letter.message_id, letter.attempts) == (bad, world.settings.gmail.max_attempts)
    gmail.faults.lift_all()
    assert gmail_waiting.revive(world.database, state.id, world.at) == 1
    world.settle()
    assert world.subjects() == ["bad"]


def test_3_an_expired_history_skips_nothing_and_starts_no_rescan(world: World, gmail: GmailServer) -> None:
    box = world.connect()
    for number in range(3):
        box.insert(mail(f"old {number}"), at=world.at - timedelta(days=30))
    box.insert(mail("before"), at=world.at)
    world.settle()
    world.later(days=9)
    world.settle()
    assert world.subjects() == ["before"]
    world.later(days=9)
    box.insert(mail("meanwhile"), at=world.at)
    gmail.expire_history(box)
    before = gmail.calls.counts(box.address)[Kind.GET_METADATA]
    world.settle()
    assert world.subjects() == ["before", "meanwhile"]
    assert gmail.calls.counts(box.address)[Kind.GET_METADATA] == before + 1
    box.insert(mail("after"), at=world.at)
    world.later(minutes=1)
    world.settle()
    assert world.subjects() == ["before", "meanwhile", "after"]


def test_5_a_draft_is_stored_as_it_was_sent_and_once(world: World) -> None:
    box = world.connect()
    world.settle()
    draft = box.draft(mail("dra", "richard@firm.example", JANE))
    for text in ("draf", "draft"):
        world.later(minutes=1)
        world.settle()
        draft = box.save_draft(draft, mail(text, "richard@firm.example", JANE))
    world.settle()
    assert world.subjects() == []
    box.send_draft(draft)
    world.later(minutes=1)
    world.settle()
    assert [(one.subject, one.direction) for one in world.record()] == [("draft", "outgoing")]


def test_5_what_is_rescued_from_spam_is_stored(world: World) -> None:
    box = world.connect()
    world.settle()
    spam = box.insert(mail("rescued"), labels=["SPAM"])
    world.settle()
    assert world.subjects() == []
    box.modify(spam, add=["INBOX"], remove=["SPAM"])
    world.later(minutes=1)
    world.settle()
    assert world.subjects() == ["rescued"]


def test_5_what_is_rescued_while_history_expires_is_stored(world: World, gmail: GmailServer) -> None:
    """Neither history nor a list since the last sweep reports it."""
    box = world.connect()
    world.settle()
    spam = box.insert(mail("rescued"), at=world.at, labels=["SPAM"])
    box.insert(mail("stranger's", STRANGER), at=world.at)
    world.settle()
    world.later(days=10)
    world.settle()
    box.modify(spam, add=["INBOX"], remove=["SPAM"])
    world.later(days=2)
    box.insert(mail("meanwhile"), at=world.at)
    gmail.expire_history(box)
    before = gmail.calls.counts(box.address)[Kind.GET_METADATA]
    world.settle()
    assert sorted(world.subjects()) == ["meanwhile", "rescued"]
    assert gmail.calls.counts(box.address)[Kind.GET_METADATA] == before + 2  # messages with a decision aren't requested


def test_6_mail_that_a_filter_archives_is_stored(world: World) -> None:
    box = world.connect()
    world.settle()
    own = box.label("Clients")
    box.insert(mail("archived"), labels=[own])
    world.settle()
    assert world.subjects() == ["archived"]


def test_7_a_contact_that_is_added_later_brings_its_earlier_mail(world: World, gmail: GmailServer) -> None:
    box = world.connect()
    world.settle()
    box.insert(mail("early", "new@late.example"), at=world.at)
    box.insert(mail("to it", "richard@firm.example", "new@late.example"), at=world.at, labels=["SENT"])
    box.insert(mail("stranger's", STRANGER), at=world.at)
    world.settle()
    assert world.subjects() == []
    contacts.add(world.database, world.demo, "New", ["new@late.example"], None, world.at)
    world.later(minutes=1)
    world.settle()
    assert sorted(world.subjects()) == ["early", "to it"]
    assert gmail.calls.counts(box.address)[Kind.GET_RAW] == 2


def test_8_two_accounts_each_keep_their_mail_and_one_message_is_one_activity(world: World) -> None:
    richard, mary = world.connect("richard"), world.connect("mary")
    world.settle("richard")
    world.settle("mary")
    both = mail("to both", JANE, "richard@firm.example, mary@firm.example")
    richard.insert(both)
    mary.insert(both)
    # the same Message-ID, but another mail by another author
    mary.insert(mail("to both", JOE, "mary@firm.example"))
    world.settle("richard")
    world.settle("mary")
    assert sorted((one.author, tuple(sorted(one.users))) for one in world.record()) == [
        (JANE, ("mary", "richard")),
        (JOE, ("mary",)),
    ]


def test_9_a_dead_token_is_seen_and_connecting_again_goes_on_where_it_stood(world: World, gmail: GmailServer) -> None:
    box = world.connect()
    world.settle()
    box.insert(mail("one"))
    gmail.revoke_access(box)
    world.later(minutes=1)
    world.settle()
    state = world.state()
    assert state.state is State.RECONNECT
    assert state.error
    box.insert(mail("two"))
    world.later(days=2)
    world.connect()
    assert world.state().state is State.CONNECTED
    world.settle()
    assert sorted(world.subjects()) == ["one", "two"]
    gmail_connections.disconnect(world.database, world.demo, "richard", world.at)
    with pytest.raises(NotFound):
        world.state()
