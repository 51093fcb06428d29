"""The rules for a message that a login submits: may the login send it, is it within its limits, who gets it?

Law 10: envelope sender, From, Sender, Resent-From and Resent-Sender must each name an address that the login owns; only a read
receipt may lack the envelope sender. Postfix has already checked the envelope sender, if there is one. Mail on the relay's ports
without a login is refused, even if Postfix lets it pass. Contains no callbacks; called by `session`, which carries out the plan.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from capture_milter.handling import Plan, Refusal
from capture_milter.relay_directory import RelayDirectory
from mailweir import address, candidates, headers, matching
from mailweir.arrivals import Arrival, Sorted, sort_recipients
from mailweir.decision import Decision, Outcome, Reason
from mailweir.directory import UserRef
from mailweir.envelope import Envelope
from mailweir.headers import Header, HeaderView
from mailweir.sentence import Sentence, template
from mailweir.settings import Relay as Limits
from mailweir.store.people.relay_logins import Holder, UseRow

DAEMON_NAME = "relay"  # in master.cf, for both ports
# The senders of Gmail's "Send mail as" confirmation. Gmail sends it through this relay to the address that the user wants to add.
GMAIL_ASKS = frozenset({"gmail-noreply@google.com", "account-verification-noreply@google.com"})
_GMAIL_DOMAINS = frozenset({"gmail.com", "googlemail.com"})
_WHO = ("From", "Sender", "Resent-From", "Resent-Sender")
# RFC 8098 3. Senders can fake a match, with these words in another parameter. It only lets them leave the envelope sender empty:
# all other checks are the same.
_RECEIPT = re.compile(
    rb"\s*multipart/report\s*;.*\breport-type\s*=\s*\"?disposition-notification\b", re.IGNORECASE | re.DOTALL
)
_MAX_SENTENCE_CHARS = 400  # RFC 5321 4.5.3.1.5: a reply line is 512 at most
# RFC 4954 6. Sent at the end of the message, the first place where Postfix waits for our answer: waiting at MAIL would cost every
# message on every port a round trip, and smtpd has stopped such a client at DATA already.
NOT_LOGGED_IN = Refusal("530", "5.7.0", "log in first: this port takes mail of logins only")


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A message that a login submits. holder: the login's owner. arrival: the deployment's capture addresses in the envelope, if
    any.

    writers: for each header name of `_WHO`, the addresses in the headers of this name. None stands for a header that doesn't have
    exactly one unambiguous address.
    """

    envelope: Envelope
    view: HeaderView
    header_lines: Sequence[Header]
    writers: Mapping[str, Sequence[str | None]]
    holder: Holder
    arrival: Arrival | None
    directory: RelayDirectory

    def ask_for_all(self) -> None:
        """Looks up all addresses of the message in one query; `CachedRelayDirectory` keeps the results."""
        written = [found for values in self.writers.values() for found in values]
        to = [recipient.address for recipient in self.envelope.recipients]
        deployment = self.holder.deployment
        everybody = {self.envelope.sender, *written, *self.view.recipients, *to}
        self.directory.people_with(deployment.id, {deployment.folding.key(one) for one in everybody if one})

    def fault(self) -> str | None:
        """The reason why the login may not send the message, as a sentence; None if it may."""
        count = len(self.writers["From"])
        if count != 1:
            return "it must have exactly one From, and has " + ("none" if not count else str(count))
        named: list[tuple[str, str]] = []
        for name, values in self.writers.items():
            for found in values:
                if found is None:
                    return (
                        f"its {name} must be one address that reads one way: no group, no second address, no open quote"
                    )
                named.append((name, found))
        for name, found in named:
            if address.split(found)[1] in _GMAIL_DOMAINS:
                return (
                    f"its {name} {found} is Gmail's to send: receivers take such mail from any other server for forged; "
                    "send it from Gmail itself"
                )
        if self.envelope.sender:
            named.append(("envelope sender", self.envelope.sender))
        elif not self._is_receipt():
            return "its envelope sender is empty, and that is for read receipts alone"
        own = owned([found for _, found in named], self.holder, self.directory)
        for name, found in named:
            if found not in own:
                return f"its {name} {found} isn't an address of the login {self.envelope.login}"
        return None

    def _is_receipt(self) -> bool:
        """A read receipt has no envelope sender, so that it can neither bounce nor be answered by a program (RFC 8098 3)."""
        types = [value for name, value in self.header_lines if name.strip().lower() == b"content-type"]
        return len(types) == 1 and _RECEIPT.match(types[0]) is not None

    def is_gmail_asking(self) -> bool:
        """Is it Gmail's own "Send mail as" confirmation? That isn't proven, so it may go to the login's own addresses only."""
        if self.view.author not in GMAIL_ASKS:
            return False
        sender = self.envelope.sender
        to = [recipient.address or "" for recipient in self.envelope.recipients]
        own = owned([*to, sender], self.holder, self.directory)
        return (
            all(found in GMAIL_ASKS for values in self.writers.values() for found in values)
            and (sender in GMAIL_ASKS or sender in own)
            and bool(to)
            and all(found in own for found in to)
        )

    def over(self, use: UseRow, limits: Limits) -> tuple[Refusal, UseRow] | None:
        """The reply to a message over the login's limits, and the use to count; None if it is within them."""
        now = self.envelope.received_at
        before = self.directory.relay_use(use.login_id, now)
        if before.messages + use.messages > limits.max_messages_per_hour:
            most, limit = limits.max_messages_per_hour, f"{limits.max_messages_per_hour} messages"
            why = template("refused {number} times within an hour, over {most} messages")
        elif before.recipients + use.recipients > limits.max_recipients_per_hour:
            most, limit = limits.max_recipients_per_hour, f"{limits.max_recipients_per_hour} recipients"
            why = template("refused {number} times within an hour, over {most} recipients")
        else:
            return None
        suspend = None
        if before.refused + 1 >= limits.suspend_after_refusals:
            suspend = Sentence(why, {"number": before.refused + 1, "most": most})
        again = (now + timedelta(hours=1)).strftime("%H:00 UTC")
        login = self.envelope.login
        sentence = f"the login {login} has reached its limit of {limit} within an hour; try again after {again}"
        counted = use._replace(messages=0, recipients=0, refused=1, suspend=suspend)
        return Refusal("451", "4.7.1", _sayable(sentence)), counted

    def decided(self) -> Decision:
        """The decision for the login's deployment, on a message that the login may send."""
        return matching.decide_relayed(
            self.envelope,
            self.view,
            self.directory,
            deployment=self.holder.deployment,
            user=self.holder.user,
            arrival=self.arrival,
        )

    def ignored(self, reason: Reason) -> Decision:
        """The decision to pass the message on without recording it."""
        return matching.ignore(self.holder.deployment, self.view, reason, arrival=self.arrival)

    def refused(self, reason: Reason) -> Decision:
        """The decision to refuse the message."""
        return replace(self.ignored(reason), outcome=Outcome.REFUSED)


def plan(envelope: Envelope, header_lines: Sequence[Header], directory: RelayDirectory, limits: Limits) -> Plan:
    """The plan for a submitted message, perhaps with a refusal. Errors: DatabaseUnavailable."""
    view = headers.look(header_lines, envelope_sender=envelope.sender)
    if envelope.login is None:
        return Plan(envelope=envelope, view=view, recipients=Sorted(), refusal=NOT_LOGGED_IN)
    holder = directory.relay_holder(envelope.login)
    recipients = sort_recipients(envelope.recipients, directory)
    made = Plan(envelope=envelope, view=view, recipients=recipients)
    if holder is None or holder.suspended:
        state = "is suspended: ask your admin" if holder else "is disconnected"
        return replace(made, refusal=_never(f"the login {envelope.login} {state}"))
    own = next((one for one in recipients.arrivals if one.deployment.id == holder.deployment.id), None)
    submission = Submission(
        envelope=envelope,
        view=view,
        header_lines=header_lines,
        writers=_writers(header_lines),
        holder=holder,
        arrival=own,
        directory=directory,
    )
    submission.ask_for_all()
    asks = submission.is_gmail_asking()
    fault = None if asks else submission.fault()
    if fault:
        return replace(made, decisions=(submission.refused(Reason.NOT_THE_LOGINS),), refusal=_never(fault))
    use = UseRow(holder.id, envelope.received_at, messages=1, recipients=len(envelope.recipients), refused=0)
    over = submission.over(use, limits)
    if over:
        refusal, use = over
        return replace(made, decisions=(submission.refused(Reason.LOGIN_LIMIT),), refusal=refusal, use=use)
    first = submission.ignored(Reason.SEND_AS_CONFIRMATION) if asks else submission.decided()
    others = [matching.decide(arrival, view, directory) for arrival in recipients.arrivals if arrival is not own]
    return replace(made, decisions=(first, *others), use=use)


def owned(addresses: Collection[str], holder: Holder, directory: RelayDirectory) -> set[str]:
    """The addresses that belong to the login's user."""
    keys = {found: holder.deployment.folding.key(found) for found in addresses if found}
    if not keys:
        return set()
    users: Mapping[str, UserRef] = directory.people_with(holder.deployment.id, set(keys.values())).users
    return {found for found, key in keys.items() if key in users and users[key].id == holder.user.id}


def _writers(header_lines: Sequence[Header]) -> Mapping[str, Sequence[str | None]]:
    """See `Submission.writers`."""
    found: dict[str, list[str | None]] = {name: [] for name in _WHO}
    names = {name.lower().encode(): name for name in _WHO}
    for raw_name, value in header_lines:
        name = names.get(raw_name.strip().lower())
        if name:
            found[name].append(_read(value))
    return found


def _read(value: bytes) -> str | None:
    """The only address that a mail program could show for this header; None if there isn't exactly one. Receivers of mail with
    our DKIM signature rely on this address."""
    if len(value) > headers.MAX_AUTHOR_BYTES:  # it may be cut
        return None
    found = candidates.read(value.decode("utf-8", "surrogateescape"))
    return found.shown[0] if len(found.shown) == 1 and not (found.in_doubt or found.is_odd) else None


def _never(sentence: str) -> Refusal:
    return Refusal("550", "5.7.1", _sayable(f"not sent: {sentence}"))


def _sayable(sentence: str) -> str:
    """The sentence in printable ASCII, as a reply must be (RFC 5321 4.2). Percent signs are doubled: a single one
    has a meaning for mail servers that read a milter's reply."""
    plain = sentence.encode("ascii", "backslashreplace").decode("ascii")
    return "".join(char if char.isprintable() else "?" for char in plain)[:_MAX_SENTENCE_CHARS].replace("%", "%%")
