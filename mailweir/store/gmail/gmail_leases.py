"""Leases: which process sweeps which mailbox now. Several hosts may share a PostgreSQL; no two processes write for one mailbox.

Every lease raises its mailbox's epoch; each write for the mailbox states its epoch, and is refused if there is a later one
(`LeaseLost`). If a stored time is further ahead than any correct one, it comes from a clock that jumped, and counts as past. The
caller gives the present time. Called by the sync.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from mailweir.directory import DeploymentRef, UserRef
from mailweir.errors import MailweirError
from mailweir.folding import Folding
from mailweir.store.database import rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse, parse_or_none, rfc3339, rfc3339_or_none

LEASE_SECONDS = 120.0
LONGEST_LEASE = timedelta(seconds=2 * LEASE_SECONDS)  # allows for a difference between two hosts' clocks
LONGEST_WAIT = timedelta(hours=2)
LONGEST_PROBE_WAIT = timedelta(hours=31)  # of a mailbox in `reconnect`: a day, and up to a quarter more at random


class LeaseLost(MailweirError):
    """Another process has the mailbox by now, or the mailbox is disconnected: the results of this lease aren't written."""


@dataclass(frozen=True, slots=True)
class Leased:
    """A mailbox, until another process leases it. Times: UTC, or None.

    units: the rest of the user's quota at units_at. list_since: all messages since then are still to be listed. has_new_contacts:
    something of `gmail_backfill` is still to be searched for, such as contacts' addresses after backfilled_address_id. error: of
    the last sweep. is_readable: False in `reconnect`, where a mailbox is only probed. refused_since, refusals: since when, and
    how often in a row, Gmail has refused the mailbox in a way that may be temporary. client_id: of the OAuth client that the
    token belongs to, or None for that of `gmail.oauth_client_file`.
    """

    id: int
    epoch: int
    deployment: DeploymentRef
    user: UserRef
    address: str
    inbound: bool
    outbound: bool
    cursor: str | None
    list_since: datetime | None
    covered_since: datetime
    backfilled_address_id: int
    swept_at: datetime | None
    failures: int
    units: int
    units_at: datetime
    audit_due_at: datetime
    connected_at: datetime
    token_sealed: bytes | None
    has_queue: bool
    has_new_contacts: bool
    error: str | None = None
    is_readable: bool = True
    refused_since: datetime | None = None
    refusals: int = 0
    client_id: str | None = None


class Rest(NamedTuple):
    """The result of an ended lease: when the mailbox is due again, and its state. swept_at: None if the sweep isn't complete."""

    mailbox_id: int
    epoch: int
    next_sweep_at: datetime
    swept_at: datetime | None
    failures: int
    error: str | None
    units: int
    units_at: datetime
    refused_since: datetime | None = None
    refusals: int = 0


_SELECTED = (
    "m.id, m.epoch, d.id AS deployment_id, d.name AS deployment_name, d.domain, d.plus_addresses, d.gmail_dots,"
    " d.automatic_todos, d.has_auto_contacts, d.known_threads,"
    " u.id AS user_id, u.username, u.mailbox AS user_mailbox, m.address, m.inbound, m.outbound, m.cursor, m.list_since,"
    " m.covered_since, m.backfilled_address_id, m.swept_at, m.failures, m.units, m.units_at, m.audit_due_at, m.connected_at,"
    " m.token_sealed, m.client_id, m.error, m.state = 'connected' AS is_readable, m.refused_since, m.refusals,"
    " EXISTS (SELECT 1 FROM gmail_queue q WHERE q.mailbox_id = m.id AND q.dead_at IS NULL"
    " AND (q.next_try_at <= ? OR q.next_try_at > ?) AND (q.held_until IS NULL OR q.held_until <= ?)) AS has_queue,"
    " (EXISTS (SELECT 1 FROM contact_addresses a WHERE a.deployment_id = d.id AND a.id > m.backfilled_address_id)"
    " OR EXISTS (SELECT 1 FROM group_addresses g WHERE g.deployment_id = d.id AND g.id > m.backfilled_group_id)"
    " OR EXISTS (SELECT 1 FROM never_log_removals n WHERE n.deployment_id = d.id AND n.id > m.backfilled_removal_id"
    " AND (n.user_id IS NULL OR n.user_id = m.user_id))"
    " OR EXISTS (SELECT 1 FROM auto_contact_switches s WHERE s.deployment_id = d.id AND s.id > m.backfilled_switch_id))"
    " AS has_new_contacts"
)
_SOURCES = (
    "gmail_mailboxes m JOIN deployments d ON d.id = m.deployment_id"
    " JOIN users u ON u.id = m.user_id AND u.removed_at IS NULL"
)

_CONNECTED = (
    "gmail_mailboxes m JOIN users u ON u.id = m.user_id AND u.removed_at IS NULL WHERE m.disconnected_at IS NULL"
)
# A due time further ahead than possible was set by a wrong clock.
_TOO_FAR = "m.next_sweep_at > CASE WHEN m.state = 'connected' THEN ? ELSE ? END"


def lease(database: Database, owner: str, now: datetime, limit: int) -> list[Leased]:
    """Leases at most this many due mailboxes, beginning with those that have waited longest. Errors: DatabaseUnavailable."""
    text, no_lease = rfc3339(now), rfc3339(now + LONGEST_LEASE)
    skip = "" if database.is_sqlite else " FOR UPDATE OF m SKIP LOCKED"
    with database.transaction(alone=False):
        execute = database.fast_execute()
        due = execute(
            f"SELECT m.id FROM {_CONNECTED} AND (m.next_sweep_at <= ? OR {_TOO_FAR})"
            " AND (m.lease_until IS NULL OR m.lease_until <= ? OR m.lease_until > ?)"
            f" ORDER BY m.next_sweep_at LIMIT ?{skip}",
            (text, *_too_far(now), text, no_lease, limit),
        ).fetchall()
        return _take(database, owner, now, [row[0] for row in due])


def _too_far(now: datetime) -> tuple[str, str]:
    return rfc3339(now + LONGEST_WAIT), rfc3339(now + LONGEST_PROBE_WAIT)


def lease_one(database: Database, owner: str, now: datetime, mailbox_id: int) -> Leased | None:
    """Leases this mailbox, whether it is due or not; None if another process has it, or it is disconnected."""
    text, no_lease = rfc3339(now), rfc3339(now + LONGEST_LEASE)
    skip = "" if database.is_sqlite else " FOR UPDATE OF m SKIP LOCKED"
    with database.transaction(alone=False):
        found = database.fast_execute()(
            f"SELECT m.id FROM {_CONNECTED} AND m.id = ?"
            f" AND (m.lease_until IS NULL OR m.lease_until <= ? OR m.lease_until > ?){skip}",
            (mailbox_id, text, no_lease),
        ).fetchall()
        taken = _take(database, owner, now, [row[0] for row in found])
    return taken[0] if taken else None


def _take(database: Database, owner: str, now: datetime, ids: Sequence[int]) -> list[Leased]:
    if not ids:
        return []
    marks = ",".join("?" * len(ids))
    until = rfc3339(now + timedelta(seconds=LEASE_SECONDS))
    execute = database.fast_execute()
    execute(
        f"UPDATE gmail_mailboxes SET lease_owner = ?, lease_until = ?, epoch = epoch + 1 WHERE id IN ({marks})",
        (owner, until, *ids),
    )
    found = execute(
        f"SELECT {_SELECTED} FROM {_SOURCES} WHERE m.id IN ({marks})",
        (rfc3339(now), rfc3339(now + LONGEST_WAIT), rfc3339(now), *ids),
    )
    return [_leased(row) for row in rows.named(found)]


def _leased(row: rows.Row) -> Leased:
    folding = Folding(bool(row["plus_addresses"]), bool(row["gmail_dots"]))
    return Leased(
        id=row["id"],
        epoch=row["epoch"],
        deployment=DeploymentRef(
            row["deployment_id"],
            row["deployment_name"],
            row["domain"],
            folding,
            automatic_todos=bool(row["automatic_todos"]),
            has_auto_contacts=bool(row["has_auto_contacts"]),
            known_threads=bool(row["known_threads"]),
        ),
        user=UserRef(row["user_id"], row["username"], row["user_mailbox"]),
        address=row["address"],
        inbound=bool(row["inbound"]),
        outbound=bool(row["outbound"]),
        cursor=row["cursor"],
        list_since=parse_or_none(row["list_since"]),
        covered_since=parse(row["covered_since"]),
        backfilled_address_id=row["backfilled_address_id"],
        swept_at=parse_or_none(row["swept_at"]),
        failures=row["failures"],
        units=row["units"],
        units_at=parse(row["units_at"]),
        audit_due_at=parse(row["audit_due_at"]),
        connected_at=parse(row["connected_at"]),
        token_sealed=None if row["token_sealed"] is None else bytes(row["token_sealed"]),
        has_queue=bool(row["has_queue"]),
        has_new_contacts=bool(row["has_new_contacts"]),
        error=row["error"],
        is_readable=bool(row["is_readable"]),
        refused_since=parse_or_none(row["refused_since"]),
        refusals=row["refusals"],
        client_id=row["client_id"],
    )


def fence(database: Database, leased: Leased) -> None:
    """Call it first in a transaction: LeaseLost unless the lease still holds. No other process can take the mailbox before the
    commit."""
    lock = "" if database.is_sqlite else " FOR UPDATE"  # SQLite has one writer at a time anyway
    row = database.fast_execute()(
        f"SELECT epoch, disconnected_at FROM gmail_mailboxes WHERE id = ?{lock}", (leased.id,)
    ).fetchone()
    if row is None or row[1] is not None:
        raise LeaseLost(f"{leased.address} was disconnected meanwhile")
    if row[0] != leased.epoch:
        raise LeaseLost(f"{leased.address} is swept by another process by now, or was connected anew")


def renew(database: Database, leased: Collection[Leased], now: datetime) -> None:
    """Extends leases."""
    until = rfc3339(now + timedelta(seconds=LEASE_SECONDS))
    with database.transaction(alone=False):
        execute = database.fast_execute()
        for one in sorted(leased, key=lambda one: one.id):
            execute("UPDATE gmail_mailboxes SET lease_until = ? WHERE id = ? AND epoch = ?", (until, one.id, one.epoch))


def move_cursor(database: Database, leased: Leased, cursor: str | None) -> None:
    """Stores the new cursor, within the transaction that queued the messages before it. None: a later sweep requests a new
    cursor, and lists the messages of the gap."""
    database.fast_execute()("UPDATE gmail_mailboxes SET cursor = ? WHERE id = ?", (cursor, leased.id))


def note_listing(database: Database, leased: Leased, since: datetime | None) -> None:
    """Within a transaction: notes that all messages since then are to be listed. None: they have been listed."""
    database.fast_execute()(
        "UPDATE gmail_mailboxes SET list_since = ? WHERE id = ?", (rfc3339_or_none(since), leased.id)
    )


def note_backfilled(database: Database, leased: Leased, address_id: int) -> None:
    """Within the transaction that queued the results: notes that contacts' addresses up to this id have been searched for."""
    database.fast_execute()(
        "UPDATE gmail_mailboxes SET backfilled_address_id = ? WHERE id = ?", (address_id, leased.id)
    )


def note_groups_backfilled(database: Database, leased: Leased, group_id: int) -> None:
    """Within the transaction that queued the results: notes that groups up to this id have been searched for."""
    database.fast_execute()("UPDATE gmail_mailboxes SET backfilled_group_id = ? WHERE id = ?", (group_id, leased.id))


def note_removals_backfilled(database: Database, leased: Leased, removal_id: int) -> None:
    """Within the transaction that queued the results: notes that removed never-log rules up to this id have been searched for."""
    database.fast_execute()(
        "UPDATE gmail_mailboxes SET backfilled_removal_id = ? WHERE id = ?", (removal_id, leased.id)
    )


def note_switches_backfilled(database: Database, leased: Leased, switch_id: int) -> None:
    """Within the transaction that queued the results: notes that companies' domains up to this switch's id have been searched
    for."""
    database.fast_execute()("UPDATE gmail_mailboxes SET backfilled_switch_id = ? WHERE id = ?", (switch_id, leased.id))


def note_message(database: Database, leased: Leased, now: datetime) -> None:
    """Notes the time of the mailbox's last message, within the transaction that put the message on the record."""
    database.fast_execute()("UPDATE gmail_mailboxes SET last_message_at = ? WHERE id = ?", (rfc3339(now), leased.id))


def note_audit(
    database: Database, leased: Leased, now: datetime, due_at: datetime, counts: tuple[int, int] | None
) -> None:
    """Within a transaction: notes when the next audit is due. counts: the listed and the missing messages of a complete audit."""
    execute = database.fast_execute()
    execute("UPDATE gmail_mailboxes SET audit_due_at = ? WHERE id = ?", (rfc3339(due_at), leased.id))
    if counts:
        execute(
            "UPDATE gmail_mailboxes SET audited_at = ?, audit_listed = ?, audit_missing = ? WHERE id = ?",
            (rfc3339(now), *counts, leased.id),
        )


def end(database: Database, rests: Iterable[Rest]) -> None:
    """Ends leases; those that were lost meanwhile are skipped."""
    with database.transaction(alone=False):
        execute = database.fast_execute()
        for rest in sorted(rests, key=lambda rest: rest.mailbox_id):  # the same order everywhere
            execute(
                "UPDATE gmail_mailboxes SET next_sweep_at = ?, swept_at = COALESCE(?, swept_at), failures = ?, error = ?,"
                " units = ?, units_at = ?, refused_since = ?, refusals = ?, lease_owner = NULL, lease_until = NULL"
                " WHERE id = ? AND epoch = ?",
                (
                    rfc3339(rest.next_sweep_at),
                    rfc3339_or_none(rest.swept_at),
                    rest.failures,
                    rest.error,
                    rest.units,
                    rfc3339(rest.units_at),
                    rfc3339_or_none(rest.refused_since),
                    rest.refusals,
                    rest.mailbox_id,
                    rest.epoch,
                ),
            )


def release(database: Database, owner: str) -> int:
    """Ends the leases of a dead process; returns how many. If it is alive after all, the next holder of a mailbox fences it
    off."""
    with database.transaction(alone=False):
        cursor = database.fast_execute()(
            "UPDATE gmail_mailboxes SET lease_owner = NULL, lease_until = NULL WHERE lease_owner = ?", (owner,)
        )
        return int(cursor.rowcount)


def need_reconnect(database: Database, leased: Leased, reason: str, probe_at: datetime) -> None:
    """Notes that the mailbox can't be read until somebody acts, and ends the lease. Cursor and queue stay. probe_at: the next
    try, because the fault may be fixed at Google."""
    with database.transaction(alone=False):
        database.fast_execute()(
            "UPDATE gmail_mailboxes SET state = 'reconnect', error = ?, next_sweep_at = ?, failures = 0, lease_owner = NULL,"
            " lease_until = NULL WHERE id = ? AND epoch = ?",
            (reason, rfc3339(probe_at), leased.id, leased.epoch),
        )


def note_readable(database: Database, leased: Leased) -> None:
    """Within a transaction of the lease: notes that the mailbox can be read again."""
    database.fast_execute()(
        "UPDATE gmail_mailboxes SET state = 'connected', error = NULL, refused_since = NULL, refusals = 0 WHERE id = ?",
        (leased.id,),
    )


def error_of(database: Database, mailbox_id: int) -> str | None:
    """Why a mailbox waits or can't be read."""
    row = database.execute("SELECT error FROM gmail_mailboxes WHERE id = ?", (mailbox_id,)).fetchone()
    return row[0] if row else None


def is_connected(database: Database, mailbox_id: int) -> bool:
    """Is the mailbox still connected?"""
    row = database.execute("SELECT disconnected_at FROM gmail_mailboxes WHERE id = ?", (mailbox_id,)).fetchone()
    return row is not None and row[0] is None


def seconds_to_next(database: Database, now: datetime) -> float | None:
    """The seconds until the next mailbox without a lease is due; 0 if one is due now; None if there is none."""
    text, no_lease = rfc3339(now), rfc3339(now + LONGEST_LEASE)
    row = database.execute(
        f"SELECT MIN(CASE WHEN {_TOO_FAR} THEN ? ELSE m.next_sweep_at END) FROM {_CONNECTED}"
        " AND (m.lease_until IS NULL OR m.lease_until <= ? OR m.lease_until > ?)",
        (*_too_far(now), text, text, no_lease),
    ).fetchone()
    if row is None or row[0] is None:
        return None
    return max(0.0, (parse(row[0]) - now).total_seconds())


def correct_times(database: Database, now: datetime, interval: timedelta, longest: timedelta) -> None:
    """After the clock jumped: mailboxes and queued messages with a due time further ahead than possible become due now. interval:
    the time between sweeps. longest: the longest wait after failures."""
    text = rfc3339(now)
    with database.transaction(alone=False):
        execute = database.fast_execute()
        execute(
            "UPDATE gmail_mailboxes SET next_sweep_at = ? WHERE disconnected_at IS NULL AND state = 'connected'"
            " AND next_sweep_at > ? AND (failures = 0 OR next_sweep_at > ?)",
            (text, rfc3339(now + interval), rfc3339(now + longest)),
        )
        execute(
            "UPDATE gmail_queue SET next_try_at = ? WHERE dead_at IS NULL AND next_try_at > ?"
            " AND (attempts = 0 OR next_try_at > ?)",
            (text, text, rfc3339(now + longest)),
        )
