"""Shows remedies as buttons. A button is a link to the form for the remedy, where the person confirms it: a link changes nothing.

If this reader has no page for the remedy, a sentence says who can apply it. Called by the pages that report faults.
"""

from dataclasses import dataclass

import flask
from flask_babel import gettext

from mailweir.explain.remedies import Action, Remedy
from mailweir.store.gmail import gmail_mailboxes
from mailweir.store.gmail.gmail_mailboxes import State
from webapp import here

_AT_INTEGRATIONS = {
    Action.SET_UP_FORWARDING,
    Action.CHECK_FORWARDING,
    Action.CHECK_MAILBOX,
    Action.CLICK_THE_LINK,
    Action.ASK_GMAIL_AGAIN,
    Action.CONNECT_AGAIN,
    Action.SYNC_BOTH_WAYS,
    Action.RETRY,
    Action.AUDIT,
    Action.NEW_PASSWORD,
}
_PLACES = {
    Action.ADD_ADDRESS: "admin_users.page",
    Action.ADD_USER: "admin_users.page",
    Action.ADD_GROUP: "admin_groups.page",
    Action.CHANGE_RULE: "admin_rules.page",
}


@dataclass(frozen=True, slots=True)
class Mend:
    """A button with these words that links to `url`. If url is None, the words are a sentence instead."""

    words: str
    url: str | None = None


def of(remedy: Remedy) -> Mend | None:
    """The button or sentence for a remedy; None if there is nothing to do."""
    if remedy.action is Action.NONE:
        return None
    if remedy.action is Action.WAIT:
        return Mend(gettext("There is nothing to do: it continues by itself."))
    if remedy.action is Action.MAKE_CONTACT:
        url = flask.url_for("contacts.new", address=remedy.subject or None)
        can_fetch = _has_synced_mailbox()  # mail that was forwarded before is gone
        words = gettext("Add a contact and fetch the earlier mail") if can_fetch else gettext("Add a contact")
        return Mend(words, url)
    if remedy.action is Action.FORWARD_AGAIN:
        log_address = here.deployment().log_address
        return Mend(gettext("Forward it to %(address)s again.", address=log_address))
    if remedy.action in _AT_INTEGRATIONS:
        return _at_integrations(remedy)
    return _of_admins(remedy)


def _has_synced_mailbox() -> bool:
    """Is a mailbox of the deployment synced, so that earlier mail can be fetched from it? Queried once in a request."""
    if "has_synced_mailbox" not in flask.g:
        found = gmail_mailboxes.list_all(here.database(), here.deployment())
        flask.g.has_synced_mailbox = any(one.state is State.CONNECTED for one in found)
    return bool(flask.g.has_synced_mailbox)


def _at_integrations(remedy: Remedy) -> Mend | None:
    words = {
        Action.SET_UP_FORWARDING: gettext("Set up the forwarding"),
        Action.CHECK_FORWARDING: gettext("Check the forwarding"),
        Action.CHECK_MAILBOX: gettext("Check the mailbox"),
        Action.CLICK_THE_LINK: gettext("Confirm the forwarding"),
        Action.ASK_GMAIL_AGAIN: gettext("Ask Gmail for the confirmation again"),
        Action.CONNECT_AGAIN: gettext("Reconnect"),
        Action.SYNC_BOTH_WAYS: gettext("Sync both ways"),
        Action.RETRY: gettext("Try again"),
        Action.AUDIT: gettext("Start the audit again"),
        Action.NEW_PASSWORD: gettext("Create a new password"),
    }[remedy.action]
    own = here.membership()
    if own is None or own.user_id is None or "integrations.page" not in flask.current_app.view_functions:
        return Mend(gettext("The user who owns the mail does that at Integrations: %(what)s.", what=words))
    return Mend(words, flask.url_for("integrations.page"))


def _of_admins(remedy: Remedy) -> Mend | None:
    words = {
        Action.ADD_ADDRESS: gettext("Add the address to a user"),
        Action.ADD_USER: gettext("Add a user for this address"),
        Action.ADD_GROUP: gettext("Add the address as a group of the firm"),
        Action.CHANGE_RULE: gettext("See the never-log rules"),
    }.get(remedy.action)
    if words is None:  # an action of a later version
        return None
    endpoint = _PLACES[remedy.action]
    if here.is_admin() and endpoint in flask.current_app.view_functions:
        about = remedy.subject if remedy.action is Action.ADD_GROUP else ""
        return Mend(words, flask.url_for(endpoint, address=about or None))
    return Mend(gettext("An admin can do that: %(what)s.", what=words))
