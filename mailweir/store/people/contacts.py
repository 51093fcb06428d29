"""Contacts: the outside persons whose mail is captured, with their addresses.

A contact without addresses is a removed one: the row stays, for the record names it. Called by the command line.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mailweir.errors import NotFound
from mailweir.store.database import batches, models
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import rfc3339
from mailweir.store.people import address_checks, checks, companies
from mailweir.store.people.deployments import Deployment


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
    database: Database,
    deployment: Deployment,
    name: str,
    addresses: Sequence[str],
    company: str | None,
    now: datetime,
    *,
    shared: bool = False,
) -> Contact:
    """Makes a contact with one or more addresses. BadInput or NotFound (company), and then nothing is made.

    shared: another contact, of another name, may have the address already; mail is then logged for both.
    """
    name = checks.clean_name(name, "contact's")
    normal = [checks.clean_address(text) for text in addresses]
    address_checks.refuse_twice(normal)
    with database.bound(), database.transaction():
        company_id = None if company is None else companies.known_id(deployment, company)
        for found in normal:
            address_checks.refuse_own_domain(deployment, found)
            if shared:
                address_checks.refuse_own(deployment, found)
                address_checks.refuse_namesake(deployment, found, name)
            else:
                address_checks.refuse_taken(deployment, found)
        row = models.Contact.create(deployment=deployment.id, company=company_id, name=name, created_at=rfc3339(now))
        put_addresses(database, deployment, [(row.id, found) for found in normal])
        return _plain(deployment, row, normal)


def put_addresses(database: Database, deployment: Deployment, rows: Iterable[tuple[int, str]]) -> None:
    """Gives addresses to contacts: (contact, address in normal form). The one place that writes them; for `contact_import`
    too, within its transaction."""
    columns = ("deployment_id", "contact_id", "address", "match_key")
    values = ((deployment.id, contact_id, found, deployment.folding.key(found)) for contact_id, found in rows)
    batches.insert(database, "contact_addresses", columns, values)


def list_all(database: Database, deployment: Deployment) -> list[Contact]:
    """The deployment's contacts, by name; without the removed ones."""
    held = "SELECT contact_id, address FROM contact_addresses WHERE deployment_id = ? ORDER BY id"
    addresses = defaultdict(list)
    for contact_id, found in database.execute(held, (deployment.id,)).fetchall():
        addresses[contact_id].append(found)
    sql = (
        "SELECT c.id, c.name, o.name, c.created_at FROM contacts AS c LEFT JOIN companies AS o ON o.id = c.company_id"
        " WHERE c.deployment_id = ? AND c.removed_at IS NULL ORDER BY c.name, c.id"
    )
    return [
        Contact(
            id=contact_id,
            deployment=deployment.name,
            name=name,
            company=company,
            addresses=tuple(addresses[contact_id]),
            created_at=created_at,
        )
        for contact_id, name, company, created_at in database.execute(sql, (deployment.id,)).fetchall()
    ]


def each(database: Database, deployment: Deployment) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """Name, addresses and company (or an empty string) of each contact, in the order in which they were made; for the export.

    By batches: never all contacts in memory. Without the removed ones.
    """
    sql = (
        "SELECT c.id, c.name, o.name FROM contacts c LEFT JOIN companies o ON o.id = c.company_id"
        " WHERE c.deployment_id = ? AND c.removed_at IS NULL AND c.id > ? ORDER BY c.id LIMIT ?"
    )
    last = 0
    while rows := database.execute(sql, (deployment.id, last, batches.MAX_ROWS)).fetchall():
        addresses = defaultdict(list)
        held = "SELECT contact_id, address FROM contact_addresses WHERE contact_id IN ({}) ORDER BY id"
        for contact_id, found in batches.among(database, held, (), [row[0] for row in rows]):
            addresses[contact_id].append(found)
        for contact_id, name, company in rows:
            if contact_id in addresses:  # not removed in between
                yield name, tuple(addresses[contact_id]), company or ""
        last = rows[-1][0]


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
