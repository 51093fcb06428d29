"""One user's connections: forwarding, the synced mailbox and the relay's login, each with its state and one remedy; and the log
address.

Queries the database each time and never writes. Unknown values are None. Called by the page.
"""

import enum
from dataclasses import dataclass
from datetime import datetime

from mailweir.explain import forwarding, relay, remedies, synced
from mailweir.explain.explanation import Explanation
from mailweir.explain.forwarding import UserForwarding
from mailweir.explain.remedies import Action, Remedy
from mailweir.settings import Settings
from mailweir.store.database.connection import Database
from mailweir.store.gmail import gmail_app, gmail_mailboxes, gmail_waiting
from mailweir.store.gmail.gmail_mailboxes import GmailMailbox
from mailweir.store.people import relay_logins, users
from mailweir.store.people.deployments import Deployment
from mailweir.store.people.relay_logins import RelayLogin
from mailweir.store.people.users import User
from mailweir.store.record import user_routes


class ForwardingState(enum.StrEnum):
    """The states of forwarding, as in the keys `forwarding.…`. NONE_OF_LATE, RARE: too little mail came to know whether it
    works."""

    USUAL = "usual"
    NOT_YET = "not_yet"
    NEVER = "never"
    QUIET = "quiet"
    RARE = "rare"
    NONE_OF_LATE = "none_of_late"
    UNCONFIRMED = "unconfirmed"
    CONFIRMATION_BOUNCED = "confirmation_bounced"
    CONFIRMATION_HELD_BACK = "confirmation_held_back"


class GmailState(enum.StrEnum):
    """WAITS: the mailbox can't be read now, but continues by itself. RECONNECT: it can't be read until the user consents
    again."""

    CONNECTED = "connected"
    WAITS = "waits"
    RECONNECT = "reconnect"


class RelayState(enum.StrEnum):
    """May the user send through the relay?"""

    NOT_CONNECTED = "not_connected"
    IN_USE = "in_use"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwarding:
    """address: the capture address to which the mailbox has to forward. last_captured: when the last mail on the record was
    forwarded; last_seen: the same with ignored mail, as long as its decisions are kept. quiet_since: the last mail's time if
    forwarding went quiet, else None. confirmation_at: when Gmail's newest confirmation came, if the state is about it.
    confirmation_id: of the unanswered one, whichever mailbox requested it."""

    state: ForwardingState
    text: Explanation
    address: str
    mailbox: str
    last_captured: datetime | None
    last_seen: datetime | None
    quiet_since: datetime | None
    confirmation_at: datetime | None
    confirmation_id: int | None
    to_do: Explanation | None
    remedy: Remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class Gmail:
    """A connected mailbox. connected_since: when the user connected it. swept_at: the last completed sweep, next_sweep_at: the
    next. waiting, given_up: numbers of messages. given_up_since: the first of them. missing: the number of messages that the
    audit at audited_at found missing; None if there was no audit. failure: why it can't be read now, or at all. note: the same in
    words, or when the consent ends."""

    state: GmailState
    text: Explanation
    account: str
    inbound: bool
    outbound: bool
    connected_since: datetime
    covered_since: datetime
    swept_at: datetime | None
    next_sweep_at: datetime
    last_message_at: datetime | None
    waiting: int
    given_up: int
    given_up_since: datetime | None
    audited_at: datetime | None
    missing: int | None
    failure: str | None
    consent_ends_at: datetime | None
    note: Explanation | None
    remedy: Remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """username: the login's name, as Gmail's form asks for it, even if there is no login yet. since: when the login got its
    password, or was suspended. hindrances: reasons why Gmail itself can't use this host."""

    state: RelayState
    text: Explanation | None
    username: str
    host: str
    submission_port: int
    submissions_port: int
    since: datetime | None
    last_mail: datetime | None
    hindrances: tuple[Explanation, ...]
    remedy: Remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class LogAddress:
    """last_mail: when the last mail to it was captured in which the user takes part."""

    address: str
    last_mail: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserIntegrations:
    """gmail: None if no mailbox is connected."""

    user: User
    forwarding: Forwarding
    gmail: Gmail | None
    relay: Relay
    log_address: LogAddress


def of_user(
    database: Database, settings: Settings, deployment: Deployment, username: str, now: datetime
) -> UserIntegrations:
    """The current state of a user's connections. settings: those of the running processes. Errors: NotFound."""
    user = users.find(database, deployment, username)
    last = user_routes.last_of_user(database, deployment, user)
    app = gmail_app.find(database)
    mailboxes = {one.username: one for one in gmail_mailboxes.list_all(database, deployment)}
    logins = {one.username: one for one in relay_logins.list_all(database, deployment, now)}
    mailbox, login = mailboxes.get(user.username), logins.get(user.username)
    forwarded = forwarding.of_user(database, deployment, user, now, is_ever="forward" in last)
    return UserIntegrations(
        user=user,
        forwarding=_forwarding(forwarded, last.get("forward")),
        gmail=_gmail(database, mailbox, app.error if app else None) if mailbox else None,
        relay=_relay(settings, user, login, last.get("relay")),
        log_address=LogAddress(address=user.log_address, last_mail=last.get("log")),
    )


def _forwarding(found: UserForwarding, last_captured: datetime | None) -> Forwarding:
    state = ForwardingState(found.state.key.removeprefix("forwarding."))
    confirmed_at = found.state.parameters.get("seen_at")
    return Forwarding(
        state=state,
        text=found.state,
        address=found.user.capture_address,
        mailbox=found.user.mailbox,
        last_captured=last_captured,
        last_seen=max(filter(None, (found.last, last_captured)), default=None),
        quiet_since=found.last if state is ForwardingState.QUIET else None,
        confirmation_at=confirmed_at if isinstance(confirmed_at, datetime) else None,
        confirmation_id=found.confirmation.id if found.confirmation else None,
        to_do=found.to_do,
        remedy=remedies.of_hint(found.to_do, of_user=found.user.mailbox),
    )


def _gmail(database: Database, mailbox: GmailMailbox, app_error: str | None) -> Gmail:
    state = synced.state(mailbox)
    return Gmail(
        state=GmailState(state.key.removeprefix("mailbox.")),
        text=state,
        account=mailbox.address,
        inbound=mailbox.inbound,
        outbound=mailbox.outbound,
        connected_since=mailbox.connected_at,
        covered_since=mailbox.covered_since,
        swept_at=mailbox.swept_at,
        next_sweep_at=mailbox.next_sweep_at,
        last_message_at=mailbox.last_message_at,
        waiting=mailbox.waiting,
        given_up=mailbox.dead,
        given_up_since=gmail_waiting.given_up_since(database, mailbox.id) if mailbox.dead else None,
        audited_at=mailbox.audited_at,
        missing=mailbox.audit_missing,
        failure=mailbox.error,
        consent_ends_at=mailbox.consent_ends_at,
        note=synced.note(mailbox, app_error),
        remedy=remedies.of_mailbox(mailbox, app_error),
    )


def _relay(settings: Settings, user: User, login: RelayLogin | None, last_mail: datetime | None) -> Relay:
    state, since = RelayState.NOT_CONNECTED, None
    if login is not None:
        state = RelayState.IN_USE if login.suspended_at is None else RelayState.SUSPENDED
        since = login.suspended_at or login.rotated_at or login.created_at
    return Relay(
        state=state,
        text=relay.login(login) if login else None,
        username=login.login if login else user.capture_address,
        host=settings.hostname,
        submission_port=settings.smtp.submission_port,
        submissions_port=settings.smtp.submissions_port,
        since=since,
        last_mail=last_mail,
        hindrances=tuple(relay.hindrances(settings)),
        remedy=remedies.of_login(login) if login else Remedy(Action.CONNECT_RELAY, user.username),
    )
