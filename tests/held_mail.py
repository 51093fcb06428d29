"""Mail to log@ that is held, and a digest that decides it. All tests can use its fixtures; the tests of holding share them."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog

from capture_milter import handling
from capture_milter.assembly import Assembly
from mailweir import raw_message, recording
from mailweir.digest import children, server
from mailweir.digest.held import HeldDesk, HeldHand
from mailweir.digest.server import Digest
from mailweir.digest.workers import Facts, Limits, Pool
from mailweir.envelope import Envelope, read_recipient
from mailweir.errors import DnsUnavailable
from mailweir.sender_verdict import SenderVerdict
from mailweir.settings import Digest as HoldLimits
from mailweir.store.database.connection import Database
from mailweir.store.people.directory import SqlDirectory
from mailweir.store.record.digest_queue import Lane, Stage

LOG = "log@demo.example.net"
KEPT_AFTER = timedelta(seconds=60)
# The examiner's result for mail that contains this line.
PROOFS = {
    b"X-Test: proven": "pass dkim firm.example +ids",
    b"X-Test: client": "pass dkim client.example +ids",
    b"X-Test: changed": "fail body_changed client.example",
    b"X-Test: forged": "fail body_changed firm.example",
}


class ScriptedExaminer(children.Examiner):
    """Returns the result that a header of the mail names."""

    def __init__(self) -> None:
        pass

    def verdict(self, about: Facts, raw: bytes) -> SenderVerdict:
        head = raw.partition(b"\r\n\r\n")[0]
        if b"X-Test: kill" in head:
            os.kill(os.getpid(), signal.SIGKILL)
        if b"X-Test: dns" in head:
            raise DnsUnavailable("no answer")
        said = next((word for line, word in PROOFS.items() if line in head), "none no_signature")
        return SenderVerdict.parse(said.encode())


class Clock:
    """A time that a test sets."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def pass_by(self, seconds: float) -> None:
        """Advances by so much."""
        self.at += timedelta(seconds=seconds)


def plan_of(
    database: Database,
    raw: bytes,
    recipients: str = LOG,
    at: datetime | None = None,
    sender: str = "richard@firm.example",
) -> tuple[handling.Plan, Assembly]:
    """The filter's plan for a mail when it has arrived."""
    lines, body = raw_message.split(raw)
    envelope = Envelope(
        sender=sender,
        recipients=tuple(read_recipient(f"<{one}>") for one in recipients.split()),
        login=None,
        client="192.0.2.1",
        received_at=at or datetime.now(UTC),
    )
    with database.reading():
        plan = handling.plan(envelope, lines, SqlDirectory(database))
    assembly = Assembly(lines)
    assembly.add(body)
    return plan, assembly


def send(
    database: Database,
    raw: bytes,
    queue_id: str = "4Xy1",
    *,
    recipients: str = LOG,
    at: datetime | None = None,
    limits: HoldLimits | None = None,
    sender: str = "richard@firm.example",
) -> list[recording.Recorded]:
    """Gives a mail to the filter. sender: of the envelope."""
    plan, assembly = plan_of(database, raw, recipients, at, sender)
    kept = assembly if plan.wants_body else None
    with database.transaction():
        return recording.record_all(database, handling.entries(plan, kept, queue_id, None, limits or HoldLimits()))


@pytest.fixture
def clock(now: datetime) -> Clock:
    """The time at which held mail is decided."""
    return Clock(now)


@pytest.fixture
def held_digest(database: Database, clock: Clock) -> Iterator[Digest]:
    """A digest that decides held mail, and reads recorded mail. The verdicts on senders are scripted."""
    with deciding(database, clock) as digest:
        yield digest


@contextmanager
def deciding(database: Database, clock: Callable[[], datetime]) -> Iterator[Digest]:
    """The same, with any clock."""
    limits = Limits(data_bytes=600_000_000, cpu_seconds=5.0, wall_seconds=20.0, answer_bytes=children.MAX_HELD_BYTES)
    pool: Pool[HeldHand] = Pool(1, children.HeldExaminer(ScriptedExaminer()), limits)
    desk = HeldDesk(database, pool, structlog.get_logger(), clock, KEPT_AFTER)
    works: dict[Stage, Callable[..., bytes]] = {Stage.VERDICT: ScriptedExaminer(), Stage.READING: children.read}
    pools: server.Pools = {(stage, lane): Pool(1, works[stage], limits) for stage in Stage for lane in Lane}
    digest = Digest(database, pools, structlog.get_logger(), clock, desk)
    try:
        yield digest
    finally:
        digest.stop()


def decision(database: Database, queue_id: str = "4Xy1") -> tuple[Any, ...]:
    """(outcome, reason, activity's id) of a mail."""
    sql = "SELECT outcome, reason, activity_id FROM decisions WHERE source_id = ?"
    found: tuple[Any, ...] = database.execute(sql, (queue_id,)).fetchone()
    return tuple(found)
