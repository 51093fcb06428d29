"""Logins of the relay: their owners, their addresses, and their use within the hour.

A login is a user's capture address. It works while it is connected and not suspended, and its user isn't removed. Only the hash
of its password is stored. Called by the command line, by `mailweir-auth` (who may log in), by the look-ups (who owns a sender)
and by the filter.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from mailweir import address
from mailweir.directory import DeploymentRef, UserRef
from mailweir.errors import BadInput, NotFound
from mailweir.folding import Folding
from mailweir.sentence import said
from mailweir.store.database import models, rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse, parse_or_none, rfc3339
from mailweir.store.people import staff
from mailweir.store.people.deployments import Deployment

_LOGIN_COLUMNS = "u.username, l.created_at, l.rotated_at, l.suspended_at, l.suspended_reason"
_HOLDER_COLUMNS = (
    "l.id, u.id AS user_id, u.username, u.mailbox, d.id AS deployment_id, d.name AS deployment_name, d.domain,"
    " d.plus_addresses, d.gmail_dots, d.automatic_todos, d.held_forwards, d.has_auto_contacts, d.known_threads,"
    " l.suspended_at"
)


@dataclass(frozen=True, slots=True)
class RelayLogin:
    """A connected login. Times: UTC, or None. messages, recipients, refused: within this hour."""

    deployment: str
    username: str
    login: str
    created_at: datetime
    rotated_at: datetime | None
    suspended_at: datetime | None
    suspended_reason: str | None
    messages: int = 0
    recipients: int = 0
    refused: int = 0


class Proof(NamedTuple):
    """A login in its stored spelling, and the hash of its password."""

    login: str
    password_hash: str


class Holder(NamedTuple):
    """The owner of a login."""

    id: int
    user: UserRef
    deployment: DeploymentRef
    suspended: bool


class Use(NamedTuple):
    """A login's use within an hour; refused: messages over its limit."""

    messages: int = 0
    recipients: int = 0
    refused: int = 0


class UseRow(NamedTuple):
    """One message's contribution to the use of its hour. sent_at: when it was sent. suspend: why the login gets suspended, or
    None."""

    login_id: int
    sent_at: datetime
    messages: int
    recipients: int
    refused: int
    suspend: str | None = None


def _hour_of(moment: datetime) -> str:
    """The hour of a count, UTC: `2026-11-24T03Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%HZ")


def connect(database: Database, deployment: Deployment, username: str, password_hash: str, now: datetime) -> RelayLogin:
    """Makes a user's login. NotFound for the user, BadInput if there is already one."""
    with database.bound(), database.transaction():
        user = staff.present(database, deployment, username)
        if _connected(database, user):
            raise BadInput(
                said(
                    "{user} is connected already; 'mailweir relay rotate {user}' gives a new password",
                    user=user.username,
                )
            )
        models.RelayLogin.create(
            deployment=deployment.id, user=user.id, password_hash=password_hash, created_at=rfc3339(now)
        )
        return _made_of(deployment, _known(database, deployment, username))


def rotate(database: Database, deployment: Deployment, username: str, password_hash: str, now: datetime) -> RelayLogin:
    """Replaces the password, and lifts a suspension: the old password no longer works. NotFound."""
    with database.bound(), database.transaction():
        login_id = _known(database, deployment, username)["id"]
        models.RelayLogin.update(
            password_hash=password_hash, rotated_at=rfc3339(now), suspended_at=None, suspended_reason=None
        ).where(models.RelayLogin.id == login_id).execute()
        # Otherwise the first message could be over the limit, and suspend the login again.
        uses = models.RelayUse
        uses.delete().where(uses.login == login_id, uses.hour == _hour_of(now)).execute()
        return _made_of(deployment, _known(database, deployment, username))


def disconnect(database: Database, deployment: Deployment, username: str, now: datetime) -> RelayLogin:
    """Ends a login. NotFound."""
    with database.bound(), database.transaction():
        row = _known(database, deployment, username)
        table = models.RelayLogin
        table.update(disconnected_at=rfc3339(now), password_hash="").where(table.id == row["id"]).execute()
        return _made_of(deployment, row)


def list_all(database: Database, deployment: Deployment, now: datetime) -> list[RelayLogin]:
    """The deployment's connected logins, by username, with their use within this hour."""
    found = database.execute(
        f"SELECT {_LOGIN_COLUMNS}, COALESCE(s.messages, 0) AS messages, COALESCE(s.recipients, 0) AS recipients,"
        " COALESCE(s.refused, 0) AS refused FROM relay_logins l JOIN users u ON u.id = l.user_id AND u.removed_at IS NULL"
        " LEFT JOIN relay_uses s ON s.login_id = l.id AND s.hour = ?"
        " WHERE l.deployment_id = ? AND l.disconnected_at IS NULL ORDER BY u.username",
        (_hour_of(now), deployment.id),
    )
    return [_made_of(deployment, row) for row in rows.named(found)]


def proof(database: Database, login: str) -> Proof | None:
    """The data to check a password; None if the login is unknown, disconnected or suspended, or its user removed."""
    found = _find(database.execute, "l.password_hash, u.username, d.domain, l.suspended_at", login)
    if found is None or found["suspended_at"] is not None:
        return None
    return Proof(f"{found['username']}@{found['domain']}", found["password_hash"])


def owners(database: Database, sender: str) -> list[str]:
    """The logins that may send as this address, in Postfix's spelling."""
    normal = address.normalise_path(sender)
    if not normal:
        return []
    # The address's key depends on the deployment's folding, so all keys are looked up.
    keys = {Folding(plus, dots).key(normal) for plus in (False, True) for dots in (False, True)}
    found = database.execute(
        "SELECT u.username, d.domain, a.match_key, d.plus_addresses, d.gmail_dots FROM user_addresses a"
        " JOIN users u ON u.id = a.user_id AND u.removed_at IS NULL JOIN deployments d ON d.id = a.deployment_id"
        " JOIN relay_logins l ON l.user_id = u.id AND l.disconnected_at IS NULL"
        f" WHERE a.match_key IN ({','.join('?' * len(keys))})",
        tuple(keys),
    ).fetchall()
    return [
        f"{username}@{domain}"
        for username, domain, key, plus, dots in found
        if Folding(bool(plus), bool(dots)).key(normal) == key
    ]


def holder(database: Database, login: str) -> Holder | None:
    """The owner of a connected login; within `Database.reading`."""
    found = _find(database.fast_execute(), _HOLDER_COLUMNS, login)
    return _holder(found) if found else None


def sender_of(database: Database, queue_id: str) -> Holder | None:
    """The login that relayed the message with this queue id, still connected or not. None if the message wasn't relayed, or the
    user is removed. Within `Database.reading`."""
    found = database.fast_execute()(
        f"SELECT {_HOLDER_COLUMNS} FROM decisions c JOIN relay_logins l ON l.id = c.relay_login_id"
        " JOIN users u ON u.id = l.user_id AND u.removed_at IS NULL JOIN deployments d ON d.id = l.deployment_id"
        " WHERE c.source_id = ?",
        (queue_id,),
    )
    row = rows.first(found)
    return _holder(row) if row else None


def _holder(row: rows.Row) -> Holder:
    folding = Folding(bool(row["plus_addresses"]), bool(row["gmail_dots"]))
    return Holder(
        id=row["id"],
        user=UserRef(row["user_id"], row["username"], row["mailbox"]),
        deployment=DeploymentRef(
            row["deployment_id"],
            row["deployment_name"],
            row["domain"],
            folding,
            automatic_todos=bool(row["automatic_todos"]),
            holds_forwards=bool(row["held_forwards"]),
            has_auto_contacts=bool(row["has_auto_contacts"]),
            known_threads=bool(row["known_threads"]),
        ),
        suspended=row["suspended_at"] is not None,
    )


def use(database: Database, login_id: int, now: datetime) -> Use:
    """A login's use within this hour, on all hosts; within `Database.reading`."""
    sql = "SELECT messages, recipients, refused FROM relay_uses WHERE login_id = ? AND hour = ?"
    row = database.fast_execute()(sql, (login_id, _hour_of(now))).fetchone()
    return Use(*row) if row else Use()


def put_uses(database: Database, uses: Iterable[UseRow], now: datetime) -> None:
    """Adds to the counts, and suspends logins; within the caller's transaction."""
    sums: dict[tuple[int, str], Use] = {}
    execute = database.fast_execute()
    for one in uses:
        key = one.login_id, _hour_of(one.sent_at)
        total = sums.get(key, Use())
        sums[key] = Use(total.messages + one.messages, total.recipients + one.recipients, total.refused + one.refused)
        if one.suspend:
            execute(
                "UPDATE relay_logins SET suspended_at = ?, suspended_reason = ? WHERE id = ? AND suspended_at IS NULL",
                (rfc3339(now), one.suspend, one.login_id),
            )
    for key in sorted(sums):  # one order on all hosts: otherwise two could deadlock
        execute(
            "INSERT INTO relay_uses (login_id, hour, messages, recipients, refused) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (login_id, hour) DO UPDATE SET messages = relay_uses.messages + excluded.messages,"
            " recipients = relay_uses.recipients + excluded.recipients, refused = relay_uses.refused + excluded.refused",
            (*key, *sums[key]),
        )


def prune_uses(database: Database, now: datetime, days: int) -> None:
    """Deletes counts that are older than this many days. Only the current hour's are used."""
    try:
        before = _hour_of(now - timedelta(days=days))
    except OverflowError:
        return
    with database.transaction():
        database.execute("DELETE FROM relay_uses WHERE hour < ?", (before,))


def suspended(database: Database, deployment: Deployment) -> list[tuple[str, datetime, str]]:
    """The suspended logins of a deployment: username, since when (UTC), why."""
    return [
        (username, parse(since), str(why))
        for username, since, why in database.execute(
            "SELECT u.username, l.suspended_at, l.suspended_reason FROM relay_logins l JOIN users u ON u.id = l.user_id"
            " AND u.removed_at IS NULL WHERE l.deployment_id = ? AND l.disconnected_at IS NULL"
            " AND l.suspended_at IS NOT NULL ORDER BY u.username",
            (deployment.id,),
        ).fetchall()
    ]


def _find(execute: Any, columns: str, login: str) -> rows.Row | None:
    """These columns of a connected login, or None."""
    username, domain = address.split(address.normalise(login) or "")
    if not domain:
        return None
    found = execute(
        f"SELECT {columns} FROM relay_logins l"
        " JOIN users u ON u.id = l.user_id AND u.removed_at IS NULL JOIN deployments d ON d.id = l.deployment_id"
        " WHERE d.domain = ? AND u.username = ? AND l.disconnected_at IS NULL",
        (domain, username),
    )
    return rows.first(found)


def _connected(database: Database, user: staff.Member) -> rows.Row | None:
    sql = (
        f"SELECT l.id, {_LOGIN_COLUMNS} FROM relay_logins l JOIN users u ON u.id = l.user_id"
        " WHERE l.user_id = ? AND l.disconnected_at IS NULL"
    )
    return rows.first(database.execute(sql, (user.id,)))


def _known(database: Database, deployment: Deployment, username: str) -> rows.Row:
    user = staff.present(database, deployment, username)
    row = _connected(database, user)
    if row is None:
        raise NotFound(
            said("{user} isn't connected; 'mailweir relay connect {user}' creates a login", user=user.username)
        )
    return row


def _made_of(deployment: Deployment, row: rows.Row) -> RelayLogin:
    return RelayLogin(
        deployment=deployment.name,
        username=row["username"],
        login=deployment.capture_address(row["username"]),
        created_at=parse(row["created_at"]),
        rotated_at=parse_or_none(row["rotated_at"]),
        suspended_at=parse_or_none(row["suspended_at"]),
        suspended_reason=row["suspended_reason"],
        messages=row.get("messages", 0),
        recipients=row.get("recipients", 0),
        refused=row.get("refused", 0),
    )
