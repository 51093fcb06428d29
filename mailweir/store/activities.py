"""Activities: what is on the record, read. Never writes: `writing` does.

A listing costs four statements for each 500 activities, whatever they hold. Called by the command line and by `todos`.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import peewee

from mailweir.errors import NotFound
from mailweir.store import checks, models
from mailweir.store.connection import Database
from mailweir.store.deployments import Deployment
from mailweir.store.moments import rfc3339

_MAX_VALUES = 500  # in one statement


@dataclass(frozen=True, slots=True)
class Participant:
    """A contact who takes part, with the address that did. company: its name, or None. bcc: only the sender is to see that."""

    name: str
    address: str
    company: str | None
    bcc: bool = False


@dataclass(frozen=True, slots=True)
class Activity:
    """A captured message. routes: each once, sorted. users: usernames, sorted. author_doubt: see decision.Doubt. via: the
    group's or list's address by which it came, which stands in From instead of the author. Times: RFC 3339, UTC."""

    id: int
    deployment: str
    direction: str
    routes: tuple[str, ...]
    author: str
    contacts: tuple[Participant, ...]
    users: tuple[str, ...]
    subject: str
    sent_at: str | None
    recorded_at: str
    message_id: str | None
    sender_verdict: str
    author_doubt: str | None
    via: str | None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which activities are asked for; None asks for all. user: a username. contact: one of a contact's addresses.

    What a user is shown has the contacts in Bcc only where it is the user's own mail.
    """

    user: str | None = None
    contact: str | None = None
    since: datetime | None = None
    limit: int | None = None


def select(database: Database, deployment: Deployment, wanted: Filter) -> list[Activity]:
    """A deployment's activities, the one recorded last first. NotFound where user or contact never was there."""
    with database.bound():
        query: Any = models.Activity.select(models.Activity.id).where(models.Activity.deployment == deployment.id)
        if wanted.user is not None:
            mine = models.ActivityUser.select(models.ActivityUser.activity)
            query = query.where(models.Activity.id.in_(mine.where(_of_user(deployment, wanted.user))))
        if wanted.contact is not None:
            theirs = _taking_part(models.ActivityContact.activity)
            query = query.where(models.Activity.id.in_(theirs.where(_of_contact(deployment, wanted.contact))))
        if wanted.since is not None:
            query = query.where(models.Activity.recorded_at >= rfc3339(wanted.since))
        # ids grow with time
        query = query.order_by(models.Activity.id.desc()).limit(wanted.limit)
        ids = [row.id for row in query]
        found = load(database, ids)
        listed = [found[activity_id] for activity_id in ids]
        return listed if wanted.user is None else _as_shown_to(wanted.user, deployment, listed)


def load(database: Database, activity_ids: Sequence[int]) -> dict[int, Activity]:
    """Activities by id, those that there are."""
    with database.bound():
        return {activity.id: activity for part in _parts(activity_ids) for activity in _load_part(part)}


def find(database: Database, activity_id: int, deployment: Deployment | None = None) -> Activity:
    """The activity of this id, in this deployment if one is given. NotFound."""
    activity = load(database, [activity_id]).get(activity_id) if abs(activity_id) < 2**63 else None
    if activity is None or (deployment is not None and activity.deployment != deployment.name):
        raise NotFound(f"there is no activity {activity_id}" + (f" in {deployment.name}" if deployment else ""))
    return activity


def _as_shown_to(username: str, deployment: Deployment, found: Sequence[Activity]) -> list[Activity]:
    """Without the contacts in Bcc, but for the user's own mail."""
    query: Any = models.UserAddress.select(models.UserAddress.match_key).join(models.User)
    mine = query.where((models.User.deployment == deployment.id) & (models.User.username == username.lower()))
    own = {row.match_key for row in mine}
    return [
        one
        if deployment.folding.key(one.author) in own
        else replace(one, contacts=tuple(contact for contact in one.contacts if not contact.bcc))
        for one in found
    ]


def _of_user(deployment: Deployment, username: str) -> Any:
    # removed users too, for the record is theirs
    named = (models.User.deployment == deployment.id) & (models.User.username == username.lower())
    ids = [row.id for row in models.User.select(models.User.id).where(named)]
    if not ids:
        raise NotFound(f"unknown user '{username}' in {deployment.name}; 'mailweir user list' shows them")
    return models.ActivityUser.user.in_(ids)


def _of_contact(deployment: Deployment, text: str) -> Any:
    address = checks.clean_address(text)
    key = deployment.folding.key(address)
    held = (models.ContactAddress.deployment == deployment.id) & (models.ContactAddress.match_key == key)
    ids = [row.contact_id for row in models.ContactAddress.select().where(held)]
    # an address that was taken off is still on the record; no index has it, so it is looked for last
    if not ids:
        past = models.ActivityContact.select(models.ActivityContact.contact).where(
            models.ActivityContact.address == address
        )
        known = (models.Contact.deployment == deployment.id) & models.Contact.id.in_(past)
        ids = [row.id for row in models.Contact.select().where(known)]
    if not ids:
        raise NotFound(f"unknown contact {address} in {deployment.name}; 'mailweir contact list' shows them")
    return models.ActivityContact.contact.in_(ids)


def _load_part(ids: Sequence[int]) -> Iterator[Activity]:
    routes, contacts, users = _routes(ids), _contacts(ids), _users(ids)
    marks = (models.RawMessage.author_doubt, models.RawMessage.author_via)
    columns = (models.Activity, models.Deployment.id, models.Deployment.name, *marks)
    rows: Any = models.Activity.select(*columns).join(models.Deployment).switch(models.Activity)
    leads = models.RawMessage.id == models.Activity.leading_raw_id
    rows = rows.join(models.RawMessage, peewee.JOIN.LEFT_OUTER, on=leads, attr="leading")
    for row in rows.where(models.Activity.id.in_(ids)):
        yield Activity(
            row.id,
            row.deployment.name,
            row.direction,
            tuple(routes[row.id]),
            row.author,
            tuple(contacts[row.id]),
            tuple(users[row.id]),
            row.subject,
            row.sent_at,
            row.recorded_at,
            row.message_id,
            row.sender_verdict,
            row.leading.author_doubt if row.leading else None,
            row.leading.author_via if row.leading else None,
        )


def _routes(ids: Sequence[int]) -> dict[int, list[str]]:
    query: Any = models.Sighting.select(models.Sighting.activity, models.Sighting.route).distinct()
    return _grouped(query.where(models.Sighting.activity.in_(ids)).order_by(models.Sighting.route).tuples())


def _users(ids: Sequence[int]) -> dict[int, list[str]]:
    query: Any = (
        models.ActivityUser.select(models.ActivityUser.activity, models.User.username).join(models.User).distinct()
    )
    return _grouped(query.where(models.ActivityUser.activity.in_(ids)).order_by(models.User.username).tuples())


def _taking_part(*fields: Any) -> Any:
    """Law 8: of a proven activity only those whom a proven version of the message names."""
    query: Any = models.ActivityContact.select(*fields).join(models.Activity)
    query = query.switch(models.ActivityContact).join(models.RawMessage)
    return query.where((models.Activity.sender_verdict != "pass") | (models.RawMessage.verdict == "pass"))


def _contacts(ids: Sequence[int]) -> dict[int, list[Participant]]:
    part = models.ActivityContact
    query: Any = (
        _taking_part(
            part.activity,
            models.Contact.name,
            part.address,
            models.Company.name,
            peewee.fn.MIN(part.is_bcc).alias("bcc"),
        )
        .switch(part)
        .join(models.Contact)
        .join(models.Company, peewee.JOIN.LEFT_OUTER)
        .where(part.activity.in_(ids))
        .group_by(part.activity, models.Contact.id, models.Contact.name, part.address, models.Company.name)
        .order_by(models.Contact.name, part.address)
        .tuples()
    )
    return _grouped(
        (activity_id, Participant(name, held, company, bool(bcc))) for activity_id, name, held, company, bcc in query
    )


def _grouped(pairs: Iterable[tuple[int, Any]]) -> dict[int, list[Any]]:
    grouped: dict[int, list[Any]] = defaultdict(list)
    for activity_id, value in pairs:
        grouped[activity_id].append(value)
    return grouped


def _parts(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), _MAX_VALUES):
        yield ids[start : start + _MAX_VALUES]
