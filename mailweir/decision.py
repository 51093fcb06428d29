"""A decision: what becomes of a message in one deployment, in the words that the record keeps.

Pure. Made by `matching`; written by `recording`; told by the command line. Standard library only.
"""

import enum
from dataclasses import dataclass

from mailweir.directory import ContactRef, DeploymentRef, RuleRef


class Outcome(enum.StrEnum):
    """What was done with a message."""

    CAPTURED = "captured"
    IGNORED = "ignored"
    REDIRECTED = "redirected"
    REFUSED = "refused"


class Reason(enum.StrEnum):
    """Why. The command line puts it into a sentence."""

    AUTHOR_IS_USER = "author is a user"
    AUTHOR_IS_CONTACT = "author is a contact"
    UNKNOWN_AUTHOR = "unknown author"
    UNKNOWN_GROUP = "unknown group with a known original author"
    UNREADABLE_AUTHOR = "unreadable author"
    INTERNAL = "internal"
    NO_CONTACT = "no contact"
    UNREADABLE_RECIPIENTS = "unreadable recipients"
    UNKNOWN_RECIPIENT = "unknown recipient"
    CONFIRMATION = "forwarding confirmation"
    UNPROVEN_CONFIRMATION = "unproven forwarding confirmation"
    CONFIRMATION_FOR_NOBODY = "forwarding confirmation for no user"
    CONFIRMATION_FOR_ANOTHER = "forwarding confirmation for another address"
    CONFIRMATION_LIMIT = "forwarding confirmation over its limit"
    RETURNED_CONFIRMATION = "redirected confirmation came back"
    BOUNCE = "bounce of a redirected confirmation"
    NOT_THE_LOGINS = "not the login's address"
    LOGIN_LIMIT = "login over its limit"
    SEND_AS_CONFIRMATION = "Gmail's confirmation of a login's address"
    NEVER_LOG = "never-log rule"
    NEVER_LOG_OF_USER = "never-log rule of a user"
    NOT_SYNCED = "direction that isn't synced"
    NO_SUCH_RECIPIENT = "no such recipient"
    POSTFIX_REFUSED = "refused by Postfix"
    POSTFIX_PUT_OFF = "put off by Postfix"


# Read out of Postfix's log, once mail was refused; all others were decided of a message that was there.
FROM_THE_LOG = frozenset({Reason.NO_SUCH_RECIPIENT, Reason.POSTFIX_REFUSED, Reason.POSTFIX_PUT_OFF})


class Doubt(enum.StrEnum):
    """Why an author is less sure than others are (decision 0003).

    REPAIRED: From holds the one address only where nothing in it is taken for a quote or a comment. SEVERAL: readers may show
    several, and all are one contact's.
    """

    REPAIRED = "repaired"
    SEVERAL = "several"


class Direction(enum.StrEnum):
    """Seen from the firm."""

    INCOMING = "incoming"
    OUTGOING = "outgoing"


class Route(enum.StrEnum):
    """How a message came to be seen."""

    FORWARD = "forward"
    LOG = "log"
    RELAY = "relay"
    GMAIL_IN = "gmail_in"
    GMAIL_OUT = "gmail_out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of a message in one deployment.

    author: None where nobody can be told. addresses: the capture addresses that it came for, if any. direction: None where
    nothing is captured. users: ids of those on whose record it is. todo_users: those on whose list it is. sightings: (route,
    user id or None). named: all whom From and the headers of a group could name, where that isn't the author alone. via: see
    `authorship.Author`. rule: the never-log rule that hid it.
    """

    deployment: DeploymentRef
    outcome: Outcome
    reason: Reason
    author: str | None
    message_id: str | None
    addresses: tuple[str, ...] = ()
    direction: Direction | None = None
    contacts: tuple[ContactRef, ...] = ()
    users: tuple[int, ...] = ()
    todo_users: tuple[int, ...] = ()
    sightings: tuple[tuple[Route, int | None], ...] = ()
    bounce_tokens: tuple[str, ...] = ()
    doubt: Doubt | None = None
    named: tuple[str, ...] = ()
    via: str | None = None
    rule: RuleRef | None = None
