"""The newest forwarding confirmation that came for a user, with its link and who asked for it. Never writes.

Called by the page.
"""

from dataclasses import dataclass
from datetime import datetime

from mailweir.store.database import rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse, parse_or_none
from mailweir.store.people.deployments import Deployment


@dataclass(frozen=True, slots=True)
class ShownConfirmation:
    """requester: whose mailbox wants to forward, by Google's word, or None. link: the one that confirms, or None. Times: UTC."""

    requester: str | None
    link: str | None
    seen_at: datetime
    redirected_at: datetime | None
    bounced_at: datetime | None


def newest(database: Database, deployment: Deployment, user_id: int) -> ShownConfirmation | None:
    """None where none ever came."""
    sql = (
        "SELECT c.requester, c.link, c.seen_at, c.redirected_at, c.bounced_at FROM forwarding_confirmations c"
        " WHERE c.user_id = ? AND c.deployment_id = ? ORDER BY c.id DESC LIMIT 1"
    )
    row = rows.first(database.execute(sql, (user_id, deployment.id)))
    if row is None:
        return None
    return ShownConfirmation(
        requester=row["requester"],
        link=row["link"],
        seen_at=parse(row["seen_at"]),
        redirected_at=parse_or_none(row["redirected_at"]),
        bounced_at=parse_or_none(row["bounced_at"]),
    )
