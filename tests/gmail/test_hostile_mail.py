"""Large and hostile mail in a mailbox: stored unchanged, and decided as in the filter."""

from collections.abc import Collection, Sequence
from pathlib import Path

import pytest

from capture_milter import handling
from mailweir import raw_message
from mailweir.directory import People
from mailweir.envelope import Envelope, read_recipient
from mailweir.store.people.directory import SqlDirectory
from tests.gmail.calls import Kind
from tests.gmail.seen_twice import SENT, decisions, kept
from tests.gmail.server import GmailServer
from tests.gmail.world import JANE, World, mail


@pytest.fixture
def small(gmail: GmailServer, tmp_path: Path) -> "World":
    """A world on SQLite alone: the database makes no difference."""
    return World(gmail, tmp_path)


def test_a_message_of_30_mb_is_kept_byte_for_byte(small: World) -> None:
    box = small.connect()
    small.settle()
    line = b"0123456789abcdef" * 4 + b"\r\n"
    raw = mail("large") + line * (30_000_000 // len(line))
    box.insert(raw, at=small.at)
    small.settle()
    assert small.subjects() == ["large"]
    assert kept(small) == [raw]


def _raw(*lines: bytes, body: bytes = b"hello\r\n") -> bytes:
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


HOSTILE = {
    "nul in the subject": _raw(b"From: jane@client.example", b"Subject: a\0b", b"Message-ID: <1@x>"),
    "nul in from": _raw(b"From: jane@client.example\0x", b"Subject: x"),
    "nul in the message-id": _raw(b"From: jane@client.example", b"Message-ID: <a\0b@x>"),
    "nul in the body": _raw(b"From: jane@client.example", b"Message-ID: <2@x>", body=b"a\0b\r\n"),
    "latin-1 in the name": _raw(b"From: M\xfcller <jane@client.example>", b"Subject: \xfc\xff\xfe"),
    "utf-8 in the name": _raw("From: Jäne <jane@client.example>".encode(), "Subject: ö\u2028x".encode()),
    "no from": _raw(b"To: richard@firm.example", b"Subject: x"),
    "empty from": _raw(b"From: ", b"Subject: x"),
    "two froms": _raw(b"From: jane@client.example", b"From: x@stranger.example"),
    "two froms, both the contact's": _raw(b"From: jane@client.example", b"FROM: jane@client.example"),
    "two authors": _raw(b"From: jane@client.example, joe@client.example", b"Sender: jane@client.example"),
    "a group": _raw(b"From: Clients: jane@client.example;", b"Subject: x"),
    "an empty group": _raw(b"From: undisclosed-recipients:;", b"Subject: x"),
    "an address in the name": _raw(b'From: "jane@client.example" <x@stranger.example>', b"Subject: x"),
    "a contact in a comment": _raw(b"From: x@stranger.example (jane@client.example)", b"Subject: x"),
    "folded from": _raw(b"From: Jane\r\n <jane@client.example>", b"Subject: x\r\n y"),
    "folded before the address": _raw(b"From:\r\n jane@client.example", b"Subject: x"),
    "upper case": _raw(b"FROM: JANE@CLIENT.EXAMPLE", b"SUBJECT: x"),
    "a space before the colon": _raw(b"From : jane@client.example", b"Subject: x"),
    "an encoded word": _raw(b"From: =?utf-8?q?Jane_=40_Client=2C_Ltd?= <jane@client.example>", b"Subject: x"),
    "an encoded address": _raw(b"From: =?utf-8?q?jane=40client=2Eexample?=", b"Subject: x"),
    "no message-id": _raw(b"From: jane@client.example", b"Date: yesterday"),
    "two message-ids": _raw(b"From: jane@client.example", b"Message-ID: <a@x>", b"Message-ID: <b@x>"),
    "a long message-id": _raw(b"From: jane@client.example", b"Message-ID: <" + b"a" * 5000 + b"@x>"),
    "a long from": _raw(b"From: " + b"x" * 60_000 + b" <jane@client.example>", b"Subject: x"),
    "a line that is no header": _raw(b"From: jane@client.example", b"what is this", b"Subject: x"),
    "no body": b"From: jane@client.example\r\nSubject: x\r\n",
    "line feeds only": b"From: jane@client.example\nSubject: x\n\nhello\n",
    "from in the body alone": _raw(b"Subject: x", body=b"From: jane@client.example\r\n"),
    "a surrogate": _raw(b"From: jane@client.example", b"Subject: =?utf-8?q?=ED=A0=80?="),
    "many headers": _raw(b"From: jane@client.example", *[b"X-A: %d" % number for number in range(1000)]),
}


def test_hostile_headers_are_decided_as_the_filter_decides(world: World) -> None:
    box = world.connect()
    world.settle()
    raws = {name: raw.replace(b"hello", f"hello, {name}".encode()) for name, raw in HOSTILE.items()}
    ids = {name: box.insert(raw, at=world.at) for name, raw in raws.items()}
    assert [name for name in raws if box.raw(ids[name]) != raws[name]] == [], "the test's Gmail altered them"
    world.settle()
    assert world.queued() == []
    found = {name: _decided(world, ids[name]) for name in raws}
    wanted = {name: _decided_by_the_filter(world, raw) for name, raw in raws.items()}
    # They are ignored because of Gmail's metadata. So the raw message, in which Postfix drops the NUL, is never downloaded.
    assert (found.pop("nul in from")[0], wanted.pop("nul in from")[0]) == ("ignored", "ignored")
    assert found == wanted
    assert {one[0] for one in wanted.values()} == {"captured", "ignored"}
    captured = [raws[name] for name in wanted if wanted[name][0] == "captured"]
    assert sorted(kept(world)) == sorted(captured)


def _decided(world: World, message_id: str) -> tuple[object, ...]:
    row = world.database.execute(
        "SELECT d.outcome, d.reason, d.author, d.message_id, a.direction FROM decisions d"
        " LEFT JOIN activities a ON a.id = d.activity_id WHERE d.source_id = ?",
        (f"{message_id}@{world.state().id}",),
    ).fetchone()
    return tuple(row) if row else ("no decision",)


def _decided_by_the_filter(world: World, raw: bytes) -> tuple[object, ...]:
    lines, _ = raw_message.split(raw)
    to = (read_recipient("<richard@demo.example.net>"),)
    with world.database.reading():
        plan = handling.plan(
            Envelope(sender="x@client.example", recipients=to, login=None, client="192.0.2.1", received_at=world.at),
            lines,
            SqlDirectory(world.database),
        )
    (one,) = plan.decisions
    direction = str(one.direction) if one.direction else None
    return str(one.outcome), str(one.reason), one.author, one.message_id, direction


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"From: =?utf-8?q?Jane_=40_Client?= <jane@client.example>", "Jane @ Client <jane@client.example>"),
        (b"From: =?utf-8?q?Jane=3A_sales?= <jane@client.example>", "Jane: sales <jane@client.example>"),
        (b"From: =?utf-8?q?O=22Neil?= <jane@client.example>", 'O"Neil <jane@client.example>'),
    ],
)
@pytest.mark.parametrize(
    ("field", "others_field", "labels"), [("From", "To", ("INBOX",)), ("To", "From", SENT)], ids=["came", "sent"]
)
def test_names_that_gmail_has_decoded_hide_no_contact(
    small: World, gmail: GmailServer, raw: bytes, shown: str, field: str, others_field: str, labels: Sequence[str]
) -> None:
    """Encoded words may be decoded in the metadata, and then the field can't be parsed any more."""
    box = small.connect()
    small.settle()
    raw, other = raw.replace(b"From", field.encode()), f"{others_field}: richard@firm.example".encode()
    message_id = box.insert(_raw(other, raw, b"Subject: x"), labels=labels, at=small.at)
    gmail.view.show_headers(message_id, [(others_field, "richard@firm.example"), (field, shown)])
    small.settle()
    assert [one.contacts[0].address for one in small.record()] == [JANE]


def test_what_reads_no_way_and_names_a_stranger_is_not_downloaded(small: World, gmail: GmailServer) -> None:
    box = small.connect()
    small.settle()
    box.insert(_raw(b"From: X @ Y <x@stranger.example>", b"Subject: x"), at=small.at)
    box.insert(_raw(b"From: richard@firm.example", b"To: X @ Y <x@stranger.example>"), labels=SENT, at=small.at)
    small.settle()
    assert [outcome for outcome, _ in decisions(small)] == ["ignored"] * 2
    assert gmail.calls.counts(box.address)[Kind.GET_RAW] == 0


def test_people_are_asked_for_once_a_message_and_anew_for_the_next(
    small: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = small.connect()
    small.settle()
    asked: list[frozenset[str]] = []
    really = SqlDirectory.people_with

    def people_with(directory: SqlDirectory, deployment_id: int, keys: Collection[str]) -> People:
        asked.append(frozenset(keys))
        return really(directory, deployment_id, keys)

    monkeypatch.setattr(SqlDirectory, "people_with", people_with)
    for name in ("first", "second"):
        box.insert(mail(name, JANE))
    small.settle()
    assert small.subjects() == ["first", "second"]
    assert asked == [asked[0]] * 2
