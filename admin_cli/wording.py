"""Decisions in words that an admin understands. Called by `why` and the demo."""

from mailweir.decision import Outcome, Reason
from mailweir.store.gmail.gmail_queue import Waiting
from mailweir.store.record.decisions import Decision
from postfix.maillog import Refusal

# {author}: the author's address; {named}: what else From holds; {deployment}: its name; {direction}: incoming or outgoing
_WORDS = {
    Reason.AUTHOR_IS_USER: "{direction} from {author}, a user of {deployment}",
    Reason.AUTHOR_IS_CONTACT: "{direction} from {author}, a contact of {deployment}",
    Reason.UNKNOWN_AUTHOR: "author {author} is not a contact of {deployment}",
    Reason.UNKNOWN_GROUP: (
        "author {author} is not a contact of {deployment}, but the mail says that somebody known wrote it{named}; if {author} is "
        "a group of the firm's, 'mailweir group add {author}' has such mail recorded from now on"
    ),
    Reason.UNREADABLE_AUTHOR: "its From header doesn't name one author, or can be read in two ways{named}",
    Reason.INTERNAL: "internal mail: author {author} and all recipients are users of {deployment}",
    Reason.NO_CONTACT: "author {author} is a user of {deployment}, but no recipient is a contact",
    Reason.UNREADABLE_RECIPIENTS: (
        "author {author} is a user of {deployment}, but To couldn't be read: no address is in To or Cc"
    ),
    Reason.UNKNOWN_RECIPIENT: "the capture address was no user's any more when the message came",
    Reason.CONFIRMATION: "Gmail's forwarding confirmation, sent on to the owner's own mailbox",
    Reason.UNPROVEN_CONFIRMATION: (
        "it looked like a Gmail forwarding confirmation, but Google's signature doesn't prove it, so it was not sent on"
    ),
    Reason.CONFIRMATION_FOR_NOBODY: (
        "Gmail's forwarding confirmation for the log address, which is nobody's: let the mailbox forward to its user's capture "
        "address instead"
    ),
    Reason.CONFIRMATION_FOR_ANOTHER: (
        "Gmail's forwarding confirmation, but To names another address than the capture address that it came to, so it was not "
        "sent on: add the capture address itself as the forwarding address"
    ),
    Reason.CONFIRMATION_LIMIT: (
        "Gmail's forwarding confirmation, but as many as the settings allow were sent on already; its link is kept"
    ),
    Reason.RETURNED_CONFIRMATION: (
        "a forwarding confirmation that was sent on already came back from the mailbox, and stops here so that it can't loop"
    ),
    Reason.BOUNCE: "a forwarding confirmation that was sent on could not be delivered, and this is the bounce",
    Reason.NOT_THE_LOGINS: "sent by the relay, and an address in it isn't one of the login's; see the filter's log",
    Reason.LOGIN_LIMIT: "sent by the relay, and the login is over its limit for this hour",
    Reason.NOT_SYNCED: (
        "the mailbox is synced, but not in this direction: 'mailweir gmail connect USERNAME --inbound --outbound' sets both"
    ),
    Reason.SEND_AS_CONFIRMATION: "Gmail's question whether an address is the user's, sent on by the relay as it was",
}


# Of an activity whose author is less sure than others are: by decision.Doubt
DOUBTS = {
    "repaired": "From was repaired: no common reader shows it without doubt, and no signature can prove it",
    "several": "From can be read in several ways, all of them this contact's: no signature can prove it",
}


VIA = "it came by {via}, which put its own address into From; the author is who the mail says wrote it before"


def reason(decision: Decision) -> str:
    """Why, as a part of a sentence."""
    try:
        words = _WORDS[Reason(decision.reason)]
    except (ValueError, KeyError):
        return decision.reason
    author = decision.author or "(no author)"
    named = f": it names {', '.join(decision.named)}" if decision.named else ""
    return words.format(
        author=author, deployment=decision.deployment, direction=decision.direction or "mail", named=named
    )


def outcome(decision: Decision) -> str:
    """What was done with the message."""
    if decision.outcome == Outcome.CAPTURED and decision.activity is not None:
        return f"captured as activity {decision.activity}"
    return decision.outcome


def refusal(refused: Refusal) -> str:
    """What Postfix told the client, and what follows from that."""
    if refused.is_for_good:
        return f"refused at {refused.stage}: {refused.reply}"
    if refused.is_broken_off:
        return f"broken off at {refused.stage}, so that the sender comes again as a rule: {refused.reply}"
    return f"put off at {refused.stage}, so that the sender comes again: {refused.reply}"


def waiting(queued: Waiting) -> str:
    """How it stands with a message that the sync has heard of and nothing was decided of."""
    if queued.dead_at is not None:
        return (
            f"given up by the sync after {queued.attempts} tries: {queued.error}; "
            f"'mailweir gmail retry {queued.username}' tries it again"
        )
    if queued.held_until is not None:
        return f"own mail that is to be sent later: nothing is decided before its date, {queued.held_until}"
    if queued.error is not None:
        return f"waits in the sync, to be tried again, after {queued.attempts} tries: {queued.error}"
    return "waits in the sync, and wasn't looked at yet"
