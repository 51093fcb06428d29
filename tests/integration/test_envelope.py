"""The handling of an envelope on real Postfix: our recipients are removed, mail for roles goes to the admin unchanged, the rest
ends here.

DISCARD, which avoids Postfix's queue, is used only if all recipients are ours. With any mix, mail that is addressed to a capture
domain never leaves.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.integration.conftest import MakeStack, Stack
    from tests.integration.smtp_sink import MakeSink, Received, Sink

ADMIN = "admin@host.example"
SENDER = "client+list=x@client.example"
RICHARD, MARY, OLGA = "richard@demo.example.net", "mary@demo.example.net", "olga@other.example.org"
LOG = "log@demo.example.net"

_numbers = itertools.count(1)


@dataclass
class Scene:
    """A stack that knows two deployments, and the sink for its outgoing mail."""

    stack: "Stack"
    sink: "Sink"
    wait_until: Callable[..., Any]
    _seen: int = 0

    def went_out(self) -> "list[Received]":
        """New mail at the sink, once the queue is empty."""
        self.stack.drain()
        received = self.sink.received[self._seen :]
        self._seen += len(received)
        return received

    def decisions(self, message_id: str) -> list[tuple[str, str]]:
        """Capture addresses (as JSON) and outcome of each decision, in their order."""
        return self.stack.rows(
            "SELECT recipients, outcome FROM decisions WHERE message_id = ? AND source_id NOT LIKE '%:%' ORDER BY id",
            message_id,
        )

    def was_discarded(self, reply: str) -> bool:
        """Did the filter answer DISCARD, or did the message go through the queue? reply: to the end of the message."""
        queue_id = reply.rpartition(" ")[2]
        discarded, removed = f"{queue_id}: milter-discard", f"{queue_id}: removed"
        self.wait_until(lambda: any(end in self.stack.log() for end in (discarded, removed)), "its end in the log")
        return discarded in self.stack.log()


@pytest.fixture(scope="module")
def shared(make_module_stack: "MakeStack", make_module_sink: "MakeSink", wait_until: Callable[..., Any]) -> Scene:
    sink = make_module_sink()
    stack = make_module_stack(outbound=f"relayhost 127.0.0.1:{sink.port}", admin_mailbox=ADMIN)
    for arguments in (
        ("deployment", "add", "demo", "--domain", "demo.example.net"),
        ("deployment", "add", "other", "--domain", "other.example.org"),
        ("user", "add", "richard", "--email", "richard@firm.example", "--deployment", "demo"),
        ("user", "add", "mary", "--email", "mary@firm.example", "--deployment", "demo"),
        ("user", "add", "olga", "--email", "olga@second.example", "--deployment", "other"),
        ("contact", "add", "The client", "client@client.example", "--deployment", "demo"),
        ("contact", "add", "The client", "client@client.example", "--deployment", "other"),
    ):
        stack.cli(*arguments, check=True)
    return Scene(stack, sink, wait_until)


@pytest.fixture
def scene(shared: Scene) -> Iterator[Scene]:
    yield shared
    shared.went_out()  # mail that a test leaves must not reach the next test


def message(author: str) -> tuple[str, bytes]:
    """A message with parts that Postfix might change: 8-bit bytes, long lines, leading dots, odd headers; and its Message-ID."""
    message_id = f"<{next(_numbers)}@envelope.example>"
    raw = (
        b"X-Odd:  two spaces\r\n\tand a tab \r\n"
        b"From: " + author.encode() + b"\r\nTo: somebody@elsewhere.example\r\nBcc: hidden@elsewhere.example\r\n"
        b"Subject: caf\xe9\r\nMessage-ID: " + message_id.encode() + b"\r\n\r\n.dot\r\n" + b"x" * 1500 + b"\r\n\xe9\r\n"
    )
    return message_id, raw


CONTACT = ("The client <client@client.example>", "captured")
STRANGER = ("stranger@elsewhere.example", "ignored")

ALL_OURS = [
    ([RICHARD], [f'["{RICHARD}"]']),
    ([RICHARD, LOG], [f'["{RICHARD}", "{LOG}"]']),
    ([RICHARD, MARY], [f'["{RICHARD}", "{MARY}"]']),
    ([RICHARD, OLGA], [f'["{RICHARD}"]', f'["{OLGA}"]']),
    ([LOG, "log@other.example.org"], [f'["{LOG}"]', '["log@other.example.org"]']),
]
WITH_ROLES = [
    ([RICHARD, "postmaster@demo.example.net"], [f'["{RICHARD}"]']),
    (["postmaster@demo.example.net", RICHARD, LOG], [f'["{RICHARD}", "{LOG}"]']),
    ([LOG, "abuse@other.example.org"], [f'["{LOG}"]']),
    ([RICHARD, OLGA, "PostMaster@Demo.example.net."], [f'["{RICHARD}"]', f'["{OLGA}"]']),
    (["postmaster", RICHARD], [f'["{RICHARD}"]']),
    (["postmaster@demo.example.net"], []),
]
# Forms that Postfix accepts; each is richard's
SPELLINGS = [
    '"richard"@Demo.example.net.',
    "RICHARD@demo.example.net",
    "richard@DEMO.EXAMPLE.NET.",
    "@hop.example:richard@demo.example.net",
    r'"r\ichard"@demo.example.net',
    "richard @demo.example.net",
    "richard(he)@demo.example.net",
    "Richard <richard@demo.example.net>",
    '@hop.example,@b.example:"Richard"@Demo.example.net.',
    'Richard <"RICHARD"@Demo.example.net. (he)>',
]


@pytest.mark.parametrize(("author", "outcome"), [CONTACT, STRANGER])
@pytest.mark.parametrize(("recipients", "decided"), ALL_OURS)
def test_where_all_recipients_are_ours_it_ends_here(
    scene: Scene, recipients: list[str], decided: list[str], author: str, outcome: str
) -> None:
    message_id, raw = message(author)
    code, text = scene.stack.transact(SENDER, recipients, raw)
    assert code == 250
    assert scene.went_out() == []
    assert scene.was_discarded(text)
    assert scene.decisions(message_id) == [(addresses, outcome) for addresses in decided]


def check_admins_copy(received: "list[Received]", raw: bytes) -> None:
    """One copy, to the admin only, from the original sender, with only a trace header added."""
    (one,) = received
    assert (one.sender, one.recipients) == (SENDER, (ADMIN,))
    assert one.raw.endswith(raw)
    added = BytesHeaderParser().parsebytes(one.raw.removesuffix(raw) + b"\r\n")
    assert added.keys() == ["Received"]


@pytest.mark.parametrize(("author", "outcome"), [CONTACT, STRANGER])
@pytest.mark.parametrize(("recipients", "decided"), WITH_ROLES)
def test_with_a_role_the_admin_gets_it_and_nobody_else(
    scene: Scene, recipients: list[str], decided: list[str], author: str, outcome: str
) -> None:
    message_id, raw = message(author)
    code, text = scene.stack.transact(SENDER, recipients, raw)
    assert code == 250
    check_admins_copy(scene.went_out(), raw)
    assert not scene.was_discarded(text)
    assert scene.decisions(message_id) == [(addresses, outcome) for addresses in decided]


@pytest.mark.parametrize("typed", SPELLINGS)
def test_however_a_recipient_is_typed_it_is_decided_on(scene: Scene, typed: str) -> None:
    """Postfix accepts more address forms than RFC 5321 allows. Each accepted one must be on the record (law 1)."""
    message_id, raw = message(CONTACT[0])
    assert scene.stack.transact(SENDER, [typed], raw)[0] == 250
    assert scene.went_out() == []
    assert scene.decisions(message_id) == [(f'["{RICHARD}"]', "captured")]


@pytest.mark.parametrize("typed", SPELLINGS)
def test_however_a_recipient_is_typed_it_is_taken_off(scene: Scene, typed: str) -> None:
    message_id, raw = message(CONTACT[0])
    assert scene.stack.transact(SENDER, ["postmaster@demo.example.net", typed], raw)[0] == 250
    check_admins_copy(scene.went_out(), raw)
    assert scene.decisions(message_id) == [(f'["{RICHARD}"]', "captured")]
    assert "doesn't leave this host" not in scene.stack.log()


def test_the_same_recipient_in_all_spellings_is_one(scene: Scene) -> None:
    for roles in ([], ["postmaster@demo.example.net"]):
        message_id, raw = message(CONTACT[0])
        assert scene.stack.transact(SENDER, [RICHARD, *SPELLINGS, RICHARD, *roles], raw)[0] == 250
        received = scene.went_out()
        assert [one.recipients for one in received] == [(ADMIN,) for _ in roles]
        assert scene.decisions(message_id) == [(f'["{RICHARD}"]', "captured")]
    ((todos,),) = scene.stack.rows(
        "SELECT COUNT(*) FROM todos t JOIN activities a ON a.id = t.activity_id WHERE a.message_id = ?", message_id
    )
    assert todos == 1


def test_a_message_of_a_session_knows_nothing_of_the_one_before(scene: Scene) -> None:
    first_id, first = message(CONTACT[0])
    second_id, second = message(STRANGER[0])
    with scene.stack.connect() as client:
        client.sendmail(SENDER, [RICHARD, "postmaster@demo.example.net"], first)
        client.docmd(f"MAIL FROM:<{SENDER}>")
        client.docmd(f"RCPT TO:<{OLGA}>")
        client.rset()
        client.sendmail(SENDER, [MARY], second)
    check_admins_copy(scene.went_out(), first)
    assert scene.decisions(first_id) == [(f'["{RICHARD}"]', "captured")]
    assert scene.decisions(second_id) == [(f'["{MARY}"]', "ignored")]


def test_a_refused_recipient_leaves_no_trace_on_the_others(scene: Scene) -> None:
    message_id, raw = message(CONTACT[0])
    with scene.stack.connect() as client:
        refused = client.sendmail(SENDER, [RICHARD, "nobody@demo.example.net", "x@elsewhere.example"], raw)
    assert {address: code for address, (code, _) in refused.items()} == {
        "nobody@demo.example.net": 550,
        "x@elsewhere.example": 554,
    }
    assert scene.went_out() == []
    assert scene.decisions(message_id) == [(f'["{RICHARD}"]', "captured")]


def test_nothing_for_a_capture_domain_ever_left(scene: Scene) -> None:
    """The last test of this file looks at all mail that the sink got."""
    scene.stack.drain()
    assert scene.sink.received
    for one in scene.sink.received:
        assert not any(
            r.lower().rstrip(".").endswith(("demo.example.net", "other.example.org")) for r in one.recipients
        )
