"""Abusers' attempts on the relay's ports: none succeeds. A second stack without the defences shows that the probes work."""

import base64
import contextlib
import json
import smtplib
import subprocess
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import dkim
import pytest

from tests.chaos.site import can_mount
from tests.integration.relay import (
    JANE,
    MAX_WORKER_BYTES,
    RICHARD,
    STRANGER,
    Client,
    Site,
    attachment,
    connect,
    mail,
    peak_bytes,
    people,
    site_on,
    submit,
    without_ours,
)
from tests.needs import lacks

if TYPE_CHECKING:
    from tests.integration.conftest import MakeStack
    from tests.integration.smtp_sink import MakeSink, Sink

Wait = Callable[..., Any]
LINE = b"0123456789abcdef" * 4 + b"\r\n"


@pytest.fixture(scope="module")
def site(make_module_stack: "MakeStack", make_module_sink: "MakeSink") -> Iterator[Site]:
    """The unchanged stack."""
    with site_on(make_module_stack, make_module_sink()) as made:
        yield made


@pytest.fixture(scope="module")
def defenceless(make_module_stack: "MakeStack", make_module_sink: "MakeSink", wait_until: Wait) -> Iterator[Site]:
    """A stack without all defences that the probes test."""
    with site_on(make_module_stack, make_module_sink()) as made:
        port = f"127.0.0.1:{made.stack.submission_port}/inet"
        main = (
            "smtpd_relay_restrictions = permit_mynetworks, reject",
            "smtpd_forbid_bare_newline = no",
            "smtpd_forbid_unauth_pipelining = no",
            "smtpd_data_restrictions =",
            "smtpd_discard_ehlo_keywords =",
            "disable_vrfy_command = no",
            "fast_flush_domains = queued.example",
            "message_size_limit = 80000000",
        )
        relay = (
            "smtpd_tls_security_level=may",
            "smtpd_tls_auth_only=no",
            "smtpd_client_restrictions=",
            "smtpd_sender_restrictions=",
            "smtpd_recipient_restrictions=",
            "smtpd_relay_restrictions=permit_mynetworks,reject",
            "smtpd_data_restrictions=",
            "smtpd_authorized_xclient_hosts=127.0.0.1",
            "smtpd_milters=",
        )
        made.stack.postfix("postconf", "-e", *main)
        made.stack.postfix("postconf", "-Me", "flush/unix=flush unix n - n 1000? 0 flush")
        made.stack.postfix("postconf", "-Pe", *(f"{port}/{line}" for line in relay))
        made.stack.postfix("postfix", "reload")

        def is_off() -> bool:
            with smtplib.SMTP("127.0.0.1", made.stack.submission_port, "x.example", timeout=60) as client:
                client.ehlo()
                return "auth" in client.esmtp_features

        wait_until(is_off, "the defences are off")
        yield made


@pytest.fixture(scope="module")
def half_open(make_module_stack: "MakeStack", make_module_sink: "MakeSink", wait_until: Wait) -> Iterator[Site]:
    """A stack without Postfix's own defences against clients without a login on the submission port. Only the filter is left."""
    with site_on(make_module_stack, make_module_sink()) as made:
        port = f"127.0.0.1:{made.stack.submission_port}/inet"
        relay = (
            "smtpd_client_restrictions=",
            "smtpd_sender_restrictions=",
            "smtpd_recipient_restrictions=",
            "smtpd_relay_restrictions=permit_mynetworks,reject",
            "smtpd_data_restrictions=",
        )
        made.stack.postfix("postconf", "-Pe", *(f"{port}/{line}" for line in relay))
        made.stack.postfix("postfix", "reload")

        def is_off() -> bool:
            with Client(made.stack) as client:
                return client.smtp.mail("")[0] == client.smtp.rcpt(STRANGER)[0] == 250

        wait_until(is_off, "Postfix's own defences are off")
        yield made


# --- who relays, and as whom ------------------------------------------------------------------------------------------

FORMS = (
    "x@stranger.example",
    "@demo.example.net:x@stranger.example",
    "x%stranger.example@demo.example.net",
    "stranger.example!x",
    "stranger.example!x@demo.example.net",
    '"x@stranger.example"@demo.example.net',
    "x@[127.0.0.1]",
    "x",
)


@pytest.mark.parametrize("form", FORMS)
def test_nobody_relays_without_a_login(site: Site, form: str) -> None:
    with Client(site.stack) as client:
        assert client.smtp.docmd(f"MAIL FROM:<{RICHARD}>")[0] in (250, 530, 553, 554)
        assert client.smtp.docmd(f"RCPT TO:<{form}>")[0] >= 500
    with site.stack.connect() as outside:
        assert outside.docmd(f"MAIL FROM:<{RICHARD}>")[0] == 250
        assert outside.docmd(f"RCPT TO:<{form}>")[0] >= 500


def test_with_the_defences_off_anybody_relays(defenceless: Site) -> None:
    """The control: the mail that is refused above would have gone to a stranger."""
    ports = (defenceless.stack.smtp_port, defenceless.stack.submission_port)
    for number, port in enumerate(ports):
        before = len(defenceless.sink.received)
        with smtplib.SMTP("127.0.0.1", port, "x.example", timeout=60) as client:
            assert client.sendmail("someone@elsewhere.example", [STRANGER], mail(f"open-{number}")) == {}
        assert defenceless.sink.wait(before + 1)[-1].recipients == (STRANGER,)


# RFC 5321 4.5.1: Postfix lets the bare postmaster, in any spelling, pass all checks at RCPT.
BARE = (
    "Postmaster",
    "POSTMASTER",
    '"postmaster"',
    '"post\\master"',
    "postmaster (the one)",
    "@demo.example.net:postmaster",
)
ROLES = ("postmaster@[127.0.0.1]", "postmaster@mx.host.example", "postmaster@demo.example.net", "abuse", "root")
SENDERS = ("", RICHARD, "x@elsewhere.example", "gmail-noreply@google.com")


_NO_RECIPIENT = (554, b"5.5.1 Error: no valid recipients")
_NO_DATA = (554, b"5.7.1 <DATA>: Data command rejected: Access denied")


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize(
    ("form", "at_recipient", "at_data"),
    [*((form, 250, _NO_DATA) for form in BARE), *((form, 554, _NO_RECIPIENT) for form in ROLES)],
)
def test_without_a_login_nothing_goes_to_the_admin_either(
    site: Site, form: str, at_recipient: int, at_data: tuple[int, bytes], *, wrapped: bool
) -> None:
    """This holds for every sender, in the second message of a session as in the first, and for BDAT as for DATA."""
    site.stack.drain()
    before = len(site.sink.received)
    with Client(site.stack, wrapped=wrapped) as client:
        for sender in SENDERS:
            assert client.smtp.docmd(f"MAIL FROM:<{sender}>")[0] == 250
            assert client.smtp.docmd(f"RCPT TO:<{form}>")[0] == at_recipient
            assert client.smtp.docmd("DATA") == at_data
            client.smtp.docmd("RSET")
        client.smtp.docmd(f"MAIL FROM:<{RICHARD}>")
        client.smtp.docmd(f"RCPT TO:<{form}>")
        assert client.smtp.docmd("BDAT 5 LAST")[0] >= 500
    site.stack.drain()
    assert len(site.sink.received) == before


@pytest.mark.parametrize("form", BARE)
def test_with_the_defences_off_the_bare_postmaster_gets_mail_without_a_login(defenceless: Site, form: str) -> None:
    """The control."""
    before = len(defenceless.sink.received)
    with smtplib.SMTP("127.0.0.1", defenceless.stack.submission_port, "x.example", timeout=60) as client:
        client.ehlo()
        assert client.docmd("MAIL FROM:<x@elsewhere.example>")[0] == 250
        assert client.docmd(f"RCPT TO:<{form}>")[0] == 250
        assert client.data(mail("bare"))[0] == 250
    assert defenceless.sink.wait(before + 1)[-1].recipients == ("admin@host.example",)


def test_with_the_defences_off_bdat_is_taken(defenceless: Site) -> None:
    """The control."""
    before = len(defenceless.sink.received)
    sent = mail("bdat")
    with smtplib.SMTP("127.0.0.1", defenceless.stack.submission_port, "x.example", timeout=60) as client:
        client.ehlo()
        assert "chunking" in client.esmtp_features
        assert client.docmd("MAIL FROM:<x@elsewhere.example>")[0] == 250
        assert client.docmd("RCPT TO:<postmaster>")[0] == 250
        client.send(f"BDAT {len(sent)} LAST\r\n".encode() + sent)
        assert client.getreply()[0] == 250
    assert defenceless.sink.wait(before + 1)[-1].recipients == ("admin@host.example",)


@pytest.mark.parametrize("to", ["Postmaster", STRANGER, "richard@demo.example.net"])
def test_the_filter_alone_takes_nothing_from_who_isnt_logged_in(half_open: Site, to: str) -> None:
    """Postfix lets the mail pass here. This holds for a second message, too. An earlier client's login doesn't count for the next
    client."""
    half_open.stack.drain()
    before = len(half_open.sink.received)
    decisions = half_open.stack.rows("SELECT COUNT(*) FROM decisions WHERE source_id NOT LIKE '%:%'")
    with Client(half_open.stack) as client:
        for name in ("first", "second"):
            code, text = client.send("x@elsewhere.example", [to], mail(name))
            assert (code, text) == (530, "5.7.0 log in first: this port takes mail of logins only")
    half_open.stack.drain()
    assert len(half_open.sink.received) == before
    assert half_open.stack.rows("SELECT COUNT(*) FROM decisions WHERE source_id NOT LIKE '%:%'") == decisions
    assert "log in first" in half_open.stack.log("mailweir-milter")


def test_the_filter_takes_what_a_login_sends_and_what_comes_by_port_25(half_open: Site) -> None:
    """The control."""
    assert half_open.delivered(mail("with-login"), [JANE]).recipients == (JANE,)
    before = len(half_open.sink.received)
    assert half_open.stack.transact("x@elsewhere.example", ["Postmaster"], mail("by-25"))[0] == 250
    assert half_open.sink.wait(before + 1)[-1].recipients == ("admin@host.example",)


def test_a_login_reaches_the_admin_by_the_bare_postmaster_as_itself_only(site: Site) -> None:
    """RFC 5321 4.5.1 holds for users, too. smtpd doesn't check the sender then, but the filter does."""
    came = site.delivered(mail("to-postmaster", to="postmaster@firm.example"), ["Postmaster"])
    assert (came.sender, came.recipients) == (RICHARD, ("admin@host.example",))
    assert site.decision("to-postmaster")[0] == "ignored"
    for sender in ("", "ceo@other.example"):
        assert "envelope sender" in site.refused(mail("to-postmaster"), ["Postmaster"], sender=sender)
    assert "isn't an address of the login" in site.refused(mail("forged", sender="ceo@other.example"), ["Postmaster"])


COMMANDS = (
    "VRFY postmaster",
    "EXPN postmaster",
    "ETRN queued.example",
    "XCLIENT ADDR=192.0.2.1 LOGIN=richard@demo.example.net",
    "XFORWARD NAME=x.example",
    "TURN",
    "SOML FROM:<x@elsewhere.example>",
    "BDAT 0",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_no_other_command_does_anything_without_a_login(site: Site, command: str) -> None:
    with Client(site.stack) as client:
        assert client.smtp.docmd(command)[0] >= 500
    with Client(site.stack) as client:  # the server hangs up later on this client only
        assert client.smtp.docmd("NOOP")[0] == 250


def test_with_the_defences_off_xclient_makes_a_client_somebody_else(defenceless: Site) -> None:
    """The control."""
    with smtplib.SMTP("127.0.0.1", defenceless.stack.submission_port, "x.example", timeout=60) as client:
        client.ehlo()
        assert client.docmd("XCLIENT ADDR=192.0.2.1")[0] == 220


def test_a_session_that_only_idles_along_is_ended(site: Site) -> None:
    """Postfix's smtpd_junk_command_limit: 100 commands that do nothing. It answers each of them later than the one before."""
    with Client(site.stack) as client:
        replies = [250]
        while replies[-1] == 250 and len(replies) < 400:
            replies.append(client.smtp.docmd("NOOP")[0])
    assert replies[-1] == 421


TRICKS = (
    "x%stranger.example@client.example",
    "stranger.example!x@client.example",
    '"x@stranger.example"@client.example',
)


@pytest.mark.parametrize("form", [*FORMS, *TRICKS])
def test_a_login_relays_to_who_is_named_and_nobody_else(site: Site, form: str) -> None:
    """No recipient is read as another one, and mail for a capture domain isn't passed on."""
    site.stack.drain()
    before = len(site.sink.received)
    code, text = site.submit(mail("form"), [form])
    site.stack.drain()
    reached = [recipient for one in site.sink.received[before:] for recipient in one.recipients]
    assert code == 250 or 500 <= code < 600
    # Postfix leaves out a source route (RFC 5321 C)
    assert reached == [form.rpartition(":")[2]] * (code == 250), text


def test_a_full_disk_is_452_and_nothing_is_lost(make_stack: "MakeStack", sink: "Sink") -> None:
    """The queue is on a small file system. The control is a larger one."""
    room, full = "300m", "40m"  # the larger size: one and a half of the largest message
    stack = make_stack(outbound=f"relayhost 127.0.0.1:{sink.port}", start=False)
    can_mount(stack.data_dir / "probe") or lacks("needs the right to mount a file system")
    folder = stack.data_dir / "postfix"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={room},mode=755", "queue", folder], check=True)
    try:
        stack.start()
        people(stack)
        credentials = connect(stack, "richard")
        subprocess.run(["mount", "-o", f"remount,size={full}", folder], check=True)
        code, text = submit(stack, credentials, RICHARD, [JANE], mail("full"))
        assert (code, "nsufficient" in text) == (452, True)
        subprocess.run(["mount", "-o", f"remount,size={room}", folder], check=True)
        assert submit(stack, credentials, RICHARD, [JANE], mail("full"))[0] == 250
        sink.wait(1, 60)
    finally:
        stack.stop()
        subprocess.run(["umount", "--lazy", folder], check=True)


def _says(port: int, *lines: str) -> list[int]:
    """The codes of the replies in one session on this port, without TLS."""
    with smtplib.SMTP("127.0.0.1", port, "x.example", timeout=60) as client:
        client.ehlo()
        return [client.docmd(line)[0] for line in lines]


def test_no_vrfy_no_etrn(site: Site) -> None:
    with Client(site.stack) as client:
        assert not {"vrfy", "etrn", "chunking", "dsn"} & set(client.smtp.esmtp_features)
        client.auth(*site.richard)
        assert client.smtp.docmd("VRFY richard")[0] == 502
        assert client.smtp.docmd("ETRN queued.example")[0] == 459
    assert _says(site.stack.smtp_port, "VRFY postmaster", "ETRN queued.example") == [502, 459]


def test_with_the_defences_off_vrfy_and_etrn_are_served(defenceless: Site) -> None:
    """The control."""
    assert _says(defenceless.stack.smtp_port, f"VRFY {JANE}", "ETRN queued.example") == [252, 250]


def test_no_auth_before_tls(site: Site) -> None:
    token = base64.b64encode("\0".join(("", *site.richard)).encode()).decode()
    for port in (site.stack.submission_port, site.stack.smtp_port):
        assert _says(port, f"AUTH PLAIN {token}")[0] in (503, 530)


def test_with_postfixs_defence_off_a_password_without_tls_is_still_refused(defenceless: Site) -> None:
    """The control: the password reached mailweir-auth, which is the second defence."""
    token = base64.b64encode("\0".join(("", *defenceless.richard)).encode()).decode()
    assert _says(defenceless.stack.submission_port, f"AUTH PLAIN {token}") == [535]


def test_with_the_defences_off_a_login_sends_as_anybody(defenceless: Site) -> None:
    """The control of law 10's tests, for the envelope and for From."""
    ceo = "ceo@other.example"
    sent = mail("spoofed", sender=ceo)
    assert without_ours(defenceless.delivered(sent, [JANE], sender=ceo).raw) == sent


ENDINGS = (b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\n.\r", b"\r\r\n.\r\n", b"\r\n\0.\r\n")


def _smuggled(site: Site, ending: bytes) -> int:
    """The number of messages that result from a message with this ending and a second dialogue in it."""
    second = b"MAIL FROM:<richard@firm.example>\r\nRCPT TO:<x@stranger.example>\r\nDATA\r\n" + mail("smuggled")
    site.stack.drain()
    before = len(site.sink.received)
    with Client(site.stack) as client:
        client.auth(*site.richard)
        for command in (f"MAIL FROM:<{RICHARD}>", f"RCPT TO:<{JANE}>", "DATA"):
            assert client.smtp.docmd(command)[0] in (250, 354)
        assert client.smtp.sock
        client.smtp.sock.sendall(mail("first")[:-2] + ending + second + b"\r\n.\r\n")
        client.smtp.getreply()
        with contextlib.suppress(OSError, smtplib.SMTPException):
            client.smtp.putcmd("QUIT")
            while client.smtp.getreply()[0] != 221:  # earlier replies belong to the smuggled dialogue
                pass
    site.stack.drain()
    return len(site.sink.received) - before


@pytest.mark.parametrize("ending", ENDINGS)
def test_no_ending_smuggles_a_second_message(site: Site, ending: bytes) -> None:
    assert _smuggled(site, ending) <= 1


def test_with_the_defences_off_an_ending_smuggles(defenceless: Site) -> None:
    """The control: one message becomes two."""
    assert max(_smuggled(defenceless, ending) for ending in ENDINGS) == 2


def test_30_mb_are_captured_and_signed_in_little_memory_and_50_mb_are_refused(site: Site) -> None:
    key = json.loads(
        site.stack.cli("domain", "add", "firm.example", "--deployment", "demo", "--json", check=True).stdout
    )
    try:
        big = mail("30mb") + attachment(30_000_000)
        came = site.delivered(big, [JANE]).raw
    finally:
        site.stack.cli("domain", "remove", "firm.example", "--deployment", "demo", check=True)
    assert came.endswith(big)
    assert dkim.verify(came, dnsfunc=lambda *_, **__: key["records"][0]["value"].encode())
    assert site.activity("30mb") is not None
    assert peak_bytes(site.stack) < MAX_WORKER_BYTES
    too_big = mail("50mb") + LINE * (50_000_000 // len(LINE))
    assert site.submit(too_big, [JANE], f"SIZE={len(too_big)}")[0] == 552
    with contextlib.suppress(OSError):  # the server may hang up meanwhile
        assert site.submit(too_big, [JANE])[0] == 552
    assert site.activity("50mb") is None


def test_with_a_larger_limit_50_mb_are_taken(defenceless: Site) -> None:
    """The control."""
    large = mail("50mb") + LINE * (50_000_000 // len(LINE))
    assert defenceless.submit(large, [JANE], f"SIZE={len(large)}")[0] == 250
