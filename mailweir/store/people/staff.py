"""Finds a user by a typed username, for everything that belongs to a user: addresses, logins, mailboxes.

Called by `users`, `relay_logins` and `gmail_mailboxes`.
"""

from dataclasses import dataclass

from mailweir.errors import NotFound
from mailweir.sentence import said
from mailweir.store.database import rows
from mailweir.store.database.connection import Database
from mailweir.store.people.deployments import Deployment


@dataclass(frozen=True, slots=True)
class Member:
    """A user who isn't removed. mailbox: the address of the main mailbox."""

    id: int
    username: str
    mailbox: str


def present(database: Database, deployment: Deployment, username: str) -> Member:
    """The user of this name who isn't removed. NotFound, which says where to look."""
    sql = "SELECT id, username, mailbox FROM users WHERE deployment_id = ? AND username = ? AND removed_at IS NULL"
    row = rows.first(database.execute(sql, (deployment.id, username.lower())))
    if row is None:
        raise NotFound(
            said(
                "unknown user '{username}' in {deployment}; 'mailweir user list' shows them",
                username=username,
                deployment=deployment.name,
            )
        )
    return Member(**row)
