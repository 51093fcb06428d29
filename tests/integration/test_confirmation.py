"""Gmail's forwarding confirmation on real Postfix: a proven one reaches its owner untouched; any other reaches nobody.

The tests stand in for Google with a key of their own, which a DNS server on loopback publishes under google.com.
"""

import itertools
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.header import Header
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dkim
import pytest

from admin_cli.demo import mail, signing
from admin_cli.demo.signing import SigningKey
from tests.moody_zone import Mood, MoodyZoneServer

if TYPE_CHECKING:
    from tests.integration.conftest import MakeStack, Stack
    from tests.integration.smtp_sink import MakeSink, Received, Sink

GOOGLE = "forwarding-noreply@google.com"
SELECTOR = "20261124"
KEY_NAME = f"{SELECTOR}._domainkey.google.com"
REQUESTER = "someone.else@gmail.com"
RICHARD, MARY, OLGA = "richard@demo.example.net", "mary@demo.example.net", "olga@other.example.org"
MAILBOXES = {RICHARD: "richard@firm.example", MARY: "mary@firm.example", OLGA: "olga@second.example"}
DNS_SECONDS = 1.5
MANY = 1000

_numbers = itertools.count(1)


@dataclass
class Weir:
    """A stack that knows two deployments, the sink for its outgoing mail, and the DNS that it asks."""

    stack: "Stack"
    sink: "Sink"
    zone: MoodyZoneServer
    key: SigningKey
    _seen: int = field(default=0)

    def confirm(self, recipients: list[str], raw: bytes) -> None:
        """Delivers a confirmation as Google does. The server has to accept it."""
        code, text = self.stack.transact(GOOGLE, recipients, raw)
        assert code == 250, text

    def went_out(self) -> "list[Received]":
        """New mail at the sink, once the queue is empty."""
        self.stack.drain()
        received = self.sink.received[self._seen :]
        self._seen += len(received)
        return received

    def decisions(self, message_id: str) -> list[tuple[str, str, str]]:
        """Capture addresses (as JSON), outcome and reason of each decision, in order."""
        return self.stack.rows(
            "SELECT recipients, outcome, reason FROM decisions WHERE message_id = ? AND source_id NOT LIKE '%:%' ORDER BY id",
            message_id,
        )

    def confirmations(self, message_id: str) -> list[tuple[str, str | None, str | None, int]]:
        """Username, requester, link and number of redirects of each stored confirmation."""
        return self.stack.rows(
            "SELECT u.username, c.requester, c.link, c.redirects FROM forwarding_confirmations c"
            " JOIN users u ON u.id = c.user_id WHERE c.message_id = ? ORDER BY u.id",
            message_id,
        )


@dataclass(frozen=True)
class Form:
    """A form in which Google sends its confirmation."""

    subject: str
    display_name: str = "Gmail Team"
    transfer_encoding: str = "7bit"
    link: str = "https://mail-settings.google.com/mail/vf-%5BANGjdJ8abcDEF%5D-zYx_w9.1"
    marked: bool = True

    def compose(self, message_id: str, capture_address: str = RICHARD) -> bytes:
        """The message, without a signature."""
        return mail.build_confirmation(
            capture_address=capture_address,
            requester=REQUESTER,
            subject=Header(self.subject, "utf-8", 70, "Subject").encode(linesep="\r\n")
            if not self.subject.isascii()
            else self.subject,
            message_id=message_id,
            date=datetime(2026, 11, 24, 3, 12, 55, tzinfo=UTC),
            link=self.link,
            display_name=self.display_name,
            transfer_encoding=self.transfer_encoding,
            marked=self.marked,
        )


PLAIN = Form(f"(#99427480) Gmail Forwarding Confirmation - Receive Mail from {REQUESTER}")
FORMS = {
    "2021": PLAIN,
    "no code and no closing paren": Form(f"(Gmail Forwarding Confirmation - Receive Mail from {REQUESTER}"),
    "an organisation's name": Form(
        f"(#43643746) Example.net Forwarding Confirmation - Receive Mail from {REQUESTER}", "Example.net Team"
    ),
    "chinese": Form(f"(#416704879) Gmail 转发确认 - 从 {REQUESTER} 接收邮件", "Gmail 小组", "base64"),
    "japanese": Form(f"（#123456789）Gmail の転送の確認 - {REQUESTER}からメールを受信", "Gmail チーム", "base64"),
    "french": Form(
        f"(n° 123456789) Confirmation de transfert Gmail - Recevoir des messages de {REQUESTER}",
        "L'équipe Gmail",
        "quoted-printable",
    ),
    "spanish, no address in it": Form("(#123456789) Confirmación de reenvío de Gmail", "Equipo de Gmail"),
    "base64": replace(PLAIN, transfer_encoding="base64"),
    "quoted-printable": replace(PLAIN, transfer_encoding="quoted-printable"),
    "the other link": replace(PLAIN, link="https://mail.google.com/mail/vf-%5BANGjdJ8abcDEF%5D-zYx_w9"),
    "without Google's header": replace(PLAIN, marked=False),
    "without Google's header, base64": replace(PLAIN, marked=False, transfer_encoding="base64"),
    "without Google's header, quoted-printable": replace(PLAIN, marked=False, transfer_encoding="quoted-printable"),
}


def next_message_id() -> str:
    """A Message-ID that no other test has."""
    return f"<{next(_numbers)}@google.com>"


def signed(raw: bytes, key: SigningKey, domain: str = "google.com", **options: Any) -> bytes:
    """The message with Google's signature, or nearly."""
    return signing.sign(raw, key, selector=SELECTOR, domain=domain, **options)


def add_people(stack: "Stack") -> None:
    """Two deployments, three users, a contact."""
    for arguments in (
        ("deployment", "add", "demo", "--domain", "demo.example.net"),
        ("deployment", "add", "other", "--domain", "other.example.org"),
        ("user", "add", "richard", "--email", MAILBOXES[RICHARD], "--deployment", "demo"),
        ("user", "add", "mary", "--email", MAILBOXES[MARY], "--deployment", "demo"),
        ("user", "add", "olga", "--email", MAILBOXES[OLGA], "--deployment", "other"),
    ):
        stack.cli(*arguments, check=True)


def overrides(sink: "Sink", zone: MoodyZoneServer, per_hour: int = MANY) -> dict[str, Any]:
    """The settings of these tests."""
    return {
        "outbound": f"relayhost 127.0.0.1:{sink.port}",
        "dns": {"nameserver": "127.0.0.1", "port": zone.port, "timeout_seconds": DNS_SECONDS},
        "confirmation": {"max_redirects_per_user_and_hour": per_hour},
    }


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return SigningKey.generate()


@pytest.fixture(scope="module")
def zone(key: SigningKey) -> Iterator[MoodyZoneServer]:
    with MoodyZoneServer({(KEY_NAME, "TXT"): [key.record]}) as server:
        yield server


@pytest.fixture(scope="module")
def shared(
    make_module_stack: "MakeStack", make_module_sink: "MakeSink", zone: MoodyZoneServer, key: SigningKey
) -> Weir:
    sink = make_module_sink()
    stack = make_module_stack(**overrides(sink, zone))
    add_people(stack)
    return Weir(stack, sink, zone, key)


@pytest.fixture
def weir(shared: Weir) -> Iterator[Weir]:
    yield shared
    shared.zone.mood = Mood.WELL
    shared.went_out()  # mail that a test leaves must not reach the next test


def check_untouched(received: "Received", sent: bytes, key: SigningKey) -> None:
    """Body and headers are unchanged, our additions are on top, and the signature is valid."""
    assert received.raw.endswith(sent)
    added = BytesHeaderParser().parsebytes(received.raw.removesuffix(sent) + b"\r\n")
    assert added.keys() == ["X-Mailweir-Loop", "Received"]
    assert dkim.verify(received.raw, dnsfunc=lambda name, timeout=5: key.record.replace('" "', "").strip('"').encode())


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_every_form_reaches_the_owner_untouched(weir: Weir, form: Form) -> None:
    message_id = next_message_id()
    sent = signed(form.compose(message_id), weir.key)
    weir.confirm([RICHARD], sent)

    (received,) = weir.went_out()
    check_untouched(received, sent, weir.key)
    (token,) = weir.stack.rows("SELECT token FROM forwarding_confirmations WHERE message_id = ?", message_id)[0]
    assert (received.sender, received.recipients) == (f"bounce+{token}@demo.example.net", (MAILBOXES[RICHARD],))
    assert weir.decisions(message_id) == [(f'["{RICHARD}"]', "redirected", "forwarding confirmation")]
    assert weir.confirmations(message_id) == [("richard", REQUESTER, form.link, 1)]


def test_a_confirmation_without_a_link_is_redirected_for_its_header(weir: Weir) -> None:
    message_id = next_message_id()
    raw = PLAIN.compose(message_id).replace(PLAIN.link.encode(), b"(see the page)")
    weir.confirm([RICHARD], signed(raw, weir.key))
    assert len(weir.went_out()) == 1
    assert weir.confirmations(message_id) == [("richard", REQUESTER, None, 1)]


def test_other_mail_that_google_signs_is_not_redirected(weir: Weir) -> None:
    message_id = next_message_id()
    raw = replace(PLAIN, marked=False).compose(message_id).replace(b"/vf-", b"/xy-")
    weir.confirm([RICHARD], signed(raw, weir.key))
    assert weir.went_out() == []
    assert weir.decisions(message_id) == [(f'["{RICHARD}"]', "ignored", "unknown author")]


Forger = Callable[[bytes, SigningKey], bytes]

# The Message-ID that identifies it, if it isn't the form's.
SEEN_AS = {"a second Message-ID on top": "<another@google.com>"}
FORGERIES: dict[str, Forger] = {
    "unsigned": lambda raw, key: raw,
    "another key": lambda raw, key: signed(raw, SigningKey.generate()),
    "another domain": lambda raw, key: signed(raw, key, domain="google.com.attacker.example"),
    "a domain below": lambda raw, key: signed(raw, key, domain="mail.google.com"),
    "only its beginning signed": lambda raw, key: signed(raw, key, with_length=True),
    "only its beginning signed, and more below": lambda raw, key: signed(raw, key, with_length=True) + b"more\r\n",
    "another body": lambda raw, key: signed(raw, key).replace(b"To allow it", b"To forbid it"),
    "another subject": lambda raw, key: signed(raw, key).replace(b"Subject: (", b"Subject: ["),
    "a second subject on top": lambda raw, key: (
        b"Subject: Receive Mail from richard@firm.example\r\n" + signed(raw, key, headers=signing.SIGNED_HEADERS)
    ),
    "a second Message-ID on top": lambda raw, key: (
        b"Message-ID: <another@google.com>\r\n" + signed(raw, key, headers=signing.SIGNED_HEADERS)
    ),
    "a selector that no name can hold": lambda raw, key: signed(raw, key).replace(
        f"s={SELECTOR}".encode(), b"s=" + b"x" * 64
    ),
    "a selector without a key": lambda raw, key: signed(raw, key).replace(f"s={SELECTOR}".encode(), b"s=nothing"),
    "larger than any of Google's": lambda raw, key: signed(raw + b"0123456789\r\n" * 25_000, key),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_one_reaches_nobody(weir: Weir, name: str) -> None:
    message_id = next_message_id()
    for domain in ("google.com.attacker.example", "mail.google.com"):
        weir.zone.records[(f"{SELECTOR}._domainkey.{domain}", "TXT")] = [weir.key.record]
    forged = FORGERIES[name](PLAIN.compose(message_id), weir.key)
    weir.confirm([RICHARD], forged)

    assert weir.went_out() == []
    seen_as = SEEN_AS.get(name, message_id)
    assert weir.decisions(seen_as) == [(f'["{RICHARD}"]', "ignored", "unproven forwarding confirmation")]
    assert weir.confirmations(seen_as) == weir.confirmations(message_id) == []


@pytest.mark.parametrize(
    ("sender", "author"),
    [
        ("someone@stranger.example", GOOGLE),
        ("", GOOGLE),
        (GOOGLE, "forwarding-noreply@google.com.attacker.example"),
        (GOOGLE, f'"{GOOGLE}" <someone@stranger.example>'),
    ],
)
def test_a_look_alike_costs_no_dns(weir: Weir, sender: str, author: str) -> None:
    message_id = next_message_id()
    raw = PLAIN.compose(message_id).replace(f"From: Gmail Team <{GOOGLE}>".encode(), f"From: {author}".encode())
    asked = weir.zone.queries.total()
    assert weir.stack.transact(sender, [RICHARD], signed(raw, weir.key))[0] == 250
    assert weir.went_out() == []
    assert weir.zone.queries.total() == asked
    assert weir.confirmations(message_id) == []
    ((_, outcome, _),) = weir.decisions(message_id)
    assert outcome == "ignored"


@pytest.mark.parametrize("mood", [Mood.SERVFAIL, Mood.SILENT])
def test_where_dns_fails_google_is_asked_to_come_again(weir: Weir, mood: Mood) -> None:
    message_id = next_message_id()
    sent = signed(PLAIN.compose(message_id), weir.key)
    weir.zone.mood = mood
    before = time.monotonic()
    code, text = weir.stack.transact(GOOGLE, [RICHARD], sent)
    assert (code, text[:5]) == (451, "4.4.3")
    assert time.monotonic() - before < DNS_SECONDS + 1
    assert weir.decisions(message_id) == []

    weir.zone.mood = Mood.WELL
    weir.confirm([RICHARD], sent)
    assert [received.recipients for received in weir.went_out()] == [(MAILBOXES[RICHARD],)]
    assert [outcome for _, outcome, _ in weir.decisions(message_id)] == ["redirected"]


def test_a_key_too_long_for_udp_is_asked_for_over_tcp(weir: Weir) -> None:
    weir.zone.records[("long._domainkey.google.com", "TXT")] = [
        f'"v=DKIM1; n={"x" * 200}" "{"y" * 250}; " {weir.key.record.replace("v=DKIM1; ", "")}'
    ]
    raw = signing.sign(PLAIN.compose(next_message_id()), weir.key, selector="long", domain="google.com")
    weir.confirm([RICHARD], raw)
    assert len(weir.went_out()) == 1


def test_the_redirected_copy_that_comes_back_stops(weir: Weir) -> None:
    message_id = next_message_id()
    weir.confirm([RICHARD], signed(PLAIN.compose(message_id), weir.key))
    (received,) = weir.went_out()
    forwarder = "richard+caf_=richard=demo.example.net@firm.example"
    assert weir.stack.transact(forwarder, [RICHARD], received.raw)[0] == 250
    # this forwarder keeps the envelope sender
    assert weir.stack.transact(received.sender, [RICHARD], received.raw)[0] == 250

    assert weir.went_out() == []
    assert [reason for _, _, reason in weir.decisions(message_id)] == [
        "forwarding confirmation",
        "redirected confirmation came back",
        "redirected confirmation came back",
    ]
    assert weir.confirmations(message_id)[0][3] == 1


def test_the_same_message_id_is_redirected_three_times(weir: Weir) -> None:
    message_id = next_message_id()
    sent = signed(PLAIN.compose(message_id), weir.key)
    for _ in range(4):
        weir.confirm([RICHARD], sent)
    assert len(weir.went_out()) == 3
    assert [outcome for _, outcome, _ in weir.decisions(message_id)] == ["redirected"] * 3 + ["ignored"]
    assert weir.decisions(message_id)[3][2] == "forwarding confirmation over its limit"
    assert weir.confirmations(message_id) == [("richard", REQUESTER, PLAIN.link, 3)]


def test_two_owners_in_one_envelope(weir: Weir) -> None:
    message_id = next_message_id()
    sent = signed(PLAIN.compose(message_id, f"{RICHARD}, {MARY}"), weir.key)
    weir.confirm([RICHARD, MARY], sent)
    received = weir.went_out()
    assert sorted(r for one in received for r in one.recipients) == sorted([MAILBOXES[RICHARD], MAILBOXES[MARY]])
    ((token,),) = weir.stack.rows(
        "SELECT DISTINCT token FROM forwarding_confirmations WHERE message_id = ?", message_id
    )
    assert {one.sender for one in received} == {f"bounce+{token}@demo.example.net"}
    for one in received:
        check_untouched(one, sent, weir.key)
    assert [username for username, *_ in weir.confirmations(message_id)] == ["richard", "mary"]
    assert len(weir.decisions(message_id)) == 1


def test_two_deployments_in_one_envelope_show_nothing_of_each_other(weir: Weir) -> None:
    """Law 4. The message's own statements about them are Google's text."""
    message_id = next_message_id()
    sent = signed(PLAIN.compose(message_id, f"{RICHARD}, {OLGA}"), weir.key)
    weir.confirm([RICHARD, OLGA], sent)
    received = weir.went_out()
    assert sorted(r for one in received for r in one.recipients) == sorted([MAILBOXES[RICHARD], MAILBOXES[OLGA]])
    for one in received:
        check_untouched(one, sent, weir.key)
        assert one.sender == ""
        added = one.raw.removesuffix(sent)
        assert b"example.net" not in added
        assert b"example.org" not in added
    assert weir.decisions(message_id) == [
        (f'["{RICHARD}"]', "redirected", "forwarding confirmation"),
        (f'["{OLGA}"]', "redirected", "forwarding confirmation"),
    ]


@pytest.mark.parametrize("to", ["victim@client.example", MARY, OLGA, "log@demo.example.net", "undisclosed:;"])
def test_a_genuine_one_for_another_address_is_not_for_him(weir: Weir, to: str) -> None:
    """Anybody can make Google write to an address of their own, and then send that mail to one of our users."""
    message_id = next_message_id()
    raw = PLAIN.compose(message_id, to).replace(b"Subject:", f"Cc: {RICHARD}\r\nSubject:".encode(), 1)
    weir.confirm([RICHARD], signed(raw, weir.key))
    assert weir.went_out() == []
    assert weir.decisions(message_id) == [(f'["{RICHARD}"]', "ignored", "forwarding confirmation for another address")]
    assert weir.confirmations(message_id) == []


@pytest.mark.parametrize("name", ["to", "message-id", "subject"])
def test_what_it_is_told_by_has_to_be_signed(weir: Weir, name: str) -> None:
    """Otherwise a genuine confirmation for somebody else, with another To, would be redirected; with new Message-IDs,
    repeatedly."""
    message_id = next_message_id()
    covered = [one for one in signing.SIGNED_HEADERS if one != name]
    weir.confirm([RICHARD], signed(PLAIN.compose(message_id), weir.key, headers=covered))
    assert weir.went_out() == []
    assert weir.decisions(message_id) == [(f'["{RICHARD}"]', "ignored", "unproven forwarding confirmation")]


def test_a_clients_mail_with_somebody_elses_loop_mark_is_captured(weir: Weir) -> None:
    weir.stack.cli("contact", "add", "Jane", "jane@client.example", "--deployment", "demo", check=True)
    message_id = next_message_id()
    raw = (
        f"X-Mailweir-Loop: 1\r\nX-Mailweir-Loop: {'0' * 32}\r\nFrom: jane@client.example\r\nTo: {MAILBOXES[RICHARD]}\r\n"
        f"Subject: x\r\nMessage-ID: {message_id}\r\n\r\nx\r\n"
    )
    sender = "richard+caf_=richard=demo.example.net@firm.example"
    assert weir.stack.transact(sender, [RICHARD], raw.encode())[0] == 250
    assert weir.decisions(message_id) == [(f'["{RICHARD}"]', "captured", "author is a contact")]


def test_at_the_log_address_there_is_nobody_to_click(weir: Weir) -> None:
    message_id = next_message_id()
    weir.confirm(["log@demo.example.net"], signed(PLAIN.compose(message_id, "log@demo.example.net"), weir.key))
    assert weir.went_out() == []
    assert weir.decisions(message_id) == [
        ('["log@demo.example.net"]', "ignored", "forwarding confirmation for no user")
    ]
    assert weir.confirmations(message_id) == []


@pytest.mark.parametrize(
    ("recipients", "expected"),
    [
        ([RICHARD, "postmaster@demo.example.net"], [MAILBOXES[RICHARD], "admin@host.example"]),
        ([RICHARD, "log@demo.example.net", "abuse@other.example.org"], [MAILBOXES[RICHARD], "admin@host.example"]),
        (["log@demo.example.net", "postmaster@demo.example.net"], ["admin@host.example"]),
        (['"richard"@Demo.example.net.', "RICHARD@demo.example.net", RICHARD], [MAILBOXES[RICHARD]]),
    ],
)
def test_with_other_recipients(weir: Weir, recipients: list[str], expected: list[str]) -> None:
    message_id = next_message_id()
    sent = signed(PLAIN.compose(message_id, f"{RICHARD}, log@demo.example.net"), weir.key)
    weir.confirm(recipients, sent)
    received = weir.went_out()
    assert sorted(r for one in received for r in one.recipients) == sorted(expected)
    assert all(one.raw.endswith(sent) for one in received)
    assert len(weir.decisions(message_id)) == len(
        {r.rpartition("@")[2].lower().rstrip(".") for r in recipients if "abuse" not in r}
    )


BOUNCE = b"From: MAILER-DAEMON@firm.example\r\nSubject: Undeliverable\r\nMessage-ID: %s\r\n\r\nNo such mailbox.\r\n"


def test_a_bounce_is_taken_and_noted(weir: Weir) -> None:
    message_id = next_message_id()
    weir.confirm([RICHARD], signed(PLAIN.compose(message_id), weir.key))
    (received,) = weir.went_out()
    bounced_at = "SELECT bounced_at FROM forwarding_confirmations WHERE message_id = ?"
    assert weir.stack.rows(bounced_at, message_id) == [(None,)]

    bounce_id = next_message_id()
    assert weir.stack.transact("", [received.sender], BOUNCE % bounce_id.encode())[0] == 250
    assert weir.went_out() == []
    assert [row[1:] for row in weir.decisions(bounce_id)] == [("ignored", "bounce of a redirected confirmation")]
    assert weir.stack.rows(bounced_at, message_id)[0][0] is not None


def test_a_bounce_to_nothing_that_went_out_is_refused(weir: Weir) -> None:
    weir.confirm([RICHARD], signed(PLAIN.compose(next_message_id()), weir.key))
    (received,) = weir.went_out()
    token = received.sender.partition("@")[0]
    for address in (
        "bounce+0123456789abcdef@demo.example.net",
        f"{token}@other.example.org",
        "bounce@demo.example.net",
    ):
        code, text = weir.stack.transact("", [address], BOUNCE % b"<x@firm.example>")
        assert (code, text[:5]) == (550, "5.1.1")


def test_a_mailbox_that_refuses_the_redirected_copy_is_noted(
    make_stack: "MakeStack",
    make_sink: "MakeSink",
    zone: MoodyZoneServer,
    key: SigningKey,
    wait_until: Callable[..., Any],
) -> None:
    sink = make_sink(refuse="550 5.7.26 unauthenticated")
    weir = Weir(make_stack(**overrides(sink, zone)), sink, zone, key)
    add_people(weir.stack)
    message_id = next_message_id()
    weir.confirm([RICHARD], signed(PLAIN.compose(message_id), weir.key))
    # No notice may go out to anybody: neither for this confirmation nor for a sender that only looks like ours.
    assert (
        weir.stack.transact("bounce+0abc@elsewhere.example", ["postmaster@demo.example.net"], BOUNCE % b"<y@z>")[0]
        == 250
    )

    weir.stack.drain()
    ended = "to=bounce+0abc@elsewhere.example"
    wait_until(lambda: ended in weir.stack.log("mailweir-milter"), "the notice to the other sender is discarded")
    ((bounced_at,),) = weir.stack.rows(
        "SELECT bounced_at FROM forwarding_confirmations WHERE message_id = ?", message_id
    )
    assert bounced_at is not None
    reasons = [
        reason
        for (reason,) in weir.stack.rows("SELECT reason FROM decisions WHERE source_id NOT LIKE '%:%' ORDER BY id")
    ]
    assert reasons == ["forwarding confirmation", "bounce of a redirected confirmation"]
    assert "to=<bounce+0abc@elsewhere.example>, relay=127.0.0.1" not in weir.stack.log()


def test_no_more_than_so_many_an_hour_for_a_user(
    make_stack: "MakeStack", make_sink: "MakeSink", zone: MoodyZoneServer, key: SigningKey
) -> None:
    sink = make_sink()
    weir = Weir(make_stack(**overrides(sink, zone, per_hour=2)), sink, zone, key)
    add_people(weir.stack)
    first, second, third = (next_message_id() for _ in range(3))
    for message_id in (first, second, third):
        weir.confirm([RICHARD], signed(PLAIN.compose(message_id), weir.key))
    assert len(weir.went_out()) == 2
    assert weir.decisions(third)[0][1:] == ("ignored", "forwarding confirmation over its limit")
    assert weir.confirmations(third) == [("richard", REQUESTER, PLAIN.link, 0)], "the link is kept for the page"

    weir.confirm([MARY], signed(PLAIN.compose(next_message_id(), MARY), weir.key))
    assert [one.recipients for one in weir.went_out()] == [(MAILBOXES[MARY],)], "another user has a limit of his own"
    weir.confirm([RICHARD], signed(PLAIN.compose(second), weir.key))
    assert len(weir.went_out()) == 1, "a retry doesn't count again"


UP_WITH_THE_DYING_FILTER = """\
#!{python}
import sys
from admin_cli import main, preflight
programs = preflight.check_programs
preflight.check_programs = lambda: programs() | {{"mailweir-milter": "{launcher}"}}
sys.exit(main.run())
"""


def put_dying_filter(stack: "Stack") -> None:
    """`mailweir up` of this stack starts dying_filter.py instead of the filter."""
    folder = stack.data_dir / "bin"
    folder.mkdir()
    launcher, up = folder / "mailweir-milter", folder / "mailweir"
    launcher.write_text(f"#!{sys.executable}\n" + Path(__file__).with_name("dying_filter.py").read_text())
    up.write_text(UP_WITH_THE_DYING_FILTER.format(python=sys.executable, launcher=launcher))
    for script in (launcher, up):
        script.chmod(0o755)
    stack.script = up


@pytest.mark.parametrize("victim", ["worker", "parent"])
def test_a_kill_between_commit_and_answer_loses_no_confirmation(
    make_stack: "MakeStack", make_sink: "MakeSink", zone: MoodyZoneServer, key: SigningKey, victim: str
) -> None:
    sink = make_sink()
    stack = make_stack(start=False, **overrides(sink, zone))
    put_dying_filter(stack)
    stack.start()
    weir = Weir(stack, sink, zone, key)
    add_people(stack)
    armed = stack.data_dir / "run" / "victim"
    armed.write_text(victim)
    message_id = next_message_id()
    sent = signed(PLAIN.compose(message_id), weir.key)

    code, text = weir.stack.transact(GOOGLE, [RICHARD], sent)
    assert code == 451, text
    assert not armed.exists(), "the filter wasn't killed"
    assert [outcome for _, outcome, _ in weir.decisions(message_id)] == ["redirected"], (
        "the kill came before the commit"
    )
    assert weir.went_out() == []

    deadline = time.monotonic() + 30
    while (code := weir.stack.transact(GOOGLE, [RICHARD], sent)[0]) != 250 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert code == 250
    (received,) = weir.went_out()
    check_untouched(received, sent, weir.key)
    assert weir.confirmations(message_id) == [("richard", REQUESTER, PLAIN.link, 2)]
