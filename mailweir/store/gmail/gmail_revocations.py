"""Consents at Google to be given back: of mailboxes disconnected on the page, and of removed users. A queue, with the results.

The page can't open a token, so a process that reads the key file gives it back later. Google has one consent for an account and
an OAuth client, for all of our users who are connected by it. If the consent is in use again, giving it back would end that use
too, so it isn't given back. Called by `gmail_connections`, which asks, the page, which shows, and `mailweir-gmail-sync`, which
gives back.
"""

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta

from mailweir import backoff
from mailweir.store.database import rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse, parse_or_none, rfc3339

MAX_ATTEMPTS = 10  # within some four hours
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=6)
_HELD = timedelta(minutes=10)  # by a process that tries; if it dies, another one tries then
_OTHERS = "address = ? AND COALESCE(client_id, '') = COALESCE(?, '')"


class State(enum.StrEnum):
    """KEPT: another mailbox is read by the same consent. FAILED: the tries are used up."""

    WAITS = "waits"
    DONE = "done"
    KEPT = "kept"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Revocation:
    """A user's revocation. error: why the last try failed. ended_at: None while it waits. Times: UTC."""

    address: str
    state: State
    error: str | None
    asked_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A revocation to try now. attempts: earlier ones."""

    user_id: int
    address: str
    client_id: str | None
    token_sealed: bytes
    attempts: int
    asked_at: datetime


def ask(
    database: Database, user_id: int, address: str, client_id: str | None, token_sealed: bytes, now: datetime
) -> None:
    """Requests that a consent is given back, within the transaction that disconnects the mailbox."""
    sql = (
        "INSERT INTO gmail_revocations (user_id, address, client_id, token_sealed, asked_at, next_try_at)"
        " VALUES (?, ?, ?, ?, ?, ?)"
    )
    with database.transaction():
        forget(database, user_id)
        database.execute(sql, (user_id, address, client_id, token_sealed, rfc3339(now), rfc3339(now)))


def forget(database: Database, user_id: int) -> None:
    """Removes this user's request and its result."""
    database.execute("DELETE FROM gmail_revocations WHERE user_id = ?", (user_id,))


def in_use_again(database: Database, address: str, client_id: str | None) -> None:
    """Within the transaction that connects a mailbox: its consent is not given back."""
    database.execute(f"DELETE FROM gmail_revocations WHERE state = 'waits' AND {_OTHERS}", (address, client_id))


def of_user(database: Database, user_id: int) -> Revocation | None:
    """The user's latest request."""
    sql = "SELECT address, state, error, asked_at, ended_at FROM gmail_revocations WHERE user_id = ?"
    row = rows.first(database.execute(sql, (user_id,)))
    if row is None:
        return None
    ended_at = parse_or_none(row["ended_at"])
    return Revocation(row["address"], State(row["state"]), row["error"], parse(row["asked_at"]), ended_at)


def take(database: Database, now: datetime) -> Waiting | None:
    """The due revocation that has waited longest; no other process gets it for a while."""
    sql = (
        "UPDATE gmail_revocations SET next_try_at = ? WHERE state = 'waits' AND next_try_at <= ? AND user_id ="
        " (SELECT user_id FROM gmail_revocations WHERE state = 'waits' AND next_try_at <= ? ORDER BY next_try_at LIMIT 1)"
        " RETURNING user_id, address, client_id, token_sealed, attempts, asked_at"
    )
    with database.transaction():
        row = rows.first(database.execute(sql, (rfc3339(now + _HELD), rfc3339(now), rfc3339(now))))
    if row is None:
        return None
    return Waiting(**{**row, "token_sealed": bytes(row["token_sealed"]), "asked_at": parse(row["asked_at"])})


def is_in_use(database: Database, taken: Waiting) -> bool:
    """Is a mailbox of any user read by the consent?"""
    sql = f"SELECT 1 FROM gmail_mailboxes WHERE disconnected_at IS NULL AND token_sealed IS NOT NULL AND {_OTHERS} LIMIT 1"
    return database.execute(sql, (taken.address, taken.client_id)).fetchone() is not None


def end(database: Database, taken: Waiting, state: State, now: datetime) -> None:
    """It no longer waits; the token is deleted."""
    _write(database, taken, state, taken.attempts + 1, None, None, now)


def failed(database: Database, taken: Waiting, error: str, now: datetime) -> State:
    """Schedules the next try after a growing pause, or gives it up; returns the new state."""
    attempts = taken.attempts + 1
    if attempts >= MAX_ATTEMPTS:
        _write(database, taken, State.FAILED, attempts, error, None, now)
        return State.FAILED
    next_try_at = now + backoff.pause(taken.attempts, _FIRST_PAUSE, _LONGEST_PAUSE)
    _write(database, taken, State.WAITS, attempts, error, next_try_at, now)
    return State.WAITS


def _write(
    database: Database,
    taken: Waiting,
    state: State,
    attempts: int,
    error: str | None,
    next_try_at: datetime | None,
    now: datetime,
) -> None:
    """Writes, unless it was requested again meanwhile, or the consent is in use again."""
    is_over = next_try_at is None
    sql = (
        "UPDATE gmail_revocations SET state = ?, attempts = ?, error = ?, next_try_at = ?, ended_at = ?, token_sealed = ?"
        " WHERE user_id = ? AND asked_at = ? AND state = 'waits'"
    )
    values = (str(state), attempts, error, rfc3339(next_try_at or now), rfc3339(now) if is_over else None)
    token = None if is_over else taken.token_sealed
    with database.transaction():
        database.execute(sql, (*values, token, taken.user_id, rfc3339(taken.asked_at)))
