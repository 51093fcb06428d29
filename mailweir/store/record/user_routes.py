"""When each user's last mail came, by route, and when one user's was forwarded.

What is asked of all users reads whole tables once: the caller bounds the time. What is asked of one reads that user's activities,
and, for what was ignored, the decisions. Called by `integrations` and `user_integrations`.
"""

import json
from collections import defaultdict
from datetime import datetime

from mailweir.store.database import like, rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse, parse_or_none, rfc3339
from mailweir.store.people.deployments import Deployment
from mailweir.store.people.users import User
from mailweir.store.record.overview import Pending


def last_of_users(database: Database, deployment: Deployment) -> dict[int, dict[str, datetime]]:
    """User id -> route -> when the last captured mail was seen. Users without any are left out."""
    found = database.execute(
        "SELECT s.user_id, s.route, MAX(s.seen_at) FROM sightings s JOIN users u ON u.id = s.user_id"
        " WHERE u.deployment_id = ? AND u.removed_at IS NULL GROUP BY s.user_id, s.route",
        (deployment.id,),
    ).fetchall()
    last: dict[int, dict[str, datetime]] = defaultdict(dict)
    for user_id, route, seen_at in found:
        last[user_id][route] = parse(seen_at)
    return dict(last)


def last_of_user(database: Database, deployment: Deployment, user: User) -> dict[str, datetime]:
    """Route -> when the user's last captured mail was seen; a copy to the log address is each participant's."""
    # the plus: SQLite would walk through all activities of the deployment, which an index has, to those of the user
    sql = (
        "SELECT s.route, MAX(s.seen_at) FROM activity_users mine JOIN activities a ON a.id = mine.activity_id"
        " JOIN sightings s ON s.activity_id = a.id WHERE mine.user_id = ? AND +a.deployment_id = ?"
        " AND (s.user_id = ? OR (s.user_id IS NULL AND s.route = 'log')) GROUP BY s.route"
    )
    found = database.execute(sql, (user.id, deployment.id, user.id)).fetchall()
    return {route: parse(seen_at) for route, seen_at in found}


def forwarded_times(database: Database, deployment: Deployment, user: User, since: datetime) -> list[datetime]:
    """When the user's mail was forwarded: the first and the last time of each day, captured or not."""
    captured = database.execute(
        "SELECT MIN(s.seen_at), MAX(s.seen_at) FROM activity_users mine JOIN activities a ON a.id = mine.activity_id"
        " JOIN sightings s ON s.activity_id = a.id WHERE mine.user_id = ? AND +a.deployment_id = ? AND s.user_id = ?"
        " AND s.route = 'forward' AND s.seen_at >= ? GROUP BY SUBSTR(s.seen_at, 1, 10)",
        (user.id, deployment.id, user.id, rfc3339(since)),
    ).fetchall()
    ignored = database.execute(
        "SELECT MIN(decided_at), MAX(decided_at) FROM decisions WHERE deployment_id = ? AND outcome = 'ignored'"
        " AND decided_at >= ? AND recipients LIKE ? ESCAPE '!' GROUP BY SUBSTR(decided_at, 1, 10)",
        (deployment.id, rfc3339(since), f"%{like.escaped(json.dumps(user.capture_address))}%"),
    ).fetchall()
    return [parse(moment) for pair in (*captured, *ignored) for moment in pair]


def newest_confirmation(database: Database, deployment: Deployment, user: User) -> Pending | None:
    """The user's newest forwarding confirmation, or None."""
    sql = (
        "SELECT c.user_id, c.requester, c.seen_at, c.redirected_at, c.bounced_at FROM forwarding_confirmations c"
        " WHERE c.user_id = ? AND c.deployment_id = ? ORDER BY c.id DESC LIMIT 1"
    )
    row = rows.first(database.execute(sql, (user.id, deployment.id)))
    if row is None:
        return None
    return Pending(
        user_id=row["user_id"],
        requester=row["requester"],
        seen_at=parse(row["seen_at"]),
        redirected_at=parse_or_none(row["redirected_at"]),
        bounced_at=parse_or_none(row["bounced_at"]),
    )
