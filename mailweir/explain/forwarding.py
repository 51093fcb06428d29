"""The state of each user's forwarding, and its remedy. Never writes. Called by `health.record` and
`user_integrations`."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from mailweir import forwarding
from mailweir.explain.explanation import Explanation, explain
from mailweir.forwarding import LEAST_DAYS, Quiet
from mailweir.store.database.connection import Database
from mailweir.store.people import users
from mailweir.store.people.deployments import Deployment
from mailweir.store.people.users import User
from mailweir.store.record import overview, user_routes
from mailweir.store.record.overview import Pending

_LOOK_BACK = timedelta(days=240)
_NEW_USER = timedelta(days=1)
_LONG_AGO = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Seen:
    """The facts of one user's forwarding on the record. times: when mail was forwarded, within the last months. ever: was mail
    ever forwarded? confirmation: Gmail's newest unanswered one, or None. is_own: the confirmation names an address of the user as
    the requester, or no requester."""

    times: Collection[datetime]
    ever: bool
    confirmation: Pending | None
    is_own: bool = True


@dataclass(frozen=True, slots=True)
class UserForwarding:
    """One user's forwarding. to_do: None if there is nothing to do. last: when the last mail was forwarded, or None.
    confirmation: Gmail's newest unanswered one, or None. If somebody else's mailbox requested it, `state` ignores it."""

    user: User
    state: Explanation
    to_do: Explanation | None
    last: datetime | None
    confirmation: Pending | None


def states(database: Database, deployment: Deployment, now: datetime) -> list[UserForwarding]:
    """Each user of the deployment, by username. Reads whole tables once, so the caller has to limit the time."""
    times = overview.forwarded_times(database, deployment, now - _LOOK_BACK)
    ever = overview.ever_forwarded(database, deployment) | set(times)
    confirmations = {one.user_id: one for one in overview.newest_confirmations(database, deployment)}
    return [
        state(user, _seen(deployment, user, times.get(user.id, ()), confirmations.get(user.id), user.id in ever), now)
        for user in users.list_all(database, deployment)
    ]


def of_user(database: Database, deployment: Deployment, user: User, now: datetime, *, is_ever: bool) -> UserForwarding:
    """The forwarding of one user, from the user's record and the deployment's decisions. is_ever: was captured mail ever
    forwarded for the user?"""
    times = user_routes.forwarded_times(database, deployment, user, now - _LOOK_BACK)
    confirmation = user_routes.newest_confirmation(database, deployment, user)
    return state(user, _seen(deployment, user, times, confirmation, is_ever or bool(times)), now)


def _seen(
    deployment: Deployment, user: User, times: Collection[datetime], confirmation: Pending | None, ever: bool
) -> Seen:
    if confirmation is None or confirmation.requester is None:
        return Seen(times, ever, confirmation)
    key = deployment.folding.key
    return Seen(times, ever, confirmation, key(confirmation.requester) in {key(one) for one in user.addresses})


def state(user: User, seen: Seen, now: datetime) -> UserForwarding:
    """The state of one user. Pure. An unanswered confirmation takes precedence over everything else."""
    last = max(seen.times, default=None)
    pending = None if seen.confirmation is None or _is_outdated(seen.confirmation, seen) else seen.confirmation
    found = _of_confirmation(user, pending) if seen.is_own else None
    return UserForwarding(user, *(found or _of_mail(user, seen, last, now)), last, pending)


def _is_outdated(pending: Pending, seen: Seen) -> bool:
    """Was mail forwarded on several days since the confirmation came? Then the forwarding works, though nothing marked the
    confirmation as answered: the mail comes in another way, or its envelope doesn't name the mailbox."""
    return len({time.date() for time in seen.times if time > pending.seen_at}) >= LEAST_DAYS


def _of_confirmation(user: User, pending: Pending | None) -> tuple[Explanation, Explanation] | None:
    """The state if the mailbox forwarded nothing after its confirmation: the confirmation didn't reach the owner, or nobody
    clicked its link."""
    if pending is None:
        return None
    seen_at = pending.seen_at
    if pending.bounced_at is not None:
        return (
            explain("forwarding.confirmation_bounced", seen_at=seen_at, mailbox=user.mailbox),
            explain("hint.check_mailbox", mailbox=user.mailbox),
        )
    if pending.redirected_at is None:
        return explain("forwarding.confirmation_held_back", seen_at=seen_at), explain("hint.ask_gmail_again")
    return (
        explain("forwarding.unconfirmed", seen_at=seen_at, mailbox=user.mailbox),
        explain("hint.click_the_link"),
    )


def _of_mail(user: User, seen: Seen, last: datetime | None, now: datetime) -> tuple[Explanation, Explanation | None]:
    quiet = forwarding.gone_quiet(seen.times, now)
    if not seen.ever:
        return _of_none(user, now)
    if quiet is not None:
        return _of_quiet(user, quiet, now)
    if last is not None and now - last <= _LONG_AGO:
        return explain("forwarding.usual", last=last), None
    state = explain("forwarding.rare", last=last) if last else explain("forwarding.none_of_late")
    return state, explain("hint.ask_the_user", username=user.username)


def _of_none(user: User, now: datetime) -> tuple[Explanation, Explanation | None]:
    if now - user.created_at <= _NEW_USER:
        return explain("forwarding.not_yet"), None
    addresses = {"capture_address": user.capture_address, "log_address": user.log_address}
    return explain("forwarding.never"), explain("hint.forward", mailbox=user.mailbox, **addresses)


def _of_quiet(user: User, quiet: Quiet, now: datetime) -> tuple[Explanation, Explanation]:
    usual_days = quiet.usual_gap / timedelta(days=1)
    return (
        explain("forwarding.quiet", days=(now - quiet.last).days, last=quiet.last, usual_days=usual_days),
        explain("hint.look_into_gmail", mailbox=user.mailbox, capture_address=user.capture_address),
    )
