"""Users: the firm's staff, their main mailboxes and further own addresses.

A removed user keeps the row, for the record names it; addresses and username are free again. Called by the command line.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mailweir.errors import BadInput, NotFound
from mailweir.store.database import models
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import rfc3339
from mailweir.store.gmail import gmail_mailboxes
from mailweir.store.people import address_checks, checks, staff
from mailweir.store.people.deployments import Deployment


@dataclass(frozen=True, slots=True)
class User:
    """A member of the staff. addresses: the own ones, the main mailbox first. created_at: RFC 3339, UTC."""

    id: int
    deployment: str
    username: str
    name: str
    mailbox: str
    addresses: tuple[str, ...]
    capture_address: str
    log_address: str
    created_at: str


def add(database: Database, deployment: Deployment, username: str, mailbox: str, name: str, now: datetime) -> User:
    """Makes a user; an empty name is none. BadInput where something can't be or is taken."""
    username = checks.clean_username(username)
    mailbox = checks.clean_address(mailbox)
    name = checks.clean_name(name, "user's") if name else ""
    with database.bound(), database.transaction():
        if _row(deployment, username):
            raise BadInput(f"there is a user {username} in {deployment.name} already")
        address_checks.refuse_captured(mailbox)
        address_checks.refuse_taken(deployment, mailbox)
        row = models.User.create(
            deployment=deployment.id, username=username, name=name, mailbox=mailbox, created_at=rfc3339(now)
        )
        key = deployment.folding.key(mailbox)
        models.UserAddress.create(deployment=deployment.id, user=row.id, address=mailbox, match_key=key)
        return _plain(deployment, row, [mailbox])


def add_address(database: Database, deployment: Deployment, username: str, address: str) -> User:
    """Gives a user a further own address. NotFound for the user, BadInput for the address."""
    address = checks.clean_address(address)
    with database.bound(), database.transaction():
        row = staff.present(deployment, username)
        address_checks.refuse_captured(address)
        address_checks.refuse_taken(deployment, address)
        key = deployment.folding.key(address)
        models.UserAddress.create(deployment=deployment.id, user=row.id, address=address, match_key=key)
        return _plain(deployment, row, _addresses(row.id))


def remove_address(database: Database, deployment: Deployment, username: str, address: str) -> User:
    """Takes a further own address off a user; the main mailbox stays. NotFound; BadInput, also where its Gmail is read for the
    user."""
    address = checks.clean_address(address)
    with database.bound(), database.transaction():
        row = staff.present(deployment, username)
        if address == row.mailbox:
            raise BadInput(f"{address} is the main mailbox of {row.username} and can't be taken off")
        gmail_mailboxes.refuse_read_for(deployment, row.id, row.username, address)
        own = (models.UserAddress.user == row.id) & (models.UserAddress.address == address)
        if not models.UserAddress.delete().where(own).execute():
            raise NotFound(f"{address} is not an address of the user {row.username} in {deployment.name}")
        return _plain(deployment, row, _addresses(row.id))


def list_all(database: Database, deployment: Deployment) -> list[User]:
    """The deployment's users, by username; without the removed ones."""
    with database.bound():
        addresses = defaultdict(list)
        own = models.UserAddress.select().where(models.UserAddress.deployment == deployment.id)
        for row in own.order_by(models.UserAddress.id):
            addresses[row.user_id].append(row.address)
        present = (models.User.deployment == deployment.id) & models.User.removed_at.is_null()
        rows = models.User.select().where(present).order_by(models.User.username)
        return [_plain(deployment, row, addresses[row.id]) for row in rows]


def remove(database: Database, deployment: Deployment, username: str, now: datetime) -> User:
    """Removes a user, with the connection of the user's Gmail, and answers with what was removed. NotFound."""
    with database.bound(), database.transaction():
        row = staff.present(deployment, username)
        removed = _plain(deployment, row, _addresses(row.id))
        models.UserAddress.delete().where(models.UserAddress.user == row.id).execute()
        models.User.update(removed_at=rfc3339(now)).where(models.User.id == row.id).execute()
        gmail_mailboxes.end_all_of(row.id, now)
        return removed


def _row(deployment: Deployment, username: str) -> Any:
    return models.User.get_or_none(
        models.User.deployment == deployment.id, models.User.username == username, models.User.removed_at.is_null()
    )


def _addresses(user_id: int) -> list[str]:
    own = models.UserAddress.select().where(models.UserAddress.user == user_id)
    return [row.address for row in own.order_by(models.UserAddress.id)]


def _plain(deployment: Deployment, row: Any, addresses: list[str]) -> User:
    return User(
        row.id,
        deployment.name,
        row.username,
        row.name,
        row.mailbox,
        tuple(sorted(addresses, key=lambda address: address != row.mailbox)),
        deployment.capture_address(row.username),
        deployment.log_address,
        row.created_at,
    )
