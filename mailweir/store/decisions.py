"""Decisions: what became of a message, read. Never writes: `writing` does. Called by `mailweir why`."""

import json
from dataclasses import dataclass
from typing import Any

from mailweir import address
from mailweir.store import models
from mailweir.store.connection import Database
from mailweir.store.deployments import Deployment


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided of one message for one deployment. outcome, reason: the words of `matching`. time: RFC 3339, UTC.

    recipients: capture addresses. activity, direction: of what was captured, else None.
    """

    time: str
    deployment: str
    queue_id: str
    recipients: tuple[str, ...]
    author: str | None
    message_id: str | None
    outcome: str
    reason: str
    activity: int | None
    direction: str | None


def find(
    database: Database, text: str, deployment: Deployment | None = None, limit: int | None = None
) -> list[Decision]:
    """The decisions on a Message-ID (with <> or without), an author's address, or a queue id; the newest first."""
    table = models.Decision
    text = text.strip()
    if not text.isprintable():  # bytes of another encoding among them: nothing on the record is called so
        return []
    with database.bound():
        fits = (table.message_id.in_([text, f"<{text}>"])) | (table.source_id == text)
        author = address.normalise_path(text)
        if author:
            fits |= table.author == author
        query = table.select(table, models.Deployment.name, models.Activity.id, models.Activity.direction).join(
            models.Deployment
        )
        query = query.switch(table).join(models.Activity, "LEFT OUTER JOIN").where(fits)
        if deployment is not None:
            query = query.where(table.deployment == deployment.id)
        return [_plain(row) for row in query.order_by(table.decided_at.desc(), table.id.desc()).limit(limit)]


def count_synced(database: Database, deployment: Deployment) -> int:
    """How many messages the sync decided on. A scan: for a small record."""
    sql = "SELECT COUNT(*) FROM decisions WHERE deployment_id = ? AND source_id LIKE '%@%'"
    return int(database.execute(sql, (deployment.id,)).fetchone()[0])


def _plain(row: Any) -> Decision:
    return Decision(
        row.decided_at,
        row.deployment.name,
        row.source_id,
        tuple(json.loads(row.recipients)),
        row.author,
        row.message_id,
        row.outcome,
        row.reason,
        row.activity_id,
        row.activity.direction if row.activity_id is not None else None,
    )
