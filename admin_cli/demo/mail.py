"""The demo's mails as their senders hand them over: raw bytes with CRLF, and the envelope of each.

Real in form, invented in content. Only addresses of example domains, except Google's own in the forwarding confirmation. Never
sends anything. Called by `scenario`; tests build confirmations of other forms here.
"""

import base64
import quopri
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from mailweir import confirmation

CAPTURE_DOMAIN = "demo.example.net"
USERNAME = "richard"
MAILBOX = "richard@firm.example"
CAPTURE_ADDRESS = f"{USERNAME}@{CAPTURE_DOMAIN}"
LOG_ADDRESS = f"log@{CAPTURE_DOMAIN}"
CLIENT = "jane@client.example"
STRANGER = "offers@stranger.example"
CONFIRM_LINK = "https://mail-settings.google.com/mail/vf-%5BANGjdJ-demo-only%5D-mailweir"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A mail and its envelope. story: a line about the mail and its origin."""

    story: str
    sender: str
    recipients: tuple[str, ...]
    raw: bytes


def compose(headers: Sequence[tuple[str, str]], body: bytes) -> bytes:
    """A message with these headers and this body, in order. Header values may be in any script: they are written as UTF-8."""
    return "".join(f"{name}: {value}\r\n" for name, value in headers).encode() + b"\r\n" + body


def client_mail(now: datetime) -> Delivery:
    """A client's mail to the user, as the user's Gmail forwards it: the capture address is in the envelope only."""
    headers = [
        ("X-Forwarded-To", CAPTURE_ADDRESS),
        ("X-Forwarded-For", f"{MAILBOX} {CAPTURE_ADDRESS}"),
        ("From", f"Purchasing <{CLIENT}>"),
        ("To", f"Richard <{MAILBOX}>"),
        ("Subject", "=?UTF-8?Q?Your_offer_=E2=80=93_two_questions?="),
        ("Date", format_datetime(now)),
        ("Message-ID", f"<offer-{now:%Y%m%d%H%M%S}@client.example>"),
        *_PLAIN_TEXT,
    ]
    body = "Dear Richard,\r\n\r\nDoes the price hold until May, and who delivers?\r\n"
    return Delivery(
        f"a client writes to {MAILBOX}, whose Gmail forwards the mail to {CAPTURE_ADDRESS}",
        _forwarder(MAILBOX),
        (CAPTURE_ADDRESS,),
        compose(headers, body.encode()),
    )


def logged_mail(now: datetime) -> Delivery:
    """The user's own mail to the client, with a blind copy to the log address."""
    headers = [
        ("From", f"Richard <{MAILBOX}>"),
        ("To", f"Purchasing <{CLIENT}>"),
        ("Subject", "Re: =?UTF-8?Q?Your_offer_=E2=80=93_two_questions?="),
        ("Date", format_datetime(now)),
        ("Message-ID", f"<answer-{now:%Y%m%d%H%M%S}@firm.example>"),
        ("In-Reply-To", f"<offer-{now:%Y%m%d%H%M%S}@client.example>"),
        *_PLAIN_TEXT,
    ]
    body = "Hello,\r\n\r\nIt holds, and we deliver ourselves.\r\n\r\nRichard\r\n"
    return Delivery(
        f"{USERNAME} answers the client, with a blind copy to {LOG_ADDRESS}",
        MAILBOX,
        (LOG_ADDRESS,),
        compose(headers, body.encode()),
    )


def stranger_mail(now: datetime) -> Delivery:
    """Mail of somebody who isn't a contact, forwarded along with the rest."""
    headers = [
        ("X-Forwarded-To", CAPTURE_ADDRESS),
        ("X-Forwarded-For", f"{MAILBOX} {CAPTURE_ADDRESS}"),
        ("From", f"Great Offers <{STRANGER}>"),
        ("To", MAILBOX),
        ("Subject", "Half price this week"),
        ("Date", format_datetime(now)),
        ("Message-ID", f"<week-{now:%Y%m%d%H%M%S}@stranger.example>"),
        *_PLAIN_TEXT,
    ]
    return Delivery(
        f"a stranger writes to {MAILBOX}, and Gmail forwards that too",
        _forwarder(MAILBOX),
        (CAPTURE_ADDRESS,),
        compose(headers, b"Everything must go.\r\n"),
    )


def synced_mail(now: datetime) -> bytes:
    """Another mail of the client, which is in the user's Gmail and isn't forwarded."""
    headers = [
        ("From", f"Purchasing <{CLIENT}>"),
        ("To", f"Richard <{MAILBOX}>"),
        ("Subject", "The order, signed"),
        ("Date", format_datetime(now)),
        ("Message-ID", f"<order-{now:%Y%m%d%H%M%S}@client.example>"),
        *_PLAIN_TEXT,
    ]
    return compose(headers, b"Dear Richard,\r\n\r\nHere it is.\r\n")


def confirmation_mail(now: datetime) -> Delivery:
    """Gmail's forwarding confirmation, without a signature yet."""
    raw = build_confirmation(
        capture_address=CAPTURE_ADDRESS,
        requester=MAILBOX,
        subject=f"(#123456789) Gmail Forwarding Confirmation - Receive Mail from {MAILBOX}",
        message_id=f"<confirm-{now:%Y%m%d%H%M%S}@google.com>",
        date=now,
    )
    return Delivery(
        f"{USERNAME} adds {CAPTURE_ADDRESS} as a forwarding address in Gmail, and Google asks that address to confirm it",
        confirmation.SENDER,
        (CAPTURE_ADDRESS,),
        raw,
    )


def build_confirmation(
    *,
    capture_address: str,
    requester: str,
    subject: str,
    message_id: str,
    date: datetime,
    link: str = CONFIRM_LINK,
    display_name: str = "Gmail Team",
    transfer_encoding: str = "7bit",
    marked: bool = True,
) -> bytes:
    """A forwarding confirmation in one of Gmail's forms.

    transfer_encoding: 7bit, base64 or quoted-printable. marked: with Google's header.
    """
    cancel_link = link.replace("/vf-", "/uf-")
    text = (
        f"{requester} has asked to forward mail to your address {capture_address}.\r\n\r\n"
        f"To allow it, follow this link and confirm:\r\n\r\n{link}\r\n\r\n"
        f"If you don't know {requester}, cancel it here:\r\n\r\n{cancel_link}\r\n"
    )
    mark = [("X-Google-Address-Confirmation", "demo-only")] if marked else []
    headers = [
        ("MIME-Version", "1.0"),
        *mark,
        ("Date", format_datetime(date)),
        ("Message-ID", message_id),
        ("Subject", subject),
        ("From", f"{display_name} <{confirmation.SENDER}>"),
        ("To", capture_address),
        ("Content-Type", 'text/plain; charset="UTF-8"'),
        ("Content-Transfer-Encoding", transfer_encoding),
    ]
    return compose(headers, _encoded(text.encode(), transfer_encoding))


def _encoded(body: bytes, transfer_encoding: str) -> bytes:
    if transfer_encoding == "base64":
        return base64.encodebytes(body).replace(b"\n", b"\r\n")
    if transfer_encoding == "quoted-printable":
        return quopri.encodestring(body.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
    return body


def _forwarder(mailbox: str) -> str:
    """The envelope sender that Gmail gives forwarded mail."""
    local, _, domain = mailbox.partition("@")
    return f"{local}+caf_={CAPTURE_ADDRESS.replace('@', '=')}@{domain}"


_PLAIN_TEXT = [("MIME-Version", "1.0"), ("Content-Type", 'text/plain; charset="UTF-8"')]
