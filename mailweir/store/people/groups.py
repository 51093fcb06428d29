"""Addresses of the firm's groups and lists, such as sales@: what comes from them was written by somebody else.

Called by the command line.
"""

from dataclasses import dataclass
from datetime import datetime

from mailweir.errors import NotFound
from mailweir.store.database import models
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import rfc3339
from mailweir.store.people import address_checks, checks
from mailweir.store.people.deployments import Deployment


@dataclass(frozen=True, slots=True)
class Group:
    """A group's address in normal form. created_at: RFC 3339, UTC."""

    deployment: str
    address: str
    created_at: str


def add(database: Database, deployment: Deployment, address: str, now: datetime) -> Group:
    """Takes an address for a group's. BadInput where it can't be, or is a user's, contact's or group's already."""
    address = checks.clean_address(address)
    with database.bound(), database.transaction():
        address_checks.refuse_captured(address)
        address_checks.refuse_taken(deployment, address)
        row = models.GroupAddress.create(
            deployment=deployment.id,
            address=address,
            match_key=deployment.folding.key(address),
            created_at=rfc3339(now),
        )
        return Group(deployment.name, row.address, row.created_at)


def remove(database: Database, deployment: Deployment, address: str) -> Group:
    """Takes it for nobody's from now on. NotFound."""
    address = checks.clean_address(address)
    key = deployment.folding.key(address)
    with database.bound(), database.transaction():
        row = models.GroupAddress.get_or_none(
            models.GroupAddress.deployment == deployment.id, models.GroupAddress.match_key == key
        )
        if row is None:
            raise NotFound(f"{address} is no group of {deployment.name}; 'mailweir group list' shows them")
        row.delete_instance()
        return Group(deployment.name, row.address, row.created_at)


def list_all(database: Database, deployment: Deployment) -> list[Group]:
    """A deployment's groups, by address."""
    with database.bound():
        rows = models.GroupAddress.select().where(models.GroupAddress.deployment == deployment.id)
        return [
            Group(deployment.name, row.address, row.created_at) for row in rows.order_by(models.GroupAddress.address)
        ]
