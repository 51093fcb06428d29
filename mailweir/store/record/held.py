"""Held mail: mail that waits until its reading shows whose it is, and is then recorded or erased. In plain SQL (decision 0036).

A row is written in the transaction of its decision. The transaction that records the mail blanks the row. After a negative
decision the row stays for some seconds, and is then erased. No other module of the record reads these rows. Called by
`recording`, the digest, `mailweir digest status`, `mailweir db prune` and the checks of health.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from mailweir.decision import REASON_OF_HELD, HeldKind, Reason
from mailweir.directory import DeploymentRef, RuleRef
from mailweir.folding import Folding
from mailweir.store.database import batches, rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse, rfc3339
from mailweir.store.record import erasing
from mailweir.store.record.retraction import rule_text

_MOST_CLEAN = 2_000
_BATCH_ROWS = 50  # per transaction: some milliseconds, because the filter waits for the write lock meanwhile


@dataclass(frozen=True, slots=True, kw_only=True)
class NewHeld:
    """Mail to be held. facts: JSON, see `holding.Facts`. keep: the longest time to hold it. max_author_bytes,
    max_deployment_bytes: limits on the held mail of this author, and of the deployment, including this mail."""

    deployment_id: int
    kind: HeldKind
    source_id: str
    author: str
    held_at: datetime
    keep: timedelta
    size_bytes: int
    facts: str
    content_zstd: bytes
    max_author_bytes: int
    max_deployment_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Held mail. facts: as stored. attempts, deaths: as in `digest_queue.Entry`. Times: UTC."""

    id: int
    deployment: DeploymentRef
    kind: HeldKind
    source_id: str
    author: str
    facts: str
    size_bytes: int
    held_at: datetime
    attempts: int
    deaths: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The amounts of held mail. waits: undecided mail; later: the part of it that is retried; ended: the part of it that ended a
    child process. against: mail that was decided against, and is soon erased. oldest: arrival of the oldest undecided mail, or
    None."""

    waits: int
    later: int
    ended: int
    against: int
    oldest: datetime | None


# --- stored with the decision -----------------------------------------------------------------------------------------


def put(database: Database, new: Sequence[NewHeld]) -> set[int]:
    """Holds mail. Call it within the transaction that writes the decisions on the mail, after these. Mail beyond the limits isn't
    held, and its decision is changed; returns its positions in `new`.

    Mail is held only if its decision still has the reason for holding it: the repeat of a source that was decided meanwhile is
    skipped.
    """
    execute = database.fast_execute()
    if not database.is_sqlite:  # otherwise two hosts could each find room for the last bytes
        for deployment_id in sorted({one.deployment_id for one in new}):
            execute("SELECT id FROM deployments WHERE id = ? FOR NO KEY UPDATE", (deployment_id,))
    beyond: set[int] = set()
    for position, one in enumerate(new):
        reason = str(REASON_OF_HELD[one.kind])
        is_held = execute(
            "SELECT 1 FROM decisions WHERE source_id = ? AND deployment_id = ? AND reason = ?",
            (one.source_id, one.deployment_id, reason),
        ).fetchone()
        if is_held is None:
            continue
        if _has_room(database, one):
            _insert(database, one)
        else:
            beyond.add(position)
            _say(database, one.deployment_id, one.source_id, Reason.HELD_TOO_MUCH)
    return beyond


def _has_room(database: Database, one: NewHeld) -> bool:
    sums = (
        "SELECT COALESCE(SUM(CASE WHEN author = ? THEN size_bytes ELSE 0 END), 0), COALESCE(SUM(size_bytes), 0)"
        " FROM held_messages WHERE deployment_id = ? AND source_id <> ?"
    )
    of_author, of_all = database.fast_execute()(sums, (one.author, one.deployment_id, one.source_id)).fetchone()
    return bool(
        of_author + one.size_bytes <= one.max_author_bytes and of_all + one.size_bytes <= one.max_deployment_bytes
    )


def _insert(database: Database, one: NewHeld) -> None:
    expires_at = one.held_at + one.keep
    row = (one.deployment_id, str(one.kind), one.source_id, one.author, rfc3339(one.held_at), rfc3339(expires_at))
    database.fast_execute()(
        "INSERT INTO held_messages (deployment_id, kind, source_id, author, held_at, expires_at, size_bytes, facts, content_zstd)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        # if a contact exists by now, the sync decides again on mail that was recently decided against
        " ON CONFLICT (deployment_id, source_id) DO UPDATE SET state = 'waits', held_at = excluded.held_at,"
        " kind = excluded.kind, author = excluded.author, expires_at = excluded.expires_at, size_bytes = excluded.size_bytes,"
        " facts = excluded.facts, content_zstd = excluded.content_zstd, attempts = 0, deaths = 0, next_try_at = ''"
        " WHERE held_messages.state <> 'waits'",
        (*row, one.size_bytes, one.facts, one.content_zstd),
    )


# --- the digest's queue -----------------------------------------------------------------------------------------------


def take(database: Database, limit: int, *, now: datetime, until: datetime, without: Iterable[int] = ()) -> list[Held]:
    """The due mail, at most `limit` mails, in order. until: the lease's end, on PostgreSQL, where several hosts may digest; on
    SQLite the one digest remembers the work in hand: `without`."""
    left_out = set(without)
    due = "SELECT id FROM held_messages WHERE state = 'waits' AND next_try_at <= ? ORDER BY next_try_at, id LIMIT ?"
    if database.is_sqlite:
        found = database.execute(due, (rfc3339(now), limit + len(left_out))).fetchall()
    else:
        if database.execute(due, (rfc3339(now), 1)).fetchone() is None:
            return []
        with database.transaction(alone=False):
            found = database.execute(f"{due} FOR UPDATE SKIP LOCKED", (rfc3339(now), limit)).fetchall()
            lease = "UPDATE held_messages SET next_try_at = ? WHERE id IN ({})"
            batches.change(database, lease, (rfc3339(until),), [row[0] for row in found])
    ids = [held_id for (held_id,) in found if held_id not in left_out][:limit]
    return [one for held_id in ids if (one := find(database, held_id)) is not None]


def find(database: Database, held_id: int, *, for_update: bool = False) -> Held | None:
    """Undecided mail; None if it is decided, or gone. for_update: locks it, so that nobody else decides on it until the
    transaction's end."""
    lock = " FOR UPDATE OF h" if for_update and not database.is_sqlite else ""
    sql = (
        "SELECT h.id, h.deployment_id, d.name, d.domain, d.plus_addresses, d.gmail_dots, d.automatic_todos, d.held_forwards,"
        " d.has_auto_contacts, d.known_threads, h.kind, h.source_id, h.author, h.facts, h.size_bytes,"
        " h.held_at, h.attempts, h.deaths FROM held_messages h"
        f" JOIN deployments d ON d.id = h.deployment_id WHERE h.id = ? AND h.state = 'waits'{lock}"
    )
    row = rows.first(database.execute(sql, (held_id,)))
    if row is None:
        return None
    folding = Folding(bool(row["plus_addresses"]), bool(row["gmail_dots"]))
    return Held(
        id=row["id"],
        deployment=DeploymentRef(
            *(row["deployment_id"], row["name"], row["domain"], folding),
            automatic_todos=bool(row["automatic_todos"]),
            holds_forwards=bool(row["held_forwards"]),
            has_auto_contacts=bool(row["has_auto_contacts"]),
            known_threads=bool(row["known_threads"]),
        ),
        kind=HeldKind(row["kind"]),
        source_id=row["source_id"],
        author=row["author"],
        facts=row["facts"],
        size_bytes=row["size_bytes"],
        held_at=parse(row["held_at"]),
        attempts=row["attempts"],
        deaths=row["deaths"],
    )


def content(database: Database, held_id: int) -> bytes | None:
    """The bytes of undecided mail, compressed."""
    row = database.execute(
        "SELECT content_zstd FROM held_messages WHERE id = ? AND state = 'waits'", (held_id,)
    ).fetchone()
    return None if row is None else bytes(row[0])


def postpone(database: Database, held_id: int, until: datetime, *, attempts: int, deaths: int) -> None:
    """Schedules a retry, in the caller's transaction."""
    database.execute(
        "UPDATE held_messages SET next_try_at = ?, attempts = ?, deaths = ? WHERE id = ? AND state = 'waits'",
        (rfc3339(until), attempts, deaths, held_id),
    )


def release(database: Database, held_ids: Sequence[int]) -> None:
    """Gives back unfinished mail, on PostgreSQL; on SQLite nobody else takes it."""
    if not database.is_sqlite:
        batches.change(database, "UPDATE held_messages SET next_try_at = '' WHERE id IN ({})", (), held_ids)


# --- decided, in the caller's transaction, which has locked the mail by `for_update` ----------------------------------


def captured(database: Database, one: Held, reason: Reason, activity_id: int) -> None:
    """Notes that the mail is on the record now: the decision gets the activity, and the held row is blanked."""
    database.execute(
        "UPDATE decisions SET outcome = 'captured', reason = ?, activity_id = ? WHERE source_id = ? AND deployment_id = ?",
        (str(reason), activity_id, one.source_id, one.deployment.id),
    )
    _blank(database, [one.id])


def ignored(
    database: Database, one: Held, reason: Reason, rule: RuleRef | None, *, now: datetime, erase_after: timedelta
) -> None:
    """Notes that the mail isn't recorded: the decision gets the reason, and the mail is erased after `erase_after`."""
    _say(database, one.deployment.id, one.source_id, reason, rule)
    database.execute(
        "UPDATE held_messages SET state = 'against', expires_at = ? WHERE id = ?",
        (rfc3339(now + erase_after), one.id),
    )


def _say(database: Database, deployment_id: int, source_id: str, reason: Reason, rule: RuleRef | None = None) -> None:
    database.fast_execute()(
        "UPDATE decisions SET reason = ?, rule = ? WHERE source_id = ? AND deployment_id = ?",
        (str(reason), rule_text(rule.pattern, rule.username) if rule else None, source_id, deployment_id),
    )


# --- erased -----------------------------------------------------------------------------------------------------------


def erase_expired(database: Database, now: datetime) -> tuple[int, bool]:
    """Erases expired mail, also from the database's files; returns the number of expired mails, and whether the files contain
    none of their content any more.

    Mail that is still undecided is ignored, with the reason HELD_UNREAD. Safe to interrupt anywhere: a row stays, blank, until
    the files are clean. False: a reader still uses the old data (a running backup), or PostgreSQL is vacuuming already; try
    again. Errors: DatabaseUnavailable.
    """
    expired = 0
    while count := _blank_expired(database, now):
        expired += count
    blank = [
        held_id for (held_id,) in database.execute("SELECT id FROM held_messages WHERE state = 'blank'").fetchall()
    ]
    is_clean = not blank or (
        erasing.truncate_log(database) if database.is_sqlite else erasing.vacuum(database, "held_messages")
    )
    if blank and is_clean:
        with database.transaction(alone=False):
            batches.change(database, "UPDATE held_messages SET state = 'clean' WHERE id IN ({})", (), blank)
    _delete_clean(database)
    return expired, is_clean


def _delete_clean(database: Database) -> None:
    """Deletes the rows that are blank in the files, too. If a deletion joins two pages, SQLite leaves copies of their other rows
    behind, which can't be overwritten later. So on SQLite this waits until there are no other rows, or many of these."""
    (count,) = database.execute("SELECT COUNT(*) FROM held_messages WHERE state = 'clean'").fetchone()
    if not count:
        return
    says = "SELECT 1 FROM held_messages WHERE state <> 'clean' LIMIT 1"
    with database.transaction(alone=False):
        if database.is_sqlite and count < _MOST_CLEAN and database.execute(says).fetchone() is not None:
            return
        database.execute("DELETE FROM held_messages WHERE state = 'clean'")


def _blank_expired(database: Database, now: datetime) -> int:
    """Blanks a few expired rows; returns how many."""
    lock = "" if database.is_sqlite else " FOR UPDATE SKIP LOCKED"
    sql = (
        "SELECT id, state, deployment_id, source_id FROM held_messages WHERE state IN ('waits', 'against') AND expires_at <= ?"
        " ORDER BY expires_at LIMIT ?"
    )
    if database.execute(sql, (rfc3339(now), 1)).fetchone() is None:
        return 0
    with database.transaction(alone=False):
        found = database.execute(f"{sql}{lock}", (rfc3339(now), _BATCH_ROWS)).fetchall()
        for _, state, deployment_id, source_id in found:
            if state == "waits":
                _say(database, deployment_id, source_id, Reason.HELD_UNREAD)
        _blank(database, [row[0] for row in found])
    return len(found)


def _blank(database: Database, held_ids: Sequence[int]) -> None:
    """Overwrites the content of these rows at once. A blank row has the same length, so it stays in place (see
    `erasing.forget_words`)."""
    if database.is_sqlite:
        sql = (
            "UPDATE held_messages SET content_zstd = ZEROBLOB(LENGTH(content_zstd)),"
            " facts = SUBSTR(HEX(ZEROBLOB(LENGTH(CAST(facts AS BLOB)))), 1, LENGTH(CAST(facts AS BLOB))) WHERE id IN ({})"
        )
        batches.change(database, sql, (), held_ids)
    sql = "UPDATE held_messages SET state = 'blank', size_bytes = 0 WHERE id IN ({})"
    first: tuple[bytes, ...] = ()
    if not database.is_sqlite:
        sql = "UPDATE held_messages SET state = 'blank', size_bytes = 0, facts = '', content_zstd = ? WHERE id IN ({})"
        first = (b"",)
    batches.change(database, sql, first, held_ids)


# --- reported ---------------------------------------------------------------------------------------------------------


def waiting(database: Database) -> Waiting:
    """The amounts of held mail."""
    sql = (
        "SELECT COALESCE(SUM(CASE WHEN state = 'waits' THEN 1 ELSE 0 END), 0),"
        " COALESCE(SUM(CASE WHEN state = 'waits' AND attempts + deaths > 0 THEN 1 ELSE 0 END), 0),"
        " COALESCE(SUM(CASE WHEN state = 'waits' AND deaths > 0 THEN 1 ELSE 0 END), 0),"
        " COALESCE(SUM(CASE WHEN state = 'against' THEN 1 ELSE 0 END), 0),"
        " MIN(CASE WHEN state = 'waits' THEN held_at END) FROM held_messages"
    )
    waits, later, ended, against, oldest = database.execute(sql).fetchone()
    return Waiting(
        waits=int(waits),
        later=int(later),
        ended=int(ended),
        against=int(against),
        oldest=parse(oldest) if oldest else None,
    )
