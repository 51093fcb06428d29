"""What became of a message: the decisions on it, what waits in the sync, and what Postfix refused. Never writes.

Whoever asks has read Postfix's log before, for the database and the log may be readable to different users of the system.
Called by `missing_mail`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from mailweir import address
from mailweir.decision import Reason
from mailweir.directory import DeploymentRef
from mailweir.explain import reasons, record, refusals, synced
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
    """A decision on the message. hint: what a person could do, where something helps. proof: why the author of what was captured
    is proven or not, once that is known. origins: of the contacts in it that mail made."""

    decision: Decision
    outcome: Explanation
    reason: Explanation
    hint: Explanation | None
    proof: Explanation | None
    origins: tuple[Explanation, ...] = ()


@dataclass(frozen=True, slots=True)
class Waits:
    """The sync has heard of the message, and nothing was decided of it."""

    waiting: Waiting
    reason: Explanation


@dataclass(frozen=True, slots=True)
class Refused:
    """Postfix refused it, or gave it up. deployment: whom the recipient's domain belongs to, or None."""

    refusal: Refusal
    deployment: str | None
    reason: Explanation


Tracked = Decided | Waits | Refused


@dataclass(frozen=True, slots=True)
class Tracks:
    """found: decisions, what waits, refusals; each the newest first. further, until: where not all decisions were looked at, see
    `decision_search.Part`."""

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
    """All that is known of a message: decisions, what waits, refusals; at most so many of all.

    text: a Message-ID, an author's or recipient's address, Postfix's queue id, Gmail's id, or a part of a recorded subject.
    in_log: the refusals that Postfix's log has of this text; what the record has of the same is left out. deployment: None asks
    all; a refusal that is nobody's is told then alone. asker: sees of the deployment's what `decisions.Asker` says, and of the
    sync what waits in own mailboxes; an admin, all that waits. since: nothing older. before: older decisions alone, from where
    an answer ended. goes_on: until all decisions are looked at; else one answer ends after so many.
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
    """That nothing is known, and why that can be. decision_days: how long decisions on ignored mail stay. until: since when
    decisions were looked at, where older ones weren't. is_first: or else an answer before this one may have found something."""
    if until is not None:
        return explain("tracking.nothing_since", text=text, until=until)
    return (
        explain("tracking.nothing", text=text, days=decision_days)
        if is_first
        else explain("tracking.no_more", text=text)
    )


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
    """What helps where a user copies mail to the log address from an address of his that nobody has registered. Said for
    domains of users' own addresses alone: a forged mail must not get a stranger registered."""
    if decision.reason != Reason.UNKNOWN_AUTHOR or not decision.author:
        return None
    locals_ = (address.split(one)[0].partition("+")[0] for one in decision.recipients)
    if address.LOG_LOCAL_PART not in locals_:
        return None
    if not overview.is_staff_domain(database, decision.deployment, address.split(decision.author)[1]):
        return None
    return explain("hint.register_alias", author=decision.author)


def _digests(known: Iterable[Deployment], traces: Traces, text: str) -> dict[int, bytes]:
    """What ignored mail to this address would have, by deployment; nothing where it is no address, or there is no key."""
    recipient = address.normalise_path(text) or address.typed(text)
    if not recipient:
        return {}
    refs = [DeploymentRef(row.id, row.name, row.domain, row.folding) for row in known]
    return {ref.id: digest for ref in refs if (digest := traces.of(ref, [recipient]))}


def _domain(recipient: str | None) -> str:
    """The domain of a recipient as it was given, in its normal form; "" where there is none."""
    normal = address.normalise_path(recipient) if recipient else None
    return address.split(normal)[1] if normal else ""
