"""A decision: the result for a message in one deployment, in the words that the record stores.

Pure. Made by `matching`; written by `recording`; shown by the command line. Standard library only.
"""

import enum
from dataclasses import dataclass

from mailweir.directory import ContactRef, DeploymentRef, RuleRef


class Outcome(enum.StrEnum):
    """The action on a message."""

    CAPTURED = "captured"
    IGNORED = "ignored"
    REDIRECTED = "redirected"
    REFUSED = "refused"


class Reason(enum.StrEnum):
    """The reason for a decision. The command line puts it into a sentence."""

    AUTHOR_IS_USER = "author is a user"
    AUTHOR_IS_CONTACT = "author is a contact"
    UNKNOWN_AUTHOR = "unknown author"
    UNKNOWN_GROUP = "unknown group with a known original author"
    COMPANY_UNPROVEN = "author of a company's domain who isn't proven"
    COMPANY_AUTOMATIC = "automatic mail of a company's domain"
    COMPANY_REMOVED = "address that was taken off a contact"
    COMPANY_LIMIT = "too many new contacts of a domain"
    COMPANY_NOT_ALONE = "domain that isn't a company's alone"
    KNOWN_THREAD = "unknown author in a known thread"
    UNKNOWN_THREAD = "unknown author in no thread of the users"
    THREAD_UNPROVEN = "author of a known domain in a thread who isn't proven"
    THREAD_LIMIT = "too much mail of unknown authors in a thread"
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
    HELD_FORWARD = "held forward"
    HELD_COMPANY = "held mail of a company"
    HELD_THREAD = "held mail of a thread"
    HELD_TOO_MUCH = "more mail than may be held"
    HELD_UNREAD = "held mail that was never read"
    FORWARDED_BY_USER = "forwarded by a user"
    UNPROVEN_FORWARDER = "forwarded by nobody who is proven"
    FORWARD_OF_NOBODY = "forward of nobody who is known"
    FORWARD_OF_STAFF = "forward of a colleague's mail"
    POSTFIX_REFUSED = "refused by Postfix"
    POSTFIX_PUT_OFF = "put off by Postfix"


# Read from Postfix's log after mail was refused; all other reasons come from a message that we saw.
FROM_THE_LOG = frozenset({Reason.NO_SUCH_RECIPIENT, Reason.POSTFIX_REFUSED, Reason.POSTFIX_PUT_OFF})


class HeldKind(enum.StrEnum):
    """Why mail is held until its reading decides (law 3, decision 0036): a user may have forwarded a contact's mail by hand; the
    author may be a new contact of a known company; the mail may be an answer in a known thread."""

    FORWARD = "forward"
    COMPANY = "company"
    THREAD = "thread"


# The reason in the decision while the mail is held.
REASON_OF_HELD = {
    HeldKind.FORWARD: Reason.HELD_FORWARD,
    HeldKind.COMPANY: Reason.HELD_COMPANY,
    HeldKind.THREAD: Reason.HELD_THREAD,
}


class Doubt(enum.StrEnum):
    """Why an author is less certain than usual (decision 0003).

    REPAIRED: From holds the address only if nothing in it is taken for a quote or a comment. SEVERAL: readers may show several
    addresses, and all belong to one contact. FORWARDED: only the person who forwarded the mail by hand names the author.
    """

    REPAIRED = "repaired"
    SEVERAL = "several"
    FORWARDED = "forwarded"


class Direction(enum.StrEnum):
    """Seen from the firm."""

    INCOMING = "incoming"
    OUTGOING = "outgoing"


class Route(enum.StrEnum):
    """How a message was seen."""

    FORWARD = "forward"
    LOG = "log"
    RELAY = "relay"
    GMAIL_IN = "gmail_in"
    GMAIL_OUT = "gmail_out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The result for a message in one deployment.

    author: None if uncertain. addresses: the capture addresses that received it, if any. direction: None if nothing is captured
    or held. users: ids of the users on whose record it is. todo_users: ids of the users on whose list it is. sightings: (route,
    user id or None). named: all addresses that From and the headers of a group could name; empty if that is the author alone.
    via: see `authorship.Author`. rule: the never-log rule that keeps it off the record. held: why the mail is held; the outcome
    is `ignored` until that is decided, and direction, users and sightings are the values for the case that the mail is recorded.
    by_known_thread: it is recorded because its thread is known; its author is unknown.
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
    held: HeldKind | None = None
    by_known_thread: bool = False
