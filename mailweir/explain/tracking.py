"""The fate of a message: the decisions on it, mail that waits in the sync, and Postfix's refusals. Never writes.

The caller reads Postfix's log, and hands its refusals in: the system's user who may read the log may not be the one who may read
the database. Called by `missing_mail`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from mailweir import address
from mailweir.decision import Reason
from mailweir.directory import DeploymentRef
from mailweir.explain import reasons, record, refusals, synced
from mailweir.explain.asked import NoKey
from mailweir.explain.explanation import Explanation, explain
from mailweir.explain.refusals import Refusal
from mailweir.store.database.connection import Database
from mailweir.store.gmail import gmail_waiting
from mailweir.store.gmail.gmail_waiting import Waiting
from mailweir.store.people import auto_contacts, deployments
from mailweir.store.people.deployments import Deployment
from mailweir.store.record import decision_search, overview
from mailweir.store.record import refusals as recorded
from mailweir.store.record.decision_search import Place, Wanted
from mailweir.store.record.decisions import Asker, Decision
from mailweir.traces import Traces


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision on the message. hint: a remedy for a person to apply, if there is one. proof: why the author of captured mail is
    proven or not, once that is known. origins: how mail made contacts that take part in it."""

    decision: Decision
    outcome: Explanation
    reason: Explanation
    hint: Explanation | None
    proof: Explanation | None
    origins: tuple[Explanation, ...] = ()


@dataclass(frozen=True, slots=True)
class Waits:
    """A message that the sync knows, and that has no decision yet."""

    waiting: Waiting
    reason: Explanation


@dataclass(frozen=True, slots=True)
class Refused:
    """Mail that Postfix refused or put off, or that was broken off. deployment: whose capture domain the recipient has, or
    None."""

    refusal: Refusal
    deployment: str | None
    reason: Explanation


Tracked = Decided | Waits | Refused


@dataclass(frozen=True, slots=True)
class Tracks:
    """found: decisions, waiting mail, refusals; each the newest first. further, until: if the answer doesn't cover all decisions,
    see `decision_search.Part`."""

    found: tuple[Tracked, ...]
    further: Place | None = None
    until: datetime | None = None


def track(
    database: Database,
    text: str,
    traces: Traces,
    in_log: Iterable[Refusal],
    deployment: Deployment | None = None,
    limit: int | None = None,
    *,
    asker: Asker | None = None,
    since: datetime | None = None,
    before: Place | None = None,
    goes_on: bool = True,
) -> Tracks:
    """Everything that is known of a message: decisions, waiting mail, refusals; all of them limited in number.

    text: a Message-ID, an author's or recipient's address, Postfix's queue id, Gmail's id, or a part of a recorded subject.
    in_log: the refusals in Postfix's log for this text; the record's entries of the same refusals are left out. deployment: None
    searches all; only then refusals that belong to no deployment are reported. asker: gets the deployment's decisions that
    `decisions.Asker` allows, and mail of the asker's own mailboxes that waits in the sync; an admin gets all waiting mail. since:
    nothing older. before: only older decisions, from the place where an answer ended. goes_on: searches all decisions; otherwise
    an answer covers a limited number of them.
    """
    known, in_log = deployments.list_all(database), [one for one in in_log if since is None or one.time >= since]
    if deployment is not None:
        known = [one for one in known if one.id == deployment.id]
    told = [recorded.source_id(one.queue_id, one.key) for one in in_log]
    digests = _digests(known, traces, text)
    wanted = Wanted(text=text, deployment=deployment, limit=limit, digests=digests, told=told, asker=asker, since=since)
    part = decision_search.search(database, wanted, before, goes_on=goes_on)
    everything: list[Tracked] = [_decided(database, one) for one in part.decisions]
    if before is None:
        mailboxes_of = asker.reader.user_ids if asker and not asker.is_admin else None
        waiting = gmail_waiting.find(database, text, deployment, mailboxes_of)
        everything += (Waits(one, synced.waiting(one)) for one in waiting if since is None or one.queued_at >= since)
        names = {one.domain: one.name for one in known}
        refused = [(one, names.get(_domain(one.recipient))) for one in in_log]
        everything += (Refused(one, name, refusals.refusal(one)) for one, name in refused if _is_told(name, deployment))
    return Tracks(tuple(everything[:limit]), part.further, part.until)


def _is_told(name: str | None, deployment: Deployment | None) -> bool:
    return deployment is None or name == deployment.name


def nothing(text: str, decision_days: int, until: datetime | None = None, *, is_first: bool = True) -> Explanation:
    """Says that nothing is known, and the possible reasons. decision_days: how long decisions on ignored mail stay. until: the
    time since which decisions were looked at, if older ones weren't. is_first: False if this answer continues another one, which
    may have found something."""
    if until is not None:
        return explain("tracking.nothing_since", text=text, until=until)
    return (
        explain("tracking.nothing", text=text, days=decision_days)
        if is_first
        else explain("tracking.no_more", text=text)
    )


def not_by(kind: NoKey, text: str) -> Explanation:
    """Says why no decision is found by such a text, and what to look for instead."""
    if kind is NoKey.NO_QUEUE_ID:
        return explain("tracking.no_queue_id")
    if kind is NoKey.HOST:
        return explain("tracking.host", text=text)
    return explain("tracking.domain", text=text)


def _decided(database: Database, decision: Decision) -> Decided:
    return Decided(
        decision,
        reasons.outcome(decision),
        reasons.reason(decision),
        _hint(database, decision),
        record.verdict_reason(decision.sender_verdict_reason, decision.sender_verdict_domain),
        tuple(map(record.origin, auto_contacts.in_activity(database, decision.activity))) if decision.activity else (),
    )


def _hint(database: Database, decision: Decision) -> Explanation | None:
    """A hint if a user seems to have copied mail to the log address from an own address that isn't registered. Only if users have
    addresses in the same domain: a forged mail must not get a stranger registered."""
    if decision.reason != Reason.UNKNOWN_AUTHOR or not decision.author:
        return None
    locals_ = (address.split(one)[0].partition("+")[0] for one in decision.recipients)
    if address.LOG_LOCAL_PART not in locals_:
        return None
    if not overview.is_staff_domain(database, decision.deployment, address.split(decision.author)[1]):
        return None
    return explain("hint.register_alias", author=decision.author)


def _digests(known: Iterable[Deployment], traces: Traces, text: str) -> dict[int, bytes]:
    """The digest (`traces`) that ignored mail to this address has, by deployment; empty if the text isn't an address, or there is
    no key."""
    recipient = address.normalise_path(text) or address.typed(text)
    if not recipient:
        return {}
    refs = [DeploymentRef(row.id, row.name, row.domain, row.folding) for row in known]
    return {ref.id: digest for ref in refs if (digest := traces.of(ref, [recipient]))}


def _domain(recipient: str | None) -> str:
    """The domain of a recipient as given, in its normal form; "" if there is none."""
    normal = address.normalise_path(recipient) if recipient else None
    return address.split(normal)[1] if normal else ""
