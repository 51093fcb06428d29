"""A message that a login submits, and whose it is: does each address that stands for the sender belong to the login?

Law 10: envelope sender, From, Sender, Resent-From and Resent-Sender must each name an address that the login owns; a read receipt
alone has no envelope sender. Postfix has asked about the envelope sender already, where there is one. Called by `relay` and
`notices`.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

from capture_milter.relay_directory import RelayDirectory
from mailweir import address, candidates, headers
from mailweir.envelope import Envelope
from mailweir.headers import Header, HeaderView
from mailweir.matching import UserRef
from mailweir.store.relay_logins import Holder

# Of the mail by which Gmail asks whether an address of "Send mail as" is the user's; it goes to that address by this relay
GMAIL_ASKS = frozenset({"gmail-noreply@google.com", "account-verification-noreply@google.com"})
_GMAIL_DOMAINS = frozenset({"gmail.com", "googlemail.com"})
_WHO = ("From", "Sender", "Resent-From", "Resent-Sender")
# RFC 8098 3. Who puts these words elsewhere into the header, to send without an envelope sender, may: all else is checked alike.
_RECEIPT = re.compile(
    rb"\s*multipart/report\s*;.*\breport-type\s*=\s*\"?disposition-notification\b", re.IGNORECASE | re.DOTALL
)


@dataclass(frozen=True)
class Submission:
    """One of them. holder: who stands behind its login."""

    envelope: Envelope
    view: HeaderView
    header_lines: list[Header]
    holder: Holder
    directory: RelayDirectory

    def ask_for_all(self) -> None:
        """Everybody that is going to be asked for, in one question (see `CachedRelayDirectory`)."""
        envelope = self.envelope
        named = [_read(value) for values in self._values.values() for value in values]
        found = {envelope.sender, *named, *self.view.recipients, *(one.address for one in envelope.recipients)}
        key = self.holder.deployment.folding.key
        self.directory.people_with(self.holder.deployment.id, {key(one) for one in found if one})

    def fault(self) -> str | None:
        """What in the message isn't the login's, in a sentence; None where all is."""
        count = len(self._values["From"])
        if count != 1:
            return "it must have exactly one From, and has " + ("none" if not count else str(count))
        named: list[tuple[str, str]] = []
        for name in _WHO:
            for value in self._values[name]:
                found = _read(value)
                if found is None:
                    return (
                        f"its {name} must be one address that reads one way: no group, no second address, no open quote"
                    )
                named.append((name, found))
        for name, found in named:
            if address.split(found)[1] in _GMAIL_DOMAINS:
                return (
                    f"its {name} {found} is Gmail's to send: receivers take such mail from any other server for forged; "
                    "send it from Gmail itself"
                )
        if self.envelope.sender:
            named.append(("envelope sender", self.envelope.sender))
        elif not self._is_receipt:
            return "its envelope sender is empty, and that is for read receipts alone"
        own = self._own([found for _, found in named])
        for name, found in named:
            if found not in own:
                return f"its {name} {found} isn't an address of the login {self.envelope.login}"
        return None

    def is_gmail_asking(self) -> bool:
        """Is it Gmail's own "Send mail as" confirmation? It isn't proven; but it can go to the login's own addresses alone."""
        sender = self.envelope.sender
        if self.view.author not in GMAIL_ASKS:
            return False
        others = [_read(value) for name in _WHO for value in self._values[name]]
        to = [recipient.address or "" for recipient in self.envelope.recipients]
        own = self._own([*to, sender])
        return (
            all(found in GMAIL_ASKS for found in others)
            and (sender in GMAIL_ASKS or sender in own)
            and bool(to)
            and all(found in own for found in to)
        )

    def _own(self, addresses: Collection[str]) -> set[str]:
        return owned(addresses, self.holder, self.directory)

    @property
    def _is_receipt(self) -> bool:
        """A read receipt has no envelope sender, so that it can neither bounce nor be answered by a program (RFC 8098 3)."""
        types = [value for name, value in self.header_lines if name.strip().lower() == b"content-type"]
        return len(types) == 1 and _RECEIPT.match(types[0]) is not None

    @cached_property
    def _values(self) -> Mapping[str, list[bytes]]:
        """Of the fields that say who sends."""
        values: dict[str, list[bytes]] = {name: [] for name in _WHO}
        names = {name.lower().encode(): name for name in _WHO}
        for raw_name, value in self.header_lines:
            name = names.get(raw_name.strip().lower())
            if name:
                values[name].append(value)
        return values


def _read(value: bytes) -> str | None:
    """The one address, where no reader could show another one; the world takes what we sign for the login's word."""
    if len(value) > headers.MAX_AUTHOR_BYTES:  # it may be cut
        return None
    found = candidates.read(value.decode("utf-8", "surrogateescape"))
    return found.shown[0] if len(found.shown) == 1 and not (found.in_doubt or found.is_odd) else None


def owned(addresses: Collection[str], holder: Holder, directory: RelayDirectory) -> set[str]:
    """Those of these addresses that are the login's user's."""
    keys = {found: holder.deployment.folding.key(found) for found in addresses if found}
    if not keys:
        return set()
    users: Mapping[str, UserRef] = directory.people_with(holder.deployment.id, set(keys.values())).users
    return {found for found, key in keys.items() if key in users and users[key].id == holder.user.id}
