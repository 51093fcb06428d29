"""Each user's connections and their states: forwarding, the synced mailbox, the relay's login.

Never writes. Reads whole tables once, so the caller has to limit the time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from mailweir.explain import forwarding, relay, synced
from mailweir.explain.explanation import Explanation
from mailweir.explain.forwarding import UserForwarding
from mailweir.store.database.connection import Database
from mailweir.store.gmail import gmail_app, gmail_mailboxes
from mailweir.store.gmail.gmail_mailboxes import GmailMailbox
from mailweir.store.people import relay_logins
from mailweir.store.people.deployments import Deployment
from mailweir.store.people.relay_logins import RelayLogin
from mailweir.store.people.users import User
from mailweir.store.record import user_routes


@dataclass(frozen=True, slots=True)
class Synced:
    """The connected mailbox. note: an explanation of its state, or None."""

    mailbox: GmailMailbox
    state: Explanation
    note: Explanation | None


@dataclass(frozen=True, slots=True)
class Sending:
    """The connected login of the relay."""

    login: RelayLogin
    state: Explanation


@dataclass(frozen=True, slots=True)
class Integration:
    """One user's connections. synced: None if no mailbox is connected. sending: None if no login is.

    last_mail: the time of the last captured mail, by route; without routes that had no mail.
    """

    user: User
    forwarding: UserForwarding
    synced: Synced | None
    sending: Sending | None
    last_mail: Mapping[str, datetime]


def integrations(database: Database, deployment: Deployment, now: datetime) -> list[Integration]:
    """The connections of each user of the deployment, by username."""
    app = gmail_app.find(database)
    mailboxes = {one.username: one for one in gmail_mailboxes.list_all(database, deployment)}
    logins = {one.username: one for one in relay_logins.list_all(database, deployment, now)}
    last = user_routes.last_of_users(database, deployment)
    return [
        Integration(
            one.user,
            one,
            _synced(mailboxes.get(one.user.username), app.error if app else None),
            _sending(logins.get(one.user.username)),
            last.get(one.user.id, {}),
        )
        for one in forwarding.states(database, deployment, now)
    ]


def _synced(mailbox: GmailMailbox | None, app_error: str | None) -> Synced | None:
    return None if mailbox is None else Synced(mailbox, synced.state(mailbox), synced.note(mailbox, app_error))


def _sending(login: RelayLogin | None) -> Sending | None:
    return None if login is None else Sending(login, relay.login(login))
