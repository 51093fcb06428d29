"""Remedies for programs: an action and its object. Sentences say the same to people.

A program may offer a remedy as a button, but asks the person before it acts, because mail may be forged. Never asks the database.
Called by `missing_mail`, `user_integrations` and `health.remedies`.
"""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mailweir.decision import Reason
from mailweir.explain.explanation import Explanation
from mailweir.store.gmail.gmail_mailboxes import GmailMailbox, State
from mailweir.store.gmail.gmail_waiting import Waiting
from mailweir.store.people.relay_logins import RelayLogin
from mailweir.store.record.decisions import Decision


class Action(enum.StrEnum):
    """Actions of a person. In brackets the meaning of `Remedy.subject`."""

    NONE = "none"
    WAIT = "wait"  # do nothing: it continues by itself
    MAKE_CONTACT = "make_contact"  # [address]
    ADD_GROUP = "add_group"  # [address] if it is a group of the firm
    ADD_ADDRESS = "add_address"  # [address] if it is a user's own
    ADD_USER = "add_user"  # [the capture address that nobody has]
    CHANGE_RULE = "change_rule"  # [never-log rule]
    FORWARD_AGAIN = "forward_again"  # [author of the mail] forward the mail to the log address again
    SET_UP_FORWARDING = "set_up_forwarding"  # [capture address]
    CHECK_FORWARDING = "check_forwarding"  # [capture address, or mailbox]
    CHECK_MAILBOX = "check_mailbox"  # [mailbox, or capture address] is the address right, and does it accept mail?
    CLICK_THE_LINK = "click_the_link"  # [mailbox] that Gmail's confirmation went to
    ASK_GMAIL_AGAIN = "ask_gmail_again"  # [capture address, or mailbox] for another confirmation
    CONNECT_AGAIN = "connect_again"  # [mailbox]
    SYNC_BOTH_WAYS = "sync_both_ways"  # [mailbox]
    RETRY = "retry"  # [mailbox] whose messages were given up
    AUDIT = "audit"  # [mailbox] to be compared with the record again
    CONNECT_RELAY = "connect_relay"  # [username] of a user who needs a login
    NEW_PASSWORD = "new_password"  # [login, or username]


@dataclass(frozen=True, slots=True)
class Remedy:
    """subject: the object of the action, "" if it isn't known."""

    action: Action
    subject: str = ""


NOTHING = Remedy(Action.NONE)


def _author(decision: Decision) -> str:
    return decision.author or ""


def _recipient(decision: Decision) -> str:
    return decision.recipients[0] if decision.recipients else ""


def _rule(decision: Decision) -> str:
    return decision.rule or ""


def _mailbox(decision: Decision) -> str:
    return decision.mailbox or ""


def _unknown(_: Decision) -> str:
    return ""


_OF_REASONS: Mapping[Reason, tuple[Action, Callable[[Decision], str]]] = {
    **dict.fromkeys(
        (
            Reason.UNKNOWN_AUTHOR,
            Reason.COMPANY_UNPROVEN,
            Reason.COMPANY_AUTOMATIC,
            Reason.COMPANY_REMOVED,
            Reason.COMPANY_LIMIT,
            Reason.COMPANY_NOT_ALONE,
            Reason.UNKNOWN_THREAD,
            Reason.THREAD_UNPROVEN,
            Reason.THREAD_LIMIT,
        ),
        (Action.MAKE_CONTACT, _author),
    ),
    Reason.UNKNOWN_GROUP: (Action.ADD_GROUP, _author),
    Reason.NO_CONTACT: (Action.MAKE_CONTACT, _unknown),
    Reason.UNKNOWN_RECIPIENT: (Action.ADD_USER, _recipient),
    Reason.NO_SUCH_RECIPIENT: (Action.ADD_USER, _recipient),
    Reason.CONFIRMATION: (Action.CLICK_THE_LINK, _unknown),
    Reason.CONFIRMATION_FOR_NOBODY: (Action.SET_UP_FORWARDING, _unknown),
    Reason.CONFIRMATION_FOR_ANOTHER: (Action.SET_UP_FORWARDING, _recipient),
    Reason.CONFIRMATION_LIMIT: (Action.ASK_GMAIL_AGAIN, _recipient),
    Reason.BOUNCE: (Action.CHECK_MAILBOX, _unknown),
    Reason.NOT_THE_LOGINS: (Action.ADD_ADDRESS, _author),
    Reason.LOGIN_LIMIT: (Action.WAIT, _unknown),
    Reason.NEVER_LOG: (Action.CHANGE_RULE, _rule),
    Reason.NEVER_LOG_OF_USER: (Action.CHANGE_RULE, _rule),
    Reason.NOT_SYNCED: (Action.SYNC_BOTH_WAYS, _mailbox),
    Reason.HELD_FORWARD: (Action.WAIT, _unknown),
    Reason.HELD_COMPANY: (Action.WAIT, _unknown),
    Reason.HELD_THREAD: (Action.WAIT, _unknown),
    Reason.HELD_TOO_MUCH: (Action.FORWARD_AGAIN, _author),
    Reason.HELD_UNREAD: (Action.FORWARD_AGAIN, _author),
    Reason.FORWARD_OF_NOBODY: (Action.FORWARD_AGAIN, _unknown),
    Reason.POSTFIX_PUT_OFF: (Action.WAIT, _unknown),
}
_OF_HINTS: Mapping[str, tuple[Action, str]] = {
    "hint.register_alias": (Action.ADD_ADDRESS, "author"),
    "hint.forward": (Action.SET_UP_FORWARDING, "capture_address"),
    "hint.look_into_gmail": (Action.CHECK_FORWARDING, "capture_address"),
    "hint.ask_the_user": (Action.CHECK_FORWARDING, ""),
    "hint.check_mailbox": (Action.CHECK_MAILBOX, "mailbox"),
    "hint.ask_gmail_again": (Action.ASK_GMAIL_AGAIN, ""),
    "hint.click_the_link": (Action.CLICK_THE_LINK, ""),
}


def of_decision(decision: Decision, hint: Explanation | None = None, asked: str = "") -> Remedy:
    """The way to get such mail onto the record. asked: the address that the person asked for, in normal form, or ""."""
    if hint is not None:
        return of_hint(hint)
    try:
        action, subject = _OF_REASONS.get(Reason(decision.reason), (Action.NONE, _unknown))
    except ValueError:  # stored by a later version
        return NOTHING
    if decision.reason == Reason.NO_CONTACT and asked != decision.author and asked not in decision.named:
        return Remedy(action, asked)  # the mail was found by a recipient's address
    return Remedy(action, subject(decision))


def of_hint(hint: Explanation | None, of_user: str = "") -> Remedy:
    """The remedy of a hint. of_user: the subject if the hint names none."""
    if hint is None or hint.key not in _OF_HINTS:
        return NOTHING
    action, name = _OF_HINTS[hint.key]
    return Remedy(action, str(hint.parameters.get(name, of_user)))


def of_waiting(waiting: Waiting) -> Remedy:
    """The remedy for a message that waits in the sync."""
    return Remedy(Action.WAIT) if waiting.dead_at is None else Remedy(Action.RETRY, waiting.mailbox)


def of_mailbox(mailbox: GmailMailbox, app_error: str | None) -> Remedy:
    """The most urgent remedy. app_error: why Google refuses the app, which no user can mend."""
    if mailbox.state is State.RECONNECT:
        return Remedy(Action.CONNECT_AGAIN, mailbox.address)
    if mailbox.error and mailbox.error == app_error:
        return NOTHING
    if mailbox.dead:
        return Remedy(Action.RETRY, mailbox.address)
    if mailbox.error:
        return Remedy(Action.WAIT)
    return Remedy(Action.CONNECT_AGAIN, mailbox.address) if mailbox.consent_ends_at else NOTHING


def of_login(login: RelayLogin) -> Remedy:
    """The remedy of a connected login."""
    return NOTHING if login.suspended_at is None else Remedy(Action.NEW_PASSWORD, login.login)
