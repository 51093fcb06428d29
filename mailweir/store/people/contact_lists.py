"""Lists of contacts for a page: by name, fifty at a time, from the id of the last or first contact shown before. Never writes.

No query has COUNT or OFFSET. Lists don't include removed contacts; `find` still returns them, because the record refers to them.
Called by the web page.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mailweir.store.database import batches, like, rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse, parse_or_none
from mailweir.store.people import name_pages
from mailweir.store.people.deployments import Deployment
from mailweir.store.people.name_pages import Place

_COLUMNS = (
    "SELECT c.id, c.name, c.company_id, o.name AS company, c.created_at, c.removed_at, c.visibility, c.origin"
    " FROM contacts AS c LEFT JOIN companies AS o ON o.id = c.company_id"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedContact:
    """A contact, removed or not. company_id, company: its id and name, or None. addresses: its current ones. Times: UTC."""

    id: int
    name: str
    company_id: int | None
    company: str | None
    addresses: tuple[str, ...]
    created_at: datetime
    removed_at: datetime | None
    visibility: str
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactPage:
    """contacts: by name. after, before: the ids for the next requests, None if there are no more."""

    contacts: tuple[ListedContact, ...]
    after: int | None = None
    before: int | None = None


def page(
    database: Database,
    deployment: Deployment,
    *,
    begins: str = "",
    company_id: int | None = None,
    after: int | None = None,
    before: int | None = None,
    limit: int = 50,
) -> ContactPage:
    """A page of a deployment's contacts. begins: the beginning of a word of the name, of an address or of its domain. company_id:
    only contacts who work there. after, before: the page next to this contact; at most one of the two. limit: 1 to 200, else
    ValueError. DatabaseUnavailable."""
    is_back = before is not None
    chosen = before if is_back else after
    beside = _place(database, deployment, chosen) if chosen is not None else None
    if chosen is not None and beside is None:
        return ContactPage(contacts=())
    condition, values = _wanted(database, deployment, begins, company_id)
    found = name_pages.read(database, _COLUMNS, condition, values, beside=beside, is_back=is_back, limit=limit)
    return ContactPage(contacts=tuple(_made_of(database, found.rows)), after=found.after, before=found.before)


def find(database: Database, deployment: Deployment, contact_id: int) -> ListedContact | None:
    """The contact with this id, also a removed one; None if it is another deployment's, or doesn't exist."""
    sql = f"{_COLUMNS} WHERE c.deployment_id = ? AND c.id = ?"
    found = _made_of(database, rows.named(database.execute(sql, (deployment.id, name_pages.within(contact_id)))))
    return found[0] if found else None


def holders(database: Database, deployment: Deployment, address: str) -> list[ListedContact]:
    """The contacts with this address, which is in normal form. Spellings that `folding` treats as one address match, too."""
    sql = (
        f"{_COLUMNS} WHERE c.id IN (SELECT h.contact_id FROM contact_addresses AS h"
        " WHERE h.deployment_id = ? AND h.match_key = ?) ORDER BY c.id LIMIT ?"
    )
    values = (deployment.id, deployment.folding.key(address), name_pages.MAX_LIMIT)
    return _made_of(database, rows.named(database.execute(sql, values)))


def _place(database: Database, deployment: Deployment, contact_id: int) -> Place | None:
    sql = "SELECT LOWER(name), id FROM contacts WHERE id = ? AND deployment_id = ?"
    row = database.execute(sql, (name_pages.within(contact_id), deployment.id)).fetchone()
    return Place(*row) if row else None


def _wanted(database: Database, deployment: Deployment, begins: str, company_id: int | None) -> tuple[str, list[Any]]:
    condition = "c.deployment_id = ? AND c.removed_at IS NULL"
    values: list[Any] = [deployment.id]
    if company_id is not None:
        condition += " AND c.company_id = ?"
        values.append(name_pages.within(company_id))
    if begins := " ".join(begins.split()):
        matches = "LIKE" if database.is_sqlite else "ILIKE"  # both ignore case
        condition += (
            f" AND (c.name {matches} ? ESCAPE '!' OR c.name {matches} ? ESCAPE '!' OR c.id IN (SELECT h.contact_id"
            " FROM contact_addresses AS h WHERE h.deployment_id = ?"
            f" AND (h.address {matches} ? ESCAPE '!' OR h.address {matches} ? ESCAPE '!')))"
        )
        text = like.escaped(begins)
        domain = text.removeprefix("@")
        values += [f"{text}%", f"% {text}%", deployment.id, f"{text}%", f"%@{domain}%"]
    return condition, values


def _made_of(database: Database, found: Sequence[rows.Row]) -> list[ListedContact]:
    addresses: dict[int, list[str]] = defaultdict(list)
    sql = "SELECT contact_id, address FROM contact_addresses WHERE contact_id IN ({}) ORDER BY id"
    for contact_id, address in batches.among(database, sql, (), [row["id"] for row in found]):
        addresses[contact_id].append(address)
    return [
        ListedContact(
            id=row["id"],
            name=row["name"],
            company_id=row["company_id"],
            company=row["company"],
            addresses=tuple(addresses[row["id"]]),
            created_at=parse(row["created_at"]),
            removed_at=parse_or_none(row["removed_at"]),
            visibility=row["visibility"],
            origin=row["origin"],
        )
        for row in found
    ]
