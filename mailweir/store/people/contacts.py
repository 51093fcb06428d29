"""Contacts: the outside persons whose mail is captured, with their addresses.

A contact without addresses is a removed one: the row stays, because the record refers to it. Called by the command line.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from mailweir.directory import DeploymentRef
from mailweir.errors import NotFound
from mailweir.sentence import said
from mailweir.store.database import batches, models, rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse, rfc3339
from mailweir.store.people import address_checks, checks, companies, deployments
from mailweir.store.people.deployments import Deployment
from mailweir.visibility import Visibility


@dataclass(frozen=True, slots=True)
class Contact:
    """An outside person. company: its name, or None. visibility: the default for new mail with the person. origin: the creator,
    an admin or mail from the company's domain. created_at: UTC."""

    id: int
    deployment: str
    name: str
    company: str | None
    addresses: tuple[str, ...]
    created_at: datetime
    visibility: str = Visibility.EVERYONE
    origin: str = "admin"


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

    shared: another contact, of another name, may have the address already; mail is then recorded for both.
    """
    name = checks.clean_name(name, said("contact's"))
    normal = [checks.clean_address(text) for text in addresses]
    address_checks.refuse_twice(normal)
    with database.bound(), database.transaction():
        company_id = None if company is None else companies.known_id(database, deployment, company)
        for found in normal:
            address_checks.refuse_own_domain(deployment, found)
            if shared:
                address_checks.refuse_own(database, deployment, found)
                address_checks.refuse_namesake(database, deployment, found, name)
            else:
                address_checks.refuse_taken(database, deployment, found)
        row = models.Contact.create(deployment=deployment.id, company=company_id, name=name, created_at=rfc3339(now))
        put_addresses(database, deployment, [(row.id, found) for found in normal])
        return _one(database, deployment, row.id)


def put_addresses(database: Database, deployment: Deployment | DeploymentRef, pairs: Iterable[tuple[int, str]]) -> None:
    """Gives addresses to contacts: (contact, address in normal form). Only this function writes them; `contact_import` and
    `auto_contacts` use it too, within their transactions."""
    columns = ("deployment_id", "contact_id", "address", "match_key")
    values = ((deployment.id, contact_id, found, deployment.folding.key(found)) for contact_id, found in pairs)
    batches.insert(database, "contact_addresses", columns, values)


def set_visibility(database: Database, deployment: Deployment, text: str, visibility: Visibility) -> list[Contact]:
    """Sets the visibility of mail with the contacts that have this address, from the next message on. NotFound."""
    found = checks.clean_address(text)
    with database.bound(), database.transaction():
        held = "SELECT DISTINCT contact_id FROM contact_addresses WHERE deployment_id = ? AND address = ? ORDER BY contact_id"
        contact_ids = [contact_id for (contact_id,) in database.execute(held, (deployment.id, found)).fetchall()]
        if not contact_ids:
            raise NotFound(
                said("{found} is not an address of a contact in {deployment}", found=found, deployment=deployment.name)
            )
        for contact_id in contact_ids:
            models.Contact.update(visibility=str(visibility)).where(models.Contact.id == contact_id).execute()
        deployments.note_restriction(deployment, visibility)
        return [_one(database, deployment, contact_id) for contact_id in contact_ids]


def list_all(database: Database, deployment: Deployment) -> list[Contact]:
    """The deployment's contacts, by name; without removed ones."""
    held = "SELECT contact_id, address FROM contact_addresses WHERE deployment_id = ? ORDER BY id"
    addresses = defaultdict(list)
    for contact_id, found in database.execute(held, (deployment.id,)).fetchall():
        addresses[contact_id].append(found)
    present = "c.deployment_id = ? AND c.removed_at IS NULL ORDER BY c.name, c.id"
    return _select(database, deployment, present, (deployment.id,), addresses)


def each(database: Database, deployment: Deployment) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """Name, addresses and company (or an empty string) of each contact, in the order of their creation; for the export.

    In batches: never all contacts in memory. Without removed ones.
    """
    sql = (
        "SELECT c.id, c.name, o.name FROM contacts c LEFT JOIN companies o ON o.id = c.company_id"
        " WHERE c.deployment_id = ? AND c.removed_at IS NULL AND c.id > ? ORDER BY c.id LIMIT ?"
    )
    last = 0
    while part := database.execute(sql, (deployment.id, last, batches.MAX_ROWS)).fetchall():
        addresses = defaultdict(list)
        held = "SELECT contact_id, address FROM contact_addresses WHERE contact_id IN ({}) ORDER BY id"
        for contact_id, found in batches.among(database, held, (), [row[0] for row in part]):
            addresses[contact_id].append(found)
        for contact_id, name, company in part:
            if contact_id in addresses:  # not removed in between
                yield name, tuple(addresses[contact_id]), company or ""
        last = part[-1][0]


def remove_address(database: Database, deployment: Deployment, text: str, now: datetime) -> list[Contact]:
    """Removes an address from its contact (or contacts, if they share it); a contact is removed with its last address. Mail
    doesn't make a contact of it again.

    Returns the contacts: without addresses if removed. NotFound.
    """
    found = checks.clean_address(text)
    with database.bound(), database.transaction():
        held = "SELECT contact_id FROM contact_addresses WHERE deployment_id = ? AND address = ? ORDER BY id"
        contact_ids = [contact_id for (contact_id,) in database.execute(held, (deployment.id, found)).fetchall()]
        if not contact_ids:
            raise NotFound(
                said("{found} is not an address of a contact in {deployment}", found=found, deployment=deployment.name)
            )
        table = models.ContactAddress
        table.delete().where(table.deployment == deployment.id, table.address == found).execute()
        batches.insert(
            database,
            "removed_addresses",
            ("deployment_id", "address", "match_key", "removed_at"),
            [(deployment.id, found, deployment.folding.key(found), rfc3339(now))],
            "ON CONFLICT (deployment_id, address) DO UPDATE SET removed_at = excluded.removed_at",
        )
        return [_left(database, deployment, contact_id, now) for contact_id in contact_ids]


def _left(database: Database, deployment: Deployment, contact_id: int, now: datetime) -> Contact:
    left = _one(database, deployment, contact_id)
    if not left.addresses:
        models.Contact.update(removed_at=rfc3339(now)).where(models.Contact.id == contact_id).execute()
    return left


def _one(database: Database, deployment: Deployment, contact_id: int) -> Contact:
    held = "SELECT address FROM contact_addresses WHERE contact_id = ? ORDER BY id"
    addresses = [address for (address,) in database.execute(held, (contact_id,)).fetchall()]
    return _select(database, deployment, "c.id = ?", (contact_id,), {contact_id: addresses})[0]


def _select(
    database: Database,
    deployment: Deployment,
    condition: str,
    values: tuple[int, ...],
    addresses: Mapping[int, Sequence[str]],
) -> list[Contact]:
    """addresses: by contact."""
    sql = (
        "SELECT c.id, c.name, o.name AS company, c.created_at, c.visibility, c.origin FROM contacts AS c"
        f" LEFT JOIN companies AS o ON o.id = c.company_id WHERE {condition}"
    )
    return [
        Contact(
            id=row["id"],
            deployment=deployment.name,
            name=row["name"],
            company=row["company"],
            addresses=tuple(addresses.get(row["id"], ())),
            created_at=parse(row["created_at"]),
            visibility=row["visibility"],
            origin=row["origin"],
        )
        for row in rows.named(database.execute(sql, values))
    ]
