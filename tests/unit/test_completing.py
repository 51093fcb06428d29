"""Missing headers of a submission, in the filter: when they are added. The record contains the mail as sent."""

import io
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import zstandard

from capture_milter import handling
from capture_milter.assembly import SPOOL_ABOVE_BYTES, STREAM_ABOVE_BYTES, join_headers
from capture_milter.completing import Completer, Completion
from capture_milter.handling import Plan, Refusal
from mailweir import headers, identity, matching, secrets_file
from mailweir.arrivals import Arrival, sort_recipients
from mailweir.decision import Outcome, Reason
from mailweir.envelope import Envelope, read_recipient
from mailweir.headers import Header
from tests.people import DEMO

if TYPE_CHECKING:
    from tests.people import MemoryDirectory

LOGIN, JANE = "richard@demo.example.net", "jane@client.example"
LINES: list[Header] = [(b"From", b" richard@firm.example"), (b"To", b" jane@client.example"), (b"Subject", b" x")]
MOMENT = datetime(2026, 11, 24, 3, 12, 55, tzinfo=UTC)
DATE = (b"Date", b" Tue, 24 Nov 2026 03:12:55 +0000 (MWR)")


@pytest.fixture
def completer(tmp_path: Path) -> Completer:
    secrets_file.make(tmp_path / "token.key")
    return Completer(tmp_path / "token.key")


def _plan(people: "MemoryDirectory", lines: list[Header] = LINES, *to: str, login: str = LOGIN) -> Plan:
    envelope = Envelope(
        sender="richard@firm.example",
        recipients=tuple(read_recipient(f"<{one}>") for one in to or (JANE,)),
        login=login,
        client="192.0.2.1",
        received_at=MOMENT,
    )
    view = headers.look(lines)
    recipients = sort_recipients(envelope.recipients, people)
    arrival = Arrival(deployment=DEMO, addresses=(), owners={}, at_log=True, bounce_tokens=())
    decision = matching.decide(arrival, view, people)
    return Plan(envelope=envelope, view=view, recipients=recipients, decisions=(decision,))


def _begun(completer: Completer, plan: Plan, lines: list[Header] = LINES) -> Completion:
    made = completer.begin(plan, lines)
    assert made is not None
    return made


def test_the_record_is_of_what_goes_out(people: "MemoryDirectory", completer: Completer) -> None:
    for body in (b"", b"hello\r\n", b"0123456789abcdef" * ((STREAM_ABOVE_BYTES + SPOOL_ABOVE_BYTES) // 8)):
        plan = _plan(people)
        assert plan.decisions[0].outcome is Outcome.CAPTURED
        completion = _begun(completer, plan)
        for at in range(0, len(body), 65_535):
            completion.add(body[at : at + 65_535])
        (name, message_id), date = completion.headers()
        assert (name, date) == (b"Message-ID", DATE)
        done = handling.complete(plan, completion.headers())
        (entry,) = handling.entries(done, completion.assembly(), "4Xy1")
        assert entry.content is not None
        sent = [*LINES, (name, message_id), date]
        raw = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(entry.content.raw_zstd)).read()
        assert raw == join_headers(sent) + body
        assert entry.content.size_bytes == len(raw)
        assert entry.content.sent_at == MOMENT
        assert entry.decision.message_id == message_id.decode().strip()
        digest = identity.BodyDigest()
        digest.update(body)
        assert entry.content.identity == identity.key(headers.look(LINES), digest.digest())
        assert entry.content.version_digest == identity.version(sent, digest.digest())


def test_a_retry_in_any_spelling_of_the_login_has_the_same_message_id(
    people: "MemoryDirectory", completer: Completer, tmp_path: Path
) -> None:
    ids = {
        _begun(one, _plan(people, login=login)).headers()[0]
        for one in (completer, Completer(tmp_path / "token.key"))
        for login in (LOGIN, "Richard@Demo.Example.NET")
    }
    assert len(ids) == 1
    other = _begun(completer, _plan(people, login="olga@demo.example.net")).headers()[0]
    assert other not in ids


def test_without_the_key_file_each_is_a_random_one(people: "MemoryDirectory", tmp_path: Path) -> None:
    completer = Completer(tmp_path / "absent.key")
    assert len({_begun(completer, _plan(people)).headers()[0] for _ in range(3)}) == 3


def test_only_what_is_missing_is_added(people: "MemoryDirectory", completer: Completer) -> None:
    with_id, with_date = [*LINES, (b"message-ID", b"")], [*LINES, (b"DATE", b" soon")]
    assert _begun(completer, _plan(people, with_id), with_id).headers() == (DATE,)
    ((name, _),) = _begun(completer, _plan(people, with_date), with_date).headers()
    assert name == b"Message-ID"
    whole = [*with_id, (b"Date", b" soon")]
    assert completer.begin(_plan(people, whole), whole) is None


def test_what_does_not_go_on_gets_nothing(people: "MemoryDirectory", completer: Completer) -> None:
    plan = _plan(people)
    assert completer.begin(replace(plan, refusal=Refusal("550", "5.7.1", "no")), LINES) is None
    assert completer.begin(_plan(people, LINES, "log@demo.example.net"), LINES) is None
    asks = replace(plan.decisions[0], reason=Reason.SEND_AS_CONFIRMATION)
    assert completer.begin(replace(plan, decisions=(asks,)), LINES) is None


def test_of_what_is_not_recorded_no_body_is_kept(
    people: "MemoryDirectory", completer: Completer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> None:
        raise AssertionError("a file was made for an unwanted body")

    monkeypatch.setattr(tempfile, "SpooledTemporaryFile", refuse)
    lines = [LINES[0], (b"To", b" x@stranger.example")]
    plan = _plan(people, lines, "x@stranger.example")
    completion = _begun(completer, plan, lines)
    completion.add(b"hello\r\n")
    assert completion.assembly() is None
    assert [name for name, _ in completion.headers()] == [b"Message-ID", b"Date"]
