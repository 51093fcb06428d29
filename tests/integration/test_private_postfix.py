"""The private Postfix from its templates: unchanged mail, outgoing mail, refusals. The probes are those of an abuser."""

import contextlib
import json
import shutil
import smtplib
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.ports import free_port

if TYPE_CHECKING:
    from tests.integration.conftest import MakeStack, Stack
    from tests.integration.smtp_sink import MakeSink

Wait = Callable[..., Any]

MAIL = b"From: someone@elsewhere.example\r\nSubject: to the admin\r\n\r\nhello\r\n"


@pytest.fixture(scope="module")
def demo(stack: "Stack") -> "Stack":
    """The shared stack, with the deployment `postfix` and its user richard."""
    stack.cli("deployment", "add", "postfix", "--domain", "postfix.example.net", check=True)
    stack.cli("user", "add", "richard", "--email", "richard@firm.example", "--deployment", "postfix", check=True)
    return stack


def open_back_door(stack: "Stack", port: int) -> None:
    """Adds a service without a filter that accepts all recipients. Its mail stands for the result of a fault."""
    service = f"{port}/inet={port} inet n - n - - smtpd"
    stack.postfix("postconf", "-Me", service)
    for override in ("smtpd_milters=", "smtpd_relay_restrictions=permit_mynetworks,reject"):
        stack.postfix("postconf", "-Pe", f"{port}/inet/{override}")
    stack.postfix("postfix", "reload")


def through(port: int, recipient: str, raw: bytes = MAIL, sender: str = "someone@elsewhere.example") -> None:
    """Delivers by the back door."""
    with smtplib.SMTP("127.0.0.1", port, "client.example", timeout=60) as client:
        client.sendmail(sender, [recipient], raw)


def queue(stack: "Stack") -> list[dict[str, Any]]:
    """The messages in the queue (postqueue -j)."""
    return [json.loads(line) for line in stack.postfix("postqueue", "-j").stdout.splitlines()]


@pytest.fixture(scope="module")
def back_door(demo: "Stack", wait_until: Wait) -> int:
    """The port of an unfiltered service on the shared stack."""
    port = free_port()
    open_back_door(demo, port)

    def answers() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        return False

    wait_until(answers, "the back door is open")
    return port


@pytest.mark.parametrize(
    "recipient",
    [
        "richard@postfix.example.net",
        "nobody@postfix.example.net",
        '"any one"@Postfix.example.net',
        '"b\\ ad(("@postfix.example.net',
    ],
)
def test_what_slips_past_the_filter_stays(demo: "Stack", back_door: int, wait_until: Wait, recipient: str) -> None:
    before = {entry["queue_id"] for entry in queue(demo)}
    sent = len(demo.outbox())
    through(back_door, recipient)

    def deferred() -> list[str]:
        return [
            entry["recipients"][0]["delay_reason"]
            for entry in queue(demo)
            if entry["queue_id"] not in before and entry["queue_name"] == "deferred"
        ]

    (why,) = wait_until(deferred, "the message is deferred")
    assert "doesn't leave this host" in why
    assert len(demo.outbox()) == sent


def test_a_capture_domain_made_later_stays_too(demo: "Stack", back_door: int, wait_until: Wait) -> None:
    """The queue manager sent mail to this domain before the deployment had it. (It caches one address, the last, for 30 s.)"""
    through(back_door, "one@later.example.net")
    wait_until(lambda: any(b"To: one@later.example.net" in raw for raw in demo.outbox()), "it went out")
    demo.cli("deployment", "add", "later", "--domain", "later.example.net", check=True)
    through(back_door, "two@later.example.net")
    wait_until(
        lambda: any(entry["recipients"][0]["address"] == "two@later.example.net" for entry in queue(demo)),
        "it is in the queue",
    )
    wait_until(lambda: "two@later.example.net>, relay=none" in demo.log(), "the queue manager has decided")
    assert "two@later.example.net>, relay=outbox" not in demo.log()


@pytest.mark.parametrize(
    "recipient", ["postmaster@postfix.example.net", "Abuse@POSTFIX.example.net", "postmaster", "Postmaster"]
)
def test_the_admin_gets_what_is_for_the_roles(demo: "Stack", wait_until: Wait, recipient: str) -> None:
    subject = f"for <{recipient}>".encode()
    refused = demo.deliver("someone@elsewhere.example", [recipient], MAIL.replace(b"to the admin", subject))
    assert refused == {}
    (raw,) = wait_until(lambda: [raw for raw in demo.outbox() if subject in raw], "it is in the outbox")
    assert b"Delivered-To: admin@host.example\n" in raw


def test_another_domains_postmaster_is_not_ours(demo: "Stack", back_door: int, wait_until: Wait) -> None:
    through(back_door, "postmaster@elsewhere.example")
    wait_until(
        lambda: any(b"Delivered-To: postmaster@elsewhere.example" in raw for raw in demo.outbox()),
        "it went out unchanged",
    )


def test_an_ordinary_recipient_costs_no_question_for_an_alias(make_stack: "MakeStack", wait_until: Wait) -> None:
    stack = make_stack()
    stack.postfix(
        "postconf",
        "-e",
        "virtual_alias_maps="
        + stack.postfix("postconf", "-h", "virtual_alias_maps").stdout.strip().replace("lookups.sock", "nobody.sock"),
    )
    stack.postfix("postfix", "reload")
    stack.cli("deployment", "add", "demo", "--domain", "demo.example.net", check=True)

    to_postmaster = ("someone@elsewhere.example", ["postmaster"], MAIL)
    wait_until(lambda: stack.transact(*to_postmaster)[0] == 451, "the look-up for a role's recipient fails")
    assert stack.deliver("someone@elsewhere.example", ["log@demo.example.net"], MAIL) == {}


def test_nothing_bounces_in_the_outbox(demo: "Stack", back_door: int, wait_until: Wait) -> None:
    """Neither mail for any recipient, nor mail that had the same recipient before: virtual(8) takes that for a loop."""
    for number, recipient in enumerate(
        ["x@[127.0.0.1]", "x@mx.host.example", "no-domain", '"odd one"@else.example', "root@else.example"]
    ):
        subject = f"outbox {number}".encode()
        raw = b"Delivered-To: " + recipient.encode() + b"\r\n" + MAIL.replace(b"to the admin", subject)
        through(back_door, recipient, raw)
        wait_until(
            lambda subject=subject: any(subject in raw for raw in demo.outbox()),
            f"mail to {recipient} is in the outbox",
        )


def test_no_answer_is_ever_sent(make_stack: "MakeStack", make_sink: "MakeSink", wait_until: Wait) -> None:
    """Law 6: if a hop refuses mail that Mailweir passes on, its sender gets no notice."""
    sink = make_sink(refuse="550 5.1.1 nobody here")
    stack = make_stack(outbound=f"relayhost 127.0.0.1:{sink.port}")
    stack.cli("deployment", "add", "demo", "--domain", "demo.example.net", check=True)
    stack.deliver("someone@elsewhere.example", ["postmaster@demo.example.net"], MAIL)
    wait_until(lambda: "status=bounced" in stack.log(), "the hop's refusal is in the log")
    wait_until(lambda: not queue(stack), "the queue is empty")
    wait_until(lambda: "milter-discard: " in stack.log(), "the notice is discarded")
    assert [command for command in sink.commands if command.startswith("RCPT")] == ["RCPT TO:<admin@host.example>"]


@pytest.mark.parametrize("eight_bit", [True, False])
def test_what_goes_out_is_untouched(make_stack: "MakeStack", make_sink: "MakeSink", eight_bit: bool) -> None:
    """Law 7: long lines, raw 8-bit, dots and Bcc, at a hop with and without 8BITMIME."""
    sink = make_sink(eight_bit=eight_bit)
    stack = make_stack(outbound=f"relayhost 127.0.0.1:{sink.port}")
    stack.cli("deployment", "add", "demo", "--domain", "demo.example.net", check=True)
    raw = (
        b"From:  joe\r\nX-Folded: a\r\n\t b \r\nBcc: hidden@elsewhere.example\r\nContent-Length: 7\r\n"
        b"Return-Path: <x@y.example>\r\n"
        b"Subject: caf\xe9\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=iso-8859-1\r\n"
        b"Content-Transfer-Encoding: 8bit\r\n\r\n" + b"x" * 2500 + b"\r\n\xe9\xff\r\n..\r\n.a\r\n"
    )
    stack.deliver("someone@elsewhere.example", ["postmaster@demo.example.net"], raw)
    (received,) = sink.wait()
    assert received.sender == "someone@elsewhere.example"
    assert received.recipients == ("admin@host.example",)
    added, first_header, rest = received.raw.partition(b"From:")
    assert added.count(b"\r\nReceived:") == 0
    assert added.startswith(b"Received: from client.example")
    assert first_header + rest == raw


@pytest.fixture
def wire(demo: "Stack") -> Iterator[smtplib.SMTP]:
    """A session after EHLO."""
    with contextlib.closing(demo.connect()) as client:
        yield client


def test_what_port_25_offers(wire: smtplib.SMTP) -> None:
    assert set(wire.esmtp_features) == {"pipelining", "size", "starttls", "enhancedstatuscodes", "8bitmime", "smtputf8"}
    assert wire.esmtp_features["size"] == "36700160"


def test_the_greeting_names_no_software(demo: "Stack") -> None:
    with socket.create_connection(("127.0.0.1", demo.smtp_port), timeout=30) as raw:
        assert raw.recv(1000) == b"220 mx.host.example ESMTP\r\n"


@pytest.mark.parametrize(
    "command",
    [
        "VRFY richard@postfix.example.net",
        "ETRN postfix.example.net",
        "AUTH PLAIN AHgAeA==",
        "EXPN x",
        "BDAT 1 LAST",
        "XCLIENT ADDR=10.0.0.1",
        "XFORWARD ADDR=10.0.0.1",
    ],
)
def test_commands_that_nobody_gets(wire: smtplib.SMTP, command: str) -> None:
    code, _ = wire.docmd(command)
    assert 400 <= code < 600  # ETRN gets a 459


def test_no_delivery_report_can_be_asked_for(wire: smtplib.SMTP) -> None:
    wire.mail("someone@elsewhere.example")
    code, _ = wire.docmd("RCPT TO:<richard@postfix.example.net> NOTIFY=SUCCESS")
    assert 500 <= code < 600


@pytest.mark.parametrize("ending", [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\n", b"\r\n.\r", b"\r.\r\n"])
def test_no_second_message_is_smuggled_in(demo: "Stack", ending: bytes) -> None:
    hidden = b"MAIL FROM:<ceo@firm.example>\r\nRCPT TO:<postmaster@postfix.example.net>\r\nDATA\r\nSubject: smuggled\r\n\r\nx"
    with contextlib.closing(demo.connect()) as client:
        client.mail("someone@elsewhere.example")
        client.rcpt("postmaster@postfix.example.net")
        assert client.docmd("DATA")[0] == 354
        client.send(MAIL + b"body" + ending + hidden + b"\r\n.\r\n")
        client.getreply()
        with contextlib.suppress(smtplib.SMTPServerDisconnected):
            client.docmd("NOOP")
    assert "from=<ceo@firm.example>" not in demo.log()


def test_commands_sent_ahead_of_the_greeting(demo: "Stack") -> None:
    """A client that sends before its turn is disconnected."""
    with socket.create_connection(("127.0.0.1", demo.smtp_port), timeout=30) as raw:
        raw.sendall(
            b"EHLO a.example\r\nMAIL FROM:<x@a.example>\r\nRCPT TO:<postmaster>\r\nDATA\r\nSubject: early\r\n\r\n.\r\nQUIT\r\n"
        )
        answers = b""
        while chunk := raw.recv(4096):
            answers += chunk
    assert b"\r\n354 " not in answers


def test_starttls_with_a_sound_protocol(demo: "Stack") -> None:
    modern = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    modern.check_hostname, modern.verify_mode = False, ssl.CERT_NONE
    with demo.connect() as client:
        assert client.starttls(context=modern)[0] == 220
        assert client.sock is not None
        assert client.sock.version() in ("TLSv1.2", "TLSv1.3")  # type: ignore[attr-defined]
        client.ehlo()
        assert "auth" not in client.esmtp_features


def test_one_message_is_no_bigger_than_the_limit(wire: smtplib.SMTP) -> None:
    code, _ = wire.docmd("MAIL FROM:<someone@elsewhere.example> SIZE=36700161")
    assert code == 552


def test_the_queue_ids_are_long(demo: "Stack", back_door: int, wait_until: Wait) -> None:
    through(back_door, "ids@elsewhere.example")
    delivered = "to=<ids@elsewhere.example>, "
    wait_until(lambda: delivered in demo.log(), "it is delivered")
    (line,) = [line for line in demo.log().splitlines() if delivered in line]
    assert len(line.split()[5].rstrip(":")) >= 12


@pytest.mark.parametrize("outbound", ["outbox", "mx", "relayhost mail.elsewhere.example:587"])
def test_postfix_has_nothing_to_say_about_its_configuration(make_stack: "MakeStack", outbound: str) -> None:
    stack = make_stack(outbound=outbound)
    for command in (("postconf", "-n"), ("postconf", "-M"), ("postconf", "-P"), ("postfix", "check")):
        assert stack.postfix(*command).stderr == ""
    assert "warning" not in stack.log()


def test_a_queue_file_that_a_killed_cleanup_left_half_made_is_no_hindrance(make_stack: "MakeStack") -> None:
    stack = make_stack()
    stack.kill()
    left = stack.data_dir / "postfix" / "spool" / "incoming" / "390053.7144"  # cleanup's name for it: PID.USEC
    left.touch(mode=0o600)
    shutil.chown(left, "postfix")
    stack.start()
    # The file is still there, and each check finds it: since 3.8 postsuper reports it to its caller, before that in the log.
    said = stack.postfix("postfix", "check").stderr + stack.log()
    assert "bogus file name: incoming/390053.7144" in said
