"""The queue of consents to be given back to Google, with the results: consents for mailboxes that were disconnected, or that a
service account reads now, and for mailboxes of removed users.

The page can't open a token, so a process that reads the key file gives the consent back later. That process tries until Google
accepts it, or the token can't be valid any more. For each account and OAuth client Google has one consent, which all our users of
that account share. If the consent is in use again, giving it back would end that use too, so it isn't given back. Called by
`gmail_connections`, which adds requests, the page and `health.gmail`, which show them, `mailweir gmail forget-consent`, and
`mailweir-gmail-sync`, which gives consents back.
"""

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta

from mailweir import backoff
from mailweir.errors import NotFound
from mailweir.sentence import said
from mailweir.store.database import rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse, parse_or_none, rfc3339
from mailweir.store.people.deployments import Deployment

LATE = timedelta(hours=6)  # the first ten tries are over by then
TOKEN_LASTS = timedelta(days=180)  # Google ends a refresh token that isn't used for six months
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=30), timedelta(days=1)
_HELD = timedelta(minutes=10)  # by the process that tries; if that process dies, another tries after this time
_OPEN = "state IN ('waits', 'failed')"


class State(enum.StrEnum):
    """KEPT: another mailbox is read by the same consent. FAILED: no more tries, because the token has expired."""

    WAITS = "waits"
    DONE = "done"
    KEPT = "kept"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Revocation:
    """A user's revocation. error: why the last try failed. ended_at: None while it waits. Times: UTC."""

    username: str
    address: str
    state: State
    error: str | None
    asked_at: datetime
    ended_at: datetime | None

    @property
    def is_open(self) -> bool:
        """May the consent still be at Google, though nobody needs it?"""
        return self.state in (State.WAITS, State.FAILED)

    def is_late(self, now: datetime) -> bool:
        """Does it need a person?"""
        return self.state is State.FAILED or (self.state is State.WAITS and now - self.asked_at > LATE)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A revocation to try now. attempts: earlier ones."""

    id: int
    address: str
    client_id: str | None
    token_sealed: bytes
    attempts: int
    asked_at: datetime


def ask(
    database: Database, user_id: int, address: str, client_id: str | None, token_sealed: bytes, now: datetime
) -> None:
    """Requests that a consent is given back, within the transaction that ends its use. The user's other open requests stay."""
    sql = (
        "INSERT INTO gmail_revocations (user_id, address, client_id, token_sealed, asked_at, next_try_at)"
        " VALUES (?, ?, ?, ?, ?, ?)"
    )
    with database.transaction():
        forget_results(database, user_id)
        same = "DELETE FROM gmail_revocations WHERE user_id = ? AND address = ? AND COALESCE(client_id, '') = COALESCE(?, '')"
        database.execute(same, (user_id, address, client_id))
        database.execute(sql, (user_id, address, client_id, token_sealed, rfc3339(now), rfc3339(now)))


def forget_results(database: Database, user_id: int) -> None:
    """Removes this user's requests that are done or kept."""
    database.execute(f"DELETE FROM gmail_revocations WHERE user_id = ? AND NOT ({_OPEN})", (user_id,))


def in_use_again(database: Database, user_id: int, address: str, client_id: str | None) -> None:
    """Within the transaction that connects a user's mailbox by a consent: removes the open requests to give that consent back,
    and this user's for the same address and another OAuth client, because Google may not keep the two consents apart."""
    sql = (
        f"DELETE FROM gmail_revocations WHERE {_OPEN} AND address = ?"
        " AND (user_id = ? OR COALESCE(client_id, '') = COALESCE(?, ''))"
    )
    database.execute(sql, (address, user_id, client_id))


def of_user(database: Database, user_id: int) -> list[Revocation]:
    """The user's requests, the latest first."""
    return _select(database, "r.user_id = ?", (user_id,))


def late(database: Database, deployment: Deployment, now: datetime) -> list[Revocation]:
    """The deployment's requests that need a person, the latest first; also those of removed users."""
    which = f"u.deployment_id = ? AND r.{_OPEN} AND r.asked_at > ?"
    found = _select(database, which, (deployment.id, rfc3339(now - TOKEN_LASTS)))
    return [one for one in found if one.is_late(now)]


def forget_open(database: Database, deployment: Deployment, address: str) -> int:
    """Ends the requests for an address, because its owner has removed the consent at Google; returns how many. NotFound."""
    sql = (
        f"DELETE FROM gmail_revocations WHERE {_OPEN} AND address = ?"
        " AND user_id IN (SELECT id FROM users WHERE deployment_id = ?)"
    )
    with database.transaction():
        count = database.execute(sql, (address, deployment.id)).rowcount
    if not count:
        raise NotFound(
            said(
                "no consent of {address} waits to be given back to Google in {deployment}",
                address=address,
                deployment=deployment.name,
            )
        )
    return int(count)


def _select(database: Database, condition: str, values: tuple[object, ...]) -> list[Revocation]:
    found = database.execute(
        "SELECT u.username, r.address, r.state, r.error, r.asked_at, r.ended_at FROM gmail_revocations r"
        f" JOIN users u ON u.id = r.user_id WHERE {condition} ORDER BY r.id DESC",
        values,
    )
    return [
        Revocation(
            username=row["username"],
            address=row["address"],
            state=State(row["state"]),
            error=row["error"],
            asked_at=parse(row["asked_at"]),
            ended_at=parse_or_none(row["ended_at"]),
        )
        for row in rows.named(found)
    ]


def take(database: Database, now: datetime) -> Waiting | None:
    """The due revocation that has waited longest; no other process gets it for a while."""
    sql = (
        "UPDATE gmail_revocations SET next_try_at = ? WHERE state = 'waits' AND next_try_at <= ? AND id ="
        " (SELECT id FROM gmail_revocations WHERE state = 'waits' AND next_try_at <= ? ORDER BY next_try_at LIMIT 1)"
        " RETURNING id, address, client_id, token_sealed, attempts, asked_at"
    )
    with database.transaction():
        row = rows.first(database.execute(sql, (rfc3339(now + _HELD), rfc3339(now), rfc3339(now))))
    if row is None:
        return None
    return Waiting(**{**row, "token_sealed": bytes(row["token_sealed"]), "asked_at": parse(row["asked_at"])})


def is_in_use(database: Database, taken: Waiting, main_client_id: str | None = None) -> bool:
    """Is a mailbox of any user read by the consent? main_client_id: of the client in the settings; tokens without a client's id
    belong to it."""
    sql = (
        "SELECT 1 FROM gmail_mailboxes WHERE disconnected_at IS NULL AND token_sealed IS NOT NULL AND address = ?"
        " AND COALESCE(client_id, ?) = ? LIMIT 1"
    )
    main = main_client_id or ""
    return database.execute(sql, (taken.address, main, taken.client_id or main)).fetchone() is not None


def end(database: Database, taken: Waiting, state: State, now: datetime) -> None:
    """Ends the revocation in this state, and deletes the token."""
    _write(database, taken, state, None, None, now)


def failed(database: Database, taken: Waiting, error: str, now: datetime) -> State:
    """Schedules the next try after a pause that grows up to a day, or gives up an expired token; returns the new state."""
    if now - taken.asked_at > TOKEN_LASTS:
        _write(database, taken, State.FAILED, error, None, now)
        return State.FAILED
    next_try_at = now + backoff.pause(taken.attempts, _FIRST_PAUSE, _LONGEST_PAUSE)
    _write(database, taken, State.WAITS, error, next_try_at, now)
    return State.WAITS


def _write(
    database: Database, taken: Waiting, state: State, error: str | None, next_try_at: datetime | None, now: datetime
) -> None:
    """Writes the result, unless the revocation was requested again meanwhile, or the consent is in use again."""
    is_over = next_try_at is None
    sql = (
        "UPDATE gmail_revocations SET state = ?, attempts = ?, error = ?, next_try_at = ?, ended_at = ?, token_sealed = ?"
        " WHERE id = ? AND state = 'waits'"
    )
    tries = (str(state), taken.attempts + 1, error, rfc3339(next_try_at or now), rfc3339(now) if is_over else None)
    token = None if is_over else taken.token_sealed
    with database.transaction():
        database.execute(sql, (*tries, token, taken.id))
