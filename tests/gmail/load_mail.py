"""The mail of the load server: the content of message N of mailbox M, to the byte, without storing anything.

Server and tests generate it alike, so a test knows the expected record from the number of messages alone.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

DOMAIN = "firm.example"
_FIRST = datetime(2026, 11, 1, tzinfo=UTC)
_LINE = b"This line is one of many that stand here for the sake of the size of the whole message.\r\n"
_OUTGOING_OF = 5  # the owner sends one message in so many


def address(mailbox: int) -> str:
    """The address of mailbox M."""
    return f"box{mailbox:06}@{DOMAIN}"


def refresh_token(mailbox: int) -> str:
    """The refresh token of mailbox M. The server accepts it from anybody."""
    return f"refresh-{mailbox}"


def contact(number: int) -> str:
    """The address of contact K, counted from 0."""
    return f"contact{number}@client.example"


@dataclass(frozen=True)
class Mix:
    """The composition of the mail. contacts: their number. contact_share: their share of the mail, 0 to 1. size: bytes of a
    message."""

    contacts: int = 1_000
    contact_share: float = 0.5
    size: int = 10_240


@dataclass(frozen=True)
class Message:
    """Message N of mailbox M; numbers begin with 1."""

    mailbox: int
    number: int
    person: str
    is_contact: bool
    outgoing: bool

    @property
    def id(self) -> str:
        """Gmail's id."""
        return f"{self.mailbox:06x}{self.number:010x}"

    @property
    def message_id(self) -> str:
        """The value of the header Message-ID."""
        return f"<{self.mailbox}.{self.number}@load.example>"

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels at first."""
        return ("SENT",) if self.outgoing else ("INBOX", "UNREAD")

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The headers in their order."""
        own = address(self.mailbox)
        author, to = (own, self.person) if self.outgoing else (self.person, own)
        return [
            ("From", author),
            ("To", to),
            ("Subject", f"Number {self.number}"),
            ("Date", (_FIRST + timedelta(minutes=self.number)).strftime("%a, %d %b %Y %H:%M:%S +0000")),
            ("Message-ID", self.message_id),
            ("MIME-Version", "1.0"),
            ("Content-Type", "text/plain; charset=us-ascii"),
        ]

    def raw(self, size: int) -> bytes:
        """The whole message, of at least `size` bytes."""
        head = "".join(f"{name}: {value}\r\n" for name, value in self.headers) + "\r\n"
        return head.encode() + _filler(size)


@cache
def _filler(size: int) -> bytes:
    return _LINE * -(-size // len(_LINE))


def message(mailbox: int, number: int, mix: Mix) -> Message:
    """Message N of mailbox M."""
    dice = zlib.crc32(b"%d:%d" % (mailbox, number))
    is_contact = dice % 1_000 < mix.contact_share * 1_000
    who = (dice >> 13) % mix.contacts
    person = contact(who) if is_contact else f"stranger{who}@else.example"
    return Message(mailbox, number, person, is_contact, (dice >> 10) % _OUTGOING_OF == 0)


def parse_id(text: str) -> tuple[int, int] | None:
    """Mailbox and number in Gmail's id; None if invalid."""
    try:
        return int(text[:6], 16), int(text[6:], 16)
    except ValueError:
        return None


def messages(put: dict[int, int], mix: Mix, first: int = 1) -> Iterator[Message]:
    """The messages of the numbers `first` to put[mailbox], of each mailbox."""
    for mailbox, last in put.items():
        for number in range(first, last + 1):
            yield message(mailbox, number, mix)


def of_contacts(put: dict[int, int], mix: Mix, first: int = 1) -> Iterator[Message]:
    """The messages among them that must be on the record."""
    return (one for one in messages(put, mix, first) if one.is_contact)
