"""Mail that a user forwarded by hand: finds its original on the record, and stores the forwarder's statements about it. In plain
SQL.

Called by the digest, and by callers that show an activity.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from mailweir import subjects
from mailweir.directory import DeploymentRef
from mailweir.store.database import batches, rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse, rfc3339

_MOST_HOURS_APART = 14
_COLUMNS = "a.identity, a.author, a.subject, a.sent_at"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """The forwarder's statements about an original. user: the forwarder's username. author: in normal form. date: UTC, or
    None."""

    user: str
    author: str
    date: datetime | None
    subject: str


def identity_of_original(
    database: Database,
    deployment: DeploymentRef,
    *,
    author: str,
    contact_ids: Sequence[int],
    subject: str,
    date: datetime | None,
    named_ids: Sequence[bytes],
) -> bytes | None:
    """The identity of an original's activity, of the first one if several match; None if it isn't on the record.

    named_ids: digests of Message-IDs that the forward names, the most likely first. Programs write a forwarded header's date to
    the minute, and in a zone that they rarely name.
    """
    by_id = _named(database, deployment.id, named_ids)
    fitting = [row for row in by_id if _is(row, deployment, author, subject)]
    for row in fitting:
        if date is None or row["sent_at"] is None or _could_be(parse(row["sent_at"]), date):
            return bytes(row["identity"])
    if date is None:
        return None
    minute = _minute(date)
    found = [row for row in _at(database, contact_ids, minute) if _is(row, deployment, author, subject)]
    return bytes(found[0]["identity"]) if found else None


def _named(database: Database, deployment_id: int, ids: Sequence[bytes]) -> list[rows.Row]:
    """The incoming activities that have these ids, in the order of the ids."""
    sql = (
        f"SELECT t.id_digest, {_COLUMNS} FROM thread_message_ids t JOIN activities a ON a.id = t.held_by"
        " WHERE t.deployment_id = ? AND t.id_digest IN ({}) AND a.direction = 'incoming'"
    )
    found: list[rows.Row] = []
    for part in batches.parts(ids):
        marks = ",".join("?" * len(part))
        found += rows.named(database.execute(sql.replace("{}", marks), (deployment_id, *part)))
    places = {digest: place for place, digest in enumerate(ids)}
    return sorted(found, key=lambda row: places[bytes(row["id_digest"])])


def _at(database: Database, contact_ids: Iterable[int], minute: datetime) -> list[rows.Row]:
    sql = (
        f"SELECT {_COLUMNS} FROM activity_contacts p JOIN activities a ON a.id = p.activity_id"
        " WHERE p.contact_id = ? AND a.sent_at >= ? AND a.sent_at < ? AND a.direction = 'incoming' ORDER BY a.id LIMIT 50"
    )
    bounds = rfc3339(minute), rfc3339(minute + timedelta(minutes=1))
    return [row for one in contact_ids for row in rows.named(database.execute(sql, (one, *bounds)))]


def _is(row: rows.Row, deployment: DeploymentRef, author: str, subject: str) -> bool:
    key = deployment.folding.key
    return key(row["author"]) == key(author) and (not subject or subjects.same(row["subject"], subject))


def _could_be(sent_at: datetime, told: datetime) -> bool:
    """Are both the same minute, in some zone?"""
    apart = abs(_minute(sent_at) - _minute(told))
    return apart <= timedelta(hours=_MOST_HOURS_APART) and not apart % timedelta(minutes=15)


def may_be_same_moment(sent_at: datetime, told: datetime | None, *, is_named: bool) -> bool:
    """Could a forward with the date `told` contain the mail sent at `sent_at`? is_named: the forward names the mail's id, so the
    zone may differ, or the date may be missing."""
    if told is None:
        return is_named
    return _minute(sent_at) == _minute(told) or (is_named and _could_be(sent_at, told))


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def note(
    database: Database,
    activity_id: int,
    source_id: str,
    *,
    user_id: int,
    author: str,
    sent_at: datetime | None,
    subject: str,
) -> None:
    """Stores the forwarder's statements about the version of this source, in the caller's transaction; does nothing if the same
    version also came from another source."""
    found = database.execute(
        "SELECT raw_message_id FROM sightings WHERE activity_id = ? AND source_id = ? ORDER BY id LIMIT 1",
        (activity_id, source_id),
    ).fetchone()
    if found is None:
        return
    others = "SELECT 1 FROM sightings WHERE activity_id = ? AND raw_message_id = ? AND source_id <> ?"
    if database.execute(others, (activity_id, found[0], source_id)).fetchone() is not None:
        return
    columns = ("raw_id", "user_id", "author", "sent_at", "subject")
    row = (found[0], user_id, author, rfc3339(sent_at) if sent_at else None, subject)
    batches.insert(database, "forwarded_versions", columns, [row], "ON CONFLICT (raw_id) DO NOTHING")


def of_leading(database: Database, activity_id: int) -> Said | None:
    """The statements about an activity's leading version; None if it wasn't forwarded by hand."""
    row = rows.first(
        database.execute(
            "SELECT u.username, f.author, f.sent_at, f.subject FROM activities a"
            " JOIN forwarded_versions f ON f.raw_id = a.leading_raw_id JOIN users u ON u.id = f.user_id WHERE a.id = ?",
            (activity_id,),
        )
    )
    if row is None:
        return None
    return Said(
        user=row["username"],
        author=row["author"],
        date=parse(row["sent_at"]) if row["sent_at"] else None,
        subject=row["subject"],
    )
