"""The sync's state, explained: a waiting message, a mailbox, all mailboxes.

Never asks the database. Called by `tracking`, and by the command line.
"""

from mailweir.explain.explanation import Explanation, explain, word
from mailweir.store.gmail.gmail_app import AppRefusal
from mailweir.store.gmail.gmail_mailboxes import GmailMailbox, State
from mailweir.store.gmail.gmail_waiting import Waiting


def waiting(message: Waiting) -> Explanation:
    """The state of a message that the sync knows, and that has no decision yet."""
    if message.dead_at is not None:
        return explain("sync.given_up", attempts=message.attempts, error=message.error or "", username=message.username)
    if message.held_until is not None:  # own mail that will be sent later
        return explain("sync.held", until=message.held_until)
    if message.error is not None:
        return explain("sync.failing", attempts=message.attempts, error=message.error)
    return explain("sync.waiting")


def hindrances(app: AppRefusal | None, *, is_swept: bool) -> list[Explanation]:
    """Reasons why no mailbox can be read; empty if there is none. app: why Google refuses the app, if it does. is_swept: does a
    sync run?"""
    found = [explain("sync.app_refused", since=app.since, error=app.error)] if app else []
    return found if is_swept else [*found, explain("sync.nobody_sweeps")]


def state(mailbox: GmailMailbox) -> Explanation:
    """Can the mailbox be read? `mailbox.waits`: not now, but it continues by itself."""
    if mailbox.state is State.CONNECTED and mailbox.failures:
        return explain("mailbox.waits")
    return word("mailbox", mailbox.state)


def note(mailbox: GmailMailbox, app_error: str | None) -> Explanation | None:
    """A note on the mailbox's state, or None. app_error: why Google refuses the app, which is reported once for all mailboxes."""
    again = mailbox.next_sweep_at
    if mailbox.state is State.RECONNECT:
        return explain("mailbox.refused", error=mailbox.error or "", username=mailbox.username, again=again)
    if mailbox.error and mailbox.error == app_error:
        return explain("mailbox.waits_for_app")
    if mailbox.error:
        return explain("mailbox.failing", error=mailbox.error, again=again)
    return consent_end(mailbox)


def consent_end(mailbox: GmailMailbox) -> Explanation | None:
    """The time when the consent expires, if the app is "in testing" at Google; None if it doesn't expire."""
    if not mailbox.consent_ends_at:
        return None
    return explain("mailbox.consent_ends", ends=mailbox.consent_ends_at)
