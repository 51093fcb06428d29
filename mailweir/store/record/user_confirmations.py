"""A forwarding confirmation that came for a user, with its link and the mailbox that asked for it. The user can dismiss it.

Called by the page.
"""

from dataclasses import dataclass
from datetime import datetime

from mailweir.store.database import rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse, parse_or_none, rfc3339
from mailweir.store.people.deployments import Deployment


@dataclass(frozen=True, slots=True)
class ShownConfirmation:
    """requester: the mailbox that wants to forward, as Google's mail names it, or None. link: to confirm it, or None. Times:
    UTC."""

    id: int
    requester: str | None
    link: str | None
    seen_at: datetime
    redirected_at: datetime | None
    bounced_at: datetime | None


def find(database: Database, deployment: Deployment, user_id: int, confirmation_id: int) -> ShownConfirmation | None:
    """The confirmation with this id, if it is this user's; otherwise None."""
    sql = (
        "SELECT c.id, c.requester, c.link, c.seen_at, c.redirected_at, c.bounced_at FROM forwarding_confirmations c"
        " WHERE c.id = ? AND c.user_id = ? AND c.deployment_id = ?"
    )
    row = rows.first(database.execute(sql, (confirmation_id, user_id, deployment.id)))
    if row is None:
        return None
    return ShownConfirmation(
        id=row["id"],
        requester=row["requester"],
        link=row["link"],
        seen_at=parse(row["seen_at"]),
        redirected_at=parse_or_none(row["redirected_at"]),
        bounced_at=parse_or_none(row["bounced_at"]),
    )


def dismiss(database: Database, deployment: Deployment, user_id: int, confirmation_id: int, now: datetime) -> None:
    """Dismisses a confirmation of this user's, with the earlier ones that the same mailbox asked for. Does nothing if there is
    none."""
    sql = (
        "UPDATE forwarding_confirmations SET dismissed_at = ? WHERE user_id = ? AND deployment_id = ? AND id <= ?"
        " AND dismissed_at IS NULL AND forwarded_at IS NULL AND COALESCE(requester, '') ="
        " (SELECT COALESCE(c.requester, '') FROM forwarding_confirmations c WHERE c.id = ? AND c.user_id = ?)"
    )
    with database.transaction():
        values = (user_id, deployment.id, confirmation_id, confirmation_id, user_id)
        database.execute(sql, (rfc3339(now), *values))
