"""Logins of the relay: whose they are, what they own, and what they sent within the hour.

A login is a user's capture address, and counts while it is connected, not suspended, and its user is there. Only the hash of its
password is known. Called by the command line, by `mailweir-auth` (who may log in), by the look-ups (who owns a
sender) and by the filter.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from mailweir import address
from mailweir.directory import DeploymentRef, UserRef
from mailweir.errors import BadInput, NotFound
from mailweir.folding import Folding
from mailweir.store.database import models
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import rfc3339
from mailweir.store.people import staff
from mailweir.store.people.deployments import Deployment

_HOLDER_COLUMNS = "l.id, u.id, u.username, u.mailbox, d.id, d.name, d.domain, d.plus_addresses, d.gmail_dots"


@dataclass(frozen=True, slots=True)
class RelayLogin:
    """A connected login. Times: RFC 3339, UTC, or None. messages, recipients, refused: within this hour."""

    deployment: str
    username: str
    login: str
    created_at: str
    rotated_at: str | None
    suspended_at: str | None
    suspended_reason: str | None
    messages: int = 0
    recipients: int = 0
    refused: int = 0


class Proof(NamedTuple):
    """A login as it is spelled here, and the hash of its password."""

    login: str
    password_hash: str


class Holder(NamedTuple):
    """Who stands behind a login."""

    id: int
    user: UserRef
    deployment: DeploymentRef
    suspended: bool


class Use(NamedTuple):
    """What a login sent within an hour; refused: messages over its limit."""

    messages: int = 0
    recipients: int = 0
    refused: int = 0


class UseRow(NamedTuple):
    """What one message adds to the use of an hour. suspend: why the login is let in no more, or None."""

    login_id: int
    hour: str
    messages: int
    recipients: int
    refused: int
    suspend: str | None = None


def hour_of(moment: datetime) -> str:
    """The hour that is counted under, UTC: `2026-11-24T03Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%HZ")


def connect(database: Database, deployment: Deployment, username: str, password_hash: str, now: datetime) -> RelayLogin:
    """Makes a user's login. NotFound for the user, BadInput where there is one already."""
    with database.bound(), database.transaction():
        user = staff.present(deployment, username)
        if _connected(user.id):
            raise BadInput(
                f"{user.username} is connected already; 'mailweir relay rotate {user.username}' gives a new password"
            )
        row = models.RelayLogin.create(
            deployment=deployment.id, user=user.id, password_hash=password_hash, created_at=rfc3339(now)
        )
        return _plain(deployment, user.username, row)


def rotate(database: Database, deployment: Deployment, username: str, password_hash: str, now: datetime) -> RelayLogin:
    """Replaces the password, and lifts a suspension: whoever had the old one has nothing any more. NotFound."""
    with database.bound(), database.transaction():
        user, row = _known(deployment, username)
        row.password_hash, row.rotated_at, row.suspended_at, row.suspended_reason = (
            password_hash,
            rfc3339(now),
            None,
            None,
        )
        row.save()
        # else the first message would be counted as over the limit, and suspend it again
        models.RelayUse.delete().where(models.RelayUse.login == row.id, models.RelayUse.hour == hour_of(now)).execute()
        return _plain(deployment, user.username, row)


def disconnect(database: Database, deployment: Deployment, username: str, now: datetime) -> RelayLogin:
    """Ends a login. NotFound."""
    with database.bound(), database.transaction():
        user, row = _known(deployment, username)
        row.disconnected_at = rfc3339(now)
        row.password_hash = ""
        row.save()
        return _plain(deployment, user.username, row)


def list_all(database: Database, deployment: Deployment, now: datetime) -> list[RelayLogin]:
    """The deployment's connected logins, by username, with what they sent within this hour."""
    found = database.execute(
        "SELECT u.username, l.created_at, l.rotated_at, l.suspended_at, l.suspended_reason,"
        " COALESCE(s.messages, 0), COALESCE(s.recipients, 0), COALESCE(s.refused, 0)"
        " FROM relay_logins l JOIN users u ON u.id = l.user_id AND u.removed_at IS NULL"
        " LEFT JOIN relay_uses s ON s.login_id = l.id AND s.hour = ?"
        " WHERE l.deployment_id = ? AND l.disconnected_at IS NULL ORDER BY u.username",
        (hour_of(now), deployment.id),
    ).fetchall()
    return [RelayLogin(deployment.name, row[0], deployment.capture_address(row[0]), *row[1:]) for row in found]


def proof(database: Database, login: str) -> Proof | None:
    """What to prove a password by; None where the login is unknown, disconnected or suspended, or its user removed."""
    found = _find(database.execute, "l.password_hash, u.username, d.domain", login)
    return Proof(f"{found[1]}@{found[2]}", str(found[0])) if found and found[3] is None else None


def owners(database: Database, sender: str) -> list[str]:
    """The logins that may send as this address, as Postfix gives it."""
    normal = address.normalise_path(sender)
    if not normal:
        return []
    # an address has one key in each deployment, by that one's choice
    keys = {Folding(plus, dots).key(normal) for plus in (False, True) for dots in (False, True)}
    rows = database.execute(
        "SELECT u.username, d.domain, a.match_key, d.plus_addresses, d.gmail_dots FROM user_addresses a"
        " JOIN users u ON u.id = a.user_id AND u.removed_at IS NULL JOIN deployments d ON d.id = a.deployment_id"
        " JOIN relay_logins l ON l.user_id = u.id AND l.disconnected_at IS NULL"
        f" WHERE a.match_key IN ({','.join('?' * len(keys))})",
        tuple(keys),
    ).fetchall()
    return [
        f"{username}@{domain}"
        for username, domain, key, plus, dots in rows
        if Folding(bool(plus), bool(dots)).key(normal) == key
    ]


def holder(database: Database, login: str) -> Holder | None:
    """Who stands behind a connected login; within `Database.reading`."""
    return _holder(_find(database.fast_execute(), _HOLDER_COLUMNS, login))


def sender_of(database: Database, queue_id: str) -> Holder | None:
    """Who sent, by the relay, the message that had this queue id, connected still or not; None where it wasn't relayed, or the
    user is removed. Within `Database.reading`.
    """
    row = database.fast_execute()(
        f"SELECT {_HOLDER_COLUMNS}, l.suspended_at FROM decisions c JOIN relay_logins l ON l.id = c.relay_login_id"
        " JOIN users u ON u.id = l.user_id AND u.removed_at IS NULL JOIN deployments d ON d.id = l.deployment_id"
        " WHERE c.source_id = ?",
        (queue_id,),
    ).fetchone()
    return _holder(row)


def _holder(row: Any) -> Holder | None:
    if row is None:
        return None
    ref = DeploymentRef(row[4], row[5], row[6], Folding(bool(row[7]), bool(row[8])))
    return Holder(row[0], UserRef(*row[1:4]), ref, row[9] is not None)


def use(database: Database, login_id: int, now: datetime) -> Use:
    """What a login sent within this hour, by way of all hosts; within `Database.reading`."""
    sql = "SELECT messages, recipients, refused FROM relay_uses WHERE login_id = ? AND hour = ?"
    row = database.fast_execute()(sql, (login_id, hour_of(now))).fetchone()
    return Use(*row) if row else Use()


def put_uses(database: Database, rows: Iterable[UseRow], now: datetime) -> None:
    """Adds to the counts, and suspends; in the caller's transaction."""
    sums: dict[tuple[int, str], list[int]] = {}
    execute = database.fast_execute()
    for row in rows:
        total = sums.setdefault((row.login_id, row.hour), [0, 0, 0])
        for place, count in enumerate(row[2:5]):
            total[place] += count
        if row.suspend:
            execute(
                "UPDATE relay_logins SET suspended_at = ?, suspended_reason = ? WHERE id = ? AND suspended_at IS NULL",
                (rfc3339(now), row.suspend, row.login_id),
            )
    for key in sorted(sums):  # in one order everywhere: hosts would else wait for each other
        execute(
            "INSERT INTO relay_uses (login_id, hour, messages, recipients, refused) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (login_id, hour) DO UPDATE SET messages = relay_uses.messages + excluded.messages,"
            " recipients = relay_uses.recipients + excluded.recipients, refused = relay_uses.refused + excluded.refused",
            (*key, *sums[key]),
        )


def prune_uses(database: Database, now: datetime, days: int) -> None:
    """Forgets the counts of hours that are longer ago: only this hour's are asked for."""
    try:
        before = hour_of(now - timedelta(days=days))
    except OverflowError:
        return
    with database.transaction():
        database.execute("DELETE FROM relay_uses WHERE hour < ?", (before,))


def suspended(database: Database, deployment: Deployment) -> list[tuple[str, str, str]]:
    """The suspended logins of a deployment: username, since when, why."""
    return [
        (str(row[0]), str(row[1]), str(row[2]))
        for row in database.execute(
            "SELECT u.username, l.suspended_at, l.suspended_reason FROM relay_logins l JOIN users u ON u.id = l.user_id"
            " AND u.removed_at IS NULL WHERE l.deployment_id = ? AND l.disconnected_at IS NULL"
            " AND l.suspended_at IS NOT NULL ORDER BY u.username",
            (deployment.id,),
        ).fetchall()
    ]


def _find(execute: Any, columns: str, login: str) -> Any:
    """These columns and `suspended_at` of a connected login, or None."""
    username, domain = address.split(address.normalise(login) or "")
    if not domain:
        return None
    return execute(
        f"SELECT {columns}, l.suspended_at FROM relay_logins l"
        " JOIN users u ON u.id = l.user_id AND u.removed_at IS NULL JOIN deployments d ON d.id = l.deployment_id"
        " WHERE d.domain = ? AND u.username = ? AND l.disconnected_at IS NULL",
        (domain, username),
    ).fetchone()


def _connected(user_id: int) -> Any:
    table = models.RelayLogin
    return table.get_or_none(table.user == user_id, table.disconnected_at.is_null())


def _known(deployment: Deployment, username: str) -> tuple[Any, Any]:
    user = staff.present(deployment, username)
    row = _connected(user.id)
    if row is None:
        raise NotFound(f"{user.username} isn't connected; 'mailweir relay connect {user.username}' makes a login")
    return user, row


def _plain(deployment: Deployment, username: str, row: Any) -> RelayLogin:
    return RelayLogin(
        deployment.name,
        username,
        deployment.capture_address(username),
        row.created_at,
        row.rotated_at,
        row.suspended_at,
        row.suspended_reason,
    )
