"""The answer to a forwarding confirmation: mail that its mailbox forwards, or its user's word. On both databases."""

import importlib
from datetime import datetime, timedelta

import pytest

from mailweir.explain import forwarding
from mailweir.explain.forwarding import UserForwarding
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import rfc3339
from mailweir.store.people import contacts, deployments, users
from mailweir.store.people.deployments import Deployment
from mailweir.store.people.users import User
from mailweir.store.record import user_confirmations
from mailweir.store.record.confirmations import ConfirmationWriter
from tests.held_mail import send

RICHARD = "richard@firm.example"
CAPTURE = "richard@demo.example.net"
BY_RICHARD = "richard+caf_=richard=demo.example.net@firm.example"
STRANGER = b"From: x@stranger.example\r\nTo: richard@firm.example\r\nMessage-ID: <s@x>\r\n\r\nx\r\n"
JANE = b"From: jane@client.example\r\nTo: richard@firm.example\r\nMessage-ID: <j@x>\r\n\r\nx\r\n"
ANNA = b"From: anna@firm.example\r\nTo: richard@firm.example\r\nMessage-ID: <a@x>\r\n\r\nx\r\n"


@pytest.fixture
def demo(database: Database, now: datetime) -> Deployment:
    """A firm with richard and anna, and with jane as a contact; and another firm that has a richard, too."""
    for name in ("demo", "other"):
        made = deployments.add(database, name, f"{name}.example.net", now)
        for username in ("richard", "anna"):
            users.add(database, made, username, f"{username}@firm.example", "", now)
        contacts.add(database, made, "Jane", ["jane@client.example"], None, now)
    return deployments.find(database, "demo")


def _user(database: Database, demo: Deployment) -> User:
    return users.find(database, demo, "richard")


def _confirm(database: Database, demo: Deployment, now: datetime, requester: str | None = RICHARD) -> int:
    """A confirmation comes for richard, and is redirected; returns its id."""
    with database.transaction():
        writer = ConfirmationWriter(database)
        message_id = f"<{now:%H%M%S}-{requester}@google.com>"
        found, _, _ = writer.put(demo.id, _user(database, demo).id, message_id, requester, "link", "t", now)
        writer.count_redirect(found, now)
    return found


def _found(database: Database, demo: Deployment, now: datetime) -> UserForwarding:
    """The result for one user, as the page requests it. The list of all users has the same."""
    user = _user(database, demo)
    one = forwarding.of_user(database, demo, user, now, is_ever=False)
    (listed,) = [each for each in forwarding.states(database, demo, now) if each.user.username == "richard"]
    assert (listed.state.key, listed.confirmation) == (one.state.key, one.confirmation)
    return one


def _open_id(database: Database, demo: Deployment, now: datetime) -> int | None:
    pending = _found(database, demo, now).confirmation
    return pending.id if pending else None


@pytest.mark.parametrize(
    ("raw", "sender"),
    [
        (ANNA, "anna@firm.example"),
        (STRANGER, "x@stranger.example"),
        (JANE, ""),
        (JANE, "jane@client.example"),
        (JANE, "anna+caf_=richard=demo.example.net@firm.example"),
        (JANE, "richard+caf_=anna=demo.example.net@firm.example"),
        (JANE, "richard+caf_=richard=other.example.net@firm.example"),
        (JANE, "richard+caf_=richard=demo.example.net@evil.example"),
    ],
)
def test_mail_of_any_other_way_answers_nothing(
    database: Database, demo: Deployment, now: datetime, raw: bytes, sender: str
) -> None:
    made = _confirm(database, demo, now)
    send(database, raw, recipients=CAPTURE, at=now + timedelta(hours=1), sender=sender)
    assert _open_id(database, demo, now + timedelta(hours=2)) == made
    assert _found(database, demo, now + timedelta(hours=2)).state.key == "forwarding.unconfirmed"


@pytest.mark.parametrize("raw", [JANE, STRANGER, ANNA])
@pytest.mark.parametrize("requester", [RICHARD, None])
def test_what_its_mailbox_forwards_answers_it(
    database: Database, demo: Deployment, now: datetime, raw: bytes, requester: str | None
) -> None:
    """This holds for any author, and whether the mail is recorded or not."""
    for hours in (0, 1):
        _confirm(database, demo, now + timedelta(hours=hours), requester)
    send(database, raw, recipients=CAPTURE, at=now + timedelta(hours=2), sender=BY_RICHARD)
    found = _found(database, demo, now + timedelta(hours=3))
    assert (found.confirmation, found.state.key) == (None, "forwarding.usual")
    ended = database.execute("SELECT DISTINCT forwarded_at FROM forwarding_confirmations").fetchall()
    assert ended == [(rfc3339(now + timedelta(hours=2)),)]
    send(database, raw, "4Xy2", recipients=CAPTURE, at=now + timedelta(hours=9), sender=BY_RICHARD)
    assert database.execute("SELECT DISTINCT forwarded_at FROM forwarding_confirmations").fetchall() == ended


def test_gmail_writes_a_mailbox_in_several_ways(database: Database, demo: Deployment, now: datetime) -> None:
    users.add_address(database, demo, "richard", "r.smith@gmail.com")
    made = _confirm(database, demo, now, "r.smith@gmail.com")
    assert _open_id(database, demo, now) == made
    sender = "rsmith+caf_=richard=demo.example.net@googlemail.com"
    send(database, STRANGER, recipients=CAPTURE, at=now + timedelta(hours=1), sender=sender)
    assert _open_id(database, demo, now + timedelta(hours=1)) is None


def test_one_envelope_for_two_deployments_answers_its_own_alone(
    database: Database, demo: Deployment, now: datetime
) -> None:
    other = deployments.find(database, "other")
    theirs = _confirm(database, other, now)
    _confirm(database, demo, now)
    both = f"{CAPTURE} richard@other.example.net"
    send(database, STRANGER, recipients=both, at=now + timedelta(hours=1), sender=BY_RICHARD)
    assert _open_id(database, demo, now + timedelta(hours=1)) is None
    assert _open_id(database, other, now + timedelta(hours=1)) == theirs


def test_a_strange_mailboxs_hides_no_state_and_leaves_the_own_one_open(
    database: Database, demo: Deployment, now: datetime
) -> None:
    own = _confirm(database, demo, now)
    strange = _confirm(database, demo, now + timedelta(hours=1), "eve@evil.example")
    found = _found(database, demo, now + timedelta(hours=2))
    assert (found.confirmation and found.confirmation.id, found.state.key) == (strange, "forwarding.not_yet")
    user = _user(database, demo)
    user_confirmations.dismiss(database, demo, user.id, strange, now + timedelta(hours=2))
    assert _open_id(database, demo, now + timedelta(hours=2)) == own


def test_its_user_puts_it_away_with_the_same_ones_before(database: Database, demo: Deployment, now: datetime) -> None:
    ids = [_confirm(database, demo, now + timedelta(hours=hours)) for hours in range(3)]
    user, anna, other = _user(database, demo), users.find(database, demo, "anna"), deployments.find(database, "other")
    later = now + timedelta(days=1)
    user_confirmations.dismiss(database, demo, anna.id, ids[2], later)
    user_confirmations.dismiss(database, other, user.id, ids[2], later)
    assert _open_id(database, demo, later) == ids[2]
    user_confirmations.dismiss(database, demo, user.id, ids[1], later)
    assert _open_id(database, demo, later) == ids[2]
    user_confirmations.dismiss(database, demo, user.id, ids[2], later)
    assert _open_id(database, demo, later) is None
    assert _found(database, demo, later).state.key == "forwarding.not_yet"
    assert user_confirmations.find(database, demo, user.id, ids[2])
    assert user_confirmations.find(database, demo, anna.id, ids[2]) is None


def test_the_upgrade_ends_what_captured_mail_came_after(database: Database, demo: Deployment, now: datetime) -> None:
    before = _confirm(database, demo, now)
    send(database, JANE, recipients=CAPTURE, at=now + timedelta(hours=1))
    after = _confirm(database, demo, now + timedelta(hours=2))
    step = importlib.import_module("mailweir.store.database.migrations.0040_answered_confirmations")
    database.execute(step.STATEMENTS[-1])
    found = dict(database.execute("SELECT id, forwarded_at FROM forwarding_confirmations").fetchall())
    assert found == {before: rfc3339(now + timedelta(hours=1)), after: None}
