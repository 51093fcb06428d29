"""When each user's last mail came, by route. Reads whole tables once: the caller bounds the time. Called by `integrations`."""

from collections import defaultdict
from datetime import datetime

from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse
from mailweir.store.people.deployments import Deployment


def last_of_users(database: Database, deployment: Deployment) -> dict[int, dict[str, datetime]]:
    """User id -> route -> when the last captured mail was seen. Users without any are left out."""
    rows = database.execute(
        "SELECT s.user_id, s.route, MAX(s.seen_at) FROM sightings s JOIN users u ON u.id = s.user_id"
        " WHERE u.deployment_id = ? AND u.removed_at IS NULL GROUP BY s.user_id, s.route",
        (deployment.id,),
    ).fetchall()
    found: dict[int, dict[str, datetime]] = defaultdict(dict)
    for user_id, route, seen_at in rows:
        found[user_id][route] = parse(seen_at)
    return dict(found)
