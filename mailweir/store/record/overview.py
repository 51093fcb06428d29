"""Summaries of the record: last mail of each route, users' forwarding, confirmations, shared addresses.

Each query reads a whole table at most once; the caller limits the time. Never writes. Called by `mailweir doctor` and `mailweir
why`.
"""

import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from mailweir.decision import Reason
from mailweir.store.database import like, rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse, parse_or_none, rfc3339
from mailweir.store.people.deployments import Deployment
from mailweir.store.record import by_the_index, forwarded_days


@dataclass(frozen=True, slots=True)
class Pending:
    """A user's newest open forwarding confirmation: its mailbox has forwarded no mail since, and the user hasn't dismissed it.
    Times: UTC, or None."""

    id: int
    user_id: int
    requester: str | None
    seen_at: datetime
    redirected_at: datetime | None
    bounced_at: datetime | None


def last_of_routes(database: Database, deployment: Deployment) -> dict[str, datetime]:
    """Route -> when its last captured mail was seen."""
    sql = (
        "SELECT s.route, MAX(s.seen_at) FROM sightings s JOIN activities a ON a.id = s.activity_id"
        " WHERE a.deployment_id = ? GROUP BY s.route"
    )
    return {route: parse(last) for route, last in database.execute(sql, (deployment.id,)).fetchall()}


def unknown_groups(database: Database, deployment: Deployment, since: datetime) -> list[tuple[str, int, datetime]]:
    """Unregistered group addresses through which mail of known people came: (address, mails, when the first one came), the
    busiest first."""
    found = database.execute(
        "SELECT author, COUNT(*), MIN(decided_at) FROM decisions"
        " WHERE deployment_id = ? AND reason = ? AND decided_at >= ? AND author IS NOT NULL"
        " GROUP BY author ORDER BY COUNT(*) DESC, author LIMIT 5",
        (deployment.id, str(Reason.UNKNOWN_GROUP), rfc3339(since)),
    ).fetchall()
    return [(str(address), int(count), parse(first)) for address, count, first in found]


def unreadable_authors(database: Database, deployment: Deployment, since: datetime) -> tuple[str, int] | None:
    """The worst day since then: its date, and the number of mails without a readable author; None if there are none."""
    sql = (
        "SELECT SUBSTR(decided_at, 1, 10) AS day, COUNT(*) AS count FROM decisions WHERE deployment_id = ? AND decided_at >= ?"
        " AND reason = ? GROUP BY SUBSTR(decided_at, 1, 10) ORDER BY count DESC, day DESC LIMIT 1"
    )
    row = database.execute(sql, (deployment.id, rfc3339(since), str(Reason.UNREADABLE_AUTHOR))).fetchone()
    return (str(row[0]), int(row[1])) if row else None


def is_staff_domain(database: Database, deployment: str, domain: str) -> bool:
    """Does one of the deployment's users have an address in the domain?"""
    sql = (
        "SELECT 1 FROM user_addresses a JOIN users u ON u.id = a.user_id JOIN deployments d ON d.id = u.deployment_id"
        " WHERE d.name = ? AND u.removed_at IS NULL AND a.address LIKE ? ESCAPE '!' LIMIT 1"
    )
    return database.execute(sql, (deployment, f"%@{like.escaped(domain)}")).fetchone() is not None


def last_decision(database: Database) -> datetime | None:
    """When the last decision of all was made."""
    (found,) = database.execute("SELECT MAX(decided_at) FROM decisions").fetchone()
    return parse_or_none(found)


def forwarded_times(database: Database, deployment: Deployment, since: datetime) -> dict[int, list[datetime]]:
    """User id -> when mail was forwarded: the first and the last time of each day, captured or not."""
    times: dict[int, list[datetime]] = defaultdict(list, forwarded_days.captured(database, deployment, since))
    for user_id, moments in _forwarded_and_ignored(database, deployment).items():
        times[user_id] += moments
    return times


def _forwarded_and_ignored(database: Database, deployment: Deployment) -> dict[int, list[datetime]]:
    """User id -> the times of ignored mail, which also shows that the forwarding works. Its decisions stay for some days."""
    users = database.execute(
        "SELECT username, id FROM users WHERE deployment_id = ? AND removed_at IS NULL", (deployment.id,)
    ).fetchall()
    ids = {deployment.capture_address(username): user_id for username, user_id in users}
    sql = (
        "SELECT recipients, MIN(decided_at), MAX(decided_at) FROM decisions WHERE deployment_id = ? AND outcome = 'ignored'"
        " GROUP BY recipients, SUBSTR(decided_at, 1, 10)"
    )
    times: dict[int, list[datetime]] = defaultdict(list)
    for recipients, first, last in database.execute(sql, (deployment.id,)).fetchall():
        for recipient in json.loads(recipients):
            if recipient in ids:
                times[ids[recipient]] += [parse(first), parse(last)]
    return times


def ever_forwarded(database: Database, deployment: Deployment) -> set[int]:
    """The ids of the users for whom captured mail was ever forwarded."""
    sql = (
        "SELECT u.id FROM users u WHERE u.deployment_id = ?"
        " AND EXISTS (SELECT 1 FROM sightings s WHERE s.user_id = u.id AND s.route = 'forward')"
    )
    return {user_id for (user_id,) in by_the_index.rows(database, sql, (deployment.id,))}


def newest_confirmations(database: Database, deployment: Deployment) -> list[Pending]:
    """The newest open confirmation of each user who has one."""
    sql = (
        "SELECT c.id, c.user_id, c.requester, c.seen_at, c.redirected_at, c.bounced_at FROM forwarding_confirmations c"
        " JOIN users u ON u.id = c.user_id WHERE c.deployment_id = ? AND u.removed_at IS NULL"
        " AND c.forwarded_at IS NULL AND c.dismissed_at IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM forwarding_confirmations later WHERE later.user_id = c.user_id AND later.id > c.id"
        " AND later.forwarded_at IS NULL AND later.dismissed_at IS NULL)"
        " ORDER BY c.user_id"
    )
    return [
        Pending(
            id=row["id"],
            user_id=row["user_id"],
            requester=row["requester"],
            seen_at=parse(row["seen_at"]),
            redirected_at=parse_or_none(row["redirected_at"]),
            bounced_at=parse_or_none(row["bounced_at"]),
        )
        for row in rows.named(database.execute(sql, (deployment.id,)))
    ]


def shared_addresses(database: Database, deployment: Deployment) -> list[tuple[str, int, int]]:
    """Addresses that more than one contact has: (address, number of contacts, number of their companies)."""
    sql = (
        "SELECT a.address, COUNT(DISTINCT a.contact_id), COUNT(DISTINCT c.company_id) FROM contact_addresses a"
        " JOIN contacts c ON c.id = a.contact_id WHERE a.deployment_id = ? GROUP BY a.address"
        " HAVING COUNT(DISTINCT a.contact_id) > 1 ORDER BY a.address"
    )
    return [
        (str(address), contacts, companies) for address, contacts, companies in database.execute(sql, (deployment.id,))
    ]
