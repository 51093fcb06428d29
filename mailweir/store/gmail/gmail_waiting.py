"""The queue of messages as people see it: failing messages, dead letters, and where one message waits.

Called by the command line and by `explain.tracking`; the sweeps use `gmail_queue`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mailweir.store.database import rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse, parse_or_none, rfc3339
from mailweir.store.people.deployments import Deployment


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that was given up. Times: UTC."""

    message_id: str
    origin: str
    attempts: int
    error: str
    queued_at: datetime
    dead_at: datetime


@dataclass(frozen=True, slots=True)
class Failing:
    """A message that couldn't be read, and is retried. Times: UTC."""

    message_id: str
    origin: str
    attempts: int
    error: str
    queued_at: datetime
    next_try_at: datetime


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message without a decision yet, and its user. error: of the last failed attempt, if any.

    dead_at: when it was given up, else None. held_until: the user's own mail with a future date waits until then. Times: UTC.
    """

    gmail_id: str
    deployment: str
    username: str
    mailbox: str
    attempts: int
    error: str | None
    queued_at: datetime
    next_try_at: datetime
    dead_at: datetime | None
    held_until: datetime | None = None


def given_up_since(database: Database, mailbox_id: int) -> datetime | None:
    """When the first of a mailbox's dead letters was given up; None if there is none."""
    sql = "SELECT MIN(dead_at) FROM gmail_queue WHERE mailbox_id = ? AND dead_at IS NOT NULL"
    return parse_or_none(database.execute(sql, (mailbox_id,)).fetchone()[0])


def failing(database: Database, mailbox_id: int) -> list[Failing]:
    """The failing messages of a mailbox that are retried, the next one first."""
    found = database.execute(
        "SELECT message_id, origin, attempts, error, queued_at, next_try_at FROM gmail_queue"
        " WHERE mailbox_id = ? AND dead_at IS NULL AND attempts > 0 ORDER BY next_try_at, id",
        (mailbox_id,),
    )
    return [
        Failing(
            message_id=row["message_id"],
            origin=row["origin"],
            attempts=row["attempts"],
            error=row["error"],
            queued_at=parse(row["queued_at"]),
            next_try_at=parse(row["next_try_at"]),
        )
        for row in rows.named(found)
    ]


def dead_letters(database: Database, mailbox_id: int) -> list[DeadLetter]:
    """The dead letters of a mailbox, the latest first."""
    found = database.execute(
        "SELECT message_id, origin, attempts, error, queued_at, dead_at FROM gmail_queue"
        " WHERE mailbox_id = ? AND dead_at IS NOT NULL ORDER BY dead_at DESC, id DESC",
        (mailbox_id,),
    )
    return [
        DeadLetter(
            message_id=row["message_id"],
            origin=row["origin"],
            attempts=row["attempts"],
            error=row["error"],
            queued_at=parse(row["queued_at"]),
            dead_at=parse(row["dead_at"]),
        )
        for row in rows.named(found)
    ]


def find(
    database: Database, gmail_id: str, deployment: Deployment | None = None, user_ids: Collection[int] | None = None
) -> list[Waiting]:
    """The queue entries of a message, the newest first. gmail_id: any text. user_ids: looks in these users' mailboxes alone."""
    if not gmail_id.isascii() or not gmail_id.isprintable():
        return []
    which = ""
    values: list[Any] = [gmail_id]
    if deployment is not None:
        which += " AND m.deployment_id = ?"
        values.append(deployment.id)
    if user_ids is not None:
        which += f" AND m.user_id IN ({','.join('?' * len(user_ids))})"
        values += user_ids
    found = database.execute(
        "SELECT q.message_id, d.name AS deployment, u.username, m.address, q.attempts, q.error, q.queued_at, q.next_try_at,"
        " q.dead_at, q.held_until FROM gmail_mailboxes m JOIN gmail_queue q ON q.mailbox_id = m.id AND q.message_id = ?"
        " JOIN users u ON u.id = m.user_id JOIN deployments d ON d.id = m.deployment_id"
        f" WHERE 1 = 1{which} ORDER BY q.id DESC",
        values,
    )
    return [
        Waiting(
            gmail_id=row["message_id"],
            deployment=row["deployment"],
            username=row["username"],
            mailbox=row["address"],
            attempts=row["attempts"],
            error=row["error"],
            queued_at=parse(row["queued_at"]),
            next_try_at=parse(row["next_try_at"]),
            dead_at=parse_or_none(row["dead_at"]),
            held_until=parse_or_none(row["held_until"]),
        )
        for row in rows.named(found)
    ]


def revive(database: Database, mailbox_id: int, now: datetime) -> int:
    """Queues a mailbox's dead letters again; returns how many."""
    with database.transaction():
        execute = database.fast_execute()
        # The mailbox first, as a sweep does: otherwise each could hold a lock that the other waits for.
        execute(
            "UPDATE gmail_mailboxes SET next_sweep_at = CASE WHEN next_sweep_at > ? THEN ? ELSE next_sweep_at END WHERE id = ?"
            " AND EXISTS (SELECT 1 FROM gmail_queue q WHERE q.mailbox_id = gmail_mailboxes.id AND q.dead_at IS NOT NULL)",
            (rfc3339(now), rfc3339(now), mailbox_id),
        )
        cursor = execute(
            "UPDATE gmail_queue SET dead_at = NULL, attempts = 0, next_try_at = ? WHERE mailbox_id = ? AND dead_at IS NOT NULL",
            (rfc3339(now), mailbox_id),
        )
        return int(cursor.rowcount)
