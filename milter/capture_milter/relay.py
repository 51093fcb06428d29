"""What is done with a message that a login submits: is it the login's to send, is there room within its limits, who gets it.

Law 10: envelope sender, From, Sender, Resent-From and Resent-Sender must each name an address that the login owns; a read receipt
alone has no envelope sender. Postfix has asked about the envelope sender already, where there is one. What comes by the relay's
ports without a login isn't taken, whatever Postfix let past. Knows no callback; called by `session`, which carries out the plan.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta

from capture_milter.handling import Plan, Refusal
from capture_milter.relay_directory import RelayDirectory
from mailweir import address, candidates, headers, matching
from mailweir.envelope import Envelope
from mailweir.headers import Header, HeaderView
from mailweir.matching import Arrival, Decision, Outcome, Reason, UserRef
from mailweir.settings import Relay as Limits
from mailweir.store import relay_logins
from mailweir.store.relay_logins import Holder, UseRow

DAEMON_NAME = "relay"  # master.cf's, of both ports
# Of the mail by which Gmail asks whether an address of "Send mail as" is the user's; it goes to that address by this relay
GMAIL_ASKS = frozenset({"gmail-noreply@google.com", "account-verification-noreply@google.com"})
_GMAIL_DOMAINS = frozenset({"gmail.com", "googlemail.com"})
_WHO = ("From", "Sender", "Resent-From", "Resent-Sender")
# RFC 8098 3. Who puts these words elsewhere into the header, to send without an envelope sender, may: all else is checked alike.
_RECEIPT = re.compile(
    rb"\s*multipart/report\s*;.*\breport-type\s*=\s*\"?disposition-notification\b", re.IGNORECASE | re.DOTALL
)
_MAX_SENTENCE_CHARS = 400  # RFC 5321 4.5.3.1.5: a reply line is 512 at most
# RFC 4954 6. Told at the end of the message, the first place where Postfix waits for our word: to wait at MAIL would cost every
# message of every port a round trip, and smtpd has stopped such a client at DATA already.
NOT_LOGGED_IN = Refusal("530", "5.7.0", "log in first: this port takes mail of logins only")


def plan(envelope: Envelope, header_lines: list[Header], directory: RelayDirectory, limits: Limits) -> Plan:
    """Matches a submitted message, or says why it isn't taken. Errors: DatabaseUnavailable."""
    view = headers.look(header_lines)
    if envelope.login is None:
        return Plan(envelope, view, matching.Sorted((), (), ()), (), False, NOT_LOGGED_IN)
    holder = directory.relay_holder(envelope.login)
    recipients = matching.sort_recipients(envelope.recipients, directory)
    if holder is None or holder.suspended:
        state = "is suspended: ask your admin" if holder else "is disconnected"
        return Plan(envelope, view, recipients, (), False, _never(f"the login {envelope.login} {state}"))
    _ask_for_all(envelope, view, header_lines, holder, directory)
    own, others = _arrivals(recipients.arrivals, holder)
    recipients = replace(recipients, arrivals=(own, *others))
    made = Plan(envelope, view, recipients, (), False)
    asks = _is_gmail_asking(envelope, view, header_lines, holder, directory)
    fault = None if asks else _fault(envelope, view, header_lines, holder, directory)
    if fault:
        return replace(made, decisions=(_refused(own, view, Reason.NOT_THE_LOGINS),), refusal=_never(fault))
    use = UseRow(holder.id, relay_logins.hour_of(envelope.received_at), 1, len(envelope.recipients), 0)
    over = _over(use, envelope, directory, limits)
    if over:
        refused = _refused(own, view, Reason.LOGIN_LIMIT)
        return replace(made, decisions=(refused,), refusal=over[0], use=over[1])
    first = (
        matching.ignore(own, view, Reason.SEND_AS_CONFIRMATION)
        if asks
        else matching.decide_relayed(own, envelope, view, directory, holder.user)
    )
    rest = tuple(matching.decide(arrival, view, directory) for arrival in others)
    return replace(made, decisions=(first, *rest), use=use)


def _ask_for_all(
    envelope: Envelope, view: HeaderView, header_lines: list[Header], holder: Holder, directory: RelayDirectory
) -> None:
    """Everybody that is going to be asked for, in one question (see `CachedRelayDirectory`)."""
    named = [_read(value) for values in _values(header_lines).values() for value in values]
    found = {envelope.sender, *named, *view.recipients, *(recipient.address for recipient in envelope.recipients)}
    key = holder.deployment.folding.key
    directory.people_with(holder.deployment.id, {key(one) for one in found if one})


def _arrivals(arrivals: Iterable[Arrival], holder: Holder) -> tuple[Arrival, list[Arrival]]:
    """What came for the login's own deployment, if only this message; and for others."""
    own = Arrival(holder.deployment, (), {}, False, ())
    others = []
    for arrival in arrivals:
        if arrival.deployment.id == holder.deployment.id:
            own = arrival
        else:
            others.append(arrival)
    return own, others


def _refused(arrival: Arrival, view: HeaderView, reason: Reason) -> Decision:
    return replace(matching.ignore(arrival, view, reason), outcome=Outcome.REFUSED)


# --- whose it is ------------------------------------------------------------------------------------------------------


def _fault(
    envelope: Envelope, view: HeaderView, header_lines: list[Header], holder: Holder, directory: RelayDirectory
) -> str | None:
    """What in the message isn't the login's, in a sentence; None where all is."""
    values = _values(header_lines)
    count = len(values["From"])
    if count != 1:
        return "it must have exactly one From, and has " + ("none" if not count else str(count))
    named: list[tuple[str, str]] = []
    for name in _WHO:
        for value in values[name]:
            found = _read(value)
            if found is None:
                return f"its {name} must be one address that reads one way: no group, no second address, no open quote"
            named.append((name, found))
    for name, found in named:
        if address.split(found)[1] in _GMAIL_DOMAINS:
            return (
                f"its {name} {found} is Gmail's to send: receivers take such mail from any other server for forged; "
                "send it from Gmail itself"
            )
    if envelope.sender:
        named.append(("envelope sender", envelope.sender))
    elif not _is_receipt(header_lines):
        return "its envelope sender is empty, and that is for read receipts alone"
    own = owned([found for _, found in named], holder, directory)
    for name, found in named:
        if found not in own:
            return f"its {name} {found} isn't an address of the login {envelope.login}"
    return None


def _is_receipt(header_lines: list[Header]) -> bool:
    """A read receipt: it has no envelope sender, so that it can neither bounce nor be answered by a program (RFC 8098 3)."""
    types = [value for name, value in header_lines if name.strip().lower() == b"content-type"]
    return len(types) == 1 and _RECEIPT.match(types[0]) is not None


def _values(header_lines: list[Header]) -> Mapping[str, list[bytes]]:
    values: dict[str, list[bytes]] = {name: [] for name in _WHO}
    names = {name.lower().encode(): name for name in _WHO}
    for raw_name, value in header_lines:
        name = names.get(raw_name.strip().lower())
        if name:
            values[name].append(value)
    return values


def _read(value: bytes) -> str | None:
    """The one address, where no reader could show another one; the world takes what we sign for the login's word."""
    if len(value) > headers.MAX_AUTHOR_BYTES:  # it may be cut
        return None
    found = candidates.read(value.decode("utf-8", "surrogateescape"))
    return found.shown[0] if len(found.shown) == 1 and not (found.in_doubt or found.is_odd) else None


def owned(addresses: Collection[str], holder: Holder, directory: RelayDirectory) -> set[str]:
    """Those of these addresses that are the login's user's."""
    keys = {found: holder.deployment.folding.key(found) for found in addresses if found}
    if not keys:
        return set()
    users: Mapping[str, UserRef] = directory.people_with(holder.deployment.id, set(keys.values())).users
    return {found for found, key in keys.items() if key in users and users[key].id == holder.user.id}


def _is_gmail_asking(
    envelope: Envelope, view: HeaderView, header_lines: list[Header], holder: Holder, directory: RelayDirectory
) -> bool:
    """Gmail's own "Send mail as" confirmation. It isn't proven; but it can go to the login's own addresses alone."""
    if view.author not in GMAIL_ASKS:
        return False
    values = _values(header_lines)
    others = [_read(value) for name in _WHO for value in values[name]]
    to = [recipient.address or "" for recipient in envelope.recipients]
    own = owned([*to, envelope.sender], holder, directory)
    return (
        all(found in GMAIL_ASKS for found in others)
        and (envelope.sender in GMAIL_ASKS or envelope.sender in own)
        and bool(to)
        and all(found in own for found in to)
    )


# --- how much ---------------------------------------------------------------------------------------------------------


def _over(use: UseRow, envelope: Envelope, directory: RelayDirectory, limits: Limits) -> tuple[Refusal, UseRow] | None:
    """The reply to a message over the login's limits, and what is counted for it; None where there is room."""
    before = directory.relay_use(use.login_id, envelope.received_at)
    if before.messages + use.messages > limits.max_messages_per_hour:
        limit = f"{limits.max_messages_per_hour} messages"
    elif before.recipients + use.recipients > limits.max_recipients_per_hour:
        limit = f"{limits.max_recipients_per_hour} recipients"
    else:
        return None
    suspend = None
    if before.refused + 1 >= limits.suspend_after_refusals:
        suspend = f"refused {before.refused + 1} times within an hour, over {limit}"
    again = (envelope.received_at + timedelta(hours=1)).strftime("%H:00 UTC")
    sentence = f"the login {envelope.login} has reached its limit of {limit} within an hour; try again after {again}"
    counted = use._replace(messages=0, recipients=0, refused=1, suspend=suspend)
    return Refusal("451", "4.7.1", _sayable(sentence)), counted


def _never(sentence: str) -> Refusal:
    return Refusal("550", "5.7.1", _sayable(f"not sent: {sentence}"))


def _sayable(sentence: str) -> str:
    """In printable ASCII, as a reply must be (RFC 5321 4.2); a percent sign means something to libmilter's clients."""
    plain = sentence.encode("ascii", "backslashreplace").decode("ascii")
    return "".join(char if char.isprintable() else "?" for char in plain)[:_MAX_SENTENCE_CHARS].replace("%", "%%")
