"""Reads activities, the messages on the record. Never writes: `writing` does.

A listing costs five statements for each 500 activities; on PostgreSQL these travel together. Mail of known threads costs one
more, and so do contacts in Bcc. Called by the command line and the page, and by `streams`, `todos`, `conversations` and `search`.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any

from mailweir.errors import NotFound
from mailweir.reading.labels import Label, from_bits
from mailweir.sentence import said
from mailweir.store.database import batches, rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse, parse_or_none
from mailweir.store.people import checks
from mailweir.store.people.deployments import Deployment
from mailweir.store.record import joined, summaries, visibility
from mailweir.store.record.stream_filter import StreamFilter
from mailweir.store.record.summaries import AttachedFile
from mailweir.store.record.visibility import Access, Reader
from mailweir.store.record.walking import LARGEST_STEP, Walk
from mailweir.visibility import Visibility

# A listing's statements, each for a number of activities. Of readings they read only columns before the text, and so no page of
# the text. is_own: see `visibility.own`; 0 if there is no reader.
_ACTIVITIES = (
    "SELECT a.id, a.deployment_id, 0 AS is_own, d.name AS deployment, a.direction, a.author, a.subject, a.sent_at,"
    " a.recorded_at, a.message_id, a.sender_verdict, a.visibility, a.by_known_thread, led.author_doubt, led.author_via,"
    " led.verdict_reason, led.verdict_domain, led.header_labels, told.labels, told.snippet, own.thread_id"
    " FROM activities AS a JOIN deployments AS d ON d.id = a.deployment_id"
    " LEFT JOIN raw_messages AS led ON led.id = a.leading_raw_id LEFT JOIN readings AS told ON told.raw_id = a.leading_raw_id"
    " LEFT JOIN activity_threads AS own ON own.activity_id = a.id WHERE a.id IN ({})"
)
_ROUTES = "SELECT DISTINCT activity_id, route FROM sightings WHERE activity_id IN ({}) ORDER BY route"
_USERS = (
    "SELECT DISTINCT mine.activity_id, users.username FROM activity_users AS mine JOIN users ON users.id = mine.user_id"
    " WHERE mine.activity_id IN ({}) ORDER BY users.username"
)
# Law 8: a proven activity shows only the people whom a proven version of the message names. Its leading version is always proven,
# so that version's verdict isn't read.
_CONTACTS = (
    "SELECT part.activity_id, contact.name, part.address, company.name, MIN(part.is_bcc)"
    " FROM activity_contacts AS part JOIN activities AS a ON a.id = part.activity_id"
    " JOIN contacts AS contact ON contact.id = part.contact_id LEFT JOIN companies AS company ON company.id = contact.company_id"
    " WHERE (a.sender_verdict <> 'pass' OR part.raw_message_id = a.leading_raw_id OR (SELECT version.verdict"
    " FROM raw_messages AS version WHERE version.id = part.raw_message_id) = 'pass') AND part.activity_id IN ({})"
    " GROUP BY part.activity_id, contact.id, contact.name, part.address, company.name ORDER BY contact.name, part.address"
)


@dataclass(frozen=True, slots=True)
class Participant:
    """A contact who takes part, with the address used. company: its name, or None. bcc: only the sender may see the contact."""

    name: str
    address: str
    company: str | None
    bcc: bool = False


@dataclass(frozen=True, slots=True)
class Activity:
    """A captured message. routes: each once, sorted. users: usernames, sorted. author_doubt: see decision.Doubt. via: the address
    of the group or list through which it came; From has this address instead of the author's. sender_verdict_reason,
    sender_verdict_domain: see `sender_verdict`; None if the leading version isn't examined yet, or was examined before reasons
    were stored. visibility: see `visibility`. labels, thread, snippet, attachments: of the leading version, as far as it is read;
    labels are sorted, and those of the headers are known before the rest is read. known_thread: the activity is recorded only
    because of its thread, and its author's address is nobody's; known_thread_of: the contacts' addresses in that thread. Times:
    UTC."""

    id: int
    deployment: str
    direction: str
    routes: tuple[str, ...]
    author: str
    contacts: tuple[Participant, ...]
    users: tuple[str, ...]
    subject: str
    sent_at: datetime | None
    recorded_at: datetime
    message_id: str | None
    sender_verdict: str
    author_doubt: str | None
    via: str | None
    sender_verdict_reason: str | None = None
    sender_verdict_domain: str | None = None
    visibility: str = Visibility.EVERYONE
    labels: tuple[str, ...] = ()
    thread: int | None = None
    snippet: str = ""
    attachments: tuple[AttachedFile, ...] = ()
    known_thread: bool = False
    known_thread_of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Filter:
    """The activities to list; a field with None doesn't narrow the list. user: a username. contact: one of a contact's addresses.
    reader: a username: the list shows what this user may see. None is the operator's command line, which sees everything. label:
    activities with this label; a reader gets only those whose labels the reader may see.

    Users see contacts in Bcc only in mail that they sent.
    """

    user: str | None = None
    contact: str | None = None
    since: datetime | None = None
    limit: int | None = None
    reader: str | None = None
    label: Label | None = None


def select(database: Database, deployment: Deployment, wanted: Filter) -> list[Activity]:
    """A deployment's activities, the last recorded first. NotFound if the user or contact never existed."""
    reader = reader_named(database, deployment, wanted.reader) if wanted.reader is not None else None
    asked = StreamFilter(
        users=tuple(user_ids(database, deployment, wanted.user)) if wanted.user is not None else (),
        contacts=tuple(contact_ids(database, deployment, wanted.contact)) if wanted.contact is not None else (),
        since=wanted.since,
        label=wanted.label,
    )
    walk = Walk(database, deployment, reader, asked, tells_bcc=reader is None)
    ids = list(islice(walk.ids(wanted.limit or LARGEST_STEP), wanted.limit))
    if wanted.reader is not None:
        return seen_by(database, deployment, wanted.reader, ids)
    found = load(database, ids)
    listed = [found[activity_id] for activity_id in ids if activity_id in found]
    return listed if wanted.user is None else as_shown_to(database, deployment, wanted.user, listed)


def reader_named(database: Database, deployment: Deployment, username: str) -> Reader:
    """A user as a reader. NotFound."""
    return Reader(deployment.id, tuple(user_ids(database, deployment, username)))


def seen_by(database: Database, deployment: Deployment, username: str, activity_ids: Sequence[int]) -> list[Activity]:
    """Those of these activities that a user may see, as the user sees them (law 13), in this order."""
    return shown_to(database, deployment, reader_named(database, deployment, username), activity_ids)


def shown_to(
    database: Database, deployment: Deployment, reader: Reader | None, activity_ids: Sequence[int]
) -> list[Activity]:
    """Those of these activities that a reader may see, as the reader sees them (law 13), in this order. reader: None is an
    operator at a page, who sees the metadata of all activities of the deployment."""
    if reader is None:
        every = load(database, activity_ids)
        own = [every[one] for one in activity_ids if one in every and every[one].deployment == deployment.name]
        return [_without_bcc(metadata_of(one)) for one in own]
    found: dict[int, Activity] = {}
    may: dict[int, Access] = {}
    for part in batches.parts(activity_ids):
        is_own, of_reader = visibility.own(reader)
        with database.at_once():
            asked = _ask(database, part, is_own, of_reader)
        told = rows.named(asked[0])
        may |= visibility.granted(reader, told)
        found |= {one.id: one for one in _told(database, told, asked)}
    keys = _own_keys(database, reader.user_ids, found.values())
    return [
        _as_seen(found[one] if may[one] is Access.WHOLE else metadata_of(found[one]), deployment, keys)
        for one in activity_ids
        if one in found and one in may
    ]


def metadata_of(activity: Activity) -> Activity:
    """People, time and direction, but nothing that reveals the subject matter (law 13). Labels reveal it (`invitation`), and so
    does the activity's conversation."""
    return replace(activity, subject="", snippet="", labels=(), thread=None, attachments=())


def load(database: Database, activity_ids: Sequence[int]) -> dict[int, Activity]:
    """Those of these activities that exist, by id."""
    found: dict[int, Activity] = {}
    for part in batches.parts(activity_ids):
        with database.at_once():
            asked = _ask(database, part)
        found |= {one.id: one for one in _told(database, rows.named(asked[0]), asked)}
    return found


def find(database: Database, activity_id: int, deployment: Deployment | None = None) -> Activity:
    """The activity with this id, or the activity that it was joined to; in this deployment if one is given. NotFound."""
    activity = load(database, [activity_id]).get(activity_id) if abs(activity_id) < 2**63 else None
    if activity is None and (now_id := joined.current(database, activity_id)) is not None:
        return find(database, now_id, deployment)
    if activity is None or (deployment is not None and activity.deployment != deployment.name):
        raise no_such(activity_id, deployment)
    return activity


def no_such(activity_id: int, deployment: Deployment | None) -> NotFound:
    """The error for an activity that doesn't exist, or is another deployment's."""
    return visibility.no_such(activity_id, deployment)


def as_shown_to(database: Database, deployment: Deployment, username: str, found: Sequence[Activity]) -> list[Activity]:
    """The activities without their contacts in Bcc, except in mail that the user sent."""
    keys = _own_keys(database, user_ids(database, deployment, username), found)
    return [_as_seen(one, deployment, keys) for one in found]


def _own_keys(database: Database, ids: Sequence[int], found: Iterable[Activity]) -> frozenset[str]:
    """See `visibility.own_keys`; queried only if somebody is in Bcc."""
    has_bcc = any(contact.bcc for one in found for contact in one.contacts)
    return visibility.own_keys(database, ids) if has_bcc else frozenset()


def _as_seen(activity: Activity, deployment: Deployment, keys: frozenset[str]) -> Activity:
    return activity if keys and deployment.folding.key(activity.author) in keys else _without_bcc(activity)


def _without_bcc(activity: Activity) -> Activity:
    if not any(contact.bcc for contact in activity.contacts):
        return activity
    return replace(activity, contacts=tuple(contact for contact in activity.contacts if not contact.bcc))


def user_ids(database: Database, deployment: Deployment, username: str) -> list[int]:
    """The ids of all users who had this name, including removed ones, because the record is theirs. NotFound."""
    sql = "SELECT id FROM users WHERE deployment_id = ? AND username = ?"
    ids = [row[0] for row in database.execute(sql, (deployment.id, username.lower())).fetchall()]
    if not ids:
        raise NotFound(
            said(
                "unknown user '{username}' in {deployment}; 'mailweir user list' shows them",
                username=username,
                deployment=deployment.name,
            )
        )
    return ids


def contact_ids(database: Database, deployment: Deployment, text: str) -> list[int]:
    """The ids of the contacts with this address; if there are none, of those who had it before. BadInput, NotFound."""
    address = checks.clean_address(text)
    held = "SELECT DISTINCT contact_id FROM contact_addresses WHERE deployment_id = ? AND match_key = ?"
    ids = [row[0] for row in database.execute(held, (deployment.id, deployment.folding.key(address))).fetchall()]
    # a removed address is still on the record; no index serves this query, so it comes last
    if not ids:
        past = (
            "SELECT id FROM contacts WHERE deployment_id = ?"
            " AND id IN (SELECT contact_id FROM activity_contacts WHERE address = ?)"
        )
        ids = [row[0] for row in database.execute(past, (deployment.id, address)).fetchall()]
    if not ids:
        raise NotFound(
            said(
                "unknown contact {address} in {deployment}; 'mailweir contact list' shows them",
                address=address,
                deployment=deployment.name,
            )
        )
    return ids


def _ask(database: Database, ids: Sequence[int], is_own: str = "0", of_reader: Sequence[int] = ()) -> list[Any]:
    """The cursors of a listing, for `_told`. is_own, of_reader: see `visibility.own`."""
    first = batches.of_ids(database, _ACTIVITIES.replace("0 AS is_own", f"{is_own} AS is_own"), ids, of_reader)
    others = (batches.of_ids(database, sql, ids) for sql in (_ROUTES, _USERS, _CONTACTS, summaries.FILES))
    return [database.execute(*one) for one in (first, *others)]


def _told(database: Database, found: Sequence[rows.Row], asked: Sequence[Any]) -> Iterator[Activity]:
    routes, users = _grouped(asked[1].fetchall()), _grouped(asked[2].fetchall())
    contacts = _grouped(
        (activity_id, Participant(name, held, company, bool(bcc)))
        for activity_id, name, held, company, bcc in asked[3].fetchall()
    )
    files = summaries.by_activity(asked[4])
    # an author who became a contact since then isn't unknown
    by_thread = [row["id"] for row in found if row["by_known_thread"] and not contacts[row["id"]]]
    others = _thread_contacts(database, by_thread) if by_thread else {}
    for row in found:
        yield Activity(
            id=row["id"],
            deployment=row["deployment"],
            direction=row["direction"],
            routes=tuple(routes[row["id"]]),
            author=row["author"],
            contacts=tuple(contacts[row["id"]]),
            users=tuple(users[row["id"]]),
            subject=row["subject"],
            sent_at=parse_or_none(row["sent_at"]),
            recorded_at=parse(row["recorded_at"]),
            message_id=row["message_id"],
            sender_verdict=row["sender_verdict"],
            author_doubt=row["author_doubt"],
            via=row["author_via"],
            sender_verdict_reason=row["verdict_reason"],
            sender_verdict_domain=row["verdict_domain"],
            visibility=row["visibility"],
            labels=tuple(sorted(map(str, from_bits(row["labels"]) | from_bits(row["header_labels"])))),
            thread=row["thread_id"],
            snippet=row["snippet"] or "",
            attachments=tuple(files[row["id"]]),
            known_thread=row["id"] in by_thread,
            known_thread_of=tuple(others.get(row["id"], ())),
        )


def _thread_contacts(database: Database, ids: Sequence[int]) -> dict[int, list[str]]:
    """The addresses of contacts in these activities' threads, as far as everybody may know of them."""
    sql = (
        "SELECT DISTINCT own.activity_id, part.address FROM activity_threads AS own"
        " JOIN activity_threads AS other ON other.thread_id = own.thread_id"
        " JOIN activities AS a ON a.id = other.activity_id AND a.visibility <> 'participants'"
        " JOIN activity_contacts AS part ON part.activity_id = a.id AND part.is_bcc = 0"
        f" WHERE own.activity_id IN ({_marks(ids)}) ORDER BY part.address"
    )
    return _grouped(database.execute(sql, ids).fetchall())


def _marks(values: Collection[object]) -> str:
    """A placeholder for each value."""
    return ", ".join("?" * len(values))


def _grouped(pairs: Iterable[tuple[int, Any]]) -> dict[int, list[Any]]:
    grouped: dict[int, list[Any]] = defaultdict(list)
    for activity_id, value in pairs:
        grouped[activity_id].append(value)
    return grouped
