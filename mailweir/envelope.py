"""The envelope of one message: the data of the SMTP dialogue, never of the headers.

Made by the filter; read by matching. The queue id isn't here: Postfix gives it only at the end of the message, after the
matching. Pure.
"""

from dataclasses import dataclass
from datetime import datetime

from mailweir import address


@dataclass(frozen=True, slots=True)
class Recipient:
    """One RCPT TO. typed: as the client wrote it. address: its normal form, or None."""

    typed: str
    address: str | None

    @property
    def names(self) -> tuple[str, ...]:
        """The forms by which Postfix may know the recipient, for removing it: as typed, and without a phrase and a source
        route."""
        bare = self.typed.rpartition("<")[2].partition(">")[0]
        if bare.startswith("@"):
            bare = bare.partition(":")[2]
        return (self.typed,) if self.typed == f"<{bare}>" else (self.typed, f"<{bare}>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """MAIL FROM (`""` is the null sender), RCPT TO, the SASL login if any, the client's address, the time of arrival (UTC)."""

    sender: str
    recipients: tuple[Recipient, ...]
    login: str | None
    client: str
    received_at: datetime


def read_recipient(typed: str, read: str | None = None) -> Recipient:
    """A recipient from the text of RCPT TO and, if known, from Postfix's own reading of it.

    Postfix accepts comments and white space (`<richard (he) @demo.example.net>`) and queries the look-ups without them: a
    recipient that it accepted that way must count here too.
    """
    return Recipient(typed, address.normalise_path(read or typed) or None)


def read_sender(typed: str) -> str:
    """The envelope sender from the text of MAIL FROM; a text that isn't an address stays as typed, in lower case."""
    sender = address.normalise_path(typed)
    return typed.strip("<>").lower() if sender is None else sender
