"""The messages of a mailbox that are still to be examined. A message leaves the queue in the transaction of its decision.

New mail has priority over listed mail and an audit's results, and these over the results of a backfill. Called by the sync,
within its transactions, which begin with `gmail_leases.fence`. `gmail_waiting` reads the queue for people.
"""

import enum
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from mailweir.gmail_labels import Label
from mailweir.store.database import batches, rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import rfc3339
from mailweir.store.gmail.gmail_leases import LONGEST_WAIT, Leased

_MAX_ROWS = 100  # of one statement


class Origin(enum.StrEnum):
    """How a message was found."""

    HISTORY = "history"
    LABELS = "labels"  # decided by labels that have changed
    DRAFT = "draft"  # on the record, and now a draft
    LISTED = "listed"
    AUDIT = "audit"
    BACKFILL = "backfill"


_RANKS = {Origin.HISTORY: 0, Origin.LABELS: 0, Origin.DRAFT: 0, Origin.LISTED: 1, Origin.AUDIT: 1, Origin.BACKFILL: 2}
LOWEST_RANK = 2


@dataclass(frozen=True, slots=True)
class Queued:
    """A message to examine. attempts: failed ones."""

    id: int
    message_id: str
    origin: Origin
    attempts: int


def source_id(leased: Leased, message_id: str) -> str:
    """The message's name in a decision and a sighting. Gmail's id is unique within a mailbox alone."""
    return f"{message_id}@{leased.id}"


def put(database: Database, leased: Leased, message_ids: Iterable[str], origin: Origin, now: datetime) -> int:
    """Queues messages, each once; returns how many are new.

    A message that waits with a less urgent origin gets this origin. An origin of rank 0 reports a change, and releases a held
    message. A dead letter stays one.
    """
    text, rank, made = rfc3339(now), _RANKS[origin], 0
    for part in batches.parts(dict.fromkeys(message_ids), _MAX_ROWS):
        execute = database.fast_execute()
        values = [value for one in part for value in (leased.id, one, str(origin), rank, text, text, 0)]
        new = execute(
            "INSERT INTO gmail_queue (mailbox_id, message_id, origin, rank, queued_at, next_try_at, attempts) VALUES "
            + ", ".join(["(?, ?, ?, ?, ?, ?, ?)"] * len(part))
            + " ON CONFLICT (mailbox_id, message_id) DO NOTHING RETURNING id",
            values,
        ).fetchall()
        made += len(new)
        if len(new) < len(part) and rank == 0:
            execute(
                "UPDATE gmail_queue SET held_until = NULL WHERE mailbox_id = ? AND held_until IS NOT NULL"
                f" AND message_id IN ({','.join('?' * len(part))})",
                (leased.id, *part),
            )
        if len(new) < len(part):
            execute(
                f"UPDATE gmail_queue SET rank = ?, origin = ? WHERE mailbox_id = ? AND rank > ? AND dead_at IS NULL"
                f" AND message_id IN ({','.join('?' * len(part))})",
                (rank, str(origin), leased.id, rank, *part),
            )
    return made


def due(database: Database, leased: Leased, now: datetime, limit: int, max_rank: int = LOWEST_RANK) -> list[Queued]:
    """The messages to examine now, the most urgent first. max_rank: less urgent messages are left out."""
    found = database.execute(
        "SELECT id, message_id, origin, attempts FROM gmail_queue WHERE mailbox_id = ? AND dead_at IS NULL"
        " AND rank <= ? AND (next_try_at <= ? OR next_try_at > ?) AND (held_until IS NULL OR held_until <= ?)"
        " ORDER BY rank, id LIMIT ?",
        (leased.id, max_rank, rfc3339(now), rfc3339(now + LONGEST_WAIT), rfc3339(now), limit),
    )
    return [Queued(row["id"], row["message_id"], Origin(row["origin"]), row["attempts"]) for row in rows.named(found)]


def has_due(database: Database, mailbox_id: int, now: datetime) -> bool:
    """Is any message of this mailbox due now?"""
    sql = (
        "SELECT 1 FROM gmail_queue WHERE mailbox_id = ? AND dead_at IS NULL AND next_try_at <= ?"
        " AND (held_until IS NULL OR held_until <= ?) LIMIT 1"
    )
    return database.execute(sql, (mailbox_id, rfc3339(now), rfc3339(now))).fetchone() is not None


def done(database: Database, ids: Collection[int]) -> None:
    """Removes messages that are settled."""
    for part in batches.parts(ids, _MAX_ROWS):
        database.fast_execute()(f"DELETE FROM gmail_queue WHERE id IN ({','.join('?' * len(part))})", part)


def postpone(database: Database, queued: Queued, error: str, next_try_at: datetime) -> None:
    """Notes a failed attempt; the message is retried later."""
    database.fast_execute()(
        "UPDATE gmail_queue SET attempts = attempts + 1, error = ?, next_try_at = ? WHERE id = ?",
        (error, rfc3339(next_try_at), queued.id),
    )


def hold(database: Database, queued: Queued, until: datetime) -> None:
    """Postpones the decision until then, or until the message changes."""
    database.fast_execute()("UPDATE gmail_queue SET held_until = ? WHERE id = ?", (rfc3339(until), queued.id))


def bury(database: Database, queued: Queued, error: str, now: datetime) -> None:
    """Gives a message up: it becomes a dead letter."""
    database.fast_execute()(
        "UPDATE gmail_queue SET attempts = attempts + 1, error = ?, dead_at = ? WHERE id = ?",
        (error, rfc3339(now), queued.id),
    )


def unknown(
    database: Database,
    leased: Leased,
    message_ids: Collection[str],
    *,
    recorded_only: bool = False,
    or_waiting: bool = False,
) -> list[str]:
    """The messages without a decision that aren't in the queue, in their order, each once.

    recorded_only: includes messages that were ignored, because they may be wanted by now. or_waiting: includes messages in the
    queue, so that `put` moves them forward.
    """
    known: set[str] = set()
    which = " AND activity_id IS NOT NULL" if recorded_only else ""
    for part in batches.parts(message_ids, _MAX_ROWS):
        marks = ",".join("?" * len(part))
        execute = database.execute
        known.update(
            source.rpartition("@")[0]
            for (source,) in execute(
                f"SELECT source_id FROM decisions WHERE source_id IN ({marks}) AND deployment_id = ?{which}",
                (*(source_id(leased, one) for one in part), leased.deployment.id),
            ).fetchall()
        )
        if or_waiting:
            continue
        known.update(
            message_id
            for (message_id,) in execute(
                f"SELECT message_id FROM gmail_queue WHERE mailbox_id = ? AND message_id IN ({marks})",
                (leased.id, *part),
            ).fetchall()
        )
    return [one for one in dict.fromkeys(message_ids) if one not in known]


def decided_as_unsent(database: Database, leased: Leased, message_ids: Collection[str]) -> list[str]:
    """Those of these sent messages whose decision was made before they were sent."""
    return _decided(database, leased, message_ids, f"labels IS NOT NULL AND labels % {int(2 * Label.SENT)} = 0")


def recorded(database: Database, leased: Leased, message_ids: Collection[str]) -> list[str]:
    """Those of these messages that are on the record."""
    return _decided(database, leased, message_ids, "activity_id IS NOT NULL")


def _decided(database: Database, leased: Leased, message_ids: Collection[str], which: str) -> list[str]:
    found: set[str] = set()
    for part in batches.parts(message_ids, _MAX_ROWS):
        sql = f"SELECT source_id FROM decisions WHERE source_id IN ({','.join('?' * len(part))}) AND deployment_id = ?"
        values = (*(source_id(leased, one) for one in part), leased.deployment.id)
        sources = database.execute(f"{sql} AND {which}", values).fetchall()
        found.update(source.rpartition("@")[0] for (source,) in sources)
    return [one for one in dict.fromkeys(message_ids) if one in found]


def not_failing(database: Database, leased: Leased, message_ids: Collection[str]) -> list[str]:
    """Those of these messages that have no failed attempts, in their order."""
    failing: set[str] = set()
    for part in batches.parts(message_ids, _MAX_ROWS):
        marks = ",".join("?" * len(part))
        sql = f"SELECT message_id FROM gmail_queue WHERE mailbox_id = ? AND attempts > 0 AND message_id IN ({marks})"
        failing.update(message_id for (message_id,) in database.execute(sql, (leased.id, *part)).fetchall())
    return [one for one in message_ids if one not in failing]


def forget_ignored(database: Database, leased: Leased, message_id: str) -> None:
    """Within the transaction of a message's new decision: removes the earlier decision if the message was ignored."""
    database.fast_execute()(
        "DELETE FROM decisions WHERE source_id = ? AND deployment_id = ? AND activity_id IS NULL",
        (source_id(leased, message_id), leased.deployment.id),
    )


def forget_unsent(database: Database, leased: Leased, message_id: str, *, is_captured: bool) -> None:
    """Within the transaction of a new decision on a message that was decided before it was sent: removes the earlier decision and
    the incoming sighting. is_captured: by the new decision; if it isn't, recorded mail stays on the record."""
    source = source_id(leased, message_id)
    execute = database.fast_execute()
    if is_captured:
        # There is no index of sightings by their source alone.
        execute(
            "DELETE FROM sightings WHERE source_id = ? AND route = 'gmail_in' AND activity_id IN"
            " (SELECT activity_id FROM decisions WHERE source_id = ? AND deployment_id = ?)",
            (source, source, leased.deployment.id),
        )
    which = "" if is_captured else " AND activity_id IS NULL"
    execute(f"DELETE FROM decisions WHERE source_id = ? AND deployment_id = ?{which}", (source, leased.deployment.id))
    if is_captured:
        return
    execute(
        f"UPDATE decisions SET labels = labels + {int(Label.SENT)} WHERE source_id = ? AND deployment_id = ?"
        f" AND labels % {int(2 * Label.SENT)} = 0",
        (source, leased.deployment.id),
    )
