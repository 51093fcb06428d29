"""A client's mail, which a user forwards by hand to log@demo.example.net. Written for tests, in the mail programs' forms."""

from datetime import UTC, datetime
from email.utils import format_datetime

JANE = "jane@client.example"
RICHARD = "richard@firm.example"
SENT = datetime(2026, 11, 23, 9, 15, 42, tzinfo=UTC)
ZONE = "+0100"  # Berlin, as in the forward's Date; programs write the original's date in the forwarder's zone
SUBJECT = "Angebot 2231"
# by name: the forward's subject, its text, and whether the text gives the original's date for certain
INLINE = {
    "gmail en": (
        f"Fwd: {SUBJECT}",
        "Please log.\n\n---------- Forwarded message ---------\nFrom: Jane Doe <jane@client.example>\n"
        f"Date: Mon, Nov 23, 2026 at 10:15\u202fAM\nSubject: {SUBJECT}\nTo: Richard <richard@firm.example>\n\n\nWe offer ten.\n",
    ),
    "gmail de": (
        f"Fwd: {SUBJECT}",
        "---------- Forwarded message ---------\nVon: Jane Doe <jane@client.example>\n"
        f"Date: Mo., 23. Nov. 2026 um 10:15 Uhr\nSubject: {SUBJECT}\nTo: Richard <richard@firm.example>\n\n\nWe offer ten.\n",
    ),
    "outlook en": (
        f"FW: {SUBJECT}",
        "\n\nFrom: Jane Doe <jane@client.example> \nSent: Monday, November 23, 2026 10:15 AM\n"
        f"To: Richard <richard@firm.example>\nSubject: {SUBJECT}\n\nWe offer ten.\n",
    ),
    "outlook de": (
        f"WG: {SUBJECT}",
        "Bitte ablegen.\n\nVon: Jane Doe <jane@client.example> \nGesendet: Montag, 23. November 2026 10:15\n"
        f"An: Richard <richard@firm.example>\nBetreff: {SUBJECT}\n\nWe offer ten.\n",
    ),
    "outlook of old": (
        f"FW: {SUBJECT}",
        "-----Original Message-----\nFrom: Jane Doe [mailto:jane@client.example] \nSent: Monday, November 23, 2026 10:15 AM\n"
        f"To: Richard\nSubject: {SUBJECT}\n\nWe offer ten.\n",
    ),
    "apple en": (
        f"Fwd: {SUBJECT}",
        "\n\nBegin forwarded message:\n\nFrom: Jane Doe <jane@client.example>\n"
        f"Subject: {SUBJECT}\nDate: November 23, 2026 at 10:15:42 AM GMT+1\nTo: Richard <richard@firm.example>\n\n"
        "We offer ten.\n",
    ),
    "apple de": (
        f"Fwd: {SUBJECT}",
        "\n\nAnfang der weitergeleiteten Nachricht:\n\nVon: Jane Doe <jane@client.example>\n"
        f"Betreff: {SUBJECT}\nDatum: 23. November 2026 um 10:15:42 MEZ\nAn: Richard <richard@firm.example>\n\nWe offer ten.\n",
    ),
    "thunderbird en": (
        f"Fwd: {SUBJECT}",
        f"\n\n-------- Forwarded Message --------\nSubject: \t{SUBJECT}\nDate: \tMon, 23 Nov 2026 10:15:42 +0100\n"
        "From: \tJane Doe <jane@client.example>\nTo: \tRichard <richard@firm.example>\n\n\n\nWe offer ten.\n",
    ),
    "thunderbird de": (
        f"Fwd: {SUBJECT}",
        f"\n\n-------- Weitergeleitete Nachricht --------\nBetreff: \t{SUBJECT}\nDatum: \tMon, 23 Nov 2026 10:15:42 +0100\n"
        "Von: \tJane Doe <jane@client.example>\nAn: \tRichard <richard@firm.example>\n\n\n\nWe offer ten.\n",
    ),
}


def original(
    *, message_id: str = "<o1@client.example>", author: str = JANE, subject: str = SUBJECT, body: str = "We offer ten."
) -> bytes:
    """The mail as its author sent it."""
    return (
        f"From: Jane Doe <{author}>\r\nTo: Richard <{RICHARD}>\r\nSubject: {subject}\r\nMessage-ID: {message_id}\r\n"
        f"Date: {format_datetime(SENT)}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{body}\r\n"
    ).encode()


def head(
    subject: str,
    *,
    message_id: str = "<f1@firm.example>",
    author: str = RICHARD,
    to: str = "log@demo.example.net",
    test: str = "proven",
    more: str = "",
) -> str:
    """A forward's headers, without their empty line. test: the scripted examiner's result. more: whole lines."""
    return (
        f"From: Richard <{author}>\r\nTo: {to}\r\nSubject: {subject}\r\nMessage-ID: {message_id}\r\n"
        f"Date: Tue, 24 Nov 2026 08:00:00 {ZONE}\r\nX-Test: {test}\r\nMIME-Version: 1.0\r\n{more}"
    )


def inline(name: str, *, message_id: str = "<f1@firm.example>", more: str = "", **changes: str) -> bytes:
    """An inline forward in a program's form. changes: replacements in the text."""
    subject, text = INLINE[name]
    for old, new in changes.items():
        text = text.replace(old.replace("_at_", "@").replace("_", "."), new)
    return written(subject, text, message_id=message_id, more=more)


def written(
    subject: str, text: str, *, message_id: str = "<f1@firm.example>", more: str = "", test: str = "proven"
) -> bytes:
    """A forward with this text."""
    kind = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
    top = head(subject, message_id=message_id, more=more + kind, test=test)
    return f"{top}\r\n".encode() + text.replace("\n", "\r\n").encode()


def attached(
    *messages: bytes, text: str = "see below", subject: str | None = None, message_id: str = "<f1@firm.example>"
) -> bytes:
    """A forward of whole messages."""
    top = head(
        subject or f"Fwd: {SUBJECT}", message_id=message_id, more='Content-Type: multipart/mixed; boundary="b1"\r\n'
    )
    parts = [b"Content-Type: text/plain\r\n\r\n" + text.encode()]
    parts += [b"Content-Type: message/rfc822\r\nContent-Disposition: attachment\r\n\r\n" + one for one in messages]
    return f"{top}\r\n".encode() + b"".join(b"--b1\r\n" + one + b"\r\n" for one in parts) + b"--b1--\r\n"
