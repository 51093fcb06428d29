"""The record of one deployment: last mail of each route, users whose forwarding is quiet, confirmations, addresses held twice."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from admin_cli.doctor.findings import Finding, note, ok, wrong
from mailweir import forwarding
from mailweir.store.database.connection import Database
from mailweir.store.people import relay_logins, users
from mailweir.store.people.deployments import Deployment
from mailweir.store.people.users import User
from mailweir.store.record import overview

_LOOK_BACK = timedelta(days=240)
_CLOCK_SLACK = timedelta(minutes=5)
_NEW_USER = timedelta(days=1)
_UNREADABLE_DAYS = timedelta(days=7)
_FEW_UNREADABLE = 5  # a day; that much is spam and tests
_LONG_AGO = timedelta(days=30)
_SHOWN = 5


def check_clock(database: Database, now: datetime) -> Iterator[Finding]:
    """A record from the future was made by a wrong clock, or is read by one."""
    last = overview.last_decision(database)
    if last is not None and datetime.fromisoformat(last) > now + _CLOCK_SLACK:
        yield wrong(
            "clock",
            f"the last decision was made at {last[:19]}Z, which is in the future: this host's clock is wrong, or was",
            "see 'timedatectl'; set the clock by NTP",
        )


def check_routes(database: Database, deployment: Deployment) -> Iterator[Finding]:
    """Last mail for each route."""
    last = overview.last_of_routes(database, deployment)
    for route in sorted({"forward", "log"} | set(last)):
        if route in last:
            yield ok(_area(deployment), f"route {route}: last mail at {last[route][:19].replace('T', ' ')}Z")
        else:
            yield note(_area(deployment), f"route {route}: no mail has been captured yet")


def check_logins(database: Database, deployment: Deployment) -> Iterator[Finding]:
    """Suspended logins of the relay."""
    for username, since, why in relay_logins.suspended(database, deployment):
        yield wrong(
            _area(deployment),
            f"the relay's login of {username} is suspended since {since[:19].replace('T', ' ')}Z: {why}",
            f"ask {username} what was sent; then a new password lets it in again: mailweir relay rotate {username}",
        )


def check_authors(database: Database, deployment: Deployment, now: datetime) -> Iterator[Finding]:
    """Mail whose From names nobody, or several people: a client's program may write it so."""
    worst = overview.unreadable_authors(database, deployment, now - _UNREADABLE_DAYS)
    if worst and worst[1] > _FEW_UNREADABLE:
        yield note(
            _area(deployment),
            f"{worst[1]} mails of {worst[0]} had no author that can be told for sure, and were ignored",
            "'mailweir why ADDRESS' shows them, by each address that their From names",
        )


def check_groups(database: Database, deployment: Deployment, now: datetime) -> Iterator[Finding]:
    """Mail of contacts that came through an address which isn't known as the firm's group."""
    for address, count in overview.unknown_groups(database, deployment, now - _UNREADABLE_DAYS):
        mails = "1 mail" if count == 1 else f"{count} mails"
        yield note(
            _area(deployment),
            f"{mails} came from {address} and name somebody known as their author, and were ignored",
            f"if it is a group of the firm's: mailweir group add {address}",
        )


def check_forwarding(database: Database, deployment: Deployment, now: datetime) -> Iterator[Finding]:
    """Each user's forwarding: never seen, quiet, or fine."""
    times = overview.forwarded_times(database, deployment, now - _LOOK_BACK)
    ever = overview.ever_forwarded(database, deployment) | set(times)
    confirmations = {one.user_id: one for one in overview.newest_confirmations(database, deployment)}
    fine = 0
    for user in users.list_all(database, deployment):
        quiet = forwarding.gone_quiet(times.get(user.id, ()), now)
        confirmation = confirmations.get(user.id)
        last = max(times.get(user.id, ()), default=None)
        if confirmation is not None and (found := _on_confirmation(deployment, user, confirmation, last)):
            yield found
        elif user.id not in ever:
            if now - datetime.fromisoformat(user.created_at) > _NEW_USER:
                yield _never(deployment, user)
        elif quiet is not None:
            yield _quiet(deployment, user, quiet, now)
        elif last is None or now - last > _LONG_AGO:
            since = f"since {last:%Y-%m-%d %H:%M}Z" if last else "of late"
            yield note(
                _area(deployment),
                f"{user.username}: no mail was forwarded {since}; too little came before to tell whether that is usual",
                f"ask {user.username} whether the forwarding is still on",
            )
        else:
            fine += 1
    if fine:
        yield ok(_area(deployment), f"mail of {fine} users is forwarded as is usual")


def _on_confirmation(
    deployment: Deployment, user: User, pending: overview.Pending, last: datetime | None
) -> Finding | None:
    """A confirmation after which no mail came: it didn't reach its owner, or wasn't clicked."""
    seen_at = datetime.fromisoformat(pending.seen_at)
    if last is not None and last > seen_at:
        return None
    day = f"{seen_at:%Y-%m-%d %H:%M}Z"
    if pending.bounced_at is not None:
        return wrong(
            _area(deployment),
            f"{user.username}: Gmail's forwarding confirmation of {day} could not be delivered to {user.mailbox}",
            f"see whether {user.mailbox} is right and takes mail ('mailweir user list'); then ask Gmail to send it again",
        )
    if pending.redirected_at is None:
        return wrong(
            _area(deployment),
            f"{user.username}: Gmail's forwarding confirmation of {day} was not sent on, for as many as allowed were before",
            "see [confirmation] in the settings; then ask Gmail to send it again",
        )
    return note(
        _area(deployment),
        f"{user.username}: Gmail's forwarding confirmation was sent on to {user.mailbox} on {day}, and no mail came since",
        "let its owner click the link in it, and then choose 'Forward a copy of incoming mail' in Gmail and save",
    )


def _never(deployment: Deployment, user: User) -> Finding:
    return note(
        _area(deployment),
        f"{user.username}: no forwarded mail has ever been seen",
        f"let the mailbox {user.mailbox} forward to {user.capture_address}, unless this user only copies {user.log_address}",
    )


def _quiet(deployment: Deployment, user: User, quiet: forwarding.Quiet, now: datetime) -> Finding:
    days, usual = (now - quiet.last).days, quiet.usual_gap / timedelta(days=1)
    return wrong(
        _area(deployment),
        f"{user.username}: forwarding went quiet: nothing for {days} days, since {quiet.last:%Y-%m-%d %H:%M}Z; "
        f"usually no pause was longer than {usual:.1f} days",
        f"in Gmail of {user.mailbox}: Settings, Forwarding and POP/IMAP: is 'Forward a copy of incoming mail to "
        f"{user.capture_address}' still on? Gmail turns it off by itself where mail is refused for long; also see Filters "
        f"and Blocked Addresses, and 'mailweir why {user.capture_address}'",
    )


def check_addresses(database: Database, deployment: Deployment) -> Iterator[Finding]:
    """Addresses on several contacts: allowed, and to be known."""
    shared = overview.shared_addresses(database, deployment)
    for what, found in (
        ("are on more than one contact", [address for address, _, _ in shared]),
        ("belong to more than one company", [address for address, _, companies in shared if companies > 1]),
    ):
        if found:
            shown = ", ".join(found[:_SHOWN]) + (", …" if len(found) > _SHOWN else "")
            yield note(
                _area(deployment),
                f"{len(found)} addresses {what}: {shown}",
                "their mail is on the record of all of them",
            )


def _area(deployment: Deployment) -> str:
    return f"record {deployment.name}"
