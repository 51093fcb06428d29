"""The right to read an activity: settled when a message is recorded, set by hand, and checked when somebody reads the record.

Law 13: the check is part of the query, as two index ranges united. A query with one OR would read the whole record. A setting by
hand wins over everything that is recorded later, and is logged. Called by `recording` within its transaction, by `activities`,
and by the command line and the page.
"""

import enum
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from mailweir.errors import NotFound
from mailweir.sentence import said
from mailweir.store.database import batches, rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse, rfc3339
from mailweir.store.people.deployments import Deployment
from mailweir.store.record import joined
from mailweir.visibility import Visibility

# --- as it is recorded ------------------------------------------------------------------------------------------------


def settle(database: Database, private: Collection[int], of_people: Collection[int]) -> None:
    """Makes the visibility of these activities as strict as is wanted, and never less strict. Call it within the transaction that
    records their versions, after their users and contacts.

    private: activities with a private word in a version's subject. of_people: activities of deployments in which somebody's mail
    is restricted.
    """
    wanted: dict[str, list[int]] = {str(Visibility.PARTICIPANTS): sorted(private)}
    for part in batches.parts(sorted(of_people)):
        for activity_id, visibility in _of_people(database, part):
            wanted.setdefault(visibility, []).append(activity_id)
    wanted.pop(str(Visibility.EVERYONE), None)
    for visibility, ids in wanted.items():
        for part in batches.parts(ids):
            marks = ",".join("?" * len(part))
            # the values' alphabetical order is from open to strict, see `Visibility`
            database.fast_execute()(
                "UPDATE activities SET visibility = ? WHERE is_visibility_manual = 0 AND visibility < ?"
                f" AND id IN ({marks})",
                (visibility, visibility, *part),
            )


def _of_people(database: Database, ids: Sequence[int]) -> list[tuple[int, str]]:
    """The strictest visibility that is set for the users, contacts and companies of each of these activities."""
    marks = ",".join("?" * len(ids))
    found = database.fast_execute()(
        "SELECT activity_id, MAX(visibility) FROM (SELECT p.activity_id, u.visibility FROM activity_users p"
        f" JOIN users u ON u.id = p.user_id WHERE p.activity_id IN ({marks})"
        " UNION ALL SELECT q.activity_id, c.visibility FROM activity_contacts q JOIN contacts c ON c.id = q.contact_id"
        f" WHERE q.activity_id IN ({marks})"
        " UNION ALL SELECT q.activity_id, o.visibility FROM activity_contacts q JOIN contacts c ON c.id = q.contact_id"
        f" JOIN companies o ON o.id = c.company_id WHERE q.activity_id IN ({marks})) AS of_each GROUP BY activity_id",
        (*ids, *ids, *ids),
    )
    return [(row[0], row[1]) for row in found.fetchall()]


# --- by hand ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Change:
    """A setting by hand. changed_at: UTC."""

    visibility_before: str
    visibility: str
    changed_by: str
    changed_at: datetime


def set_by_hand(
    database: Database,
    activity_id: int,
    wanted: Visibility,
    changed_by: str,
    now: datetime,
    deployment: Deployment | None = None,
) -> bool:
    """Sets who may read an activity, or the activity that it was joined to. Later mail doesn't change the setting. Was it
    different before? NotFound."""
    with database.transaction():
        activity_id = joined.current(database, activity_id) or activity_id
        sql = "SELECT a.visibility, a.deployment_id, a.is_visibility_manual FROM activities a WHERE a.id = ?"
        row = database.execute(sql, (activity_id,)).fetchone() if abs(activity_id) < 2**63 else None
        if row is None or (deployment is not None and row[1] != deployment.id):
            raise no_such(activity_id, deployment)
        if row[0] == str(wanted) and row[2]:
            return False
        database.execute(
            "UPDATE activities SET visibility = ?, is_visibility_manual = 1 WHERE id = ?", (str(wanted), activity_id)
        )
        batches.insert(
            database,
            "visibility_changes",
            ("activity_id", "visibility_before", "visibility", "changed_by", "changed_at"),
            [(activity_id, row[0], str(wanted), changed_by, rfc3339(now))],
        )
        return True


def no_such(activity_id: int, deployment: Deployment | None) -> NotFound:
    """The error for an activity that doesn't exist, or is another deployment's."""
    if deployment is None:
        return NotFound(said("there is no activity {activity_id}", activity_id=activity_id))
    return NotFound(
        said("there is no activity {activity_id} in {deployment}", activity_id=activity_id, deployment=deployment.name)
    )


def changes(database: Database, activity_id: int) -> list[Change]:
    """The settings by hand, the oldest first."""
    sql = (
        "SELECT visibility_before, visibility, changed_by, changed_at FROM visibility_changes"
        " WHERE activity_id = ? ORDER BY id"
    )
    return [
        Change(row["visibility_before"], row["visibility"], row["changed_by"], parse(row["changed_at"]))
        for row in rows.named(database.execute(sql, (activity_id,)))
    ]


# --- for a reader -----------------------------------------------------------------------------------------------------


class Reader(NamedTuple):
    """A user of a deployment who reads. user_ids: of all users who had the name, because a record outlives its user."""

    deployment_id: int
    user_ids: tuple[int, ...]


class Access(enum.Enum):
    """The parts of an activity that a reader may see."""

    WHOLE = "whole"
    METADATA = "metadata"  # who, when, direction; no subject, text or file name


def listed(
    database: Database,
    reader: Reader,
    further: str = "",
    values: Sequence[Any] = (),
    limit: int | None = None,
    *,
    whole_only: bool = False,
) -> list[int]:
    """Ids of the activities that a reader may know of, the newest first.

    further: more conditions on the activities `a`, each beginning with AND, with their values. whole_only: leaves out activities
    of which the reader sees only the metadata, as in a search for words.
    """
    bound = "" if limit is None else " LIMIT ?"
    bounds = () if limit is None else (limit,)
    narrower = " AND a.visibility = 'everyone'" if whole_only else ""
    marks = ",".join("?" * len(reader.user_ids))
    # Each part of the union is read by an index of its own, and has the order and limit of the union. An activity may be in both
    # parts.
    sql = (
        "SELECT id FROM (SELECT a.id FROM activities a WHERE a.deployment_id = ? AND a.visibility <> 'participants'"
        f"{narrower}{further} ORDER BY a.id DESC{bound}) AS open_to_all"
        " UNION SELECT id FROM (SELECT a.id FROM activity_users mine JOIN activities a ON a.id = mine.activity_id"
        f" WHERE mine.user_id IN ({marks}) AND a.deployment_id = ?{further}"
        f" ORDER BY mine.activity_id DESC{bound}) AS own ORDER BY id DESC{bound}"
    )
    parameters = (
        *(reader.deployment_id, *values, *bounds),
        *(*reader.user_ids, reader.deployment_id, *values, *bounds),
        *bounds,
    )
    return [row[0] for row in database.execute(sql, parameters).fetchall()]


def access(database: Database, reader: Reader, activity_ids: Sequence[int]) -> dict[int, Access]:
    """A reader's access to these activities. The reader may not know of the activities that are missing in the result."""
    is_own, of_reader = own(reader)
    sql = f"SELECT a.id, a.deployment_id, a.visibility, {is_own} AS is_own FROM activities AS a WHERE a.id IN ({{}})"
    found: dict[int, Access] = {}
    for part in batches.parts(activity_ids):
        listed = database.execute(*batches.of_ids(database, sql, part, of_reader))
        found |= granted(reader, rows.named(listed))
    return found


def own(reader: Reader) -> tuple[str, Sequence[int]]:
    """An SQL expression, to be named `is_own` in a query about activities `a`, and its values: 0 if the reader doesn't take part
    in `a`."""
    marks = ",".join("?" * len(reader.user_ids))
    # counted for each activity by itself: otherwise PostgreSQL would read the reader's whole record to find a few activities
    sql = f"(SELECT COUNT(*) FROM activity_users AS mine WHERE mine.activity_id = a.id AND mine.user_id IN ({marks}))"
    return sql, reader.user_ids


def granted(reader: Reader, listed: Sequence[rows.Row]) -> dict[int, Access]:
    """The result of `access` for these rows of activities. listed: rows with `id`, `deployment_id`, `visibility` and `is_own`
    (see `own`)."""
    found: dict[int, Access] = {}
    for row in listed:
        if row["deployment_id"] != reader.deployment_id:
            continue
        if row["is_own"] or row["visibility"] == Visibility.EVERYONE:
            found[row["id"]] = Access.WHOLE
        elif row["visibility"] == Visibility.METADATA:
            found[row["id"]] = Access.METADATA
    return found


def own_keys(database: Database, user_ids: Sequence[int]) -> frozenset[str]:
    """The keys of these users' own addresses. An author with one of these keys is one of the users (`Folding.key`)."""
    sql = "SELECT own.match_key FROM user_addresses AS own WHERE own.user_id IN ({})"
    return frozenset(key for (key,) in batches.among(database, sql, (), user_ids))
