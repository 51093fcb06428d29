"""Accounts: persons who may sign in to the page, and their roles in deployments.

Admins and the command line make accounts; a sign-in never makes one. The row of a removed account stays, because logs refer to
it; its sessions and links are deleted in the same transaction. Called by the page's sign-in and admin pages, by `mailweir web`,
and by `users`, which removes a user's roles with the user.
"""

import enum
from dataclasses import dataclass
from datetime import datetime

from mailweir.errors import BadInput, NotFound
from mailweir.sentence import said
from mailweir.store.database import rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse, parse_or_none, rfc3339
from mailweir.store.people import checks
from mailweir.store.people.deployments import Deployment

# An account without any role can't sign in.
MAY_SIGN_IN = (
    "c.removed_at IS NULL AND (c.is_operator = 1 OR EXISTS (SELECT 1 FROM web_roles AS r WHERE r.account_id = c.id))"
)


class Role(enum.StrEnum):
    """An account's role in a deployment. ADMIN: everything that an admin may do; USER: the own record, to-dos and
    integrations."""

    ADMIN = "admin"
    USER = "user"


@dataclass(frozen=True, slots=True)
class Membership:
    """A role in a deployment. user_id, username: of the user whose record is the account's own; None if there is no such user
    there."""

    deployment_id: int
    deployment: str
    role: Role
    user_id: int | None
    username: str | None


@dataclass(frozen=True, slots=True)
class Account:
    """A person who may sign in. is_operator: sees states and settings of all deployments, and no mail. has_password: it can sign
    in with one. issuer, subject: its OpenID identity, None before its first OpenID sign-in. zone: an IANA name. zone, language:
    None if the settings decide. Times: UTC."""

    id: int
    name: str
    is_operator: bool
    has_password: bool
    issuer: str | None
    subject: str | None
    email: str | None
    zone: str | None
    language: str | None
    created_at: datetime
    last_seen_at: datetime | None
    memberships: tuple[Membership, ...]


def add(
    database: Database, name: str, now: datetime, *, is_operator: bool = False, email: str | None = None
) -> Account:
    """Makes an account without a role. name: for display and sign-in; in the form of a username. BadInput if it is invalid or
    taken."""
    name = checks.clean_username(name)
    email = None if email is None else checks.clean_address(email)
    with database.transaction():
        if database.execute("SELECT 1 FROM web_accounts WHERE name = ? AND removed_at IS NULL", (name,)).fetchone():
            raise BadInput(said("there is an account {name} already", name=name))
        sql = "INSERT INTO web_accounts (name, is_operator, email, created_at) VALUES (?, ?, ?, ?) RETURNING id"
        row = database.execute(sql, (name, int(is_operator), email, rfc3339(now))).fetchone()
    return find(database, row[0])


def give_role(database: Database, account_id: int, deployment: Deployment, role: Role, user_id: int | None) -> Account:
    """Gives an account a role in a deployment, in place of its earlier one there. user_id: of a user of that deployment."""
    sql = (
        "INSERT INTO web_roles (account_id, deployment_id, role, user_id) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (account_id, deployment_id) DO UPDATE SET role = excluded.role, user_id = excluded.user_id"
        " WHERE web_roles.role <> excluded.role OR COALESCE(web_roles.user_id, 0) <> COALESCE(excluded.user_id, 0)"
    )
    with database.transaction():
        database.execute(sql, (account_id, deployment.id, str(role), user_id))
    return find(database, account_id)


def take_role(database: Database, account_id: int, deployment: Deployment) -> None:
    """Removes an account's role in a deployment. The account stays, for its other roles. NotFound."""
    with database.transaction():
        sql = "DELETE FROM web_roles WHERE account_id = ? AND deployment_id = ?"
        if not database.execute(sql, (account_id, deployment.id)).rowcount:
            raise NotFound(
                said(
                    "account {account_id} has no role in {deployment}",
                    account_id=account_id,
                    deployment=deployment.name,
                )
            )


def remove(database: Database, account_id: int, now: datetime) -> None:
    """Removes an account, with its sessions and links: its signed-in browsers are signed out. NotFound."""
    with database.transaction():
        sql = "UPDATE web_accounts SET removed_at = ? WHERE id = ? AND removed_at IS NULL"
        if not database.execute(sql, (rfc3339(now), account_id)).rowcount:
            raise NotFound(said("there is no account {account_id}", account_id=account_id))
        database.execute("DELETE FROM web_sessions WHERE account_id = ?", (account_id,))
        database.execute("DELETE FROM web_links WHERE account_id = ?", (account_id,))
        database.execute("DELETE FROM web_roles WHERE account_id = ?", (account_id,))


def end_of_user(database: Database, user_id: int, now: datetime) -> None:
    """Removes the roles that accounts have as this user, and ends the sessions and links of these accounts. Accounts without
    other roles are removed, except operators. Within the caller's transaction."""
    sql = "SELECT r.account_id FROM web_roles AS r WHERE r.user_id = ?"
    for (account_id,) in database.execute(sql, (user_id,)).fetchall():
        database.execute("DELETE FROM web_roles WHERE account_id = ? AND user_id = ?", (account_id, user_id))
        database.execute("DELETE FROM web_sessions WHERE account_id = ?", (account_id,))
        database.execute("DELETE FROM web_links WHERE account_id = ?", (account_id,))
        sql = (
            "UPDATE web_accounts SET removed_at = ? WHERE id = ? AND removed_at IS NULL AND is_operator = 0"
            " AND NOT EXISTS (SELECT 1 FROM web_roles AS r WHERE r.account_id = web_accounts.id)"
        )
        database.execute(sql, (rfc3339(now), account_id))


def prefer(database: Database, account_id: int, zone: str | None, language: str | None) -> None:
    """Stores an account's time zone and language; None: the settings' default. The caller has checked that they exist."""
    with database.transaction():
        sql = "UPDATE web_accounts SET zone = ?, language = ? WHERE id = ?"
        database.execute(sql, (zone, language, account_id))


def find(database: Database, account_id: int) -> Account:
    """The account with this id. NotFound."""
    found = _select(database, "AND c.id = ?", (account_id,))
    if not found:
        raise NotFound(said("there is no account {account_id}", account_id=account_id))
    return found[0]


def named(database: Database, name: str) -> Account | None:
    """The account of this name, or None."""
    found = _select(database, "AND c.name = ?", (name.lower(),))
    return found[0] if found else None


def of_user(database: Database, user_id: int) -> Account | None:
    """The account whose own record is this user's, or None; the first by name, if several have it."""
    found = _select(database, "AND c.id IN (SELECT account_id FROM web_roles WHERE user_id = ?)", (user_id,))
    return found[0] if found else None


def of_deployment(database: Database, deployment: Deployment) -> list[Account]:
    """The accounts that have a role in the deployment, by name."""
    which = "AND c.id IN (SELECT account_id FROM web_roles WHERE deployment_id = ?)"
    return _select(database, which, (deployment.id,))


def operators(database: Database) -> list[Account]:
    """The operators, by name."""
    return _select(database, "AND c.is_operator = 1", ())


def list_all(database: Database) -> list[Account]:
    """All accounts, by name."""
    return _select(database, "", ())


def by_page(database: Database, deployment: Deployment | None, after: str, limit: int) -> list[Account]:
    """Accounts by name: those with a role in the deployment, or all if it is None. after: only names after this one."""
    if deployment is None:
        return _select(database, "AND c.name > ?", (after,), limit)
    which = "AND c.id IN (SELECT account_id FROM web_roles WHERE deployment_id = ?) AND c.name > ?"
    return _select(database, which, (deployment.id, after), limit)


def _select(database: Database, which: str, values: tuple[int | str, ...], limit: int | None = None) -> list[Account]:
    ending = "" if limit is None else "LIMIT ?"
    values = values if limit is None else (*values, limit)
    sql = (
        "SELECT c.id, c.name, c.is_operator, c.password_hash IS NOT NULL AS has_password, c.issuer, c.subject, c.email,"
        " c.zone, c.language, c.created_at, c.last_seen_at FROM web_accounts AS c"
        f" WHERE c.removed_at IS NULL {which} ORDER BY c.name {ending}"
    )
    found = rows.named(database.execute(sql, values))
    memberships = _memberships(database, [row["id"] for row in found])
    return [
        Account(
            id=row["id"],
            name=row["name"],
            is_operator=bool(row["is_operator"]),
            has_password=bool(row["has_password"]),
            issuer=row["issuer"],
            subject=row["subject"],
            email=row["email"],
            zone=row["zone"],
            language=row["language"],
            created_at=parse(row["created_at"]),
            last_seen_at=parse_or_none(row["last_seen_at"]),
            memberships=tuple(memberships.get(row["id"], ())),
        )
        for row in found
    ]


def _memberships(database: Database, account_ids: list[int]) -> dict[int, list[Membership]]:
    """The memberships of these accounts, by account. A membership of a removed user has no user."""
    found: dict[int, list[Membership]] = {}
    marks = ",".join("?" * len(account_ids))
    if not account_ids:
        return found
    sql = (
        "SELECT r.account_id, r.deployment_id, d.name AS deployment, r.role, u.id AS user_id, u.username FROM web_roles AS r"
        " JOIN deployments AS d ON d.id = r.deployment_id"
        " LEFT JOIN users AS u ON u.id = r.user_id AND u.removed_at IS NULL AND u.deployment_id = r.deployment_id"
        f" WHERE r.account_id IN ({marks}) ORDER BY d.name"
    )
    for row in rows.named(database.execute(sql, account_ids)):
        found.setdefault(row.pop("account_id"), []).append(Membership(**{**row, "role": Role(row["role"])}))
    return found
