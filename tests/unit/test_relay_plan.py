"""The filter's plan for a submitted message, on both databases: its owner, its limits, its capture."""

from datetime import datetime, timedelta

import pytest

from capture_milter import handling, relay
from capture_milter.assembly import Assembly
from capture_milter.handling import Plan
from mailweir import recording
from mailweir.decision import Direction, HeldKind, Outcome, Reason, Route
from mailweir.digest.server import Digest
from mailweir.envelope import Envelope, read_recipient
from mailweir.settings import Relay as Limits
from mailweir.store.database.connection import Database
from mailweir.store.people import companies, contacts, deployments, relay_logins, users
from mailweir.store.people.deployments import Deployment
from mailweir.store.people.directory import SqlDirectory
from mailweir.store.people.relay_logins import UseRow
from mailweir.store.record import activities

RICHARD, JANE, LOGIN = "richard@firm.example", "jane@client.example", "richard@demo.example.net"
HEAD = [(b"From", b" Richard <richard@firm.example>"), (b"To", b" jane@client.example")]


@pytest.fixture
def demo(database: Database, now: datetime) -> Deployment:
    """A deployment with the connected richard, and jane."""
    made = deployments.add(database, "demo", "demo.example.net", now)
    users.add(database, made, "richard", RICHARD, "", now)
    contacts.add(database, made, "Jane", [JANE], None, now)
    relay_logins.connect(database, made, "richard", "x", now)
    return made


def _plan(
    database: Database,
    now: datetime,
    *,
    sender: str = RICHARD,
    to: tuple[str, ...] = (JANE,),
    login: str | None = LOGIN,
    head: list[tuple[bytes, bytes]] = HEAD,
    limits: Limits | None = None,
) -> Plan:
    envelope = Envelope(
        sender=sender,
        recipients=tuple(read_recipient(f"<{one}>") for one in to),
        login=login,
        client="192.0.2.1",
        received_at=now,
    )
    with database.reading():
        return relay.plan(envelope, head, SqlDirectory(database), limits or Limits())


def test_a_contact_captures(database: Database, demo: Deployment, now: datetime) -> None:
    plan = _plan(database, now)
    (decision,) = plan.decisions
    assert plan.refusal is None
    assert (decision.outcome, decision.direction) == (Outcome.CAPTURED, Direction.OUTGOING)
    assert [route for route, _ in decision.sightings] == [Route.RELAY]
    assert plan.use is not None
    assert plan.use[2:] == (1, 1, 0, None)


def test_header_recipients_count_beside_the_envelope(database: Database, demo: Deployment, now: datetime) -> None:
    assert _plan(database, now, to=("x@stranger.example",)).wants_body
    nobody = [HEAD[0], (b"To", b" x@stranger.example")]
    assert not _plan(database, now, to=("x@stranger.example",), head=nobody).wants_body
    assert _plan(database, now, to=(JANE,), head=nobody).wants_body


def test_a_new_person_of_a_company_that_makes_contacts_becomes_one(
    database: Database, demo: Deployment, now: datetime, held_digest: Digest
) -> None:
    """The login proves the author, so no signature is needed."""
    companies.add(database, demo, "Client Ltd", "client.example", now)
    companies.set_auto_contacts(database, demo, "Client Ltd", now, is_on=True)
    head = [HEAD[0], (b"To", b" New Person <new@client.example>")]
    plan = _plan(database, now, to=("new@client.example", "bcc@client.example"), head=head)
    (decision,) = plan.decisions
    assert (decision.held, plan.wants_body) == (HeldKind.COMPANY, True)
    assembly = Assembly(head)
    assembly.add(b"Hello\r\n")
    with database.transaction():
        recording.record_all(database, handling.entries(plan, assembly, "4Xy1"))
    held_digest.work_off()
    (found,) = activities.select(database, demo, activities.Filter())
    assert (found.direction, found.routes, found.sender_verdict) == ("outgoing", ("relay",), "pass")
    # an address in Bcc makes no contact: only the sender may see it
    assert [(one.name, one.address) for one in found.contacts] == [("New Person", "new@client.example")]


def test_an_unknown_login_sends_nothing(database: Database, demo: Deployment, now: datetime) -> None:
    for login in ("olga@demo.example.net", "richard@other.example", "richard", ""):
        plan = _plan(database, now, login=login)
        assert plan.refusal is not None
        assert (plan.refusal.code, plan.decisions, plan.wants_body) == ("550", (), False)


def test_without_a_login_nothing_is_sent_and_nothing_looked_up(
    database: Database, demo: Deployment, now: datetime
) -> None:
    """RFC 4954 6: 530 5.7.0, for any recipient: also for the bare postmaster, which Postfix accepts, and a capture address."""
    for to in ("Postmaster", JANE, LOGIN):
        plan = _plan(database, now, login=None, to=(to,))
        assert plan.refusal == relay.NOT_LOGGED_IN
        assert (plan.decisions, plan.wants_body, plan.use) == ((), False, None)
    assert (relay.NOT_LOGGED_IN.code, relay.NOT_LOGGED_IN.enhanced) == ("530", "5.7.0")


def test_a_suspended_login_sends_nothing(database: Database, demo: Deployment, now: datetime) -> None:
    use = _plan(database, now).use
    assert use is not None
    with database.transaction():
        relay_logins.put_uses(database, [use._replace(suspend="why")], now)
    plan = _plan(database, now)
    assert plan.refusal is not None
    assert "suspended" in plan.refusal.sentence


def test_the_envelope_is_checked_here_too(database: Database, demo: Deployment, now: datetime) -> None:
    for sender in ("", "ceo@other.example", LOGIN):
        plan = _plan(database, now, sender=sender)
        assert plan.refusal is not None
        assert "envelope sender" in plan.refusal.sentence
        assert plan.decisions[0].reason is Reason.NOT_THE_LOGINS


_RECEIPT = (b"Content-Type", b" multipart/report;\r\n boundary=b; report-type=disposition-notification")


def test_a_read_receipt_alone_has_no_envelope_sender(database: Database, demo: Deployment, now: datetime) -> None:
    plan = _plan(database, now, sender="", head=[*HEAD, _RECEIPT])
    assert (plan.refusal, plan.decisions[0].outcome) == (None, Outcome.CAPTURED)
    assert plan.use is not None
    assert plan.use[2:] == (1, 1, 0, None)
    with database.transaction():
        relay_logins.put_uses(database, [plan.use], now)
    full = _plan(database, now, sender="", head=[*HEAD, _RECEIPT], limits=Limits(max_messages_per_hour=1))
    assert full.refusal is not None
    assert full.refusal.code == "451"
    for head in (
        [*HEAD, _RECEIPT, (b"Content-Type", b" text/plain")],
        [*HEAD, (b"Content-Type", b" text/plain; x=multipart/report; report-type=disposition-notification")],
        [(b"From", b" ceo@other.example"), HEAD[1], _RECEIPT],
        [*HEAD, (b"Sender", b" ceo@other.example"), _RECEIPT],
        [*HEAD, (b"Resent-From", b" ceo@other.example"), _RECEIPT],
        [HEAD[1], _RECEIPT],
    ):
        plan = _plan(database, now, sender="", head=head)
        assert plan.refusal is not None
        assert (plan.refusal.code, plan.decisions[0].reason) == ("550", Reason.NOT_THE_LOGINS)


def test_a_tag_counts_where_the_deployment_says_so(database: Database, demo: Deployment, now: datetime) -> None:
    tagged = [(b"From", b" richard+news@firm.example"), HEAD[1]]
    assert _plan(database, now, head=tagged).refusal is not None
    with database.transaction():
        database.execute("UPDATE deployments SET plus_addresses = 1")
    assert _plan(database, now, head=tagged).refusal is None
    assert relay_logins.owners(database, "richard+news@firm.example") == [LOGIN]


def test_limits_of_an_hour(database: Database, demo: Deployment, now: datetime) -> None:
    limits = Limits(max_messages_per_hour=2, max_recipients_per_hour=100, suspend_after_refusals=2)
    use = _plan(database, now).use
    assert use is not None
    with database.transaction():
        relay_logins.put_uses(database, [use, use], now)
    for refusals in (1, 2):
        plan = _plan(database, now, limits=limits)
        assert plan.refusal is not None
        assert (plan.refusal.code, plan.refusal.enhanced) == ("451", "4.7.1")
        assert "try again after 04:00 UTC" in plan.refusal.sentence
        assert plan.use is not None
        assert (plan.use.messages, plan.use.refused, plan.use.suspend is not None) == (0, 1, refusals == 2)
        with database.transaction():
            relay_logins.put_uses(database, [plan.use], now)
    relay_logins.rotate(database, demo, "richard", "y", now)
    assert _plan(database, now, limits=limits).refusal is None
    with database.transaction():
        relay_logins.put_uses(database, [UseRow(use.login_id, use.sent_at, 2, 2, 0)], now)
    assert _plan(database, now, limits=limits).refusal is not None
    assert _plan(database, now + timedelta(hours=1), limits=limits).refusal is None


def test_a_refusal_fits_a_reply(database: Database, demo: Deployment, now: datetime) -> None:
    odd = [(b"From", " \u00fc%s@\u00fcber.example".encode()), HEAD[1]]
    plan = _plan(database, now, head=odd)
    assert plan.refusal is not None
    assert plan.refusal.sentence.isascii()
    assert plan.refusal.sentence.isprintable()
    assert "%%s" in plan.refusal.sentence
    long = [(b"From", b" " + b"x" * 250 + b"@other.example"), HEAD[1]]
    refusal = _plan(database, now, head=long).refusal
    assert refusal is not None
    assert len(refusal.sentence) <= 410
