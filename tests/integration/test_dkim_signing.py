"""The relay signs mail and changes nothing else (law 7): seen at a real SMTP sink, verified by dkimpy and by opendkim.

The DNS server on loopback serves exactly the record that `domain add` printed. A login comes by XCLIENT, which tells the filter
the same as AUTH. The restrictions on recipients are switched off for it.
"""

import contextlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dkim
import dns.resolver
import pytest

from admin_cli.demo.zone import HOST
from tests.integration.wire import Connection, lines_of
from tests.moody_zone import MoodyZoneServer
from tests.needs import lacks

if TYPE_CHECKING:
    from tests.integration.conftest import MakeStack, Stack
    from tests.integration.smtp_sink import MakeSink, Sink

Wait = Callable[..., Any]

LOGIN = "richard@demo.example.net"
RICHARD, JANE, STRANGER = "richard@firm.example", "jane@client.example", "x@stranger.example"
OPENDKIM_SECONDS = 60
HEAD = (
    "From: Richard <richard@firm.example>\r\nTo: jane@client.example\r\nSubject: An   offer\r\n"
    "Message-ID: <{}@firm.example>\r\nDate: Tue, 24 Nov 2026 03:12:55 +0000\r\n"
)


@dataclass
class Relay:
    """A stack whose mail goes to a sink, and the DNS with its keys."""

    stack: "Stack"
    sink: "Sink"
    zone: MoodyZoneServer
    folder: Path
    wait_until: Wait
    sent: int = field(default=0)

    def publish(self, *objects: Any) -> None:
        """Puts a command's JSON output into DNS: the strings unchanged, and nothing else."""
        for key in objects:
            for record in key["records"]:
                self.zone.records[record["name"], record["type"]] = [" ".join(f'"{s}"' for s in record["strings"])]

    def send(self, lined: bytes, *, login: str | None = LOGIN, to: str = JANE) -> bytes:
        """Submits these bytes, which must be accepted; returns the mail at the sink."""
        before = len(self.sink.received)
        with contextlib.closing(Connection(self.stack.smtp_port)) as client:
            if login is not None:
                assert client.command(f"XCLIENT LOGIN={login}")[0] == 220
                client.command("EHLO mail.google.example")
            code, text = client.send(RICHARD, to, lined)
        assert code == 250, text
        return self.sink.wait(before + 1, 60)[-1].raw

    def dkimpy(self, raw: bytes) -> bool:
        """dkimpy's verdict, by real look-ups."""
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = [HOST], self.zone.port

        def look_up(name: bytes, timeout: int = 5) -> bytes:
            try:
                return b"".join(resolver.resolve(name.decode(), "TXT", lifetime=timeout)[0].strings)
            except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
                return b""

        return bool(dkim.verify(raw, dnsfunc=look_up))

    def opendkim(self, raw: bytes) -> bool:
        """opendkim's verdict, by its own resolver."""
        resolver, settings, file = (self.folder / name for name in ("unbound.conf", "opendkim.conf", "message.eml"))
        resolver.write_text(
            "server:\n  do-not-query-localhost: no\n"
            f'forward-zone:\n  name: "."\n  forward-addr: {HOST}@{self.zone.port}\n'
        )
        settings.write_text(f"Mode v\nResolverConfiguration {resolver}\nSyslog no\n")
        file.write_bytes(raw)
        ran = subprocess.run(
            ["opendkim", "-x", str(settings), "-t", str(file)],
            capture_output=True,
            timeout=OPENDKIM_SECONDS,
            check=False,
        )
        said = ran.stdout.decode("utf-8", "replace") + ran.stderr.decode("utf-8", "replace")
        verdict = re.search(r"verification \(.*\) (succeeded|failed)", said)
        assert verdict, said
        return verdict[1] == "succeeded"


def require_opendkim() -> None:
    """Skips, or fails where CI=true."""
    if shutil.which("opendkim", path=f"{os.environ.get('PATH', '')}:/usr/sbin") is None:
        lacks("needs opendkim")


@contextlib.contextmanager
def _relay(make: "MakeStack", sink: "Sink", folder: Path, wait_until: Wait, **overrides: Any) -> Iterator[Relay]:
    with MoodyZoneServer() as zone:
        dns = {"nameserver": HOST, "port": zone.port, "timeout_seconds": 5.0}
        stack = make(dns=dns, outbound=f"relayhost 127.0.0.1:{sink.port}", **overrides)
        for arguments in (
            ("deployment", "add", "demo", "--domain", "demo.example.net"),
            ("deployment", "add", "b", "--domain", "b.example.org"),
            ("user", "add", "richard", "--email", RICHARD, "--deployment", "demo"),
            ("user", "alias", "richard", "richard@other.example", "--deployment", "demo"),
            ("user", "alias", "richard", "richard@sub.firm.example", "--deployment", "demo"),
            ("user", "add", "olga", "--email", RICHARD, "--deployment", "b"),
            ("relay", "connect", "richard", "--deployment", "demo"),
            ("relay", "connect", "olga", "--deployment", "b"),
            ("contact", "add", "Jane", JANE, "--deployment", "demo"),
        ):
            stack.cli(*arguments, check=True)
        log = "check_recipient_access inline:{ { log@demo.example.net = permit } }"
        stack.postfix("postconf", "-e", "smtpd_authorized_xclient_hosts = 127.0.0.1")
        stack.postfix("postconf", "-e", f"smtpd_relay_restrictions = {log}, permit_mynetworks, reject")
        stack.postfix("postfix", "reload")
        wait_until(lambda: b"XCLIENT" in stack.connect().ehlo()[1], "XCLIENT is offered")
        yield Relay(stack, sink, zone, folder, wait_until)


def _add(relay: Relay, domain: str = "firm.example", deployment: str = "demo", *more: str) -> Any:
    arguments = ("domain", "add", domain, "--deployment", deployment, "--json", *more)
    made = json.loads(relay.stack.cli(*arguments, check=True).stdout)
    relay.publish(made)
    return made


@pytest.fixture(scope="module", params=["8BITMIME at the next hop", "no 8BITMIME at the next hop"])
def relay(
    request: pytest.FixtureRequest,
    make_module_stack: "MakeStack",
    make_module_sink: "MakeSink",
    tmp_path_factory: pytest.TempPathFactory,
    wait_until: Wait,
) -> Iterator[Relay]:
    """A relay with a key for firm.example, of demo."""
    require_opendkim()
    sink = make_module_sink(eight_bit=not request.param.startswith("no"))
    with _relay(make_module_stack, sink, tmp_path_factory.mktemp("opendkim"), wait_until) as made:
        _add(made)
        yield made


def _without_ours(raw: bytes) -> bytes:
    """The received mail, without our one DKIM-Signature and one Received on top."""
    match = re.match(
        rb"DKIM-Signature: [^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*Received: [^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*", raw
    )
    assert match, raw[:600]
    return raw[match.end() :]


def _head(name: str, *more: str) -> bytes:
    return (HEAD.format(name) + "".join(f"{line}\r\n" for line in more) + "\r\n").encode()


_ATTACHED = (
    b"--b\r\nContent-Type: message/rfc822\r\n\r\nFrom: a@b.example\r\nUser-Agent: x\r\nReceived: from a by b with ESMTPSA\r\n"
    b"DKIM-Signature: v=1; a=rsa-sha256; d=b.example; s=x; h=from; bh=x; b=x\r\nSubject:  two  spaces \r\n\r\nhi\r\n--b--\r\n"
)
MESSAGES = {
    "plain": _head("plain") + b"hello \t world  \r\n\r\n.\r\n..dots\r\n\r\n\r\n",
    "empty body": _head("empty"),
    "only line ends": _head("ends") + b"\r\n\r\n\r\n",
    "only spaces": _head("spaces") + b" \r\n\t\r\n",
    "eight bit": _head("8bit", "Content-Transfer-Encoding: 8bit") + "Grüße\r\n".encode() + b"\xff\xfe\x80\r\n",
    "eight bit headers": _head("8bith").replace(b"Richard ", "Jörg ".encode()).replace(b"offer", b"\xe9\xff")
    + b"x\r\n",
    "long line": _head("long") + b"x " * 2_500 + b"\r\n",
    "long header": _head("longh", "References:" + "\r\n <0123456789@firm.example>" * 500) + b"x\r\n",
    "long folded To": _head("longto").replace(b"To: jane", b"To: " + b"a@client.example,\r\n\t" * 2_400 + b"jane")
    + b"x\r\n",
    "attached": _head("att", "MIME-Version: 1.0", 'Content-Type: multipart/mixed; boundary="b"') + _ATTACHED,
    "own Received": b"Received: from a by b with ESMTPSA id 1\r\n\tfor <c>; x\r\n" + _head("rec") + b"x\r\n",
    "signed already": b"DKIM-Signature: v=1; a=rsa-sha256; d=x.example;\r\n s=x; h=from; bh=x; b=x\r\n"
    + _head("sig")
    + b"x\r\n",
    "signed by PGP": _head("pgp", 'Content-Type: multipart/signed; protocol="application/pgp-signature"; boundary="b"')
    + b"--b\r\n\r\nFrom here \r\n--b\r\nContent-Type: application/pgp-signature\r\n\r\n-----BEGIN PGP\r\n--b--\r\n",
    "several of one name": _head(
        "two", "To: joe@client.example", "List-Id: <l>", "List-Unsubscribe: <u>", f"Sender: {RICHARD}"
    )
    + b"x\r\n",
    "odd white space": _head("odd", "X-A:", "Cc:\tjoe@client.example ", "Content-Type:   text/plain;\r\n\t  x=y  ")
    + b"x\r\n",
}


@pytest.mark.parametrize("name", MESSAGES)
@pytest.mark.parametrize("to", [JANE, STRANGER], ids=["to a contact", "to nobody we know"])
def test_law_7_what_is_relayed_is_signed_and_else_untouched(relay: Relay, name: str, to: str) -> None:
    sent = MESSAGES[name]
    came = relay.send(sent, to=to)
    assert _without_ours(came) == sent
    assert came.count(b"\r\nReceived: ") == sent.count(b"Received: ") + 1
    # An earlier signature stays valid: only our headers are above it.
    unsigned = sent.replace(b"DKIM-Signature: v=1; a=rsa-sha256; d=x.example;", b"X-DKIM-Signature: v=1;")
    assert relay.dkimpy(came)
    assert unsigned != sent or relay.opendkim(came)


def test_a_message_that_is_altered_on_its_way_does_not_verify(relay: Relay) -> None:
    """The control: the verifiers of the test above can reject mail."""
    came = relay.send(MESSAGES["plain"])
    for altered in (came.replace(b"world", b"w0rld"), came.replace(b"An   offer", b"A fraud")):
        assert altered != came
        assert not relay.dkimpy(altered)
        assert not relay.opendkim(altered)


@pytest.mark.parametrize(
    "sent_as", [b"bare LF\nhere\r\n", b"bare CR\rhere\r\n", b"CR CR LF\r\r\nhere\r\n", b"nul\0here\r\n"]
)
def test_what_postfix_puts_right_on_the_way_in_is_signed_as_it_goes_out(relay: Relay, sent_as: bytes) -> None:
    came = relay.send(_head("putright") + sent_as)
    assert relay.dkimpy(came)
    assert relay.opendkim(came)


def test_of_a_header_that_is_cut_on_its_way_the_rest_is_signed(relay: Relay) -> None:
    long = b"To: " + b"a@client.example,\r\n\t" * 4_000
    came = relay.send(_head("cut").replace(b"To: ", long) + b"x\r\n")
    assert b":to:" not in came.partition(b"\r\nReceived: ")[0]
    assert relay.dkimpy(came)
    assert relay.opendkim(came)


def test_a_large_message_is_signed_too(relay: Relay) -> None:
    line = b"0123456789abcdef \t" * 4 + b"\r\n"
    sent = _head("large") + line * (5_000_000 // len(line))
    came = relay.send(sent)
    assert _without_ours(came) == sent
    assert relay.opendkim(came)


def _peak_kilobytes(relay: Relay) -> int:
    """The peak memory of the worker, which is the younger of the two processes."""
    worker = relay.stack.pids("mailweir-milter")[-1]
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{worker}/status").read_text())
    assert found
    return int(found[1])


def test_a_mail_of_30_mb_is_signed_without_being_held(relay: Relay) -> None:
    relay.send(MESSAGES["plain"], to=STRANGER)
    before = _peak_kilobytes(relay)
    line = b"0123456789abcdef \t" * 4 + b"\r\n"
    came = relay.send(_head("30mb") + line * (30_000_000 // len(line)), to=STRANGER)
    assert _peak_kilobytes(relay) - before < 10_000
    assert relay.dkimpy(came)


@pytest.mark.parametrize(
    ("login", "author"),
    [
        (None, RICHARD),
        ("olga@b.example.org", RICHARD),  # law 4: the key is demo's
        (LOGIN, "richard@other.example"),
        (LOGIN, "richard@sub.firm.example"),
    ],
)
def test_nobody_else_gets_the_signature(relay: Relay, login: str | None, author: str) -> None:
    sent = _head("not-ours").replace(RICHARD.encode(), author.encode()) + b"x\r\n"
    came = relay.send(sent, login=login)
    assert b"DKIM-Signature" not in came
    assert came.endswith(sent)


def test_the_copy_to_log_is_taken_off_and_the_rest_goes_on_signed(relay: Relay) -> None:
    before = len(relay.sink.received)
    sent = _head("with-log") + b"x\r\n"
    with contextlib.closing(Connection(relay.stack.smtp_port)) as client:
        client.command(f"XCLIENT LOGIN={LOGIN}")
        for line in ("EHLO x.example", f"MAIL FROM:<{RICHARD}>", f"RCPT TO:<{JANE}>", "RCPT TO:<log@demo.example.net>"):
            assert client.command(line)[0] == 250
        assert client.command("DATA")[0] == 354
        assert client.command(sent.decode() + ".")[0] == 250
    came = relay.sink.wait(before + 1)[-1]
    assert came.recipients == (JANE,)
    assert _without_ours(came.raw) == sent
    assert relay.dkimpy(came.raw)
    recorded = "SELECT COUNT(*) FROM activities WHERE message_id = '<with-log@firm.example>'"
    assert relay.stack.rows(recorded) == [(1,)]


# --- keys -------------------------------------------------------------------------------------------------------------


def _selector(raw: bytes) -> str:
    found = re.search(rb"\bs=([a-z0-9-]+);", raw)
    assert found
    return found[1].decode()


def test_a_rotation_has_no_gap(make_stack: "MakeStack", sink: "Sink", tmp_path: Path, wait_until: Wait) -> None:
    require_opendkim()
    with _relay(make_stack, sink, tmp_path, wait_until) as relay:
        mail = MESSAGES["plain"]
        cli = relay.stack.cli
        assert b"DKIM-Signature" not in relay.send(mail)
        first = _add(relay, "firm.example", "demo", "--selector", "first")
        assert (first["selector"], first["state"]) == ("first", "active")
        old = relay.send(mail)
        assert _selector(old) == "first"

        demo = ("--deployment", "demo")
        made = json.loads(cli("domain", "rotate", "firm.example", *demo, "--json", check=True).stdout)
        assert _selector(relay.send(mail)) == "first"
        early = cli("domain", "rotate", "firm.example", *demo, "--activate")
        assert early.returncode == 1
        assert "it isn't published" in early.stderr
        assert _selector(relay.send(mail)) == "first"

        relay.publish(made)
        cli("domain", "rotate", "firm.example", *demo, "--activate", check=True)
        new = relay.send(mail)
        assert _selector(new) == made["selector"] != "first"
        assert relay.dkimpy(new)
        assert relay.opendkim(new)
        assert relay.dkimpy(old)  # it was on its way meanwhile

        listed = json.loads(cli("domain", "list", *demo, "--json", check=True).stdout)
        assert {one["selector"]: one["state"] for one in listed} == {"first": "retired", made["selector"]: "active"}
        cli("domain", "remove-key", "firm.example", "first", *demo, check=True)
        cli("domain", "remove", "firm.example", *demo, check=True)
        assert b"DKIM-Signature" not in relay.send(mail)


def test_without_the_key_file_mail_waits_and_the_log_says_why(
    make_stack: "MakeStack", sink: "Sink", tmp_path: Path, wait_until: Wait
) -> None:
    with _relay(make_stack, sink, tmp_path, wait_until) as relay:
        _add(relay)
        file = relay.stack.settings.token_key_path
        found = file.stat()
        assert (found.st_mode & 0o777, found.st_uid) == (0o600, relay.stack.settings.milter_socket.stat().st_uid)
        away = file.with_name("away")
        file.rename(away)
        with contextlib.closing(Connection(relay.stack.smtp_port)) as client:
            client.command(f"XCLIENT LOGIN={LOGIN}")
            client.command("EHLO x.example")
            code, text = client.send(RICHARD, JANE, MESSAGES["plain"])
        assert (code, sink.received) == (451, []), text
        wait_until(lambda: "can't read the key file" in relay.stack.log("mailweir-milter"), "the reason in the log")
        lost = relay.stack.cli("domain", "add", "second.example", "--deployment", "demo")
        assert lost.returncode == 1
        assert "there is no key file" in lost.stderr
        assert not file.exists()
        away.rename(file)
        assert relay.dkimpy(relay.send(MESSAGES["plain"]))


def test_a_setting_switches_it_off(make_stack: "MakeStack", sink: "Sink", tmp_path: Path, wait_until: Wait) -> None:
    with _relay(make_stack, sink, tmp_path, wait_until, dkim={"sign": False}) as relay:
        added = relay.stack.cli("domain", "add", "firm.example", "--deployment", "demo", check=True)
        assert "dkim.sign is off" in added.stderr
        assert b"DKIM-Signature" not in relay.send(MESSAGES["plain"])


def test_lines_are_as_the_test_says() -> None:
    for sent in MESSAGES.values():
        assert lines_of(sent) == sent
