"""Mail from unknown authors and to unknown recipients: which of it is held, and the decision afterwards (decision 0037).

An admin can switch on two things. Mail from and to a company's domain makes contacts, if its author is proven. An answer in a
recorded thread is recorded with the thread, and marked. All other mail is ignored. Pure: asks the directory that it is given.
Called by `matching` when mail comes, and by `holding` once it is read. Standard library only.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import NamedTuple

from mailweir import address, machine_senders
from mailweir.decision import REASON_OF_HELD, Decision, Direction, HeldKind, Outcome, Reason, Route
from mailweir.directory import ContactRef, DeploymentRef, Directory, People, people_among
from mailweir.headers import HeaderView
from mailweir.reading import labels, thread_keys
from mailweir.reading.labels import Label

MAX_NEW = 10  # contacts that one mail of a user may make
MAX_IN_THREAD = 50  # mails from unknown addresses in one thread
_PROGRAMS = frozenset({Label.AUTOMATIC, Label.BOUNCE, Label.LIST, Label.RECEIPT})

Sightings = tuple[tuple[Route, int | None], ...]


class Parent(NamedTuple):
    """The thread that mail names, as digests: see `thread_keys.ThreadKeys`. subject: of the base subject."""

    in_reply_to: tuple[bytes, ...]
    references: tuple[bytes, ...]
    subject: bytes

    @classmethod
    def of(cls, view: HeaderView) -> "Parent":
        """The parent that the headers name."""
        keys = thread_keys.read(view)
        return cls(keys.in_reply_to, keys.references, thread_keys.subject_digest(keys.base_subject))


# --- when it comes ----------------------------------------------------------------------------------------------------


def held_incoming(ignored: Decision, view: HeaderView, directory: Directory, *, like: Decision) -> Decision:
    """The decision on mail from an unknown author: held, or ignored as given. like: the decision if the author were a contact."""
    deployment = ignored.deployment
    if like.author is None or like.doubt or like.via or not deployment.holds_strangers:
        return ignored
    found = _incoming_kind(deployment, view, like.author, directory)
    if found is None or isinstance(found, Reason):
        return replace(ignored, reason=found) if found else ignored
    return _held(ignored, found, like, todo_users=like.todo_users if found is HeldKind.COMPANY else ())


def _incoming_kind(
    deployment: DeploymentRef, view: HeaderView, author: str, directory: Directory
) -> HeldKind | Reason | None:
    key = deployment.folding.key(author)
    if deployment.has_auto_contacts and directory.auto_domains_among(deployment.id, [address.split(key)[1]]):
        if _is_of_program(view, key):
            return Reason.COMPANY_AUTOMATIC
        return Reason.COMPANY_REMOVED if directory.removed_among(deployment.id, [key]) else HeldKind.COMPANY
    if not deployment.known_threads:
        return None
    parent = Parent.of(view)
    named = (*parent.in_reply_to, *parent.references)
    if not named or not directory.knows_message(deployment.id, named):
        return None
    return Reason.COMPANY_REMOVED if directory.removed_among(deployment.id, [key]) else HeldKind.THREAD


def held_outgoing(
    ignored: Decision, view: HeaderView, recipients: Collection[str], directory: Directory, *, like: Decision
) -> Decision:
    """The decision on a user's mail to unknown people only: held if an address could become a contact, or ignored as given.
    recipients: the unknown ones. like: the decision if one of them were a contact."""
    deployment = ignored.deployment
    if like.author is None or like.doubt or like.via or not deployment.has_auto_contacts:
        return ignored
    shown = [one for one in recipients if one in view.recipients]
    if not _new_ones(deployment, shown, directory) or _is_of_program(view, like.author):
        return ignored
    return _held(ignored, HeldKind.COMPANY, like, todo_users=())


def _new_ones(deployment: DeploymentRef, recipients: Collection[str], directory: Directory) -> list[str]:
    """The addresses that the mail could make contacts; recipients: the unknown ones."""
    keys = {one: deployment.folding.key(one) for one in recipients if not machine_senders.is_machine(one)}
    domains = {address.split(key)[1] for key in keys.values()}
    known = directory.auto_domains_among(deployment.id, domains) if domains else ()
    wanted = {one: key for one, key in keys.items() if address.split(key)[1] in known}
    removed = directory.removed_among(deployment.id, set(wanted.values())) if wanted else ()
    return [one for one, key in wanted.items() if key not in removed]


def _is_of_program(view: HeaderView, normal: str) -> bool:
    return machine_senders.is_machine(normal) or not _PROGRAMS.isdisjoint(labels.of_headers(view, None))


def _held(ignored: Decision, kind: HeldKind, like: Decision, *, todo_users: tuple[int, ...]) -> Decision:
    return replace(
        ignored,
        reason=REASON_OF_HELD[kind],
        held=kind,
        direction=like.direction,
        users=like.users,
        todo_users=todo_users,
        sightings=like.sightings,
    )


# --- once it is read --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranger:
    """Held mail from an unknown author or to unknown recipients. is_proven: the author is. names, parent: see `holding.Facts`.
    Most other fields come from the decision that held the mail."""

    deployment: DeploymentRef
    author: str
    is_proven: bool
    is_outgoing: bool
    recipients: tuple[str, ...]
    names: tuple[tuple[str, str], ...]
    parent: Parent | None
    addresses: tuple[str, ...]
    message_id: str | None
    users: tuple[int, ...]
    todo_users: tuple[int, ...]
    sightings: Sightings
    named: tuple[str, ...]


class NewContacts(NamedTuple):
    """The people who must become contacts before the mail can be recorded: (address, name). like: the decision once they are
    contacts."""

    people: tuple[tuple[str, str], ...]
    like: Decision


def of_company(mail: Stranger, directory: Directory) -> Decision | Reason | NewContacts:
    """The decision by the current directory: captured if somebody is a contact by now. Otherwise the mail makes contacts if its
    author is proven."""
    recipients = [one for one in mail.recipients if address.split(one)[1] != mail.deployment.domain]
    people = people_among(mail.deployment, (mail.author, *recipients), directory)
    known = _captured_as_known(mail, recipients, people)
    if known is not None:
        return known
    others = [one for one in recipients if one not in people.users] if mail.is_outgoing else [mail.author]
    wanted = _new_ones(mail.deployment, others, directory)[:MAX_NEW]
    if not wanted or (mail.author in people.users) != mail.is_outgoing:
        return Reason.NO_CONTACT if mail.is_outgoing else Reason.UNKNOWN_AUTHOR
    if not mail.is_proven:
        return Reason.COMPANY_UNPROVEN
    names = dict(mail.names)
    direction = Direction.OUTGOING if mail.is_outgoing else Direction.INCOMING
    like = _captured(mail, direction, tuple(ContactRef(0, one) for one in wanted), Reason.AUTHOR_IS_CONTACT)
    return NewContacts(tuple((one, names.get(one, "")) for one in wanted), like)


def of_thread(mail: Stranger, directory: Directory) -> Decision | Reason:
    """The decision: captured for the users of the mail who take part in the thread. The author must be proven only at domains
    that readers would trust: the firm's, or a company's."""
    recipients = [one for one in mail.recipients if address.split(one)[1] != mail.deployment.domain]
    known = _captured_as_known(mail, recipients, people_among(mail.deployment, (mail.author, *recipients), directory))
    if known is not None:
        return known
    if not mail.deployment.known_threads or mail.parent is None:
        return Reason.UNKNOWN_AUTHOR
    thread = directory.known_thread(mail.deployment.id, mail.parent)
    users = tuple(one for one in mail.users if one in thread.users)
    if not users:
        return Reason.UNKNOWN_THREAD
    if not mail.is_proven and directory.knows_domain(mail.deployment.id, address.split(mail.author)[1]):
        return Reason.THREAD_UNPROVEN
    if thread.unknown >= MAX_IN_THREAD:
        return Reason.THREAD_LIMIT
    sightings = tuple(one for one in mail.sightings if one[1] is None or one[1] in users)
    decision = _captured(mail, Direction.INCOMING, (), Reason.KNOWN_THREAD)
    return replace(decision, users=users, todo_users=(), sightings=sightings, by_known_thread=True)


def _captured_as_known(mail: Stranger, recipients: Collection[str], people: People) -> Decision | None:
    """The decision if somebody in it is a contact by now, as `matching` would make it; None otherwise."""
    users, contacts = people
    if mail.is_outgoing:
        found = tuple(ref for one in recipients if one not in users for ref in contacts.get(one, ()))
        return _captured(mail, Direction.OUTGOING, found, Reason.AUTHOR_IS_USER) if found else None
    if mail.author in users or mail.author not in contacts:
        return None
    found = tuple(ref for one, refs in contacts.items() if one not in users for ref in refs)
    return _captured(mail, Direction.INCOMING, found, Reason.AUTHOR_IS_CONTACT)


def _captured(mail: Stranger, direction: Direction, contacts: tuple[ContactRef, ...], reason: Reason) -> Decision:
    return Decision(
        deployment=mail.deployment,
        addresses=mail.addresses,
        outcome=Outcome.CAPTURED,
        reason=reason,
        author=mail.author,
        message_id=mail.message_id,
        direction=direction,
        contacts=tuple(dict.fromkeys(contacts)),
        users=mail.users,
        todo_users=mail.todo_users if direction is Direction.INCOMING else (),
        sightings=mail.sightings,
        named=mail.named,
    )
