"""The handling of one message: the decisions at its first body chunk, the entries to record, the changes of the envelope.

Contains no callbacks or sockets: `session` collects, calls this module, and carries out its `Answer`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from capture_milter.assembly import Assembly, join_headers
from mailweir import address, confirmation, content, headers, matching
from mailweir.arrivals import Arrival, Sorted, sort_recipients
from mailweir.confirmation import Confirmation
from mailweir.decision import Decision, Outcome, Reason
from mailweir.directory import Directory, UserRef
from mailweir.envelope import Envelope, Recipient
from mailweir.headers import Header, HeaderView
from mailweir.recording import Entry, Recorded, Redirect
from mailweir.sender_auth import DkimProver
from mailweir.settings import Confirmation as ConfirmationLimits
from mailweir.settings import Digest as HoldLimits
from mailweir.store.people.relay_logins import UseRow
from mailweir.traces import Traces

_USUAL_LIMITS = HoldLimits()
MAX_CONFIRMATION_BYTES = 262_144  # Google's are 5 kB; a larger look-alike isn't worth proving


@dataclass(frozen=True, slots=True)
class Refusal:
    """An SMTP reply that isn't a success: 451, 530 or 550, its enhanced code, a sentence."""

    code: str
    enhanced: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The plan for a message once its headers are known.

    decisions: one for each deployment; for a possible confirmation, the decisions that apply if it isn't proven. On the relay the
    first one is that of the login's deployment. refusal: the reply if the message is refused. use: its contribution to the
    login's count. added: the headers that are added, see `complete`.
    """

    envelope: Envelope
    view: HeaderView
    recipients: Sorted
    decisions: tuple[Decision, ...] = ()
    possible_confirmation: bool = False
    refusal: Refusal | None = None
    use: UseRow | None = None
    added: tuple[Header, ...] = ()

    @property
    def wants_body(self) -> bool:
        """Is the body needed: for the record, for holding, or to prove a confirmation?"""
        return self.possible_confirmation or any(d.outcome is Outcome.CAPTURED or d.held for d in self.decisions)


def plan(envelope: Envelope, header_lines: list[Header], directory: Directory) -> Plan:
    """Matches the message. Errors: DatabaseUnavailable."""
    view = headers.look(header_lines, envelope_sender=envelope.sender)
    recipients = sort_recipients(envelope.recipients, directory)
    decisions = tuple(matching.decide(arrival, view, directory) for arrival in recipients.arrivals)
    possible = bool(recipients.arrivals) and confirmation.resembles(envelope.sender, view)
    return Plan(
        envelope=envelope, view=view, recipients=recipients, decisions=decisions, possible_confirmation=possible
    )


def complete(plan: Plan, added: tuple[Header, ...]) -> Plan:
    """The plan with the added headers: the message is recorded with the Message-ID with which it is sent."""
    message_id = headers.look(added).message_id or plan.view.message_id
    decisions = tuple(replace(decision, message_id=message_id) for decision in plan.decisions)
    return replace(plan, added=added, decisions=decisions)


def entries(
    plan: Plan,
    assembly: Assembly | None,
    queue_id: str,
    traces: Traces | None = None,
    limits: HoldLimits = _USUAL_LIMITS,
) -> list[Entry]:
    """The entries for a message that doesn't look like a confirmation. limits: on held mail."""
    return [_entry(plan, decision, assembly, queue_id, traces, limits) for decision in plan.decisions]


def _entry(
    plan: Plan,
    decision: Decision,
    assembly: Assembly | None,
    queue_id: str,
    traces: Traces | None = None,
    limits: HoldLimits = _USUAL_LIMITS,
) -> Entry:
    kept, digests, hold = None, None, None
    # A login proves the author in its own deployment only (law 8).
    use = plan.use if decision is plan.decisions[0] else None
    if decision.outcome is Outcome.CAPTURED:
        assert assembly is not None
        sent_at = headers.look(plan.added).sent_at if plan.added else None
        kept = content.of(decision, plan.view, assembly.as_bytes(), is_proven=use is not None, sent_at=sent_at)
    elif traces:
        digests = traces.of(decision.deployment, plan.view.recipients)
    if decision.held:
        assert assembly is not None
        hold = content.held(
            decision,
            plan.view,
            assembly.as_bytes(),
            limits,
            has_proven_author=use is not None,
            envelope_sender=plan.envelope.sender,
        )
    return Entry(
        decision,
        queue_id,
        plan.envelope.received_at,
        kept,
        use=use,
        traces=digests,
        hold=hold,
        forwarded=_forwarded(plan, decision),
    )


def _forwarded(plan: Plan, decision: Decision) -> tuple[tuple[int, str], ...]:
    """The users of the deployment to whom Gmail forwarded the message, each with the forwarding mailbox."""
    found = confirmation.forwarder(plan.envelope.sender)
    if found is None:
        return ()
    mailbox, target = found
    arrivals = [arrival for arrival in plan.recipients.arrivals if arrival.deployment.id == decision.deployment.id]
    return tuple((arrival.owners[target].id, mailbox) for arrival in arrivals if target in arrival.owners)


class ConfirmationDesk:
    """Distinguishes proven forwarding confirmations from look-alikes, and makes their entries."""

    def __init__(self, prover: DkimProver, limits: ConfirmationLimits) -> None:
        self._prover = prover
        self._limits = limits

    def entries(
        self, plan: Plan, header_lines: list[Header], body: bytes, assembly: Assembly, queue_id: str
    ) -> list[Entry]:
        """The entries for a message that looks like a confirmation. Errors: DnsUnavailable."""
        proven = assembly.size_bytes <= MAX_CONFIRMATION_BYTES and self._prover.proves(
            join_headers(header_lines) + body, confirmation.SIGNING_DOMAIN, covering=confirmation.COVERED_HEADERS
        )
        domains = frozenset(arrival.deployment.domain for arrival in plan.recipients.arrivals)
        found = confirmation.read(plan.view, body, domains) if proven else None
        asked = confirmation.asked_addresses(header_lines)
        pairs: Mapping[int, Arrival] = {arrival.deployment.id: arrival for arrival in plan.recipients.arrivals}
        made: list[Entry] = []
        for decision in plan.decisions:
            arrival = pairs[decision.deployment.id]
            owners = _asked_owners(arrival, asked)
            if found and owners and decision.reason is not Reason.RETURNED_CONFIRMATION:
                made.append(self._redirect(plan, arrival, owners, found, queue_id))
            else:
                marked = _marked(decision, proven, found, for_another=bool(arrival.owners))
                made.append(_entry(plan, marked, assembly, queue_id))
        return made

    def _redirect(
        self, plan: Plan, arrival: Arrival, owners: Collection[UserRef], found: Confirmation, queue_id: str
    ) -> Entry:
        decision = replace(
            matching.ignore(arrival.deployment, plan.view, Reason.CONFIRMATION, arrival=arrival),
            outcome=Outcome.REDIRECTED,
        )
        redirect = Redirect(
            confirmation=found,
            owners=tuple((user.id, user.mailbox) for user in owners),
            max_per_message=self._limits.max_redirects_per_message,
            max_per_user_and_hour=self._limits.max_redirects_per_user_and_hour,
        )
        return Entry(decision, queue_id, plan.envelope.received_at, None, redirect=redirect)


def _asked_owners(arrival: Arrival, asked: Collection[str]) -> list[UserRef]:
    """The owners of the capture addresses that the confirmation names. Only they count, because anybody can send a genuine
    confirmation for one address to another."""
    names = set()
    for local, domain in map(address.split, asked):
        if domain == arrival.deployment.domain:
            names.add(arrival.deployment.folding.without_tag(local))
    return [user for user in arrival.owners.values() if user.username in names]


def _marked(decision: Decision, proven: bool, found: Confirmation | None, *, for_another: bool) -> Decision:
    """A confirmation that isn't redirected is ignored with its own reason, for `why`."""
    if decision.reason is not Reason.UNKNOWN_AUTHOR or (proven and not found):
        return decision
    if not proven:
        return replace(decision, reason=Reason.UNPROVEN_CONFIRMATION)
    return replace(decision, reason=Reason.CONFIRMATION_FOR_ANOTHER if for_another else Reason.CONFIRMATION_FOR_NOBODY)


@dataclass(frozen=True, slots=True)
class Answer:
    """Instructions for Postfix. discard: Postfix drops the message, because it goes to nobody else.

    remove: recipients by the names that Postfix may know them by. add: mailboxes. sender: a new envelope sender, or None.
    loop_mark: the value of our loop header, which identifies the mail if it comes back; or None.
    """

    discard: bool
    remove: tuple[str, ...] = ()
    add: tuple[str, ...] = ()
    sender: str | None = None
    loop_mark: str | None = None


def answer(plan: Plan, recorded: list[Recorded]) -> Answer:
    """The answer once everything is on the disk: our recipients are removed, confirmations go to their owners.

    recorded: the results of the plan's decisions, in their order.
    """
    recipients = plan.recipients
    if not recipients.ours:
        return Answer(discard=False)
    redirected = [
        (decision.deployment, result)
        for decision, result in zip(plan.decisions, recorded, strict=True)
        if result.mailboxes
    ]
    if not redirected and not recipients.others:
        return Answer(discard=True)
    remove = tuple(_names_once(recipients.ours))
    if not redirected:
        return Answer(discard=False, remove=remove)
    mailboxes = tuple(dict.fromkeys(m for _, result in redirected for m in result.mailboxes))
    # If one mail concerns several deployments, each sees the others' random tokens, and nothing else of them.
    mark = " ".join(result.token for _, result in redirected if result.token)
    deployment, result = redirected[0]
    # A message has one envelope sender. Two deployments in one envelope must not see each other's domain in it (law 4).
    sender = f"bounce+{result.token}@{deployment.domain}" if len(redirected) == 1 else ""
    return Answer(discard=False, remove=remove, add=mailboxes, sender=sender, loop_mark=mark)


def _names_once(recipients: tuple[Recipient, ...]) -> dict[str, None]:
    return dict.fromkeys(name for recipient in recipients for name in recipient.names)
