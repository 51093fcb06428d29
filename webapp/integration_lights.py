"""The state of each way of mail in one line, as a coloured light: it works, somebody has to act, or it isn't set up.

Called by the page of integrations. A colour is never the only mark: each kind has a sign before it, and words.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from flask_babel import gettext
from markupsafe import Markup

from mailweir.explain.user_integrations import (
    Forwarding,
    ForwardingState,
    Gmail,
    GmailState,
    LogAddress,
    Relay,
    RelayState,
)
from mailweir.settings import Settings
from webapp.sending_domain import SendingDomain
from webapp.times import ago, moment

GOOD, WARN, BAD, NEUTRAL = "good", "warn", "bad", ""
_LATE_SWEEPS = 5
_LEAST_LATE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Light:
    """kind: a class of the style sheet. title: the state. since: its beginning or the last mail, as HTML, or ""."""

    kind: str
    title: str
    since: Markup | str = ""


def forwarding(found: Forwarding) -> Light:
    """The light of the forwarding."""
    last = _last(found.last_seen)
    if found.state is ForwardingState.USUAL:
        return Light(GOOD, gettext("Forwarding works"), last)
    if found.state is ForwardingState.QUIET:
        return Light(BAD, gettext("Forwarding is quiet"), _since(found.quiet_since))
    if found.state is ForwardingState.CONFIRMATION_BOUNCED:
        return Light(BAD, gettext("Forwarding isn't confirmed"), _since(found.confirmation_at))
    if found.state in (ForwardingState.UNCONFIRMED, ForwardingState.CONFIRMATION_HELD_BACK):
        return Light(WARN, gettext("Forwarding isn't confirmed"), _since(found.confirmation_at))
    if found.state in (ForwardingState.RARE, ForwardingState.NONE_OF_LATE):
        return Light(WARN, gettext("Little was forwarded"), last)
    return Light(NEUTRAL, gettext("No forwarding yet"))


def google(found: Gmail | None, settings: Settings, now: datetime, *, is_swept: bool) -> Light:
    """The light of the synced mailbox. is_swept: does a process of the sync run?"""
    if found is None:
        return Light(NEUTRAL, gettext("Google isn't connected"))
    if found.state is GmailState.RECONNECT:
        return Light(BAD, gettext("Google has to be connected again"), _since(found.swept_at or found.connected_since))
    if is_late(found, settings, now) or not is_swept:
        return Light(BAD, gettext("Google isn't being read"), _since(found.swept_at or found.connected_since))
    if found.state is GmailState.WAITS:
        return Light(WARN, gettext("Google waits and continues by itself"), _since(found.swept_at))
    if found.given_up:
        return Light(WARN, gettext("Google is connected, and some mail was given up"), _since(found.given_up_since))
    if found.consent_ends_at:
        return Light(WARN, gettext("Google is connected, but not for long"))
    return Light(GOOD, gettext("Connected to Google"), _last(found.last_message_at))


def is_late(found: Gmail, settings: Settings, now: datetime) -> bool:
    """Is the last sweep longer ago than it should be? By the rule of `health.gmail`."""
    late = max(_LATE_SWEEPS * timedelta(seconds=settings.gmail.sweep_seconds), _LEAST_LATE)
    return now - (found.swept_at or found.connected_since) > late


def relay(found: Relay, domain: SendingDomain | None, *, is_offered: bool) -> Light:
    """The light of the login for outgoing mail. domain: DNS's answers about the user's domain, or None if it wasn't asked.
    is_offered: does the user have an address that this host may send with?"""
    if found.state is RelayState.SUSPENDED:
        return Light(BAD, gettext("Outgoing SMTP is suspended"), _since(found.since))
    if found.state is RelayState.NOT_CONNECTED and not is_offered:
        return Light(NEUTRAL, gettext("Outgoing SMTP isn't for gmail.com"))
    if found.state is RelayState.NOT_CONNECTED:
        return Light(NEUTRAL, gettext("No outgoing SMTP yet"))
    if domain is not None and domain.is_bad:
        return Light(WARN, gettext("Outgoing SMTP is connected, and DNS lacks a record"), _since(None))
    return Light(GOOD, gettext("Outgoing SMTP is connected"), _last(found.last_mail))


def log_address(found: LogAddress) -> Light:
    """The light of the log address."""
    if found.last_mail is None:
        return Light(NEUTRAL, gettext("Nothing at the log address yet"))
    return Light(GOOD, gettext("The log address works"), _last(found.last_mail))


def _last(value: datetime | None) -> Markup | str:
    return Markup(gettext("last mail %(when)s", when="{}")).format(ago(value)) if value else ""


def _since(value: datetime | None) -> Markup | str:
    if value is None:
        return str(gettext("the start isn't known"))
    return Markup(gettext("since %(when)s", when="{}")).format(moment(value))
