"""The effect of a mail's own headers on a header in its text: was that mail forwarded, or answered? Attached mails can still be
proven."""

import pytest

from admin_cli.demo.signing import SigningKey
from mailweir.reading import attachments, body, forwarded, message, parts
from mailweir.reading.folds import FoldKind
from tests.dkim_mail import GOOD, RAW, by_hand, check
from tests.dkim_mail import key as key
from tests.dkim_mail import record as record
from tests.unit.reading.mails import multipart, part

JANE = "jane@client.example"
BELOW = (
    "Please file.\r\n\r\nFrom: Jane Roe <jane@client.example>\r\nSent: Monday, June 3, 2024 10:00 AM\r\nTo: Bob Doe\r\n"
    "Subject: Offer\r\n\r\nDear Bob, the offer.\r\n"
)


def mail(
    to: str = "ann@demo.example", subject: str = "papers of Client Ltd", more: str = "", text: str = BELOW
) -> bytes:
    """A mail of Bob's with a header below his own text."""
    head = f"From: Bob <bob@demo.example>\r\nTo: {to}\r\nSubject: {subject}\r\nDate: Tue, 4 Jun 2024 12:00:00 +0200\r\n{more}"
    return f"{head}Content-Type: text/plain; charset=utf-8\r\n\r\n{text}".encode()


@pytest.mark.parametrize("subject", ["papers of Client Ltd", ""])
def test_what_is_about_something_else_and_goes_to_others_is_forwarded(subject: str) -> None:
    found = message.read(mail(subject=subject))
    assert found.original is not None
    assert (found.original.author, [fold.kind for fold in found.folds]) == (JANE, [FoldKind.FORWARDED])


@pytest.mark.parametrize(
    "raw",
    [
        mail(more="In-Reply-To: <1@client.example>\r\n"),
        mail(more="References: <1@client.example>\r\n"),
        mail(subject="Re: papers"),
        mail(subject="AW: papers"),
        mail(subject="Offer"),
        mail(to="Jane Roe <jane@client.example>"),
        mail(to="ann@demo.example, JANE@client.example"),
        mail(text=BELOW.replace("Jane Roe <jane@client.example>", "Bob <bob@demo.example>")),  # his own mail
        mail(text=BELOW.replace(" <jane@client.example>", "")),  # a name without an address
        mail(text=BELOW.replace("Subject: Offer", "Subject:")),
        mail(text=BELOW.replace("Please file.", "Our program lost this:")),
    ],
)
def test_what_may_be_a_reply_or_a_report_is_none(raw: bytes) -> None:
    assert message.read(raw).original is None


def test_a_forward_without_a_subject_names_its_author_in_a_mail_to_the_log_address() -> None:
    found = forwarded.find(BELOW, "", is_meant=True)
    assert found is not None
    assert found.author == JANE


@pytest.mark.parametrize("count", [1, 3])
def test_attached_messages_stay_provable_and_are_named_in_order(count: int, key: SigningKey, record: bytes) -> None:
    signed = [by_hand(key, RAW.replace(b"<1@", b"<%d@" % number)) for number in range(count)]
    attached = [part("message/rfc822", one) for one in signed]
    raw = multipart("mixed", part("text/plain", "Please file."), *attached, headers="Subject: Fwd: offers")
    found = parts.walk(raw)
    files = attachments.index(raw, found, None)
    assert [check(attachments.decode(raw, file), record) for file in files] == [GOOD] * count
    text = body.read(raw, found).text
    originals = forwarded.find_all(text, "Fwd: offers")
    assert [(one.author, one.subject.split()) for one in originals] == [(JANE, ["An", "offer"])] * count
