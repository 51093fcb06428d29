"""Contacts: the outside persons whose mail is captured, with their addresses.

A contact without addresses is a removed one: the row stays, for the record names it. Called by the command line.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mailweir import address
from mailweir.errors import BadInput, NotFound
from mailweir.store import checks, claims, companies, models
from mailweir.store.connection import Database
from mailweir.store.deployments import Deployment
from mailweir.store.moments import rfc3339


@dataclass(frozen=True, slots=True)
class Contact:
    """An outside person. company: its name, or None. created_at: RFC 3339, UTC."""

    id: int
    deployment: str
    name: str
    company: str | None
    addresses: tuple[str, ...]
    created_at: str


def add(
    database: Database, deployment: Deployment, name: str, addresses: Sequence[str], company: str | None, now: datetime
) -> Contact:
    """Makes a contact with one or more addresses. BadInput or NotFound (company), and then nothing is made."""
    name = checks.clean_name(name, "contact's")
    normal = [checks.clean_address(text) for text in addresses]
    claims.refuse_twice(normal)
    with database.bound(), database.transaction():
        company_id = None if company is None else companies.known_id(deployment, company)
        for found in normal:
            if address.split(found)[1] == deployment.domain:
                raise BadInput(f"{found} is within the capture domain of {deployment.name}: no contact is there")
            claims.refuse_taken(deployment, found)
        row = models.Contact.create(deployment=deployment.id, company=company_id, name=name, created_at=rfc3339(now))
        for found in normal:
            key = deployment.folding.key(found)
            models.ContactAddress.create(deployment=deployment.id, contact=row.id, address=found, match_key=key)
        return _plain(deployment, row, normal)


def list_all(database: Database, deployment: Deployment) -> list[Contact]:
    """The deployment's contacts, by name; without the removed ones."""
    with database.bound():
        addresses = defaultdict(list)
        known = models.ContactAddress.select().where(models.ContactAddress.deployment == deployment.id)
        for row in known.order_by(models.ContactAddress.id):
            addresses[row.contact_id].append(row.address)
        present = (models.Contact.deployment == deployment.id) & models.Contact.removed_at.is_null()
        rows = _select().where(present).order_by(models.Contact.name, models.Contact.id)
        return [_plain(deployment, row, addresses[row.id]) for row in rows]


def remove_address(database: Database, deployment: Deployment, text: str, now: datetime) -> list[Contact]:
    """Takes an address off its contact (contacts, where they share it); a contact goes with its last address.

    What is left of each: without addresses where it is removed. NotFound.
    """
    found = checks.clean_address(text)
    with database.bound(), database.transaction():
        held = (models.ContactAddress.deployment == deployment.id) & (models.ContactAddress.address == found)
        contact_ids = [row.contact_id for row in models.ContactAddress.select().where(held)]
        if not contact_ids:
            raise NotFound(f"{found} is not an address of a contact in {deployment.name}")
        models.ContactAddress.delete().where(held).execute()
        return [_left(deployment, contact_id, now) for contact_id in contact_ids]


def _left(deployment: Deployment, contact_id: int, now: datetime) -> Contact:
    left = models.ContactAddress.select().where(models.ContactAddress.contact == contact_id)
    addresses = [row.address for row in left.order_by(models.ContactAddress.id)]
    if not addresses:
        models.Contact.update(removed_at=rfc3339(now)).where(models.Contact.id == contact_id).execute()
    return _plain(deployment, _select().where(models.Contact.id == contact_id).get(), addresses)


def _select() -> Any:
    joined = models.Contact.select(models.Contact, models.Company)
    return joined.join(models.Company, "LEFT OUTER JOIN")


def _plain(deployment: Deployment, row: Any, addresses: list[str]) -> Contact:
    company = row.company.name if row.company_id is not None else None
    return Contact(row.id, deployment.name, row.name, company, tuple(addresses), row.created_at)
