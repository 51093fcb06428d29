"""Remedies for findings, for the page: a finding's advice names commands, and its remedy names the action for a button.

Uses only the finding's key and facts, and so works for reports of other hosts, too. Called by the page.
"""

from collections.abc import Mapping

from mailweir.explain.remedies import NOTHING, Action, Remedy
from mailweir.health.findings import Finding

# by a finding's key: the action, and the name of the fact with its object
_OF_KEYS: Mapping[str, tuple[Action, str]] = {
    "gmail.reconnect": (Action.CONNECT_AGAIN, "mailbox"),
    "gmail.consent_ends": (Action.CONNECT_AGAIN, "mailbox"),
    "gmail.given_up": (Action.RETRY, "mailbox"),
    "gmail.audit_missing": (Action.AUDIT, "mailbox"),
    "gmail.waits": (Action.WAIT, ""),
    "record.login_suspended": (Action.NEW_PASSWORD, "username"),
    "record.unknown_group": (Action.ADD_GROUP, "address"),
    "forwarding.never": (Action.SET_UP_FORWARDING, "username"),
    "forwarding.quiet": (Action.CHECK_FORWARDING, "username"),
    "forwarding.rare": (Action.CHECK_FORWARDING, "username"),
    "forwarding.none_of_late": (Action.CHECK_FORWARDING, "username"),
    "forwarding.unconfirmed": (Action.CLICK_THE_LINK, "mailbox"),
    "forwarding.confirmation_bounced": (Action.CHECK_MAILBOX, "mailbox"),
    "forwarding.confirmation_held_back": (Action.ASK_GMAIL_AGAIN, "username"),
}


def remedy(finding: Finding) -> Remedy:
    """A person's action on the page; NOTHING if it needs somebody at the host, or nothing is wrong."""
    action, fact = _OF_KEYS.get(finding.key, (Action.NONE, ""))
    return NOTHING if action is Action.NONE else Remedy(action, str(finding.facts.get(fact, "")))
