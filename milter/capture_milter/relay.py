"""What is done with a message that a login submits: is it the login's to send, is there room within its limits, who gets it.

What comes by the relay's ports without a login isn't taken, whatever Postfix let past. Knows no callback; called by `session`,
which carries out the plan.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from capture_milter.handling import Plan, Refusal
from capture_milter.relay_directory import RelayDirectory
from capture_milter.submission import Submission
from mailweir import headers, matching
from mailweir.envelope import Envelope
from mailweir.headers import Header, HeaderView
from mailweir.matching import Arrival, Decision, Outcome, Reason
from mailweir.settings import Relay as Limits
from mailweir.store import relay_logins
from mailweir.store.relay_logins import Holder, UseRow

DAEMON_NAME = "relay"  # master.cf's, of both ports
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
    submitted = Submission(envelope, view, header_lines, holder, directory)
    submitted.ask_for_all()
    own, others = _arrivals(recipients.arrivals, holder)
    recipients = replace(recipients, arrivals=(own, *others))
    made = Plan(envelope, view, recipients, (), False)
    asks = submitted.is_gmail_asking()
    fault = None if asks else submitted.fault()
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
