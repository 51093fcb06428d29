"""The same message as the filter gets it, and its record. Called by the tests of the sync's record."""

import io
import re

import zstandard

from capture_milter import handling, relay
from capture_milter.assembly import Assembly
from mailweir import recording
from mailweir.envelope import Envelope, read_recipient
from mailweir.headers import Header
from mailweir.settings import Relay
from mailweir.store.people.directory import SqlDirectory
from tests.gmail.world import World

RICHARD, MARY = "richard@firm.example", "mary@firm.example"
SENT = ("SENT",)


def decisions(world: World) -> list[tuple[str, str]]:
    """(outcome, reason) of each, in order."""
    rows = world.database.execute("SELECT outcome, reason FROM decisions ORDER BY id").fetchall()
    return [(str(row[0]), str(row[1])) for row in rows]


def kept(world: World) -> list[bytes]:
    """The raw messages that are on the record."""
    rows = world.database.execute("SELECT content_zstd FROM raw_messages ORDER BY id").fetchall()
    return [zstandard.ZstdDecompressor().stream_reader(io.BytesIO(bytes(row[0]))).read() for row in rows]


def postfix_lines(raw: bytes) -> tuple[list[Header], bytes]:
    """Headers and body of a well-formed message as Postfix hands them over."""
    head, _, body = raw.partition(b"\r\n\r\n")
    lines = re.split(rb"\r\n(?![ \t])", head)
    return [(line.partition(b":")[0], line.partition(b":")[2]) for line in lines], body


def by_filter(world: World, raw: bytes, to: str, queue_id: str = "4Xy1", login: str | None = None) -> None:
    """The same message as the filter gets it, with its own Received; returns the recorded rows. login: sent through the relay."""
    lines, body = postfix_lines(raw)
    lines = [
        (b"Received", b" from mx.client.example by mail.example.net;\r\n\tTue, 24 Nov 2026 03:12:56 +0000"),
        *lines,
    ]
    sender = RICHARD if login else "bounces@client.example"
    envelope = Envelope(
        sender=sender, recipients=(read_recipient(f"<{to}>"),), login=login, client="192.0.2.1", received_at=world.at
    )
    with world.database.transaction():
        directory = SqlDirectory(world.database)
        relayed = relay.plan(envelope, lines, directory, Relay()) if login else None
        plan = relayed or handling.plan(envelope, lines, directory)
        assert plan.refusal is None
        assembly = Assembly(lines)
        assembly.add(body)
        recording.record_all(world.database, handling.entries(plan, assembly, queue_id))
