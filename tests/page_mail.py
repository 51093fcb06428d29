"""Mail for tests of the page's lists: short to write, with any subject, author and text."""

import re
from email.message import EmailMessage
from email.policy import SMTP

from mailweir.store.people import contacts
from mailweir.store.record import visibility
from mailweir.visibility import Visibility
from tests.held_mail import send
from tests.page import JANE, Page

RICHARD = "richard@demo.example.net"
ANNA = "anna@demo.example.net"
LOG = "log@demo.example.net"


def mail(name: str, subject: str = "An offer", text: str = "The boiler costs 100.", **headers: str) -> bytes:
    """A mail of jane's, unless `From` is given. name: of its Message-ID. headers: `_` becomes a hyphen."""
    message = EmailMessage(policy=SMTP.clone(max_line_length=900))
    given = {"From": f"Jane Doe <{JANE}>", "To": "richard@firm.example", "Date": "Mon, 23 Nov 2026 09:00:00 +0100"}
    for key, value in {**given, **headers}.items():
        message[key.replace("_", "-")] = value
    message["Subject"] = subject
    message["Message-ID"] = f"<{name}@client.example>"
    message.set_content(text)
    return message.as_bytes()


def deliver_many(page: Page, count: int, to: str = RICHARD, subject: str = "Number {}.") -> list[int]:
    """Delivers this many mails of jane's, which are read at once; returns the activities' ids. subject: has a place for the
    number, from 1 on."""
    ids = []
    for number in range(1, count + 1):
        raw = mail(f"many{number}-{to}", subject.format(number))
        recorded = send(page.database, raw, f"4Many{next(page.numbers)}", recipients=to, at=page.clock())
        ids += [one.activity_id for one in recorded if one.activity_id is not None]
    page.read()
    return ids


def deliver_with_hidden_copy(page: Page) -> int:
    """Delivers a mail of richard's to jane, with joe in Bcc: a contact that only the sender may see. Returns the activity's
    id."""
    joe = "joe@client.example"
    contacts.add(page.database, page.demo, "Joe Hidden", [joe], "Client Ltd", page.clock())
    raw = mail("hidden", From="richard@firm.example", To=f"{JANE}, {joe}", X_Test="proven")
    (recorded,) = send(page.database, raw, "4Hidden", recipients=LOG, at=page.clock())
    page.database.execute("UPDATE activity_contacts SET is_bcc = 1 WHERE address = ?", (joe,))
    page.read()
    assert recorded.activity_id is not None
    return recorded.activity_id


def restrict(page: Page, activity_id: int, wanted: Visibility) -> None:
    """Sets its visibility by hand."""
    visibility.set_by_hand(page.database, activity_id, wanted, "admin", page.clock())


def shown(text: str) -> list[str]:
    """The ids of the activities that are listed."""
    return re.findall(r'class="subject" href="/activities/(\d+)"', text)


def link(text: str, words: str) -> str:
    """The target of the link with these words; "" if there is none."""
    found = re.findall(rf'<a class="button" href="([^"]+)">{words}</a>', text)
    return str(found[0]).replace("&amp;", "&") if found else ""
