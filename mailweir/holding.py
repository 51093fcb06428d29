"""Held mail: the facts that are stored until it is read, and the decision then (law 3, decision 0036).

A rule for each kind of held mail takes the mail's facts, the proof of its author and the mail that it forwards, and asks the
directory in its current state: an admin's changes in the meantime count. It returns what goes on the record, or why nothing does.
Pure: asks the directory that it is given, writes nothing. Called by the filter and the sync (facts), and by the digest (rules).
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Self

from mailweir import address, display_names, forwards, never_log, strangers
from mailweir.decision import Decision, Direction, Doubt, HeldKind, Outcome, Reason, Route
from mailweir.directory import DeploymentRef, Directory, RuleRef, people_among
from mailweir.headers import HeaderView
from mailweir.reading.forwarded import Original
from mailweir.reading.originals import Attached, Originals
from mailweir.sender_verdict import SenderVerdict
from mailweir.strangers import NewContacts, Parent, Stranger

MAX_RECIPIENTS = 500  # stored of a header
_MAX_NAMES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The content of headers and envelope of held mail. addresses, message_id, direction, users, todo_users, sightings, via,
    doubt, named: the decision's.

    candidates: all addresses that From could name. recipients: of To and Cc without `addresses`, in normal form, at most
    MAX_RECIPIENTS. envelope_sender: None if unknown. has_proven_author: by a login, or because the mailbox's own user sent it.
    is_automatic: a program wrote it as an answer. header_labels: `reading.labels.to_bits`. subject, sent_at: the headers'.
    identity, version_digest: `identity.key` and `identity.version` of the whole mail by its own author. names: (address, name) of
    the people who could become contacts (`display_names`); parent: the mail that it answers; both only for the kinds that need
    them.
    """

    addresses: tuple[str, ...]
    message_id: str | None
    users: tuple[int, ...]
    sightings: tuple[tuple[Route, int | None], ...]
    via: str | None
    doubt: Doubt | None
    named: tuple[str, ...]
    candidates: tuple[str, ...]
    recipients: tuple[str, ...]
    envelope_sender: str | None
    has_proven_author: bool
    is_automatic: bool
    header_labels: int
    subject: str
    sent_at: datetime | None
    identity: bytes
    version_digest: bytes
    direction: Direction | None = None
    todo_users: tuple[int, ...] = ()
    names: tuple[tuple[str, str], ...] = ()
    parent: Parent | None = None

    def to_json(self) -> str:
        """For `from_json`."""
        return json.dumps(
            {
                "addresses": self.addresses,
                "message_id": self.message_id,
                "users": self.users,
                "sightings": self.sightings,
                "via": self.via,
                "doubt": self.doubt,
                "named": self.named,
                "candidates": self.candidates,
                "recipients": self.recipients,
                "envelope_sender": self.envelope_sender,
                "has_proven_author": self.has_proven_author,
                "is_automatic": self.is_automatic,
                "header_labels": self.header_labels,
                "subject": self.subject,
                "sent_at": self.sent_at and self.sent_at.isoformat(),
                "identity": self.identity.hex(),
                "version_digest": self.version_digest.hex(),
                "direction": self.direction,
                "todo_users": self.todo_users,
                "names": self.names,
                "parent": self.parent
                and [[one.hex() for one in ids] for ids in (*self.parent[:2], [self.parent.subject])],
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Facts that `to_json` wrote."""
        values = json.loads(text)
        for name in ("addresses", "users", "todo_users", "named", "candidates", "recipients"):
            values[name] = tuple(values[name])
        values["names"] = tuple((normal, shown) for normal, shown in values["names"])
        values["direction"] = Direction(values["direction"]) if values["direction"] else None
        if values["parent"]:
            answered, referred, (subject,) = (tuple(map(bytes.fromhex, ids)) for ids in values["parent"])
            values["parent"] = Parent(answered, referred, subject)
        values["sightings"] = tuple((Route(route), user_id) for route, user_id in values["sightings"])
        values["doubt"] = Doubt(values["doubt"]) if values["doubt"] else None
        values["sent_at"] = datetime.fromisoformat(values["sent_at"]) if values["sent_at"] else None
        for name in ("identity", "version_digest"):
            values[name] = bytes.fromhex(values[name])
        return cls(**values)


def facts(
    decision: Decision,
    view: HeaderView,
    *,
    identity: bytes,
    version_digest: bytes,
    header_labels: int,
    envelope_sender: str | None,
    has_proven_author: bool,
) -> Facts:
    """The facts of a decision that holds its mail, and of the headers that the decision used."""
    return Facts(
        addresses=decision.addresses,
        message_id=decision.message_id,
        users=decision.users,
        sightings=decision.sightings,
        via=decision.via,
        doubt=decision.doubt,
        named=decision.named,
        candidates=view.candidates,
        recipients=tuple(one for one in view.recipients if one not in decision.addresses)[:MAX_RECIPIENTS],
        envelope_sender=envelope_sender,
        has_proven_author=has_proven_author,
        is_automatic=view.is_automatic_answer,
        header_labels=header_labels,
        subject=view.subject,
        sent_at=view.sent_at,
        identity=identity,
        version_digest=version_digest,
        direction=decision.direction,
        todo_users=decision.todo_users,
        names=tuple(_names(decision, view)) if decision.held is HeldKind.COMPANY else (),
        parent=Parent.of(view) if decision.held is HeldKind.THREAD else None,
    )


def _names(decision: Decision, view: HeaderView) -> Iterator[tuple[str, str]]:
    """Names of the people whom the mail could make contacts."""
    if decision.direction is Direction.OUTGOING:
        values = [value for name in (b"to", b"cc") for value in view.found.get(name, ())]
        yield from ((one, display_names.of(one, values)) for one in view.recipients[:_MAX_NAMES])
    elif decision.author:
        yield decision.author, display_names.of(decision.author, view.found.get(b"from", ()))


# --- once it is read --------------------------------------------------------------------------------------------------


class Mail(NamedTuple):
    """Held mail that was read. author: as matching determined it. verdict: on the author. originals: the mails that it forwards;
    only for kind FORWARD."""

    deployment: DeploymentRef
    kind: HeldKind
    author: str
    facts: Facts
    verdict: SenderVerdict
    originals: Originals = Originals()

    @property
    def has_proven_author(self) -> bool:
        """Is the author proven, now or when the mail was held (law 8)?"""
        return self.verdict.is_pass or self.facts.has_proven_author


class Pick(NamedTuple):
    """One mail for the record. decision: captured. attached: the attached message to record, or to search for `inline`; None: the
    held mail itself. inline: the original to record, if it is in a text."""

    decision: Decision
    attached: Attached | None = None
    inline: Original | None = None


class Ignored(NamedTuple):
    """Why nothing goes on the record. rule: the never-log rule that is the reason, if any."""

    reason: Reason
    rule: RuleRef | None = None


Picks = tuple[Pick, ...]


def is_meant(facts: Facts, kind: HeldKind, domain: str) -> bool:
    """Was it sent to nobody but the log address? domain: the capture domain. See `reading.forwarded.find`."""
    return kind is HeldKind.FORWARD and all(address.split(one)[1] == domain for one in facts.recipients)


def decide(mail: Mail, directory: Directory) -> Picks | Ignored | NewContacts:
    """At least one pick, or why there is none, or the people who must become contacts first; after that the function is called
    again."""
    return _RULES[mail.kind](mail, directory)


def _forward(mail: Mail, directory: Directory) -> Picks | Ignored:
    """A forwarded original is only the forwarder's word, so nothing is recorded unless the user is proven to have written the
    forward. If so, the originals by contacts are recorded."""
    if not mail.deployment.holds_forwards:
        return Ignored(Reason.NO_CONTACT)
    forwarder = people_among(mail.deployment, (mail.author,), directory).users.get(mail.author)
    if forwarder is None:
        return Ignored(Reason.UNKNOWN_AUTHOR)
    if not mail.has_proven_author:
        return Ignored(Reason.UNPROVEN_FORWARDER)
    search = forwards.Search(mail.deployment, mail.facts.addresses, forwarder, directory)
    found = [
        Pick(never_log.applied(one.decision, one.candidates, directory), one.attached, one.inline)
        for one in search.of(mail.originals)
    ]
    picks = tuple(one for one in found if one.decision.outcome is Outcome.CAPTURED)
    if picks:
        return picks
    if found:
        return Ignored(found[0].decision.reason, found[0].decision.rule)
    return Ignored(search.reason)


def _company(mail: Mail, directory: Directory) -> Picks | Ignored | NewContacts:
    """See `strangers.of_company`. If a never-log rule hides the mail, its author doesn't become a contact either."""
    found = strangers.of_company(_stranger(mail), directory)
    if not isinstance(found, NewContacts):
        return _picked(mail, found, directory)
    like = never_log.applied(found.like, mail.facts.candidates, directory)
    if like.outcome is not Outcome.CAPTURED:
        return Ignored(like.reason, like.rule)
    kept = {one.address for one in like.contacts}
    return found._replace(people=tuple(one for one in found.people if one[0] in kept), like=like)


def _thread(mail: Mail, directory: Directory) -> Picks | Ignored:
    """See `strangers.of_thread`."""
    return _picked(mail, strangers.of_thread(_stranger(mail), directory), directory)


def _picked(mail: Mail, found: Decision | Reason, directory: Directory) -> Picks | Ignored:
    if isinstance(found, Reason):
        return Ignored(found)
    decision = never_log.applied(found, mail.facts.candidates, directory)
    return (Pick(decision),) if decision.outcome is Outcome.CAPTURED else Ignored(decision.reason, decision.rule)


def _stranger(mail: Mail) -> Stranger:
    facts = mail.facts
    return Stranger(
        deployment=mail.deployment,
        author=mail.author,
        is_proven=mail.has_proven_author,
        is_outgoing=facts.direction is Direction.OUTGOING,
        recipients=facts.recipients,
        names=facts.names,
        parent=facts.parent,
        addresses=facts.addresses,
        message_id=facts.message_id,
        users=facts.users,
        todo_users=facts.todo_users,
        sightings=facts.sightings,
        named=facts.named,
    )


_RULES: Mapping[HeldKind, Callable[[Mail, Directory], Picks | Ignored | NewContacts]] = {
    HeldKind.FORWARD: _forward,
    HeldKind.COMPANY: _company,
    HeldKind.THREAD: _thread,
}
