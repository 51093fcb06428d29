"""Addresses of the firm's groups and lists, such as sales@. If one is in From, somebody else wrote the mail.

Called by the command line and the page.
"""

from dataclasses import dataclass
from datetime import datetime

from mailweir.errors import NotFound
from mailweir.sentence import said
from mailweir.store.database import models, rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse, rfc3339
from mailweir.store.people import address_checks, checks
from mailweir.store.people.deployments import Deployment


@dataclass(frozen=True, slots=True)
class Group:
    """A group's address in normal form. created_at: UTC."""

    deployment: str
    address: str
    created_at: datetime


def add(database: Database, deployment: Deployment, address: str, now: datetime) -> Group:
    """Registers an address as a group's. BadInput if it is invalid, taken, or within a capture domain."""
    address = checks.clean_address(address)
    with database.bound(), database.transaction():
        address_checks.refuse_captured(database, address)
        address_checks.refuse_taken(database, deployment, address)
        key = deployment.folding.key(address)
        models.GroupAddress.create(deployment=deployment.id, address=address, match_key=key, created_at=rfc3339(now))
        return _select(database, deployment, "AND match_key = ?", (key,))[0]


def remove(database: Database, deployment: Deployment, address: str) -> Group:
    """Removes the group's address. NotFound."""
    address = checks.clean_address(address)
    key = deployment.folding.key(address)
    with database.bound(), database.transaction():
        found = _select(database, deployment, "AND match_key = ?", (key,))
        if not found:
            raise NotFound(
                said(
                    "{address} is not a group of {deployment}; 'mailweir group list' shows them",
                    address=address,
                    deployment=deployment.name,
                )
            )
        table = models.GroupAddress
        table.delete().where(table.deployment == deployment.id, table.match_key == key).execute()
        return found[0]


def list_all(database: Database, deployment: Deployment) -> list[Group]:
    """A deployment's groups, by address."""
    return _select(database, deployment, "ORDER BY address")


def _select(database: Database, deployment: Deployment, ending: str, values: tuple[str, ...] = ()) -> list[Group]:
    sql = f"SELECT address, created_at FROM group_addresses WHERE deployment_id = ? {ending}"
    found = rows.named(database.execute(sql, (deployment.id, *values)))
    return [Group(deployment.name, row["address"], parse(row["created_at"])) for row in found]
