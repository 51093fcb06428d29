"""The record of one deployment: last mail of each route, users whose forwarding is quiet, confirmations, addresses of several
contacts."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from mailweir.explain import forwarding
from mailweir.health.findings import Finding, Words, note, ok, wrong
from mailweir.sentence import Kept, Sentence, said
from mailweir.store.database.connection import Database
from mailweir.store.people import relay_logins
from mailweir.store.people.deployments import Deployment
from mailweir.store.record import overview

_CLOCK_SLACK = timedelta(minutes=5)
_UNREADABLE_DAYS = timedelta(days=7)
_FEW_UNREADABLE = 5  # a day; so much comes from spam and tests
_SHOWN = 5
_BROKEN = {"forwarding.quiet", "forwarding.confirmation_bounced", "forwarding.confirmation_held_back"}


def check_clock(database: Database, now: datetime) -> Iterator[Finding]:
    """A decision from the future shows that this host's clock is wrong, or that the clock of the deciding host was."""
    last = overview.last_decision(database)
    if last is not None and last > now + _CLOCK_SLACK:
        yield wrong(
            "clock",
            said(
                "the last decision was made at {last:%Y-%m-%dT%H:%M:%SZ}, which is in the future: this host's clock "
                "is wrong, or was",
                last=last,
            ),
            said("see 'timedatectl'; set the clock by NTP"),
            key="clock.in_the_future",
            last=last,
        )


def check_routes(database: Database, deployment: Deployment) -> Iterator[Finding]:
    """Last mail for each route."""
    last = overview.last_of_routes(database, deployment)
    for route in sorted({"forward", "log"} | set(last)):
        if route in last:
            yield ok(
                _area(deployment),
                said("route {route}: last mail at {last}", route=_route(route), last=_text(last[route])),
                key="record.route",
                route=route,
                last=last[route],
            )
        else:
            yield note(
                _area(deployment),
                said("route {route}: no mail has been captured yet", route=_route(route)),
                key="record.route_without_mail",
                route=route,
                since=deployment.created_at,
            )


def check_logins(database: Database, deployment: Deployment) -> Iterator[Finding]:
    """Suspended logins of the relay."""
    for username, since, why in relay_logins.suspended(database, deployment):
        yield wrong(
            _area(deployment),
            said(
                "the relay's login of {username} is suspended since {since}: {why}",
                username=username,
                since=_text(since),
                why=Kept(why),
            ),
            said(
                "ask {username} what was sent; then a new password lets it in again: mailweir relay rotate {username}",
                username=username,
            ),
            key="record.login_suspended",
            username=username,
            since=since,
            why=why,
        )


def check_authors(database: Database, deployment: Deployment, now: datetime) -> Iterator[Finding]:
    """Mail whose From names no author, or several: a client's program may write such headers."""
    worst = overview.unreadable_authors(database, deployment, now - _UNREADABLE_DAYS)
    if worst and worst[1] > _FEW_UNREADABLE:
        yield note(
            _area(deployment),
            said(
                "{mails} mails of {day} had no certain author, and were ignored",
                mails=worst[1],
                day=worst[0],
            ),
            said("'mailweir why ADDRESS' shows them, by each address that their From names"),
            key="record.unreadable_authors",
            day=worst[0],
            mails=worst[1],
        )


def check_groups(database: Database, deployment: Deployment, now: datetime) -> Iterator[Finding]:
    """Mail of contacts that came through an address that isn't registered as a group of the firm."""
    for address, count, first in overview.unknown_groups(database, deployment, now - _UNREADABLE_DAYS):
        sentence = (
            said("1 mail from {address} named somebody known as its author, and was ignored", address=address)
            if count == 1
            else said(
                "{number} mails from {address} named somebody known as their author, and were ignored",
                number=count,
                address=address,
            )
        )
        yield note(
            _area(deployment),
            sentence,
            said("if it is a group of the firm's: mailweir group add {address}", address=address),
            key="record.unknown_group",
            address=address,
            mails=count,
            since=first,
        )


def check_forwarding(database: Database, deployment: Deployment, now: datetime, words: Words) -> Iterator[Finding]:
    """Each user's forwarding: never seen, quiet, or fine."""
    fine = 0
    for one in forwarding.states(database, deployment, now):
        if one.to_do is not None:
            report = wrong if one.state.key in _BROKEN else note
            sentence = said("{username}: {state}", username=one.user.username, state=words(one.state))
            facts = {**one.state.parameters, "username": one.user.username}
            if one.state.key == "forwarding.never":
                facts["since"] = one.user.created_at
            yield report(_area(deployment), sentence, words(one.to_do), key=one.state.key, **facts)
        fine += one.state.key == "forwarding.usual"
    if fine:
        yield ok(
            _area(deployment),
            said("mail of {number} users is forwarded as usual", number=fine),
            key="forwarding.users_fine",
            users=fine,
        )


def check_addresses(database: Database, deployment: Deployment) -> Iterator[Finding]:
    """Addresses on several contacts: allowed, but good to know."""
    shared = overview.shared_addresses(database, deployment)
    for what, found in (
        (said("are on more than one contact"), [address for address, _, _ in shared]),
        (said("belong to more than one company"), [address for address, _, companies in shared if companies > 1]),
    ):
        if found:
            shown = ", ".join(found[:_SHOWN]) + (", …" if len(found) > _SHOWN else "")
            yield note(
                _area(deployment),
                said("{number} addresses {what}: {addresses}", number=len(found), what=what, addresses=shown),
                said("their mail is on the record of all of them"),
                key="record.shared_addresses",
                addresses=len(found),
                what=what,
            )


def _area(deployment: Deployment) -> str:
    return f"record {deployment.name}"


def _route(stored: str) -> Sentence:
    """The text of a route, as in `explain.english`. A stored route is a valid template, because it has no braces."""
    return Sentence(stored, {})


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%SZ}"
