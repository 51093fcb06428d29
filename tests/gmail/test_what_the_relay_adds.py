"""Mail to which the relay added Date and Message-ID: its copies in a mailbox, before and after the relay, are the same
message."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from capture_milter import handling, relay
from capture_milter.assembly import Assembly
from mailweir import added_headers, recording
from mailweir.envelope import Envelope, read_recipient
from mailweir.headers import Header
from mailweir.settings import Relay
from mailweir.store.people import relay_logins
from mailweir.store.people.directory import SqlDirectory
from tests.gmail.seen_twice import RICHARD, postfix_lines
from tests.gmail.world import JANE, World

LOGIN = "richard@demo.example.net"
SUBMITTED = f"From: {RICHARD}\r\nTo: {JANE}\r\nSubject: bare\r\n\r\nhello\r\n".encode()


def submit(world: World, queue_id: str) -> bytes:
    """Submits a login's mail that lacks both; returns the mail as sent."""
    lines, body = postfix_lines(SUBMITTED)
    envelope = Envelope(
        sender=RICHARD, recipients=(read_recipient(f"<{JANE}>"),), login=LOGIN, client="192.0.2.1", received_at=world.at
    )
    made = added_headers.ContentId(b"key", LOGIN, lines)
    made.update(body)
    added: tuple[Header, ...] = (
        (added_headers.MESSAGE_ID, made.value("firm.example")),
        (added_headers.DATE, added_headers.date(world.at)),
    )
    with world.database.transaction():
        plan = handling.complete(relay.plan(envelope, lines, SqlDirectory(world.database), Relay()), added)
        assert plan.refusal is None
        assembly = Assembly([*lines, *added])
        assembly.add(body)
        recording.record_all(world.database, handling.entries(plan, assembly, queue_id))
    return b"".join(b"%s:%s\r\n" % line for line in [*lines, *added]) + b"\r\n" + body


@pytest.mark.parametrize("as_kept", [lambda out: SUBMITTED, lambda out: out], ids=["as it was sent", "as it went out"])
def test_the_relays_copy_gmails_own_and_a_retry_are_one_activity(
    world: World, as_kept: Callable[[bytes], bytes]
) -> None:
    relay_logins.connect(world.database, world.demo, "richard", "x", world.at)
    box = world.connect("richard")
    world.settle()
    world.later(seconds=5)
    out = submit(world, "4Xy1")
    world.at += timedelta(hours=2)
    assert submit(world, "4Xy2") != out, "a retry has a Date of its own"
    box.insert(as_kept(out), labels=("SENT",), at=world.at)
    world.settle()
    (one,) = world.record()
    assert one.routes == ("gmail_out", "relay")
