"""A client of the relay, as Gmail is: TLS, AUTH, a message with its bytes unchanged."""

import base64
import contextlib
import json
import re
import smtplib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from tests.integration.wire import stuffed

if TYPE_CHECKING:
    from tests.integration.conftest import MakeStack, Stack
    from tests.integration.smtp_sink import Received, Sink

RICHARD, OLGA, JANE, JOE = "richard@firm.example", "olga@firm.example", "jane@client.example", "joe@client.example"
STRANGER = "x@stranger.example"
MAX_WORKER_BYTES = 200_000_000


def untrusting() -> ssl.SSLContext:
    """TLS that accepts a self-signed certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class Client:
    """A session on the submission port (STARTTLS) or, wrapped, on the submissions port."""

    def __init__(self, stack: "Stack", *, wrapped: bool = False) -> None:
        if wrapped:
            self.smtp: smtplib.SMTP = smtplib.SMTP_SSL(
                "127.0.0.1", stack.submissions_port, "mail.google.example", timeout=60, context=untrusting()
            )
        else:
            self.smtp = smtplib.SMTP("127.0.0.1", stack.submission_port, "mail.google.example", timeout=60)
            self.smtp.starttls(context=untrusting())
        self.smtp.ehlo()
        self.smtp.command_encoding = "utf-8"

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.smtp.close()

    def auth(self, login: str, password: str) -> tuple[int, str]:
        """Sends AUTH PLAIN; returns the reply."""
        token = base64.b64encode(f"\0{login}\0{password}".encode()).decode()
        code, text = self.smtp.docmd("AUTH", f"PLAIN {token}")
        return code, text.decode()

    def send(self, sender: str, to: list[str], lined: bytes, *options: str) -> tuple[int, str]:
        """Sends a message with these bytes; returns the reply at its end, or the first reply that isn't a success."""
        mail = " ".join([f"MAIL FROM:<{sender}>", *options])
        for command in (mail, *(f"RCPT TO:<{one}>" for one in to), "DATA"):
            self.smtp.putcmd(command)
            code, text = self.smtp.getreply()
            if code not in (250, 354):
                return code, text.decode()
        assert self.smtp.sock is not None
        self.smtp.sock.sendall(stuffed(lined))
        code, text = self.smtp.getreply()
        return code, text.decode()


def connect(stack: "Stack", username: str, deployment: str = "demo") -> tuple[str, str]:
    """Makes a login; returns its username and password."""
    done = stack.cli("relay", "connect", username, "--deployment", deployment, "--json", check=True)
    made: dict[str, Any] = json.loads(done.stdout)
    return made["username"], made["password"]


def submit(
    stack: "Stack", credentials: tuple[str, str], sender: str, to: list[str], lined: bytes, *options: str
) -> tuple[int, str]:
    """Logs in, sends a message, and hangs up, as Gmail does."""
    with Client(stack) as client:
        code, text = client.auth(*credentials)
        assert code == 235, text
        return client.send(sender, to, lined, *options)


def mail(name: str, *more: str, sender: str = RICHARD, to: str = JANE) -> bytes:
    """A plain message with a Message-ID of this name."""
    head = [
        f"From: Richard <{sender}>",
        f"To: {to}",
        f"Subject: {name}",
        f"Message-ID: <{name}@firm.example>",
        "Date: Tue, 24 Nov 2026 03:12:55 +0000",
        *more,
    ]
    return ("\r\n".join(head) + "\r\n\r\nhello\r\n").encode()


def people(stack: "Stack") -> None:
    """The deployment demo with richard and olga, and the contacts jane and joe."""
    for line in (
        "deployment add demo --domain demo.example.net",
        f"user add richard --email {RICHARD} --deployment demo",
        f"user add olga --email {OLGA} --deployment demo",
        f"contact add Jane {JANE} --deployment demo",
        f"contact add Joe {JOE} --deployment demo",
    ):
        stack.cli(*line.split(), check=True)


@dataclass
class Site:
    """A stack whose mail goes to a sink, with the logins of richard and olga of demo, and rick of b."""

    stack: "Stack"
    sink: "Sink"
    richard: tuple[str, str]
    rick: tuple[str, str]

    def submit(self, lined: bytes, to: list[str], *options: str, sender: str = RICHARD) -> tuple[int, str]:
        """Submits with richard's login."""
        return submit(self.stack, self.richard, sender, to, lined, *options)

    def delivered(self, lined: bytes, to: list[str], *options: str, sender: str = RICHARD) -> "Received":
        """Submits with richard's login, which must be accepted; returns the mail at the sink."""
        self.stack.drain()
        before = len(self.sink.received)
        code, text = self.submit(lined, to, *options, sender=sender)
        assert code == 250, text
        return self.sink.wait(before + 1, 60)[-1]

    def refused(self, lined: bytes, to: list[str] | None = None, *, sender: str = RICHARD) -> str:
        """Submits with richard's login, which must be refused for good; returns the reply."""
        self.stack.drain()
        before = len(self.sink.received)
        code, text = self.submit(lined, to or [JANE], sender=sender)
        assert code == 550, text
        assert len(self.sink.received) == before
        return text

    def activity(self, name: str) -> Any:
        """The command line's output for a message, or None."""
        listed = json.loads(self.stack.cli("activity", "list", "--deployment", "demo", "--json", check=True).stdout)
        return next((one for one in listed if one["message_id"] == f"<{name}@firm.example>"), None)

    def decision(self, name: str) -> tuple[str, str]:
        """Outcome and reason of the decision in demo."""
        sql = "SELECT outcome, reason FROM decisions WHERE message_id = ? AND deployment_id = 1 ORDER BY id DESC"
        found: tuple[str, str] = self.stack.rows(sql, f"<{name}@firm.example>")[0]
        return found


@contextlib.contextmanager
def site_on(make: "MakeStack", sink: "Sink") -> Iterator[Site]:
    """A site on a stack of its own."""
    stack = make(outbound=f"relayhost 127.0.0.1:{sink.port}")
    people(stack)
    for line in (
        "deployment add b --domain b.example.org",
        "user add rick --email rick@other.example --deployment b",
        f"contact add Jane {JANE} --deployment b",
    ):
        stack.cli(*line.split(), check=True)
    yield Site(stack, sink, connect(stack, "richard"), connect(stack, "rick", "b"))


def without_ours(raw: bytes) -> bytes:
    """The received mail without our one Received on top."""
    match = re.match(rb"Received: [^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*", raw)
    assert match, raw[:600]
    assert b"richard@demo" not in match[0]
    return raw[match.end() :]


def without_signature(raw: bytes) -> bytes:
    """The received mail without our DKIM-Signature on top."""
    match = re.match(rb"DKIM-Signature: [^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*", raw)
    assert match, raw[:600]
    return raw[match.end() :]


def attachment(size_bytes: int) -> bytes:
    """A body of about this many bytes in base64, with incompressible data like large attachments."""
    return base64.encodebytes(Random(1).randbytes(3 * size_bytes // 4)).replace(b"\n", b"\r\n")


def peak_bytes(stack: "Stack") -> int:
    """The largest memory that a process of the filter has used."""
    found = [
        re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
        for pid in stack.pids("mailweir-milter")
    ]
    return max(int(one[1]) * 1024 for one in found if one)
