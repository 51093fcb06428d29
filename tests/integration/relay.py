"""A client of the relay, as Gmail is one: TLS, AUTH, one message with its bytes as they are."""

import base64
import json
import smtplib
import ssl
from typing import TYPE_CHECKING, Any

from tests.integration.wire import stuffed

if TYPE_CHECKING:
    from tests.integration.conftest import Stack

RICHARD, OLGA, JANE, JOE = "richard@firm.example", "olga@firm.example", "jane@client.example", "joe@client.example"
STRANGER = "x@stranger.example"


def untrusting() -> ssl.SSLContext:
    """TLS that takes a self-signed certificate."""
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
        """AUTH PLAIN; the reply."""
        token = base64.b64encode(f"\0{login}\0{password}".encode()).decode()
        code, text = self.smtp.docmd("AUTH", f"PLAIN {token}")
        return code, text.decode()

    def send(self, sender: str, to: list[str], lined: bytes, *options: str) -> tuple[int, str]:
        """One message with these bytes; the reply at its end, or the first that isn't a success."""
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
    """Makes a login; its username and password."""
    done = stack.cli("relay", "connect", username, "--deployment", deployment, "--json", check=True)
    made: dict[str, Any] = json.loads(done.stdout)
    return made["username"], made["password"]


def submit(
    stack: "Stack", credentials: tuple[str, str], sender: str, to: list[str], lined: bytes, *options: str
) -> tuple[int, str]:
    """Logs in, sends one message, hangs up, as Gmail does."""
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
