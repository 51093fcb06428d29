"""Users: the firm's staff, their main mailboxes and further own addresses.

The row of a removed user stays, because the record refers to it; addresses and username are free again. Called by the command
line and the page.
"""

from dataclasses import dataclass
from datetime import datetime

from mailweir.errors import BadInput, NotFound
from mailweir.sentence import said
from mailweir.store.database import models, rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse, rfc3339
from mailweir.store.gmail import gmail_connections
from mailweir.store.people import address_checks, checks, deployments, staff
from mailweir.store.people.deployments import Deployment
from mailweir.store.web import accounts
from mailweir.visibility import Visibility


@dataclass(frozen=True, slots=True)
class User:
    """A member of the staff. addresses: the own ones, the main mailbox first. visibility: the default for new mail on the user's
    record. created_at: UTC."""

    id: int
    deployment: str
    username: str
    name: str
    mailbox: str
    addresses: tuple[str, ...]
    capture_address: str
    log_address: str
    created_at: datetime
    visibility: str = Visibility.EVERYONE


def add(database: Database, deployment: Deployment, username: str, mailbox: str, name: str, now: datetime) -> User:
    """Makes a user; an empty name means none. BadInput if a value is invalid or taken."""
    username = checks.clean_username(username)
    mailbox = checks.clean_address(mailbox)
    name = checks.clean_name(name, said("user's")) if name else ""
    with database.bound(), database.transaction():
        if _is_present(database, deployment, username):
            raise BadInput(
                said(
                    "there is a user {username} in {deployment} already", username=username, deployment=deployment.name
                )
            )
        address_checks.refuse_captured(database, mailbox)
        address_checks.refuse_taken(database, deployment, mailbox)
        row = models.User.create(
            deployment=deployment.id, username=username, name=name, mailbox=mailbox, created_at=rfc3339(now)
        )
        key = deployment.folding.key(mailbox)
        models.UserAddress.create(deployment=deployment.id, user=row.id, address=mailbox, match_key=key)
        return _one(database, deployment, row.id)


def change(
    database: Database, deployment: Deployment, username: str, *, name: str | None = None, mailbox: str | None = None
) -> User:
    """Gives a user another name or another main mailbox; None leaves it unchanged, and an empty name means none.

    The earlier mailbox stays a further own address: mail from it is still the user's. A confirmation is redirected to the new
    one. NotFound for the user, BadInput for name and address.
    """
    given: dict[str, str] = {}
    if name is not None:
        given["name"] = checks.clean_name(name, "user's") if name.strip() else ""
    if mailbox is not None:
        given["mailbox"] = checks.clean_address(mailbox)
    with database.bound(), database.transaction():
        user = staff.present(database, deployment, username)
        if "mailbox" in given and not _is_own(user.id, given["mailbox"]):
            add_address(database, deployment, username, given["mailbox"])
        before = _one(database, deployment, user.id)
        fresh = {column: value for column, value in given.items() if getattr(before, column) != value}
        if fresh:
            models.User.update(**fresh).where(models.User.id == user.id).execute()
        return _one(database, deployment, user.id)


def add_address(database: Database, deployment: Deployment, username: str, address: str) -> User:
    """Gives a user a further own address. NotFound for the user, BadInput for the address."""
    address = checks.clean_address(address)
    with database.bound(), database.transaction():
        user = staff.present(database, deployment, username)
        address_checks.refuse_captured(database, address)
        address_checks.refuse_taken(database, deployment, address)
        key = deployment.folding.key(address)
        models.UserAddress.create(deployment=deployment.id, user=user.id, address=address, match_key=key)
        return _one(database, deployment, user.id)


def remove_address(database: Database, deployment: Deployment, username: str, address: str) -> User:
    """Removes a further own address from a user; the main mailbox stays. NotFound; BadInput, also if the sync reads
    this address's Gmail mailbox for the user."""
    address = checks.clean_address(address)
    with database.bound(), database.transaction():
        user = staff.present(database, deployment, username)
        if address == user.mailbox:
            raise BadInput(
                said(
                    "{address} is the main mailbox of {user} and can't be removed",
                    address=address,
                    user=user.username,
                )
            )
        gmail_connections.refuse_read_for(database, deployment, user, address)
        own = (models.UserAddress.user == user.id) & (models.UserAddress.address == address)
        if not models.UserAddress.delete().where(own).execute():
            raise NotFound(
                said(
                    "{address} is not an address of the user {user} in {deployment}",
                    address=address,
                    user=user.username,
                    deployment=deployment.name,
                )
            )
        return _one(database, deployment, user.id)


def set_visibility(database: Database, deployment: Deployment, username: str, visibility: Visibility) -> User:
    """Sets the visibility of mail on the user's record, from the next message on. NotFound."""
    with database.bound(), database.transaction():
        user = staff.present(database, deployment, username)
        table = models.User
        table.update(visibility=str(visibility)).where(
            table.id == user.id, table.visibility != str(visibility)
        ).execute()
        deployments.note_restriction(deployment, visibility)
        return _one(database, deployment, user.id)


def list_all(database: Database, deployment: Deployment) -> list[User]:
    """The deployment's users, by username; without removed ones."""
    return _select(database, deployment)


def find(database: Database, deployment: Deployment, username: str) -> User:
    """The user of this name. NotFound."""
    return _one(database, deployment, staff.present(database, deployment, username).id)


def remove(database: Database, deployment: Deployment, username: str, now: datetime) -> User:
    """Removes a user, with the connected Gmail mailbox, whose consent the sync gives back to Google, and with the user's rights
    on the page. Returns the user as before. NotFound."""
    with database.bound(), database.transaction():
        user = staff.present(database, deployment, username)
        removed = _one(database, deployment, user.id)
        models.UserAddress.delete().where(models.UserAddress.user == user.id).execute()
        models.NeverLogRule.delete().where(models.NeverLogRule.user == user.id).execute()
        models.User.update(removed_at=rfc3339(now)).where(models.User.id == user.id).execute()
        gmail_connections.end_and_return(database, user, now)
        accounts.end_of_user(database, user.id, now)
        return removed


def _is_own(user_id: int, address: str) -> bool:
    table = models.UserAddress
    return table.select().where(table.user == user_id, table.address == address).exists()


def _is_present(database: Database, deployment: Deployment, username: str) -> bool:
    sql = "SELECT 1 FROM users WHERE deployment_id = ? AND username = ? AND removed_at IS NULL"
    return database.execute(sql, (deployment.id, username)).fetchone() is not None


def _one(database: Database, deployment: Deployment, user_id: int) -> User:
    (found,) = _select(database, deployment, "AND u.id = ?", (user_id,))
    return found


def _select(database: Database, deployment: Deployment, which: str = "", values: tuple[int, ...] = ()) -> list[User]:
    """Needs two statements for any number of users."""
    source = f"WHERE u.deployment_id = ? AND u.removed_at IS NULL {which}"
    own: dict[int, list[str]] = {}
    sql = f"SELECT a.user_id, a.address FROM user_addresses a JOIN users u ON u.id = a.user_id {source} ORDER BY a.id"
    for user_id, address in database.execute(sql, (deployment.id, *values)).fetchall():
        own.setdefault(user_id, []).append(address)
    sql = f"SELECT u.id, u.username, u.name, u.mailbox, u.created_at, u.visibility FROM users u {source} ORDER BY u.username"
    found = rows.named(database.execute(sql, (deployment.id, *values)))
    return [_made_of(deployment, row, own.get(row["id"], [])) for row in found]


def _made_of(deployment: Deployment, row: rows.Row, addresses: list[str]) -> User:
    return User(
        id=row["id"],
        deployment=deployment.name,
        username=row["username"],
        name=row["name"],
        mailbox=row["mailbox"],
        addresses=tuple(sorted(addresses, key=lambda address: address != row["mailbox"])),
        capture_address=deployment.capture_address(row["username"]),
        log_address=deployment.log_address,
        created_at=parse(row["created_at"]),
        visibility=row["visibility"],
    )
