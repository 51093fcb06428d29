"""What of a mailbox goes on the record, as what, whose it is, and that other routes saw the same message."""

import io
import json
import re
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
import zstandard

from capture_milter import handling, relay
from capture_milter.assembly import Assembly
from mailweir import raw_message, recording
from mailweir.directory import People
from mailweir.envelope import Envelope, read_recipient
from mailweir.headers import Header
from mailweir.settings import Relay
from mailweir.store.people import contacts, deployments, relay_logins, users
from mailweir.store.people.directory import SqlDirectory
from mailweir.store.record import activities, todos
from mailweir.store.record.activities import Filter
from tests.gmail.calls import Kind
from tests.gmail.faults import Fault
from tests.gmail.google_errors import Answer
from tests.gmail.server import GmailServer, Mailbox
from tests.gmail.world import JANE, JOE, STRANGER, World, mail

RICHARD, MARY = "richard@firm.example", "mary@firm.example"
SENT = ("SENT",)


@pytest.fixture
def small(gmail: GmailServer, tmp_path: Path) -> "World":
    """On SQLite alone: where the database makes no difference."""
    return World(gmail, tmp_path)


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
    """The same message as the filter gets it: with a Received of its own; and what it records. login: on the relay."""
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


def both(box: Mailbox, world: World) -> None:
    """One mail from jane, one to her."""
    box.insert(mail("in"), at=world.at)
    box.insert(mail("out", RICHARD, JANE), labels=SENT, at=world.at)
    box.insert(mail("in, a stranger's", STRANGER), at=world.at)
    box.insert(mail("out, to a stranger", RICHARD, STRANGER), labels=SENT, at=world.at)


@pytest.mark.parametrize(
    ("inbound", "outbound", "wanted", "not_synced"),
    [
        (True, False, [("in", "incoming", ("gmail_in",))], 2),
        (False, True, [("out", "outgoing", ("gmail_out",))], 2),
        (True, True, [("in", "incoming", ("gmail_in",)), ("out", "outgoing", ("gmail_out",))], 0),
    ],
)
def test_what_is_ticked_is_synced(
    world: World, gmail: GmailServer, inbound: bool, outbound: bool, wanted: list[object], not_synced: int
) -> None:
    box = world.connect(inbound=inbound, outbound=outbound)
    world.settle()
    both(box, world)
    world.settle()
    assert sorted((one.subject, one.direction, one.routes) for one in world.record()) == wanted
    assert {one.users for one in world.record()} == {("richard",)}
    # strangers' mail, and what isn't ticked, is never downloaded
    assert gmail.calls.counts(box.address)[Kind.GET_RAW] == len(wanted)
    assert len(kept(world)) == len(wanted)
    assert len(decisions(world)) == 4
    assert decisions(world).count(("ignored", "direction that isn't synced")) == not_synced
    reasons = {reason for outcome, reason in decisions(world) if outcome == "ignored"}
    assert reasons <= {"unknown author", "no contact", "direction that isn't synced"}


@pytest.mark.parametrize(
    ("author", "verdict"),
    [(RICHARD, "pass"), ("Richard <rick@firm.example>", "pass"), ("sales@firm.example", "pending")],
)
def test_what_was_sent_is_the_users_and_proven_where_the_address_is_known_to_be(
    small: World, author: str, verdict: str
) -> None:
    """The last one is an alias that nobody told us of: an author is proven or marked (law 8)."""
    users.add_address(small.database, small.demo, "richard", "rick@firm.example")
    box = small.connect()
    small.settle()
    box.insert(mail("sent", author, JANE), labels=SENT, at=small.at)
    small.settle()
    (one,) = small.record()
    assert (one.direction, one.users, one.sender_verdict) == ("outgoing", ("richard",), verdict)
    assert todos.select(small.database, small.demo, None, with_done=True) == []


def test_what_a_colleague_wrote_is_not_proven_by_lying_in_the_inbox(small: World) -> None:
    box = small.connect()
    small.settle()
    box.insert(mail("mary's", MARY, f"{JANE}, {RICHARD}"), at=small.at)
    small.settle()
    (one,) = small.record()
    assert (one.direction, one.users, one.sender_verdict) == ("outgoing", ("mary", "richard"), "pending")


def test_mail_to_oneself_and_internal_mail_stay_out(small: World, gmail: GmailServer) -> None:
    box = small.connect()
    small.settle()
    box.insert(mail("note to myself", RICHARD, RICHARD), labels=("SENT", "INBOX"), at=small.at)
    box.insert(mail("from mary", MARY), at=small.at)
    box.insert(mail("to mary", RICHARD, MARY), labels=SENT, at=small.at)
    small.settle()
    assert small.record() == []
    assert decisions(small) == [("ignored", "internal")] * 3
    assert gmail.calls.counts(box.address)[Kind.GET_RAW] == 0


def test_mail_to_a_contact_and_oneself_is_outgoing_once(small: World) -> None:
    box = small.connect()
    small.settle()
    box.insert(mail("cc me", RICHARD, JANE, f"Cc: {RICHARD}"), labels=("SENT", "INBOX"), at=small.at)
    small.settle()
    assert [(one.direction, one.routes) for one in small.record()] == [("outgoing", ("gmail_out",))]


def test_bcc_counts_in_the_sent_copy_and_is_shown_to_the_sender_alone(world: World) -> None:
    richard, mary = world.connect("richard"), world.connect("mary")
    world.settle("richard")
    world.settle("mary")
    copy = mail("secret", RICHARD, f"{JANE}, {MARY}")
    mary.insert(copy, at=world.at)  # first the copy that doesn't tell
    world.settle("mary")
    richard.insert(copy.replace(b"Subject:", f"Bcc: {JOE}\r\nSubject:".encode()), labels=SENT, at=world.at)
    world.settle("richard")
    (one,) = world.record()
    assert [(c.address, c.bcc) for c in one.contacts] == [(JANE, False), (JOE, True)]
    assert one.users == ("mary", "richard")
    shown = {
        name: [c.address for c in activities.select(world.database, world.demo, Filter(user=name))[0].contacts]
        for name in ("richard", "mary")
    }
    assert shown == {"richard": [JANE, JOE], "mary": [JANE]}


def test_a_contact_in_bcc_alone_counts_and_in_mail_that_came_in_it_does_not(small: World) -> None:
    box = small.connect()
    small.settle()
    box.insert(mail("only hidden", RICHARD, MARY, f"Bcc: {JOE}"), labels=SENT, at=small.at)
    box.insert(mail("a trap", MARY, RICHARD, f"Bcc: {JOE}"), at=small.at)
    small.settle()
    assert [(one.subject, one.contacts[0].bcc) for one in small.record()] == [("only hidden", True)]


@pytest.mark.parametrize("label", ["SPAM", "TRASH", "DRAFT"])
def test_what_is_not_mail_leaves_nothing(small: World, gmail: GmailServer, label: str) -> None:
    box = small.connect()
    box.insert(mail("old"), labels=[label], at=small.at - timedelta(hours=1))
    small.settle()
    box.insert(mail("new"), labels=[label], at=small.at)
    small.settle()
    small.later(hours=2)
    small.settle()
    assert small.record() == []
    assert decisions(small) == []
    assert gmail.calls.counts(box.address)[Kind.GET_RAW] == 0
    assert small.state().audit_missing == 0


def test_a_chat_leaves_nothing(small: World, gmail: GmailServer) -> None:
    """The emulator has none: the answer is given in its place."""
    box = small.connect()
    small.settle()
    chat = box.insert(mail("chat"), at=small.at)
    body = {"id": chat, "labelIds": ["CHAT"], "internalDate": "1795547611615"}
    answer = Fault("chat", Answer(200, json.dumps(body).encode()))
    gmail.faults.add(answer, user=box.address, kind=Kind.GET_METADATA, message_id=chat)
    small.settle()
    assert small.record() == []
    assert decisions(small) == []
    assert small.queued() == []


@pytest.mark.parametrize(
    ("label", "take_out"),
    [("TRASH", Mailbox.untrash), ("SPAM", lambda box, hidden: box.modify(hidden, add=["INBOX"], remove=["SPAM"]))],
)
def test_what_is_rescued_or_put_back_counts_from_then_on(
    small: World, label: str, take_out: Callable[[Mailbox, str], object]
) -> None:
    box = small.connect()
    small.settle()
    hidden = box.insert(mail("hidden"), labels=[label], at=small.at)
    small.settle()
    take_out(box, hidden)
    small.later(minutes=1)
    small.settle()
    assert small.subjects() == ["hidden"]


def test_archived_before_the_first_look_and_thrown_away_after_it(small: World) -> None:
    box = small.connect()
    small.settle()
    archived = box.insert(mail("archived"), at=small.at)
    box.modify(archived, remove=["INBOX", "UNREAD"])
    thrown = box.insert(mail("thrown away"), at=small.at)
    small.settle()
    box.trash(thrown)
    small.later(minutes=1)
    small.settle()
    box.untrash(thrown)
    small.later(minutes=1)
    small.settle()
    assert small.subjects() == ["archived", "thrown away"]


def test_to_dos_are_of_what_came_since_connecting(world: World) -> None:
    box = world.connect()
    box.insert(mail("before"), at=world.at - timedelta(days=2))
    box.insert(mail("after"), at=world.at + timedelta(seconds=5))
    world.settle()
    world.later(minutes=1)
    box.insert(mail("late contact's", "new@late.example"), at=world.at)
    world.settle()
    contacts.add(world.database, world.demo, "New", ["new@late.example"], None, world.at)
    world.later(minutes=1)
    world.settle()
    assert sorted(world.subjects()) == ["after", "before", "late contact's"]
    listed = [one.activity.subject for one in todos.select(world.database, world.demo, None, with_done=True)]
    assert listed == ["after"]


# --- other routes ----------------------------------------------------------------------------------------------------


def _signed(raw: bytes) -> bytes:
    return raw.replace(b"Subject:", b"DKIM-Signature: v=1; a=rsa-sha256; h=from : to; b=abc\r\n def\r\nSubject:")


def _by_relay(world: World, raw: bytes) -> None:
    relay_logins.connect(world.database, world.demo, "richard", "x", world.at)
    by_filter(world, raw, JANE, login="richard@demo.example.net")


Step = Callable[[], object]
IN_TURN = pytest.mark.parametrize(
    "in_turn",
    [lambda sync, other: (sync(), other()), lambda sync, other: (other(), sync())],
    ids=["sync first", "sync last"],
)


def _by_sync(world: World, box: Mailbox, raw: bytes, labels: Sequence[str]) -> None:
    """Gmail's own trace stands above, as in the mailbox."""
    box.insert(b"Delivered-To: richard@firm.example\r\n" + raw, labels=labels, at=world.at)
    world.settle()


@IN_TURN
def test_one_incoming_activity_whichever_routes_saw_it_and_in_whichever_order(
    world: World, in_turn: Callable[[Step, Step], object]
) -> None:
    box = world.connect("richard")
    world.settle()
    world.later(seconds=5)
    raw = _signed(mail("both", JANE, f"{RICHARD}, {MARY}"))
    in_turn(lambda: _by_sync(world, box, raw, ("INBOX",)), lambda: by_filter(world, raw, "mary@demo.example.net"))
    (one,) = world.record()
    assert (one.routes, one.users) == (("forward", "gmail_in"), ("mary", "richard"))
    assert (one.direction, one.sender_verdict) == ("incoming", "pending")
    assert len(kept(world)) == 1  # one version: its digest doesn't go by what is trace
    listed = todos.select(world.database, world.demo, None, with_done=True)
    assert sorted(todo.user for todo in listed) == ["mary", "richard"]


@IN_TURN
@pytest.mark.parametrize(
    ("route", "go"),
    [("log", lambda world, raw: by_filter(world, raw, "log@demo.example.net")), ("relay", _by_relay)],
    ids=["log", "relay"],
)
def test_one_outgoing_activity_whichever_routes_saw_it_and_in_whichever_order(
    world: World, route: str, go: Callable[[World, bytes], object], in_turn: Callable[[Step, Step], object]
) -> None:
    box = world.connect("richard")
    world.settle()
    world.later(seconds=5)
    raw = _signed(mail("both", RICHARD, JANE))
    in_turn(lambda: _by_sync(world, box, raw, SENT), lambda: go(world, raw))
    (one,) = world.record()
    assert (one.routes, one.users) == (("gmail_out", route), ("richard",))
    assert (one.direction, one.sender_verdict) == ("outgoing", "pass")
    assert len(kept(world)) == 1
    assert todos.select(world.database, world.demo, None, with_done=True) == []


def test_forwarding_and_inbound_of_one_user_give_no_duplicates(world: World) -> None:
    box = world.connect("richard", outbound=False)
    world.settle()
    for number in (0, 2, 4):
        box.insert(mail(f"m{number}"), at=world.at)
        world.settle()
        by_filter(world, mail(f"m{number}"), "richard@demo.example.net", f"4Xy{number}")
        by_filter(world, mail(f"m{number + 1}"), "richard@demo.example.net", f"4Xy{number + 1}")
        box.insert(mail(f"m{number + 1}"), at=world.at)
    world.settle()
    assert sorted(world.subjects()) == [f"m{number}" for number in range(6)]
    assert {one.routes for one in world.record()} == {("forward", "gmail_in")}
    assert len(todos.select(world.database, world.demo, "richard", with_done=True)) == 6


def test_another_body_under_the_same_key_is_kept_beside_the_first(small: World) -> None:
    box = small.connect()
    small.settle()
    by_filter(small, mail("one", body="hello\r\n"), "richard@demo.example.net")
    box.insert(mail("one", body="something else\r\n"), at=small.at)
    small.settle()
    assert len(small.record()) == 1
    assert len(kept(small)) == 2


def test_two_deployments_know_nothing_of_each_other(small: World) -> None:
    other = deployments.add(small.database, "other", "other.example.org", small.at)
    users.add(small.database, other, "olga", "olga@else.example", "", small.at)
    contacts.add(small.database, other, "X", [STRANGER], None, small.at)
    box = small.connect()
    small.settle()
    box.insert(mail("x", STRANGER), at=small.at)
    small.settle()
    assert small.record() == []
    assert activities.select(small.database, other, Filter()) == []


# --- large and hostile mail ------------------------------------------------------------------------------------------


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
    # ignored for what Gmail's metadata say of it: the raw message, in which Postfix drops the NUL, is never downloaded
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
    """In the metadata encoded words may be decoded, and then the field doesn't read any more."""
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
