"""Activities: what is on the record, read. Never writes: `writing` does.

A listing costs seven statements for each 500 activities, whatever they hold. Called by the command line, and by `streams`,
`todos`, `conversations` and `search`.
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

# Law 8: of a proven activity only those whom a proven version of the message names
_TAKING_PART = (
    "FROM activity_contacts AS part JOIN activities AS a ON a.id = part.activity_id"
    " JOIN raw_messages AS version ON version.id = part.raw_message_id"
    " JOIN contacts AS contact ON contact.id = part.contact_id LEFT JOIN companies AS company ON company.id = contact.company_id"
    " WHERE (a.sender_verdict <> 'pass' OR version.verdict = 'pass')"
)


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
    group's or list's address by which it came, which stands in From instead of the author. sender_verdict_reason,
    sender_verdict_domain: see `sender_verdict`; None where it isn't examined yet, or was before that was kept. visibility: see
    `visibility`. labels, thread, snippet, attachments: see `summaries.Summary`; labels are sorted, and those of the headers are
    known before the rest is read. known_thread: it is there for its thread alone, from an address that is nobody's;
    known_thread_of: the contacts' addresses in that thread. Times: UTC."""

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
    """Which activities are asked for; None asks for all. user: a username. contact: one of a contact's addresses. reader: the
    username of who is to see them, and sees what that user may; None is an operator, who sees all. label: what has it; to a
    reader, only where that is told.

    What a user is shown has the contacts in Bcc only where it is the user's own mail.
    """

    user: str | None = None
    contact: str | None = None
    since: datetime | None = None
    limit: int | None = None
    reader: str | None = None
    label: Label | None = None


def select(database: Database, deployment: Deployment, wanted: Filter) -> list[Activity]:
    """A deployment's activities, the one recorded last first. NotFound where user or contact never was there."""
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
    """Of these activities what a user may see, as the user sees it (law 13), in this order."""
    return shown_to(database, deployment, reader_named(database, deployment, username), activity_ids)


def shown_to(
    database: Database, deployment: Deployment, reader: Reader | None, activity_ids: Sequence[int]
) -> list[Activity]:
    """Of these activities what a reader may see, as the reader sees it (law 13), in this order. reader: None is an operator at a
    page, who sees the metadata of all that is the deployment's."""
    found = load(database, activity_ids)
    if reader is None:
        own = [found[one] for one in activity_ids if one in found and found[one].deployment == deployment.name]
        return [_without_bcc(metadata_of(one)) for one in own]
    may = visibility.access(database, reader, activity_ids)
    keys = visibility.own_keys(database, reader.user_ids)
    return [
        _as_seen(found[one] if may[one] is Access.WHOLE else metadata_of(found[one]), deployment, keys)
        for one in activity_ids
        if one in found and one in may
    ]


def metadata_of(activity: Activity) -> Activity:
    """Who, when, in which direction, and nothing that tells what it is about (law 13). Labels do (`invitation`), and so does the
    conversation that it belongs to."""
    return replace(activity, subject="", snippet="", labels=(), thread=None, attachments=())


def load(database: Database, activity_ids: Sequence[int]) -> dict[int, Activity]:
    """Activities by id, those that there are."""
    return {one.id: one for part in batches.parts(activity_ids) for one in _load_part(database, part)}


def find(database: Database, activity_id: int, deployment: Deployment | None = None) -> Activity:
    """The activity of this id, or that it was joined to, in this deployment if one is given. NotFound."""
    activity = load(database, [activity_id]).get(activity_id) if abs(activity_id) < 2**63 else None
    if activity is None and (now_id := joined.current(database, activity_id)) is not None:
        return find(database, now_id, deployment)
    if activity is None or (deployment is not None and activity.deployment != deployment.name):
        raise no_such(activity_id, deployment)
    return activity


def no_such(activity_id: int, deployment: Deployment | None) -> NotFound:
    """The error that says so, whether there is none or it is another deployment's."""
    return visibility.no_such(activity_id, deployment)


def as_shown_to(database: Database, deployment: Deployment, username: str, found: Sequence[Activity]) -> list[Activity]:
    """Without the contacts in Bcc, but for the user's own mail."""
    keys = visibility.own_keys(database, user_ids(database, deployment, username))
    return [_as_seen(one, deployment, keys) for one in found]


def _as_seen(activity: Activity, deployment: Deployment, keys: frozenset[str]) -> Activity:
    return activity if deployment.folding.key(activity.author) in keys else _without_bcc(activity)


def _without_bcc(activity: Activity) -> Activity:
    return replace(activity, contacts=tuple(contact for contact in activity.contacts if not contact.bcc))


def user_ids(database: Database, deployment: Deployment, username: str) -> list[int]:
    """Of all who had this name: removed users too, for the record is theirs. NotFound."""
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
    """Of those who have this address, or else of those who had it. BadInput, NotFound."""
    address = checks.clean_address(text)
    held = "SELECT DISTINCT contact_id FROM contact_addresses WHERE deployment_id = ? AND match_key = ?"
    ids = [row[0] for row in database.execute(held, (deployment.id, deployment.folding.key(address))).fetchall()]
    # an address that was taken off is still on the record; no index has it, so it is looked for last
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


def _load_part(database: Database, ids: Sequence[int]) -> Iterator[Activity]:
    routes, contacts, users = _routes(database, ids), _contacts(database, ids), _users(database, ids)
    told = summaries.load(database, ids)
    sql = (
        "SELECT a.id, d.name AS deployment, a.direction, a.author, a.subject, a.sent_at, a.recorded_at, a.message_id,"
        " a.sender_verdict, a.visibility, a.by_known_thread, led.author_doubt, led.author_via, led.verdict_reason,"
        " led.verdict_domain, led.header_labels"
        " FROM activities AS a JOIN deployments AS d ON d.id = a.deployment_id"
        f" LEFT JOIN raw_messages AS led ON led.id = a.leading_raw_id WHERE a.id IN ({_marks(ids)})"
    )
    found = rows.named(database.execute(sql, ids))
    # who became a contact since then isn't unknown
    by_thread = [row["id"] for row in found if row["by_known_thread"] and not contacts[row["id"]]]
    others = _thread_contacts(database, by_thread) if by_thread else {}
    for row in found:
        summary = told[row["id"]]
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
            labels=tuple(sorted(map(str, summary.labels | from_bits(row["header_labels"])))),
            thread=summary.thread,
            snippet=summary.snippet,
            attachments=summary.attachments,
            known_thread=row["id"] in by_thread,
            known_thread_of=tuple(others.get(row["id"], ())),
        )


def _routes(database: Database, ids: Sequence[int]) -> dict[int, list[str]]:
    sql = f"SELECT DISTINCT activity_id, route FROM sightings WHERE activity_id IN ({_marks(ids)}) ORDER BY route"
    return _grouped(database.execute(sql, ids).fetchall())


def _users(database: Database, ids: Sequence[int]) -> dict[int, list[str]]:
    sql = (
        "SELECT DISTINCT mine.activity_id, users.username FROM activity_users AS mine JOIN users ON users.id = mine.user_id"
        f" WHERE mine.activity_id IN ({_marks(ids)}) ORDER BY users.username"
    )
    return _grouped(database.execute(sql, ids).fetchall())


def _contacts(database: Database, ids: Sequence[int]) -> dict[int, list[Participant]]:
    sql = (
        "SELECT part.activity_id, contact.name, part.address, company.name, MIN(part.is_bcc)"
        f" {_TAKING_PART} AND part.activity_id IN ({_marks(ids)})"
        " GROUP BY part.activity_id, contact.id, contact.name, part.address, company.name ORDER BY contact.name, part.address"
    )
    return _grouped(
        (activity_id, Participant(name, held, company, bool(bcc)))
        for activity_id, name, held, company, bcc in database.execute(sql, ids).fetchall()
    )


def _thread_contacts(database: Database, ids: Sequence[int]) -> dict[int, list[str]]:
    """The addresses of contacts in the threads of these, as far as everybody may know of them."""
    sql = (
        "SELECT DISTINCT own.activity_id, part.address FROM activity_threads AS own"
        " JOIN activity_threads AS other ON other.thread_id = own.thread_id"
        " JOIN activities AS a ON a.id = other.activity_id AND a.visibility <> 'participants'"
        " JOIN activity_contacts AS part ON part.activity_id = a.id AND part.is_bcc = 0"
        f" WHERE own.activity_id IN ({_marks(ids)}) ORDER BY part.address"
    )
    return _grouped(database.execute(sql, ids).fetchall())


def _marks(values: Collection[object]) -> str:
    """Placeholders for so many values."""
    return ", ".join("?" * len(values))


def _grouped(pairs: Iterable[tuple[int, Any]]) -> dict[int, list[Any]]:
    grouped: dict[int, list[Any]] = defaultdict(list)
    for activity_id, value in pairs:
        grouped[activity_id].append(value)
    return grouped
