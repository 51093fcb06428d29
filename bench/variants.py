"""The compared variants: one Postfix, with a port and a filter for each variant. Called by `stack`, `rounds` and `report`."""

import enum
from dataclasses import dataclass

CAPTURE_ADDRESS = "richard@demo.example.net"
USERNAME, USER = "richard", "richard@firm.example"
CONTACT = "client@client.example"
STRANGER = "stranger@elsewhere.example"


class Filter(enum.StrEnum):
    """The filter that Postfix uses."""

    NONE = "none"
    NOOP = "noop"
    NOOP_LEAN = "noop lean"
    OURS = "ours"
    PIPE = "pipe"


class Door(enum.StrEnum):
    """The Postfix service that accepts the mail. relay: mail of a login, without TLS and AUTH (Postfix tells the filter a fixed
    login); submissions: with TLS and AUTH for each message, as the relay's clients send."""

    INBOUND = "inbound"
    RELAY = "relay"
    SUBMISSIONS = "submissions"


@dataclass(frozen=True, slots=True)
class Variant:
    """One row of the table. activities: how many activities a message adds to the record; None if the filter writes nothing.

    most_messages: the limit for a round, if more would take minutes. until_delivered: the time ends with the last delivery, not
    with the last 250, because the work is done after the queue.
    """

    name: str
    filter: Filter
    author: str
    activities: int | None = None
    most_messages: int | None = None
    until_delivered: bool = False
    door: Door = Door.INBOUND
    recipient: str = CAPTURE_ADDRESS


POSTFIX_ALONE = Variant("Postfix alone", Filter.NONE, CONTACT)
NOOP = Variant("no-op filter in C", Filter.NOOP, CONTACT)
NOOP_LEAN = Variant("no-op filter in C, lean", Filter.NOOP_LEAN, CONTACT)
CAPTURED = Variant("ours, all captured", Filter.OURS, CONTACT, 1)
IGNORED = Variant("ours, all ignored", Filter.OURS, STRANGER, 0)
PIPE = Variant("pipe(8), a script a message", Filter.PIPE, CONTACT, most_messages=400, until_delivered=True)

RELAY_ALONE = Variant("relay: Postfix alone", Filter.NONE, USER, door=Door.RELAY, recipient=CONTACT)
RELAY_NOOP = Variant("relay: no-op filter in C", Filter.NOOP, USER, door=Door.RELAY, recipient=CONTACT)
RELAYED = Variant("relay: ours, captured and signed", Filter.OURS, USER, 1, door=Door.RELAY, recipient=CONTACT)
# the client takes most of the machine's time
LOGIN_NOOP = Variant("TLS and AUTH: no-op filter in C", Filter.NOOP, USER, None, 600, False, Door.SUBMISSIONS, CONTACT)
LOGIN_RELAYED = Variant("TLS and AUTH: ours", Filter.OURS, USER, 1, 600, False, Door.SUBMISSIONS, CONTACT)

INBOUND = (POSTFIX_ALONE, NOOP, NOOP_LEAN, CAPTURED, IGNORED, PIPE)
RELAY = (RELAY_ALONE, RELAY_NOOP, RELAYED, LOGIN_NOOP, LOGIN_RELAYED)


def beside(variant: Variant, which: Filter) -> Variant | None:
    """The variant with this filter and the same service."""
    found = [each for each in (*INBOUND, *RELAY) if (each.door, each.filter) == (variant.door, which)]
    return found[0] if found else None
