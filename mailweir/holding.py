"""Held mail: what is kept of it until it is read, and what becomes of it then (law 3, decision 0036).

A rule for each kind takes the mail's facts, who proved its author, and what it forwards, and asks the directory as it is by then:
what an admin changed meanwhile counts. It says what goes on the record, or why nothing does. Pure: asks the directory that it is
handed, writes nothing. Called by the filter and the sync (facts), and by the digest (rules).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Self

from mailweir import address, forwards, never_log
from mailweir.decision import Decision, Doubt, HeldKind, Outcome, Reason, Route
from mailweir.directory import DeploymentRef, Directory, RuleRef, people_among
from mailweir.headers import HeaderView
from mailweir.reading.forwarded import Original
from mailweir.reading.originals import Attached, Originals
from mailweir.sender_verdict import SenderVerdict

MAX_RECIPIENTS = 500  # that are kept of a header


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What headers and envelope said of held mail. addresses, message_id, users, sightings, via, doubt, named: the decision's.

    candidates: all whom From could name. recipients: of To and Cc, in normal form, at most MAX_RECIPIENTS; log_address: was it in
    the envelope. envelope_sender: None where it isn't known. has_proven_author: by a login, or as the mailbox's own.
    is_automatic: an answer that a program gave. header_labels: `reading.labels.to_bits`. subject, sent_at: the headers'.
    identity, version_digest: `identity.key` and `identity.version` of the whole mail by its own author.
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
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Facts that `to_json` wrote."""
        values = json.loads(text)
        for name in ("addresses", "users", "named", "candidates", "recipients"):
            values[name] = tuple(values[name])
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
    """What is kept of a decision that holds its mail, and of the headers that it went by."""
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
    )


# --- once it is read --------------------------------------------------------------------------------------------------


class Mail(NamedTuple):
    """Held mail that was read. author: as matching knows it. verdict: on the author. originals: what it forwards; of kind FORWARD
    alone."""

    deployment: DeploymentRef
    kind: HeldKind
    author: str
    facts: Facts
    verdict: SenderVerdict
    originals: Originals = Originals()

    @property
    def has_proven_author(self) -> bool:
        """Law 8."""
        return self.verdict.is_pass or self.facts.has_proven_author


class Pick(NamedTuple):
    """What goes on the record. decision: captured. attached: the message to record, or that carries it; None: the held mail
    itself. inline: the original in its text, or None."""

    decision: Decision
    attached: Attached | None = None
    inline: Original | None = None


class Ignored(NamedTuple):
    """Why nothing goes on the record. rule: the never-log rule that hid it."""

    reason: Reason
    rule: RuleRef | None = None


Picks = tuple[Pick, ...]


def is_meant(facts: Facts, kind: HeldKind, domain: str) -> bool:
    """Was it sent to nobody but the log address? domain: the capture domain. See `reading.forwarded.find`."""
    return kind is HeldKind.FORWARD and all(address.split(one)[1] == domain for one in facts.recipients)


def decide(mail: Mail, directory: Directory) -> Picks | Ignored:
    """What becomes of it: at least one pick, or why there is none."""
    return _RULES[mail.kind](mail, directory)


def _forward(mail: Mail, directory: Directory) -> Picks | Ignored:
    """A user's own words are his alone, so nothing counts unless it is proven that he wrote them. Then it is the mail of those
    originals' authors who are contacts."""
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


def _nothing(mail: Mail, directory: Directory) -> Picks | Ignored:
    """A kind that this version holds no mail of."""
    return Ignored(Reason.UNKNOWN_AUTHOR)


_RULES: Mapping[HeldKind, Callable[[Mail, Directory], Picks | Ignored]] = {
    HeldKind.FORWARD: _forward,
    HeldKind.COMPANY: _nothing,
    HeldKind.THREAD: _nothing,
}
