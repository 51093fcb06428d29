"""The words of a decision: what becomes of a message, why, by which route, whose it is; and who is known (`Directory`).

Pure. Made by `matching`, written by `recording`, told by the command line. The values of enumerations are stored and logged.
"""

import enum
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from mailweir.folding import EXACT, Folding


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
    NOT_SYNCED = "direction that isn't synced"


class Doubt(enum.StrEnum):
    """Why an author is less sure than others are (decision 0003).

    REPAIRED: From holds the one address only where nothing in it is taken for a quote or a comment. SEVERAL: readers may show
    several, and all are one contact's.
    """

    REPAIRED = "repaired"
    SEVERAL = "several"


class Author(NamedTuple):
    """Who wrote, in normal form. via: the firm's own address, or its group's, that stands in From instead."""

    address: str
    doubt: Doubt | None = None
    via: str | None = None


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


class DeploymentRef(NamedTuple):
    """A tenant, as matching sees it."""

    id: int
    name: str
    domain: str
    folding: Folding = EXACT


class UserRef(NamedTuple):
    """A user, as matching sees it."""

    id: int
    username: str
    mailbox: str


class ContactRef(NamedTuple):
    """A contact by one of the addresses. is_bcc: the envelope has it and the headers don't."""

    id: int
    address: str
    is_bcc: bool = False


class People(NamedTuple):
    """Users and contacts by what their addresses are matched by (see `folding`); an address may be several contacts'."""

    users: Mapping[str, UserRef]
    contacts: Mapping[str, tuple[ContactRef, ...]]


class Directory(Protocol):
    """Who is known. Every method but the first answers for one deployment only."""

    def deployments(self, domains: Collection[str]) -> Mapping[str, DeploymentRef]:
        """The deployments of these capture domains, by domain."""

    def users_named(self, deployment_id: int, usernames: Collection[str]) -> Mapping[str, UserRef]:
        """Users by username."""

    def people_with(self, deployment_id: int, keys: Collection[str]) -> People:
        """Users and contacts by the keys of their own addresses."""

    def groups_among(self, deployment_id: int, keys: Collection[str]) -> Collection[str]:
        """Those of the keys that are addresses of the firm's groups and lists."""

    def gave_token(self, deployment_id: int, tokens: Collection[str]) -> bool:
        """Is one of these the token of a forwarding confirmation that was redirected?"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of a message in one deployment.

    users: ids of those on whose record it is. todo_users: those on whose list it is. sightings: (route, user id or None).
    direction is None where nothing is captured. author: None where nobody can be told. named: all whom From and the headers of a
    group could name, where that isn't the author alone. via: see Author.
    """

    deployment: DeploymentRef
    addresses: tuple[str, ...]
    outcome: Outcome
    reason: Reason
    author: str | None
    message_id: str | None
    direction: Direction | None = None
    contacts: tuple[ContactRef, ...] = ()
    users: tuple[int, ...] = ()
    todo_users: tuple[int, ...] = ()
    sightings: tuple[tuple[Route, int | None], ...] = ()
    bounce_tokens: tuple[str, ...] = ()
    doubt: Doubt | None = None
    named: tuple[str, ...] = ()
    via: str | None = None
