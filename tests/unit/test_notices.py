"""Which of Postfix's notices may be sent: their parsing, and the record's data, on both databases."""

from datetime import datetime, timedelta

import pytest

from capture_milter import notices
from mailweir.decision import Decision, Outcome, Reason
from mailweir.directory import DeploymentRef
from mailweir.envelope import read_recipient
from mailweir.headers import Header
from mailweir.recording import Entry, record
from mailweir.store.database.connection import Database
from mailweir.store.people import deployments, relay_logins, users
from mailweir.store.people.deployments import Deployment
from mailweir.store.people.directory import SqlDirectory
from mailweir.store.people.relay_logins import UseRow
from mailweir.store.record import retention

RICHARD, ALIAS, LOGIN = "richard@firm.example", "r.smith@firm.example", "richard@demo.example.net"
TYPE = b' multipart/report; report-type=delivery-status;\r\n\tboundary="4dMkTq1xyzz2B.1764000000/mx.host.example"'


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([(b"Content-Type", TYPE)], "4dMkTq1xyzz2B"),
        ([(b"Subject", b" x"), (b"content-type", TYPE)], "4dMkTq1xyzz2B"),
        ([(b"Content-Type", TYPE.replace(b"delivery-status", b"delivery-status; charset=utf-8"))], "4dMkTq1xyzz2B"),
        ([], None),
        ([(b"Content-Type", TYPE), (b"Content-Type", TYPE)], None),
        ([(b"Subject", TYPE)], None),
        ([(b"Content-Type", TYPE.replace(b"report;", b"mixed;"))], None),
        ([(b"Content-Type", TYPE.replace(b"4dMkTq1xyzz2B.", b""))], None),
        ([(b"Content-Type", TYPE.replace(b"4dMkTq1xyzz2B", b"4dM kTq"))], None),
        ([(b"Content-Type", TYPE.replace(b"4dMkTq1xyzz2B", b"A" * 65))], None),
        ([(b"Content-Type", TYPE + b"; more")], None),
        ([(b"Content-Type", b"\xff\0")], None),
    ],
)
def test_the_queue_id_in_a_notice(lines: list[Header], expected: str | None) -> None:
    assert notices.bounced_queue_id(lines) == expected


@pytest.fixture
def demo(database: Database, now: datetime) -> Deployment:
    """richard and olga are connected. The message 4Xy1 was relayed for richard, 4Xy2 was refused, and 4Xy3 came by port 25."""
    made = deployments.add(database, "demo", "demo.example.net", now)
    for name in ("richard", "olga"):
        users.add(database, made, name, f"{name}@firm.example", "", now)
        relay_logins.connect(database, made, name, "x", now)
    users.add_address(database, made, "richard", ALIAS)
    with database.reading():
        holder = relay_logins.holder(database, LOGIN)
    assert holder is not None
    use = UseRow(holder.id, now, 1, 1, 0)
    tenant = DeploymentRef(made.id, made.name, made.domain)
    with database.transaction():
        for queue_id, outcome, by in (
            ("4Xy1", Outcome.IGNORED, use),
            ("4Xy2", Outcome.REFUSED, use),
            ("4Xy3", Outcome.IGNORED, None),
        ):
            decision = Decision(
                deployment=tenant,
                outcome=outcome,
                reason=Reason.NO_CONTACT,
                author=RICHARD,
                message_id=f"<{queue_id}>",
            )
            record(database, Entry(decision, queue_id, now, use=by))
    return made


def _owed(database: Database, queue_id: str | None, *to: str) -> bool:
    with database.reading():
        return notices.is_owed([read_recipient(f"<{one}>") for one in to], queue_id, SqlDirectory(database))


def test_owed_to_every_address_of_who_sent(database: Database, demo: Deployment) -> None:
    assert _owed(database, "4Xy1", RICHARD)
    assert _owed(database, "4Xy1", ALIAS)
    assert _owed(database, "4Xy1", "Richard@Firm.Example")


@pytest.mark.parametrize(
    "to",
    [("olga@firm.example",), ("x@stranger.example",), (LOGIN,), ("",), (), (RICHARD, ALIAS), (RICHARD, "x@y.example")],
)
def test_owed_to_nobody_else(database: Database, demo: Deployment, to: tuple[str, ...]) -> None:
    assert not _owed(database, "4Xy1", *to)


@pytest.mark.parametrize("queue_id", ["4Xy2", "4Xy3", "4Xy", "4xy1", "", None])
def test_owed_for_nothing_else(database: Database, demo: Deployment, queue_id: str | None) -> None:
    assert not _owed(database, queue_id, RICHARD)


def test_a_login_that_ended_is_told_and_a_removed_user_is_not(
    database: Database, demo: Deployment, now: datetime
) -> None:
    with database.reading():
        holder = relay_logins.holder(database, LOGIN)
    assert holder is not None
    with database.transaction():
        relay_logins.put_uses(database, [UseRow(holder.id, now, 0, 0, 1, "why")], now)
    assert _owed(database, "4Xy1", RICHARD)  # suspended
    relay_logins.disconnect(database, demo, "richard", now)
    assert _owed(database, "4Xy1", RICHARD)
    relay_logins.connect(database, demo, "richard", "y", now)
    assert _owed(database, "4Xy1", RICHARD)
    users.remove_address(database, demo, "richard", ALIAS)
    assert not _owed(database, "4Xy1", ALIAS)
    users.remove(database, demo, "richard", now)
    assert not _owed(database, "4Xy1", RICHARD)
    users.add(database, demo, "richard", RICHARD, "", now)  # another user of the same name, with the same address
    assert not _owed(database, "4Xy1", RICHARD)


def test_law_4_an_address_counts_in_the_logins_deployment(database: Database, demo: Deployment, now: datetime) -> None:
    other = deployments.add(database, "other", "other.example.org", now)
    users.add(database, other, "rick", "rick@other.example", "", now)
    assert not _owed(database, "4Xy1", "rick@other.example")


def test_a_decision_on_relayed_mail_stays_while_it_may_bounce(
    database: Database, demo: Deployment, now: datetime
) -> None:
    assert retention.prune_decisions(database, now + timedelta(days=6), 1) == 2
    assert _owed(database, "4Xy1", RICHARD)
    assert retention.prune_decisions(database, now + timedelta(days=8), 1) == 1
    assert not _owed(database, "4Xy1", RICHARD)
