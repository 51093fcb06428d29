"""Held mail on both databases: it waits with its decision, is decided once, and is erased (law 3)."""

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from mailweir.digest.server import Digest
from mailweir.settings import Digest as HoldLimits
from mailweir.store.database.connection import Database
from mailweir.store.record import held
from tests import held_mail
from tests.held_mail import Clock, send

if TYPE_CHECKING:
    from tests.people import MemoryDirectory

pytestmark = pytest.mark.usefixtures("known")
INLINE = (
    b"From: Richard <richard@firm.example>\r\nTo: log@demo.example.net\r\nSubject: Fwd: An offer\r\n"
    b"Date: Tue, 24 Nov 2026 03:00:00 +0000\r\nMessage-ID: <f1@firm.example>\r\nX-Test: %s\r\n\r\n"
    b"please look\r\n\r\n---------- Forwarded message ---------\r\nFrom: Jane <%s>\r\n"
    b"Date: Mon, 23 Nov 2026 at 10:00\r\nSubject: An offer\r\nTo: Richard <richard@firm.example>\r\n\r\nWe offer.\r\n"
)
PROVEN = INLINE % (b"proven", b"jane@client.example")


@pytest.fixture
def known(database: Database, people: "MemoryDirectory") -> None:
    """The database knows the people."""
    people.write(database)


def _held(database: Database) -> list[tuple[str, int]]:
    return [
        tuple(row) for row in database.execute("SELECT state, size_bytes FROM held_messages ORDER BY id").fetchall()
    ]


def _count(database: Database, table: str) -> int:
    return int(database.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])


def test_a_forward_waits_with_its_decision(database: Database, clock: Clock) -> None:
    send(database, PROVEN, at=clock.at)
    assert held_mail.decision(database) == ("ignored", "held forward", None)
    assert _held(database) == [("waits", len(PROVEN))]
    assert _count(database, "activities") == _count(database, "todos") == _count(database, "raw_messages") == 0


def test_what_is_proven_becomes_the_clients_mail(database: Database, clock: Clock, held_digest: Digest) -> None:
    send(database, PROVEN, at=clock.at)
    held_digest.work_off()
    outcome, reason, activity_id = held_mail.decision(database)
    assert (outcome, reason) == ("captured", "forwarded by a user")
    sql = "SELECT id, direction, author, subject, sender_verdict FROM activities"
    assert [tuple(row) for row in database.execute(sql).fetchall()] == [
        (activity_id, "incoming", "jane@client.example", "An offer", "none")
    ]
    assert _count(database, "todos") == 1


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (INLINE % (b"forged", b"jane@client.example"), "forwarded by nobody who is proven"),
        (INLINE % (b"nothing", b"jane@client.example"), "forwarded by nobody who is proven"),
        (INLINE % (b"proven", b"stranger@else.example"), "forward of nobody who is known"),
        (INLINE % (b"proven", b"mary@firm.example"), "internal"),
        (PROVEN.partition(b"----------")[0].replace(b"Fwd: ", b""), "no contact"),
    ],
)
def test_what_isnt_a_proven_forward_of_a_client_is_erased(
    database: Database, clock: Clock, held_digest: Digest, raw: bytes, reason: str
) -> None:
    send(database, raw, at=clock.at)
    held_digest.work_off()
    assert held_mail.decision(database) == ("ignored", reason, None)
    assert [state for state, _ in _held(database)] == ["against"]
    clock.pass_by(61)
    held_digest.work_off()
    assert _held(database) == []
    assert _count(database, "activities") == _count(database, "raw_messages") == 0


def test_what_is_never_read_is_erased_after_a_day(database: Database, clock: Clock, held_digest: Digest) -> None:
    send(database, INLINE % (b"dns", b"jane@client.example"), at=clock.at)
    held_digest.work_off()
    assert held_mail.decision(database)[1] == "held forward"
    clock.pass_by(24 * 3600 - 1)
    held.erase_expired(database, clock.at)
    assert _held(database)[0][0] == "waits"
    clock.pass_by(2)
    held.erase_expired(database, clock.at)
    assert _held(database) == []
    assert held_mail.decision(database) == ("ignored", "held mail that was never read", None)


def test_what_ends_its_child_three_times_is_ignored(database: Database, clock: Clock, held_digest: Digest) -> None:
    send(database, INLINE % (b"kill", b"jane@client.example"), at=clock.at)
    for _ in range(3):
        held_digest.work_off()
        clock.pass_by(3600)
    assert held_mail.decision(database) == ("ignored", "held mail that was never read", None)


def test_what_is_beyond_the_limits_is_ignored(database: Database, clock: Clock) -> None:
    limits = HoldLimits(held_author_bytes=2 * len(PROVEN), held_deployment_bytes=3 * len(PROVEN))
    of_rick = PROVEN.replace(b"richard@firm", b"rick@firm")
    mails = [("1", PROVEN), ("2", PROVEN), ("3", PROVEN), ("4", of_rick[: len(PROVEN)]), ("5", of_rick[: len(PROVEN)])]
    for queue_id, raw in mails:
        send(database, raw, queue_id, at=clock.at, limits=limits)
    reasons = [held_mail.decision(database, queue_id)[1] for queue_id, _ in mails]
    too_much = "more mail than may be held"
    assert reasons == ["held forward", "held forward", too_much, "held forward", too_much]
    assert len(_held(database)) == 3


def test_a_repeat_of_a_decided_source_is_nothing(database: Database, clock: Clock, held_digest: Digest) -> None:
    send(database, PROVEN, at=clock.at)
    held_digest.work_off()
    send(database, PROVEN, at=clock.at)
    held_digest.work_off()
    assert _count(database, "activities") == _count(database, "decisions") == _count(database, "sightings") == 1
    clock.pass_by(timedelta(days=2).total_seconds())
    held_digest.work_off()
    assert _held(database) == []
