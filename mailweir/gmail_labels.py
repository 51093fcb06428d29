"""Gmail's system labels that a decision depends on, as a bit mask. The mask is stored with the decision: a changed label causes a
new decision.

Pure. Called by the sync.
"""

import enum
from collections.abc import Iterable


class Label(enum.IntFlag):
    """By Gmail's own names."""

    SENT = 1
    DRAFT = 2
    SPAM = 4
    TRASH = 8
    INBOX = 16


def mask(labels: Iterable[str]) -> Label:
    """The labels of a message that count."""
    found = Label(0)
    for name in labels:
        found |= Label.__members__.get(name, Label(0))
    return found
