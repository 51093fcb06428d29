"""The time of a user's last mail, by route, and the times at which the user's mail was forwarded.

Each answer is looked up in an index (migration 0031): the cost doesn't depend on the amount of mail. Never writes. Called by
`user_integrations` and `forwarding`.
"""

from datetime import datetime

from mailweir.decision import Route
from mailweir.store.database import rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse, parse_or_none
from mailweir.store.people.deployments import Deployment
from mailweir.store.people.users import User
from mailweir.store.record import by_the_index, forwarded_days
from mailweir.store.record.overview import Pending

_WAYS = " UNION ALL ".join(f"SELECT '{route}' AS way" for route in Route)
_LAST = (
    "SELECT u.id, way, (SELECT MAX(s.seen_at) FROM sightings s WHERE s.user_id = u.id AND s.route = way)"
    f" FROM users u CROSS JOIN ({_WAYS}) AS ways WHERE u.deployment_id = ?"
)


def last_of_user(database: Database, deployment: Deployment, user: User) -> dict[str, datetime]:
    """Route -> when the user's last captured mail was seen. A copy to the log address counts for each participant.

    The sighting of a copy that a contact sent there has no user. The query goes through such sightings from the newest one back
    to the user's own last copy, and takes the first in which the user is a participant.
    """
    copied = (
        "SELECT s.seen_at FROM sightings s WHERE s.user_id IS NULL AND s.route = 'log' AND s.seen_at > ?"
        " AND EXISTS (SELECT 1 FROM activity_users mine WHERE mine.activity_id = s.activity_id AND mine.user_id = ?)"
        " ORDER BY s.seen_at DESC LIMIT 1"
    )
    with by_the_index.all_of_these(database):
        own = database.execute(f"{_LAST} AND u.id = ?", (deployment.id, user.id)).fetchall()
        last = {route: seen_at for _, route, seen_at in own if seen_at is not None}
        newer = database.execute(copied, (last.get("log", ""), user.id)).fetchone()
    if newer is not None:
        last["log"] = newer[0]
    return {route: parse(seen_at) for route, seen_at in last.items()}


def forwarded_times(database: Database, deployment: Deployment, user: User, since: datetime) -> list[datetime]:
    """When the user's mail was forwarded: the first and the last time of each day, of captured and of other mail."""
    captured = forwarded_days.captured(database, deployment, since, user.id).get(user.id, [])
    return captured + forwarded_days.ignored(database, deployment, user.capture_address, since)


def newest_confirmation(database: Database, deployment: Deployment, user: User) -> Pending | None:
    """The user's newest forwarding confirmation that is open, or None."""
    sql = (
        "SELECT c.id, c.user_id, c.requester, c.seen_at, c.redirected_at, c.bounced_at FROM forwarding_confirmations c"
        " WHERE c.user_id = ? AND c.deployment_id = ? AND c.forwarded_at IS NULL AND c.dismissed_at IS NULL"
        " ORDER BY c.id DESC LIMIT 1"
    )
    row = rows.first(database.execute(sql, (user.id, deployment.id)))
    if row is None:
        return None
    return Pending(
        id=row["id"],
        user_id=row["user_id"],
        requester=row["requester"],
        seen_at=parse(row["seen_at"]),
        redirected_at=parse_or_none(row["redirected_at"]),
        bounced_at=parse_or_none(row["bounced_at"]),
    )
