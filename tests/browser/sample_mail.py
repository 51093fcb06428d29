"""Mail of a small firm and its clients for the pages of the sample site: questions, offers, a file, an invitation.

Called by `sample_site`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from mailweir.store.record import visibility
from mailweir.visibility import Visibility
from tests.held_mail import send
from tests.page import JANE, Page

RICHARD, ANNA, LOG = (f"{name}@demo.example.net" for name in ("richard", "anna", "log"))
PURCHASING, ORDERS = "purchasing@client.example", "orders@supplier.example"
STRANGER = "builder@prospect.example"
_OF_CLIENT, _OF_FIRM = "client", "proven"  # the tests' examiner finds a signature of these
_HOUR = 3600.0
_MONTHS = (5, 3, 6, 4, 7, 2, 5, 8, 6, 4, 7)  # Jane's mails in each of the months before
_QUESTIONS = """Dear Richard,

thank you for your offer. Two questions before I can sign it:

1. Is the old boiler taken away, and does that cost extra?
2. Could you begin on Monday, 30 November? The house is empty then.

Kind regards
Jane

On 20 November 2026 at 09:14, Richard wrote:
> Dear Jane,
>
> please find our offer for the new boiler attached. It is valid until the end of the year.
>
> Richard

--
Jane Doe
Client Ltd
"""
_NEWSLETTER = """<html><body><h1 style="color:#1d4f91">Prices from January</h1><p>Dear customer,</p>
<p>these prices hold from <b>1 January 2027</b> on:</p><table><tr><th>Boiler 18 kW</th><td>2,140</td></tr>
<tr><th>Boiler 24 kW</th><td>2,380</td></tr></table>
<img src="https://pictures.supplier.example/opened.png" alt=""></body></html>"""
_INVITATION = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//example//EN
METHOD:REQUEST
BEGIN:VEVENT
UID:visit@client.example
DTSTAMP:20261123T080000Z
DTSTART:20261130T080000Z
DTEND:20261130T093000Z
SUMMARY:Visit at the house
LOCATION:4 Mill Lane
ORGANIZER:mailto:jane@client.example
END:VEVENT
END:VCALENDAR
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A mail. hours: the time before now. about: the name of its Message-ID. answers: the name of the mail that it answers.
    proof: see PROOFS of `tests.held_mail`."""

    about: str
    hours: float
    subject: str
    text: str
    author: str = f"Jane Doe <{JANE}>"
    to: str = "richard@firm.example"
    by: str = RICHARD
    answers: str = ""
    proof: str = _OF_CLIENT
    html: str = ""
    file: tuple[str, bytes] | None = None
    invitation: str = ""

    def message(self, page: Page) -> EmailMessage:
        """The message, with its date on the page's clock."""
        message = EmailMessage(policy=SMTP)
        message["From"], message["To"], message["Subject"] = self.author, self.to, self.subject
        message["Date"] = format_datetime(page.clock())
        message["Message-ID"] = f"<{self.about}@client.example>"
        if self.answers:
            message["In-Reply-To"] = message["References"] = f"<{self.answers}@client.example>"
        if self.proof:
            message["X-Test"] = self.proof
        message.set_content(self.text)
        if self.html:
            message["List-Id"] = "<prices.supplier.example>"
            message.add_alternative(self.html, subtype="html")
        if self.invitation:
            message.add_alternative(self.invitation, subtype="calendar", params={"method": "REQUEST"})
        if self.file:
            message.add_attachment(self.file[1], maintype="application", subtype="pdf", filename=self.file[0])
        return message


def deliver(page: Page) -> dict[str, int]:
    """Records and reads all of it, each mail at its own time. Returns the activities' ids by the name of the mail."""
    now = page.clock.at
    ids = {}
    for one in sorted([*_before(), *_lately()], key=lambda one: -one.hours):
        page.clock.at = now
        page.clock.pass_by(-one.hours * _HOUR)
        ids[one.about] = page.deliver(one.message(page).as_bytes(), to=one.by)
    page.clock.at = now
    visibility.set_by_hand(page.database, ids["salary"], Visibility.PARTICIPANTS, "anna", now)
    return ids


def deliver_unknown(page: Page) -> None:
    """Delivers a mail of an unknown person, which isn't recorded."""
    now = page.clock.at
    page.clock.pass_by(-20 * 60)
    one = Sample(about="unknown", hours=0, subject="A new house", text="", author=STRANGER, proof="")
    assert not [
        sent
        for sent in send(page.database, one.message(page).as_bytes(), "4Unknown", recipients=RICHARD, at=page.clock())
        if sent.activity_id
    ]
    page.clock.at = now


def _before() -> Iterator[Sample]:
    """Mail of the months before, for the picture of a contact."""
    for month, count in enumerate(_MONTHS, start=1):
        for number in range(count):
            yield Sample(
                about=f"before{month}.{number}",
                hours=24 * (30 * month + 3 * number),
                subject=("The invoice of the service", "Appointment for the service", "Heating stays cold")[number % 3],
                text="Could you have a look at it?",
                by=ANNA if number % 2 else RICHARD,
            )


def _lately() -> Iterator[Sample]:
    firm = {"author": "Richard <richard@firm.example>", "to": JANE, "by": LOG, "proof": _OF_FIRM}
    yield Sample(
        about="offer",
        hours=90,
        subject="Your offer",
        text="Dear Jane,\n\nplease find our offer for the new boiler attached.\n\nRichard\n",
        file=("Offer 2026-114.pdf", b"%PDF-1.4\n" + b"0" * 48_000),
        **firm,
    )
    yield Sample(
        about="tender",
        hours=75,
        subject="Tender: twelve boilers",
        text="We plan to replace twelve boilers next year. Whom do we send the plans to?",
        author=f"Purchasing <{PURCHASING}>",
        proof="",
    )
    yield Sample(
        about="prices",
        hours=52,
        subject="Prices from January",
        text="These prices hold from 1 January 2027 on.",
        html=_NEWSLETTER,
        author=f"Orders <{ORDERS}>",
        proof="",
    )
    yield Sample(
        about="salary",
        hours=30,
        subject="Confidential: the new contract",
        text="As we said on the phone.",
        by=ANNA,
        to="anna@firm.example",
    )
    yield Sample(
        about="visit",
        hours=18,
        subject="Invitation: visit at the house",
        text="Shall we meet at the house?",
        invitation=_INVITATION,
    )
    yield Sample(
        about="forged",
        hours=6,
        subject="Our bank account has changed",
        text="Please pay the next invoice to our new account.",
        proof="changed",
    )
    yield Sample(about="questions", hours=1.4, subject="Re: Your offer", text=_QUESTIONS, answers="offer")
    yield Sample(
        about="radiator",
        hours=0.2,
        subject="The radiator in the kitchen",
        text="It has been cold since yesterday evening. Can somebody come by today?",
        author=f"Purchasing <{PURCHASING}>",
    )
