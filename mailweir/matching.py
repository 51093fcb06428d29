"""What becomes of a message: envelope + headers + directory -> one decision for each deployment.

Pure: asks the directory that it is handed, writes nothing. Staff come before contacts. Matching is on the author and on
RCPT TO, never on the capture address being in To. Deployments know nothing of each other: each one's decision is made from its
own users and contacts alone. Called by the filter and the sync. Standard library only.
"""

import enum
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

from mailweir import address
from mailweir.envelope import Envelope, Recipient
from mailweir.folding import EXACT, Folding
from mailweir.headers import HeaderView
from mailweir.original_author import Original


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


@dataclass(frozen=True, slots=True)
class Arrival:
    """What came for one deployment. owners: by capture address. The rest are the capture addresses of each other kind."""

    deployment: DeploymentRef
    addresses: tuple[str, ...]
    owners: Mapping[str, UserRef]
    at_log: bool
    bounce_tokens: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sorted:
    """An envelope's recipients. ours: what is taken off the message. others: what goes on (roles, the world)."""

    arrivals: tuple[Arrival, ...]
    ours: tuple[Recipient, ...]
    others: tuple[Recipient, ...]


@dataclass(frozen=True, slots=True)
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


def sort_recipients(recipients: Collection[Recipient], directory: Directory) -> Sorted:
    """Which recipients are capture addresses, and whose."""
    domains = {address.split(r.address)[1] for r in recipients if r.address}
    deployments = directory.deployments(domains) if domains else {}
    by_domain: dict[str, list[str]] = {}
    ours: list[Recipient] = []
    others: list[Recipient] = []
    for recipient in recipients:
        local, domain = address.split(recipient.address or "")
        if domain in deployments and local not in address.ROLE_LOCAL_PARTS:
            ours.append(recipient)
            by_domain.setdefault(domain, []).append(local)
        else:
            others.append(recipient)
    arrivals = tuple(_arrival(deployments[domain], locals_, directory) for domain, locals_ in by_domain.items())
    return Sorted(arrivals, tuple(ours), tuple(others))


def _arrival(deployment: DeploymentRef, local_parts: list[str], directory: Directory) -> Arrival:
    local_parts = list(dict.fromkeys(local_parts))
    names = {local: deployment.folding.without_tag(local) for local in local_parts}
    owners = directory.users_named(deployment.id, set(names.values()))
    prefix = address.BOUNCE_LOCAL_PART + "+"
    return Arrival(
        deployment,
        tuple(f"{local}@{deployment.domain}" for local in local_parts),
        {f"{local}@{deployment.domain}": owners[name] for local, name in names.items() if name in owners},
        address.LOG_LOCAL_PART in names.values(),
        tuple(local.removeprefix(prefix) for local in local_parts if local.startswith(prefix)),
    )


def decide(arrival: Arrival, view: HeaderView, directory: Directory) -> Decision:
    """The decision for one deployment, by author and header recipients."""
    ignored = _ignored_at_sight(arrival, view, directory)
    if ignored:
        return ignore(arrival, view, ignored)
    recipients = [a for a in view.recipients if a not in arrival.addresses and not _is_capture(a, arrival)]
    author, people = _who_wrote(arrival.deployment, view, recipients, directory)
    if author is None:
        return ignore(arrival, view, Reason.UNREADABLE_AUTHOR)
    users, contacts = people
    if author.address in users:
        return _outgoing(arrival, view, author, recipients, people, directory)
    if author.address in contacts:
        return _incoming(arrival, view, author, users, contacts)
    return _ignore_unknown(arrival, view, author, directory)


def _who_wrote(
    deployment: DeploymentRef, view: HeaderView, recipients: Collection[str], directory: Directory
) -> tuple[Author | None, People]:
    """The author, and who is known of author and recipients; None where nobody can be told for the author."""
    original = (view.original.address,) if view.original else ()
    people = _people(deployment, (*view.candidates, *original, *recipients), directory)
    author = _author(view, *people)
    if not author or not view.original:
        return author, people
    author = _behind_group(deployment, author, view.original, people, directory)
    involved = {*recipients, *((author.address,) if author.via else view.candidates)}
    users = {a: user for a, user in people.users.items() if a in involved}
    return author, People(users, {a: refs for a, refs in people.contacts.items() if a in involved})


def _behind_group(
    deployment: DeploymentRef, author: Author, original: Original, people: People, directory: Directory
) -> Author:
    """The original author, where From is the firm's own address or its group's; else who is in From."""
    users, contacts = people
    if author.address == original.address or author.doubt is Doubt.SEVERAL:
        return author
    if author.address in contacts and author.address not in users:
        return author
    if author.address not in users and not _are_groups(deployment, [author.address], directory):
        return author
    # A list may want answers for itself, so Reply-To counts only where it is somebody whom we know from outside
    if original.is_reply_to and (original.address in users or original.address not in contacts):
        return author
    return Author(original.address, author.doubt, via=author.address)


def _are_groups(deployment: DeploymentRef, addresses: Collection[str], directory: Directory) -> bool:
    """Are all of these addresses of the firm's groups?"""
    keys = {deployment.folding.key(one) for one in addresses}
    return len(directory.groups_among(deployment.id, keys)) == len(keys)


def _ignore_unknown(arrival: Arrival, view: HeaderView, author: Author, directory: Directory) -> Decision:
    """What nobody whom we know wrote. Where it could be by somebody behind a group that we don't know, that is said."""
    if author.via or not view.original:
        return replace(ignore(arrival, view, Reason.UNKNOWN_AUTHOR), author=author.address, via=author.via)
    people = _people(arrival.deployment, (view.original.address,), directory)
    is_known = view.original.address in (
        people.contacts if view.original.is_reply_to else {**people.users, **people.contacts}
    )
    return ignore(arrival, view, Reason.UNKNOWN_GROUP if is_known else Reason.UNKNOWN_AUTHOR)


def _author(
    view: HeaderView, users: Mapping[str, UserRef], contacts: Mapping[str, tuple[ContactRef, ...]]
) -> Author | None:
    """Who wrote: the one candidate, or one of several where all are the same contact's; None where nobody can be told."""
    if len(view.candidates) == 1:
        return Author(view.candidates[0], Doubt.REPAIRED if view.repaired else None)
    if any(one in users for one in view.candidates):
        return None
    owners = {frozenset(ref.id for ref in contacts.get(one, ())) for one in view.candidates}
    return Author(view.candidates[0], Doubt.SEVERAL) if len(owners) == 1 and len(*owners) == 1 else None


def decide_relayed(
    arrival: Arrival, envelope: Envelope, view: HeaderView, directory: Directory, user: UserRef
) -> Decision:
    """The decision for the deployment of a login that sends, by envelope and header recipients: Bcc is in the envelope alone.

    user: whose login it is; that he owns the author's address is settled by now. arrival: what came for the deployment, if
    anything did.
    """
    assert view.author is not None
    envelope_recipients = [r.address for r in envelope.recipients if r.address]
    named = dict.fromkeys([*envelope_recipients, *view.recipients])
    recipients = [a for a in named if not _is_capture(a, arrival)]
    users, contacts = _people(arrival.deployment, tuple(recipients), directory)
    found = _found(arrival.deployment, view, recipients, users, contacts)
    if not found:
        return _ignore_without_contact(arrival, view, recipients, users, directory)
    owners = [owner.id for owner in arrival.owners.values()]
    return Decision(
        arrival.deployment,
        arrival.addresses,
        Outcome.CAPTURED,
        Reason.AUTHOR_IS_USER,
        view.author,
        view.message_id,
        Direction.OUTGOING,
        _each_once(found),
        tuple(dict.fromkeys([user.id, *owners])),
        (),
        ((Route.RELAY, user.id), *_sightings(arrival, user.id)),
    )


def _found(
    deployment: DeploymentRef,
    view: HeaderView,
    recipients: list[str],
    users: Mapping[str, UserRef],
    contacts: Mapping[str, tuple[ContactRef, ...]],
) -> tuple[ContactRef, ...]:
    """The contacts among recipients, and which of them the others can't see."""
    shown = {deployment.folding.key(a) for a in view.named}
    return tuple(
        ref._replace(is_bcc=deployment.folding.key(a) not in shown)
        for a in recipients
        if a not in users
        for ref in contacts.get(a, ())
    )


class Mailbox(NamedTuple):
    """A mailbox that the sync reads: whose it is, and which directions of it are wanted."""

    deployment: DeploymentRef
    user: UserRef
    inbound: bool
    outbound: bool


def decide_synced(
    mailbox: Mailbox, view: HeaderView, bcc: Collection[str], directory: Directory, *, is_sent: bool
) -> Decision:
    """The decision on a message of a mailbox, by author and header recipients. is_sent: it was sent from there.

    bcc: the addresses in Bcc, which the copy that a sender keeps still has. What was sent is the user's even where its author's
    address isn't one we know of the user; what a contact wrote is incoming, wherever it lies.
    """
    arrival = Arrival(mailbox.deployment, (), {}, False, ())
    if not (mailbox.inbound or (is_sent and mailbox.outbound)):
        return ignore(arrival, view, Reason.NOT_SYNCED)
    if not view.candidates:
        return ignore(arrival, view, Reason.UNREADABLE_AUTHOR)
    if is_sent:  # what the mailbox itself sent passed through no group
        view = view._replace(original=None)
    named = dict.fromkeys([*view.recipients, *(bcc if is_sent else ())])
    recipients = [a for a in named if not _is_capture(a, arrival)]
    author, people = _who_wrote(mailbox.deployment, view, recipients, directory)
    if author is None:
        return ignore(arrival, view, Reason.UNREADABLE_AUTHOR)
    users, contacts = people
    is_incoming = author.address not in users and author.address in contacts
    if not (mailbox.outbound if is_sent and not is_incoming else mailbox.inbound):
        return ignore(arrival, view, Reason.NOT_SYNCED)
    found = _found(mailbox.deployment, view, recipients, users, contacts)
    if is_incoming:
        others = [ref for ref in found if ref.address not in (author.address, *view.candidates)]
        return _synced_incoming(mailbox, view, author, (*contacts[author.address], *others))
    if not is_sent and author.address not in users:
        return _ignore_unknown(arrival, view, author, directory)
    if not found:
        return _ignore_without_contact(arrival, view, recipients, users, directory)
    author_user = users.get(author.address, mailbox.user)
    return Decision(
        mailbox.deployment,
        (),
        Outcome.CAPTURED,
        Reason.AUTHOR_IS_USER,
        author.address,
        view.message_id,
        Direction.OUTGOING,
        _each_once(found),
        tuple(dict.fromkeys([author_user.id, mailbox.user.id])),
        (),
        ((Route.GMAIL_OUT if is_sent else Route.GMAIL_IN, mailbox.user.id),),
        doubt=author.doubt,
        named=_named(view),
        via=author.via,
    )


def _synced_incoming(mailbox: Mailbox, view: HeaderView, author: Author, found: tuple[ContactRef, ...]) -> Decision:
    return Decision(
        mailbox.deployment,
        (),
        Outcome.CAPTURED,
        Reason.AUTHOR_IS_CONTACT,
        author.address,
        view.message_id,
        Direction.INCOMING,
        _each_once(found),
        (mailbox.user.id,),
        (mailbox.user.id,) if _asks_for_something(view, author) else (),
        ((Route.GMAIL_IN, mailbox.user.id),),
        doubt=author.doubt,
        named=_named(view),
        via=author.via,
    )


def knows_contact(mailbox: Mailbox, addresses: Collection[str], directory: Directory) -> bool:
    """Is one of these a contact's?"""
    return bool(_people(mailbox.deployment, tuple(addresses), directory).contacts)


def is_own(mailbox: Mailbox, author: str | None, directory: Directory) -> bool:
    """Is the author's address one that we know of the mailbox's user?"""
    if author is None:
        return False
    found = _people(mailbox.deployment, (author,), directory).users.get(author)
    return found is not None and found.id == mailbox.user.id


def _people(deployment: DeploymentRef, addresses: tuple[str, ...], directory: Directory) -> People:
    """Users and contacts by the addresses in the mail, whatever spelling of theirs we know."""
    if deployment.folding == EXACT:
        return directory.people_with(deployment.id, addresses)
    keys = {a: deployment.folding.key(a) for a in addresses}
    users, contacts = directory.people_with(deployment.id, set(keys.values()))
    return People(
        {a: users[key] for a, key in keys.items() if key in users},
        {a: tuple(ContactRef(ref.id, a) for ref in contacts[key]) for a, key in keys.items() if key in contacts},
    )


def ignore(arrival: Arrival, view: HeaderView, reason: Reason) -> Decision:
    """The decision that nothing but itself is kept."""
    return Decision(
        arrival.deployment,
        arrival.addresses,
        Outcome.IGNORED,
        reason,
        view.author,
        view.message_id,
        bounce_tokens=arrival.bounce_tokens,
        named=_named(view),
    )


def _named(view: HeaderView) -> tuple[str, ...]:
    if view.original:
        return tuple(dict.fromkeys((*view.named_in_from, view.original.address)))
    return () if view.named_in_from == view.candidates and view.author else view.named_in_from


def _ignore_without_contact(
    arrival: Arrival, view: HeaderView, recipients: Collection[str], users: Mapping[str, UserRef], directory: Directory
) -> Decision:
    """What a user writes and no contact gets: among the staff alone, or to nobody we know."""
    if not recipients and view.unread_recipients:
        return ignore(arrival, view, Reason.UNREADABLE_RECIPIENTS)
    others = [a for a in recipients if a not in users]
    internal = bool(recipients) and (not others or _are_groups(arrival.deployment, others, directory))
    return ignore(arrival, view, Reason.INTERNAL if internal else Reason.NO_CONTACT)


def _ignored_at_sight(arrival: Arrival, view: HeaderView, directory: Directory) -> Reason | None:
    if not arrival.owners and not arrival.at_log:
        # a user may be removed between RCPT and here
        return Reason.BOUNCE if arrival.bounce_tokens else Reason.UNKNOWN_RECIPIENT
    # anybody can write our header: only a token says that the mail went out from here
    if view.loop_tokens and directory.gave_token(arrival.deployment.id, view.loop_tokens):
        return Reason.RETURNED_CONFIRMATION
    return None if view.candidates else Reason.UNREADABLE_AUTHOR


def _is_capture(found: str, arrival: Arrival) -> bool:
    return address.split(found)[1] == arrival.deployment.domain


def _outgoing(
    arrival: Arrival,
    view: HeaderView,
    author: Author,
    recipients: list[str],
    people: People,
    directory: Directory,
) -> Decision:
    users, contacts = people
    found = tuple(ref for a in recipients if a not in users for ref in contacts.get(a, ()))
    if not found:
        return _ignore_without_contact(arrival, view, recipients, users, directory)
    writer = users[author.address]
    owners = [user.id for user in arrival.owners.values()]
    # No to-do: what a colleague wrote is done, and an author isn't proven yet (law 8).
    return Decision(
        arrival.deployment,
        arrival.addresses,
        Outcome.CAPTURED,
        Reason.AUTHOR_IS_USER,
        author.address,
        view.message_id,
        Direction.OUTGOING,
        _each_once(found),
        tuple(dict.fromkeys([writer.id, *owners])),
        (),
        _sightings(arrival, writer.id),
        doubt=author.doubt,
        named=_named(view),
        via=author.via,
    )


def _incoming(
    arrival: Arrival,
    view: HeaderView,
    author: Author,
    users: Mapping[str, UserRef],
    contacts: Mapping[str, tuple[ContactRef, ...]],
) -> Decision:
    # Staff come before contacts: an address that is both is a user's.
    found = tuple(ref for a, refs in contacts.items() if a not in users for ref in refs)
    owners = [user.id for user in arrival.owners.values()]
    addressed = [user.id for user in users.values()] if arrival.at_log else []
    everyone = tuple(dict.fromkeys(owners + addressed))
    return Decision(
        arrival.deployment,
        arrival.addresses,
        Outcome.CAPTURED,
        Reason.AUTHOR_IS_CONTACT,
        author.address,
        view.message_id,
        Direction.INCOMING,
        _each_once(found),
        everyone,
        everyone if _asks_for_something(view, author) else (),
        _sightings(arrival, None),
        doubt=author.doubt,
        named=_named(view),
        via=author.via,
    )


def _asks_for_something(view: HeaderView, author: Author) -> bool:
    """Is it a to-do? Not what an out-of-office says, nor what could be somebody else's."""
    return author.doubt is not Doubt.SEVERAL and not view.is_automatic_answer


def _each_once(contacts: tuple[ContactRef, ...]) -> tuple[ContactRef, ...]:
    return tuple(dict.fromkeys(contacts))


def _sightings(arrival: Arrival, log_user: int | None) -> tuple[tuple[Route, int | None], ...]:
    forwards: list[tuple[Route, int | None]] = [(Route.FORWARD, user.id) for user in arrival.owners.values()]
    return (*forwards, *([(Route.LOG, log_user)] if arrival.at_log else []))
