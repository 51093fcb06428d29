"""The handling of one message: entries to record, the desk for confirmations, and the answer to Postfix."""

import io
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import pytest
import zstandard

from capture_milter import handling
from capture_milter.assembly import STREAM_ABOVE_BYTES, Assembly, join_headers
from capture_milter.handling import Answer, ConfirmationDesk
from mailweir import confirmation
from mailweir.decision import Outcome, Reason
from mailweir.envelope import Envelope, read_recipient
from mailweir.errors import DnsUnavailable
from mailweir.headers import Header
from mailweir.recording import Entry, Recorded
from mailweir.sender_auth import DkimProver
from mailweir.settings import Confirmation as Limits

if TYPE_CHECKING:
    from tests.people import MemoryDirectory

JOE = [(b"From", b" Joe <joe@client.example>"), (b"Subject", b" An\r\n offer"), (b"Message-ID", b" <1@client.example>")]
GOOGLE = [
    (b"From", b" forwarding-noreply@google.com"),
    (b"Subject", b" (#1) x@gmail.com"),
    (b"Message-ID", b" <1@google.com>"),
    (b"To", b" Richard@demo.example.net, mary@demo.example.net, log@demo.example.net, richard@other.example.org"),
]
BOTH = "richard@demo.example.net richard@other.example.org"
LINK = "https://mail-settings.google.com/mail/vf-x"
BODY = f"click {LINK}\r\n".encode()


def _plan(
    people: "MemoryDirectory", recipients: str, lines: list[Header], sender: str = confirmation.SENDER
) -> handling.Plan:
    return _typed_plan(people, [f"<{one}>" for one in recipients.split()], lines, sender)


def _typed_plan(
    people: "MemoryDirectory", typed: list[str], lines: list[Header], sender: str = confirmation.SENDER
) -> handling.Plan:
    recipients = tuple(read_recipient(one) for one in typed)
    envelope = Envelope(
        sender=sender,
        recipients=recipients,
        login=None,
        client="192.0.2.1",
        received_at=datetime(2026, 11, 24, tzinfo=UTC),
    )
    return handling.plan(envelope, lines, people)


def _assembly(lines: list[Header], body: bytes) -> Assembly:
    made = Assembly(lines)
    made.add(body)
    return made


@pytest.mark.parametrize("body", [b"hello\r\n", b"0123456789abcdef" * (STREAM_ABOVE_BYTES // 8)])
def test_two_deployments_each_keep_the_whole_message(people: "MemoryDirectory", body: bytes) -> None:
    plan = _plan(people, BOTH, JOE)
    assert plan.wants_body
    assert not plan.possible_confirmation
    entries = handling.entries(plan, _assembly(JOE, body), "4Xy1")
    assert [entry.decision.deployment.name for entry in entries] == ["demo", "other"]
    for entry in entries:
        assert entry.content is not None
        assert (entry.source_id, entry.content.subject) == ("4Xy1", "An  offer")
        raw = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(entry.content.raw_zstd)).read()
        assert raw == join_headers(JOE) + body
        assert entry.content.size_bytes == len(raw)


def test_of_two_deployments_only_the_one_that_captures_gets_the_message(people: "MemoryDirectory") -> None:
    lines = [(b"From", b"jane@home.example")]
    plan = _plan(people, BOTH, lines)
    assert plan.wants_body
    demo, other = handling.entries(plan, _assembly(lines, BODY), "4Xy1")
    assert demo.content is not None
    assert other.content is None


@pytest.mark.parametrize(
    ("recipients", "lines", "wants_body"),
    [
        ("richard@demo.example.net", [(b"From", b"x@stranger.example")], False),
        ("richard@demo.example.net", [], False),
        ("postmaster@demo.example.net", JOE, False),
        ("postmaster@demo.example.net", GOOGLE, False),
        ("richard@demo.example.net", JOE, True),
        ("richard@demo.example.net", GOOGLE, True),
        ("log@demo.example.net", GOOGLE, True),
    ],
)
def test_the_body_is_wanted_only_where_it_is_needed(
    people: "MemoryDirectory", recipients: str, lines: list[Header], wants_body: bool
) -> None:
    assert _plan(people, recipients, lines).wants_body is wants_body


# --- the desk for confirmations -------------------------------------------------------------------------------------


@dataclass
class FaultyProver:
    """Proves on request; test_sender_auth tests the real prover."""

    answer: bool | Exception = True
    asked: list[tuple[bytes, str]] = field(default_factory=list)

    def proves(self, raw: bytes, domain: str, *, covering: frozenset[bytes]) -> bool:
        assert covering == {b"to", b"message-id", b"subject"}
        self.asked.append((raw, domain))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def _at_desk(
    people: "MemoryDirectory", prover: FaultyProver, recipients: str, lines: list[Header] = GOOGLE, body: bytes = BODY
) -> list[Any]:
    desk = ConfirmationDesk(cast(DkimProver, prover), Limits())
    plan = _plan(people, recipients, lines)
    assert plan.possible_confirmation
    return desk.entries(plan, lines, body, _assembly(lines, body), "4Xy1")


def test_a_proven_confirmation_goes_to_its_owner_only(people: "MemoryDirectory") -> None:
    prover = FaultyProver()
    (entry,) = _at_desk(people, prover, "richard@demo.example.net log@demo.example.net")
    assert prover.asked == [(join_headers(GOOGLE) + BODY, "google.com")]
    assert (entry.decision.outcome, entry.decision.reason) == (Outcome.REDIRECTED, Reason.CONFIRMATION)
    assert entry.content is None
    assert entry.redirect.owners == ((1, "richard@firm.example"),)
    assert entry.redirect.confirmation == confirmation.Confirmation(LINK, "x@gmail.com")
    assert (entry.redirect.max_per_message, entry.redirect.max_per_user_and_hour) == (3, 20)


def test_a_confirmation_to_two_deployments_goes_to_each_ones_owner(people: "MemoryDirectory") -> None:
    demo, other = _at_desk(people, FaultyProver(), f"{BOTH} mary@demo.example.net")
    assert demo.redirect.owners == ((1, "richard@firm.example"), (2, "mary@firm.example"))
    assert other.redirect.owners == ((4, "richard@else.example"),)


def _confirmation_to(people: "MemoryDirectory", to: bytes) -> Entry:
    lines = [*GOOGLE[:-1], (b"To", to), (b"Cc", b" richard@demo.example.net")]
    (entry,) = _at_desk(people, FaultyProver(), "richard@demo.example.net mary@demo.example.net", lines)
    assert isinstance(entry, Entry)
    return entry


@pytest.mark.parametrize(("to", "owner"), [(b" mary@demo.example.net", 2), (b" <RICHARD@demo.example.net>", 1)])
def test_a_genuine_confirmation_goes_to_whom_it_is_to(people: "MemoryDirectory", to: bytes, owner: int) -> None:
    entry = _confirmation_to(people, to)
    assert entry.redirect
    assert [user_id for user_id, _ in entry.redirect.owners] == [owner]
    assert entry.decision.reason is Reason.CONFIRMATION


@pytest.mark.parametrize(
    "to",
    [
        b" richard@other.example.org",
        b" richard@demo.example.net.evil.example",
        b" victim@client.example",
        b"",
    ],
)
def test_a_genuine_confirmation_for_somebody_else_goes_to_nobody(people: "MemoryDirectory", to: bytes) -> None:
    """Anybody can make Google write to an address of their own, and send that mail on to any of our users."""
    entry = _confirmation_to(people, to)
    assert not entry.redirect
    assert entry.decision.reason is Reason.CONFIRMATION_FOR_ANOTHER


def test_a_returned_one_is_not_redirected_again(people: "MemoryDirectory") -> None:
    token = "0123456789abcdef" * 2
    known = replace(people, tokens=[(1, token)])
    lines = [(b"X-Mailweir-Loop", f" {token}".encode()), *GOOGLE]
    (entry,) = _at_desk(known, FaultyProver(), "richard@demo.example.net", lines)
    assert (entry.decision.reason, entry.redirect) == (Reason.RETURNED_CONFIRMATION, None)


@pytest.mark.parametrize(
    ("proven", "recipients", "body", "reason"),
    [
        (False, "richard@demo.example.net", BODY, Reason.UNPROVEN_CONFIRMATION),
        (False, "log@demo.example.net", BODY, Reason.UNPROVEN_CONFIRMATION),
        (True, "log@demo.example.net", BODY, Reason.CONFIRMATION_FOR_NOBODY),
        (True, "gone@demo.example.net", BODY, Reason.UNKNOWN_RECIPIENT),
        (True, "richard@demo.example.net", b"another mail of Google's", Reason.UNKNOWN_AUTHOR),
        (True, "richard@demo.example.net", LINK.replace("vf-", "uf-").encode(), Reason.UNKNOWN_AUTHOR),
    ],
)
def test_what_is_not_redirected_is_ignored_and_says_why(
    people: "MemoryDirectory", proven: bool, recipients: str, body: bytes, reason: Reason
) -> None:
    (entry,) = _at_desk(people, FaultyProver(proven), recipients, body=body)
    assert (entry.decision.outcome, entry.decision.reason) == (Outcome.IGNORED, reason)
    assert (entry.content, entry.redirect) == (None, None)


def test_a_large_look_alike_is_not_worth_proving(people: "MemoryDirectory") -> None:
    prover = FaultyProver()
    (entry,) = _at_desk(people, prover, "richard@demo.example.net", body=BODY * handling.MAX_CONFIRMATION_BYTES)
    assert entry.decision.reason is Reason.UNPROVEN_CONFIRMATION
    assert prover.asked == []


def test_without_dns_nothing_is_decided(people: "MemoryDirectory") -> None:
    with pytest.raises(DnsUnavailable):
        _at_desk(people, FaultyProver(DnsUnavailable("no answer")), "richard@demo.example.net")


# --- the answer -------------------------------------------------------------------------------------------------------

IGNORED, CAPTURED = Recorded(Outcome.IGNORED), Recorded(Outcome.CAPTURED, 1)
REDIRECTED = Recorded(Outcome.REDIRECTED, None, ("richard@firm.example",), "abc")


@pytest.mark.parametrize(
    ("recipients", "recorded", "expected"),
    [
        ("richard@demo.example.net", [CAPTURED], Answer(True)),
        ("richard@demo.example.net", [IGNORED], Answer(True)),
        ("gone@demo.example.net", [IGNORED], Answer(True)),
        (BOTH, [CAPTURED, IGNORED], Answer(True)),
        ("postmaster@demo.example.net", [], Answer(False)),
        ("x@stranger.example", [], Answer(False)),
        (
            "richard@demo.example.net postmaster@demo.example.net",
            [CAPTURED],
            Answer(False, ("<richard@demo.example.net>",)),
        ),
        ("richard@demo.example.net x@stranger.example", [IGNORED], Answer(False, ("<richard@demo.example.net>",))),
        (
            f"{BOTH} abuse@demo.example.net",
            [CAPTURED, IGNORED],
            Answer(False, ("<richard@demo.example.net>", "<richard@other.example.org>")),
        ),
        (
            "richard@demo.example.net",
            [REDIRECTED],
            Answer(
                False, ("<richard@demo.example.net>",), ("richard@firm.example",), "bounce+abc@demo.example.net", "abc"
            ),
        ),
        (
            "richard@demo.example.net postmaster@demo.example.net",
            [REDIRECTED],
            Answer(
                False, ("<richard@demo.example.net>",), ("richard@firm.example",), "bounce+abc@demo.example.net", "abc"
            ),
        ),
        (
            BOTH,
            [IGNORED, REDIRECTED],
            Answer(
                False,
                ("<richard@demo.example.net>", "<richard@other.example.org>"),
                ("richard@firm.example",),
                "bounce+abc@other.example.org",
                "abc",
            ),
        ),
        # law 4: neither owner sees the other's domain
        (
            BOTH,
            [REDIRECTED, Recorded(Outcome.REDIRECTED, None, ("richard@else.example",), "def")],
            Answer(
                False,
                ("<richard@demo.example.net>", "<richard@other.example.org>"),
                ("richard@firm.example", "richard@else.example"),
                "",
                "abc def",
            ),
        ),
    ],
)
def test_what_is_ours_is_taken_off_and_confirmations_go_on(
    people: "MemoryDirectory", recipients: str, recorded: list[Recorded], expected: Answer
) -> None:
    assert handling.answer(_plan(people, recipients, JOE), recorded) == expected


def test_a_recipient_is_taken_off_by_each_form_it_was_typed_in(people: "MemoryDirectory") -> None:
    typed = [
        "<Richard@demo.example.net>",
        '<"richard"@Demo.example.net.>',
        "<Richard@demo.example.net>",
        "<x@y.example>",
    ]
    assert handling.answer(_typed_plan(people, typed, JOE), [CAPTURED]).remove == tuple(typed[:2])


def test_a_result_too_few_is_never_overlooked(people: "MemoryDirectory") -> None:
    plan = _plan(people, "richard@demo.example.net", JOE)
    with pytest.raises(ValueError, match="zip"):
        handling.answer(plan, [])
