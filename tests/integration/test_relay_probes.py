"""What an abuser tries on the relay's ports: nothing comes of it. One stack with the defences off shows that the probes bite."""

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
    from tests.integration.conftest import MakeSink, MakeStack, Sink

Wait = Callable[..., Any]
LINE = b"0123456789abcdef" * 4 + b"\r\n"


@pytest.fixture(scope="module")
def site(make_module_stack: "MakeStack", make_module_sink: "MakeSink") -> Iterator[Site]:
    """As it is."""
    with site_on(make_module_stack, make_module_sink()) as made:
        yield made


@pytest.fixture(scope="module")
def defenceless(make_module_stack: "MakeStack", make_module_sink: "MakeSink", wait_until: Wait) -> Iterator[Site]:
    """With every defence off that the probes are for."""
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
    """The control: what is refused above would have gone to a stranger."""
    ports = (defenceless.stack.smtp_port, defenceless.stack.submission_port)
    for number, port in enumerate(ports):
        before = len(defenceless.sink.received)
        with smtplib.SMTP("127.0.0.1", port, "x.example", timeout=60) as client:
            assert client.sendmail("someone@elsewhere.example", [STRANGER], mail(f"open-{number}")) == {}
        assert defenceless.sink.wait(before + 1)[-1].recipients == (STRANGER,)


TRICKS = (
    "x%stranger.example@client.example",
    "stranger.example!x@client.example",
    '"x@stranger.example"@client.example',
)


@pytest.mark.parametrize("form", [*FORMS, *TRICKS])
def test_a_login_relays_to_who_is_named_and_nobody_else(site: Site, form: str) -> None:
    """No recipient is read as another one, and none of a capture domain goes on."""
    site.stack.drain()
    before = len(site.sink.received)
    code, text = site.submit(mail("form"), [form])
    site.stack.drain()
    reached = [recipient for one in site.sink.received[before:] for recipient in one.recipients]
    if code == 250:
        assert reached == [form.rpartition(":")[2]], text  # without a source route (RFC 5321 C)
    else:
        assert (500 <= code < 600, reached) == (True, [])


def test_a_full_disk_is_452_and_nothing_is_lost(make_stack: "MakeStack", sink: "Sink") -> None:
    """The queue lies on a small file system, which is made larger: the control."""
    room, full = "300m", "40m"  # the larger one and a half of the largest message
    stack = make_stack(outbound=f"relayhost 127.0.0.1:{sink.port}", start=False)
    if not can_mount(stack.data_dir / "probe"):
        lacks("needs the right to mount a file system")
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
    """The control: it came as far as mailweir-auth, which is the second defence."""
    token = base64.b64encode("\0".join(("", *defenceless.richard)).encode()).decode()
    assert _says(defenceless.stack.submission_port, f"AUTH PLAIN {token}") == [535]


def test_with_the_defences_off_a_login_sends_as_anybody(defenceless: Site) -> None:
    """The control of law 10's tests: in the envelope and in From."""
    ceo = "ceo@other.example"
    sent = mail("spoofed", sender=ceo)
    assert without_ours(defenceless.delivered(sent, [JANE], sender=ceo).raw) == sent


ENDINGS = (b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\n.\r", b"\r\r\n.\r\n", b"\r\n\0.\r\n")


def _smuggled(site: Site, ending: bytes) -> int:
    """How many messages come of one that holds this ending and then a second dialogue."""
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
            while client.smtp.getreply()[0] != 221:  # what is before it is of the dialogue that is smuggled in
                pass
    site.stack.drain()
    return len(site.sink.received) - before


@pytest.mark.parametrize("ending", ENDINGS)
def test_no_ending_smuggles_a_second_message(site: Site, ending: bytes) -> None:
    assert _smuggled(site, ending) <= 1


def test_with_the_defences_off_an_ending_smuggles(defenceless: Site) -> None:
    """The control: two come of one."""
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
    with contextlib.suppress(OSError):  # it may hang up meanwhile
        assert site.submit(too_big, [JANE])[0] == 552
    assert site.activity("50mb") is None


def test_with_a_larger_limit_50_mb_are_taken(defenceless: Site) -> None:
    """The control."""
    large = mail("50mb") + LINE * (50_000_000 // len(LINE))
    assert defenceless.submit(large, [JANE], f"SIZE={len(large)}")[0] == 250
