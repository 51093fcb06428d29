"""The decisions on a message: the rules of each route. Headers and directory give one decision for each deployment.

Pure: asks the directory that it is given, writes nothing. Staff come before contacts: an address that is both is a user's.
Matching uses the author and RCPT TO, and never requires the capture address in To. Deployments are independent of each other:
each decision uses that deployment's own users and contacts alone. Called by the filter and the sync. Standard library only.
"""

from collections.abc import Collection
from dataclasses import replace
from typing import NamedTuple

from mailweir import address, never_log, strangers, subjects
from mailweir.arrivals import Arrival
from mailweir.authorship import Author, named, who_wrote
from mailweir.decision import REASON_OF_HELD, Decision, Direction, Doubt, HeldKind, Outcome, Reason, Route
from mailweir.directory import ContactRef, DeploymentRef, Directory, People, UserRef, are_groups, people_among
from mailweir.envelope import Envelope
from mailweir.headers import HeaderView


def ignore(
    deployment: DeploymentRef,
    view: HeaderView,
    reason: Reason,
    *,
    arrival: Arrival | None = None,
    author: Author | None = None,
) -> Decision:
    """The decision to ignore a message: only the decision is stored.

    arrival: the deployment's capture addresses in the envelope, if any. author: if it was determined by more than From.
    """
    return Decision(
        deployment=deployment,
        addresses=arrival.addresses if arrival else (),
        outcome=Outcome.IGNORED,
        reason=reason,
        author=author.address if author else view.author,
        message_id=view.message_id,
        bounce_tokens=arrival.bounce_tokens if arrival else (),
        named=named(view),
        via=author.via if author else None,
    )


# --- forwarded by a mailbox, or sent to the log address ---------------------------------------------------------------


def decide(arrival: Arrival, view: HeaderView, directory: Directory) -> Decision:
    """The decision for one deployment, by author and header recipients."""
    return never_log.applied(_decided(arrival, view, directory), view.candidates, directory)


def _decided(arrival: Arrival, view: HeaderView, directory: Directory) -> Decision:
    deployment = arrival.deployment
    reason = _ignored_at_sight(arrival, view, directory)
    if reason:
        return ignore(deployment, view, reason, arrival=arrival)
    recipients = [a for a in view.recipients if a not in arrival.addresses and not _is_capture(a, deployment)]
    author, people = who_wrote(deployment, view, recipients, directory)
    if author is None:
        return ignore(deployment, view, Reason.UNREADABLE_AUTHOR, arrival=arrival)
    users, contacts = people
    if author.address in users:
        found = tuple(ref for a in recipients if a not in users for ref in contacts.get(a, ()))
        writer = users[author.address]
        if found:
            return _outgoing(arrival, view, author, writer, found)
        reason = _why_no_contact(deployment, view, recipients, people, directory)
        ignored = ignore(deployment, view, reason, arrival=arrival)
        if deployment.has_auto_contacts:
            unknown = [a for a in recipients if a not in users]
            like = _outgoing(arrival, view, author, writer, ())
            ignored = strangers.held_outgoing(ignored, view, unknown, directory, like=like)
        if (
            ignored.held
            or author.doubt
            or author.via
            or not _may_forward(arrival, view, writer, recipients, people, directory)
        ):
            return ignored
        return _held(ignored, HeldKind.FORWARD, users=(writer.id,), sightings=((Route.LOG, writer.id),))
    if author.address in contacts:
        return _incoming(arrival, view, author, people)
    reason = _why_unknown(deployment, view, author, directory)
    ignored = ignore(deployment, view, reason, arrival=arrival, author=author)
    if reason is not Reason.UNKNOWN_AUTHOR or not deployment.holds_strangers:
        return ignored
    return strangers.held_incoming(ignored, view, directory, like=_incoming(arrival, view, author, people))


def _ignored_at_sight(arrival: Arrival, view: HeaderView, directory: Directory) -> Reason | None:
    if not arrival.owners and not arrival.at_log:
        # A user may have been removed since RCPT.
        return Reason.BOUNCE if arrival.bounce_tokens else Reason.UNKNOWN_RECIPIENT
    # Anybody can write our loop header: only a token proves that the mail went out from here.
    if view.loop_tokens and directory.gave_token(arrival.deployment.id, view.loop_tokens):
        return Reason.RETURNED_CONFIRMATION
    return None if view.candidates else Reason.UNREADABLE_AUTHOR


def _outgoing(
    arrival: Arrival, view: HeaderView, author: Author, writer: UserRef, found: tuple[ContactRef, ...]
) -> Decision:
    owners = [user.id for user in arrival.owners.values()]
    return _captured(
        Direction.OUTGOING,
        arrival.deployment,
        view,
        author,
        contacts=found,
        users=tuple(dict.fromkeys([writer.id, *owners])),
        sightings=_sightings(arrival, writer.id),
        addresses=arrival.addresses,
    )


def _incoming(arrival: Arrival, view: HeaderView, author: Author, people: People) -> Decision:
    # Staff come before contacts: an address that is both is a user's.
    found = tuple(ref for a, refs in people.contacts.items() if a not in people.users for ref in refs)
    owners = [user.id for user in arrival.owners.values()]
    addressed = [user.id for user in people.users.values()] if arrival.at_log else []
    return _captured(
        Direction.INCOMING,
        arrival.deployment,
        view,
        author,
        contacts=found,
        users=tuple(dict.fromkeys(owners + addressed)),
        sightings=_sightings(arrival, None),
        addresses=arrival.addresses,
    )


def _sightings(arrival: Arrival, log_user: int | None) -> tuple[tuple[Route, int | None], ...]:
    forwards: list[tuple[Route, int | None]] = [(Route.FORWARD, user.id) for user in arrival.owners.values()]
    return (*forwards, *([(Route.LOG, log_user)] if arrival.at_log else []))


def _may_forward(
    arrival: Arrival,
    view: HeaderView,
    writer: UserRef,
    recipients: Collection[str],
    people: People,
    directory: Directory,
) -> bool:
    """Could it be a contact's mail that a user forwarded to log@ by hand? No other user may be a recipient. If unknown people
    are, the headers must say that it is a forward, because mail to unknown people isn't stored even briefly."""
    deployment = arrival.deployment
    if not arrival.at_log or not deployment.holds_forwards or view.is_automatic_answer or view.unread_recipients:
        return False
    if any(user.id != writer.id for a, user in people.users.items() if a in recipients):
        return False
    others = [a for a in recipients if a not in people.users]
    is_forward = subjects.read(view.subject).is_forward or b"x-forwarded-message-id" in view.found
    return not others or (is_forward and not are_groups(deployment, others, directory))


def _held(
    ignored: Decision, kind: HeldKind, *, users: tuple[int, ...], sightings: tuple[tuple[Route, int | None], ...]
) -> Decision:
    """The decision that mail waits for its reading (law 3). users, sightings: for the case that the mail is recorded."""
    return replace(ignored, reason=REASON_OF_HELD[kind], held=kind, users=users, sightings=sightings)


# --- sent by the relay ------------------------------------------------------------------------------------------------


def decide_relayed(
    envelope: Envelope,
    view: HeaderView,
    directory: Directory,
    *,
    deployment: DeploymentRef,
    user: UserRef,
    arrival: Arrival | None,
) -> Decision:
    """The decision for the deployment of a login that sends, by envelope and header recipients: Bcc is in the envelope alone.

    user: the login's user; the caller has checked that the user owns the author's address. arrival: the deployment's capture
    addresses in the envelope, if any.
    """
    assert view.author is not None
    envelope_recipients = [r.address for r in envelope.recipients if r.address]
    listed = dict.fromkeys([*envelope_recipients, *view.recipients])
    recipients = [a for a in listed if not _is_capture(a, deployment)]
    people = people_among(deployment, tuple(recipients), directory)
    found = _found(deployment, view, recipients, people)
    owners = [owner.id for owner in arrival.owners.values()] if arrival else []
    copies = _sightings(arrival, user.id) if arrival else ()
    decision = Decision(
        deployment=deployment,
        addresses=arrival.addresses if arrival else (),
        outcome=Outcome.CAPTURED,
        reason=Reason.AUTHOR_IS_USER,
        author=view.author,
        message_id=view.message_id,
        direction=Direction.OUTGOING,
        contacts=_each_once(found),
        users=tuple(dict.fromkeys([user.id, *owners])),
        sightings=((Route.RELAY, user.id), *copies),
    )
    if not found:
        reason = _why_no_contact(deployment, view, recipients, people, directory)
        ignored = ignore(deployment, view, reason, arrival=arrival)
        others = [a for a in recipients if a not in people.users]
        ignored = strangers.held_outgoing(ignored, view, others, directory, like=decision)
        if ignored.held or arrival is None or not _may_forward(arrival, view, user, recipients, people, directory):
            return never_log.applied(ignored, view.candidates, directory)
        return _held(ignored, HeldKind.FORWARD, users=(user.id,), sightings=((Route.LOG, user.id),))
    return never_log.applied(decision, view.candidates, directory)


# --- found in a mailbox by the sync -----------------------------------------------------------------------------------


class SyncedMailbox(NamedTuple):
    """A mailbox that the sync reads: its user, and the wanted directions."""

    deployment: DeploymentRef
    user: UserRef
    inbound: bool
    outbound: bool


def decide_synced(
    mailbox: SyncedMailbox, view: HeaderView, bcc: Collection[str], directory: Directory, *, is_sent: bool
) -> Decision:
    """The decision on a message of a mailbox, by author and header recipients. is_sent: the mailbox sent it.

    bcc: the addresses in Bcc, which the sender's copy still has. Sent mail is the user's even if we don't know its author's
    address as the user's; mail from a contact is incoming, wherever it is stored.
    """
    decision = _decided_synced(mailbox, view, bcc, directory, is_sent=is_sent)
    return never_log.applied(decision, view.candidates, directory)


def _decided_synced(
    mailbox: SyncedMailbox, view: HeaderView, bcc: Collection[str], directory: Directory, *, is_sent: bool
) -> Decision:
    deployment = mailbox.deployment
    if not (mailbox.inbound or (is_sent and mailbox.outbound)):
        return ignore(deployment, view, Reason.NOT_SYNCED)
    if not view.candidates:
        return ignore(deployment, view, Reason.UNREADABLE_AUTHOR)
    if is_sent:  # sent mail of the mailbox passed through no group
        view = view._replace(original=None)
    listed = dict.fromkeys([*view.recipients, *(bcc if is_sent else ())])
    recipients = [a for a in listed if not _is_capture(a, deployment)]
    author, people = who_wrote(deployment, view, recipients, directory)
    if author is None:
        return ignore(deployment, view, Reason.UNREADABLE_AUTHOR)
    users, contacts = people
    is_incoming = author.address not in users and author.address in contacts
    if not (mailbox.outbound if is_sent and not is_incoming else mailbox.inbound):
        return ignore(deployment, view, Reason.NOT_SYNCED)
    found = _found(deployment, view, recipients, people)
    if is_incoming:
        others = [ref for ref in found if ref.address not in (author.address, *view.candidates)]
        return _synced_incoming(mailbox, view, author, (*contacts[author.address], *others))
    if not is_sent and author.address not in users:
        reason = _why_unknown(deployment, view, author, directory)
        ignored = ignore(deployment, view, reason, author=author)
        if reason is not Reason.UNKNOWN_AUTHOR or not deployment.holds_strangers:
            return ignored
        like = _synced_incoming(mailbox, view, author, ())
        return strangers.held_incoming(ignored, view, directory, like=like)
    author_user = users.get(author.address, mailbox.user)
    decision = _captured(
        Direction.OUTGOING,
        deployment,
        view,
        author,
        contacts=found,
        users=tuple(dict.fromkeys([author_user.id, mailbox.user.id])),
        sightings=((Route.GMAIL_OUT if is_sent else Route.GMAIL_IN, mailbox.user.id),),
    )
    if found:
        return decision
    ignored = ignore(deployment, view, _why_no_contact(deployment, view, recipients, people, directory))
    unknown = [a for a in recipients if a not in users]
    return strangers.held_outgoing(ignored, view, unknown, directory, like=decision)


def _synced_incoming(
    mailbox: SyncedMailbox, view: HeaderView, author: Author, found: tuple[ContactRef, ...]
) -> Decision:
    return _captured(
        Direction.INCOMING,
        mailbox.deployment,
        view,
        author,
        contacts=found,
        users=(mailbox.user.id,),
        sightings=((Route.GMAIL_IN, mailbox.user.id),),
    )


def knows_contact(mailbox: SyncedMailbox, addresses: Collection[str], directory: Directory) -> bool:
    """Does one of these belong to a contact?"""
    return bool(people_among(mailbox.deployment, tuple(addresses), directory).contacts)


def is_own(mailbox: SyncedMailbox, author: str | None, directory: Directory) -> bool:
    """Do we know the author's address as one of the mailbox's user?"""
    if author is None:
        return False
    found = people_among(mailbox.deployment, (author,), directory).users.get(author)
    return found is not None and found.id == mailbox.user.id


# --- on every route ---------------------------------------------------------------------------------------------------


def _captured(
    direction: Direction,
    deployment: DeploymentRef,
    view: HeaderView,
    author: Author,
    *,
    contacts: tuple[ContactRef, ...],
    users: tuple[int, ...],
    sightings: tuple[tuple[Route, int | None], ...],
    addresses: tuple[str, ...] = (),
) -> Decision:
    """The decision to capture a message. Outgoing mail makes no to-do: a user's mail needs none, and the author isn't proven yet
    (law 8)."""
    is_incoming = direction is Direction.INCOMING
    return Decision(
        deployment=deployment,
        addresses=addresses,
        outcome=Outcome.CAPTURED,
        reason=Reason.AUTHOR_IS_CONTACT if is_incoming else Reason.AUTHOR_IS_USER,
        author=author.address,
        message_id=view.message_id,
        direction=direction,
        contacts=_each_once(contacts),
        users=users,
        todo_users=users if is_incoming and _asks_for_something(deployment, view, author) else (),
        sightings=sightings,
        doubt=author.doubt,
        named=named(view),
        via=author.via,
    )


def _is_capture(found: str, deployment: DeploymentRef) -> bool:
    return address.split(found)[1] == deployment.domain


def _found(
    deployment: DeploymentRef, view: HeaderView, recipients: Collection[str], people: People
) -> tuple[ContactRef, ...]:
    """The contacts among the recipients, with a flag for those that other recipients can't see."""
    shown = {deployment.folding.key(a) for a in view.named}
    return tuple(
        ref._replace(is_bcc=deployment.folding.key(a) not in shown)
        for a in recipients
        if a not in people.users
        for ref in people.contacts.get(a, ())
    )


def _why_no_contact(
    deployment: DeploymentRef, view: HeaderView, recipients: Collection[str], people: People, directory: Directory
) -> Reason:
    """Why no contact receives a user's mail: it is internal, or to nobody we know."""
    if not recipients and view.unread_recipients:
        return Reason.UNREADABLE_RECIPIENTS
    others = [a for a in recipients if a not in people.users]
    internal = bool(recipients) and (not others or are_groups(deployment, others, directory))
    return Reason.INTERNAL if internal else Reason.NO_CONTACT


def _why_unknown(deployment: DeploymentRef, view: HeaderView, author: Author, directory: Directory) -> Reason:
    """Why the author is unknown. If the author could be behind a group that we don't know, the reason says so."""
    original = view.original
    if author.via or not original:
        return Reason.UNKNOWN_AUTHOR
    users, contacts = people_among(deployment, (original.address,), directory)
    is_known = original.address in contacts or (original.address in users and not original.is_reply_to)
    return Reason.UNKNOWN_GROUP if is_known else Reason.UNKNOWN_AUTHOR


def _asks_for_something(deployment: DeploymentRef, view: HeaderView, author: Author) -> bool:
    """Is the mail a to-do? Not if readers may show other authors, nor if it is an automatic answer and the deployment doesn't
    want those."""
    return author.doubt is not Doubt.SEVERAL and (deployment.automatic_todos or not view.is_automatic_answer)


def _each_once(contacts: tuple[ContactRef, ...]) -> tuple[ContactRef, ...]:
    return tuple(dict.fromkeys(contacts))
