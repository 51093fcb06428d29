"""What is compared: the same Postfix, and what stands behind its port. Called by `stack`, `rounds` and `report`."""

import enum
from dataclasses import dataclass

CAPTURE_ADDRESS = "richard@demo.example.net"
CONTACT = "client@client.example"
STRANGER = "stranger@elsewhere.example"


class Filter(enum.StrEnum):
    """Which filter Postfix asks."""

    NONE = "none"
    NOOP = "noop"
    NOOP_LEAN = "noop lean"
    OURS = "ours"
    PIPE = "pipe"


@dataclass(frozen=True, slots=True)
class Variant:
    """One row of the table. activities: how many a message leaves on the record; None where nothing is recorded.

    most_messages: of a round, where more would take minutes. until_delivered: the time ends with the last delivery, not with
    the last 250, for the work is done behind the queue.
    """

    name: str
    filter: Filter
    author: str
    activities: int | None = None
    most_messages: int | None = None
    until_delivered: bool = False


POSTFIX_ALONE = Variant("Postfix alone", Filter.NONE, CONTACT)
NOOP = Variant("no-op filter in C", Filter.NOOP, CONTACT)
NOOP_LEAN = Variant("no-op filter in C, lean", Filter.NOOP_LEAN, CONTACT)
CAPTURED = Variant("ours, all captured", Filter.OURS, CONTACT, 1)
IGNORED = Variant("ours, all ignored", Filter.OURS, STRANGER, 0)
PIPE = Variant("pipe(8), a script a message", Filter.PIPE, CONTACT, most_messages=400, until_delivered=True)

ALL = (POSTFIX_ALONE, NOOP, NOOP_LEAN, CAPTURED, IGNORED, PIPE)
