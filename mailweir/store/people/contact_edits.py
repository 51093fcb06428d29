"""Finds, changes and removes a contact by its id, and pages through a deployment's contacts. Called by the page.

Changes count at the next message; the existing record stays.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from mailweir import address
from mailweir.errors import BadInput, NotFound
from mailweir.sentence import said
from mailweir.store.database import batches, like, rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse, rfc3339
from mailweir.store.people import address_checks, checks, companies, contacts, deployments
from mailweir.store.people.contacts import Contact
from mailweir.store.people.deployments import Deployment
from mailweir.visibility import Visibility

MAX_ADDRESSES = 100
_COLUMNS = (
    "SELECT c.id, c.name, o.name AS company, c.created_at, c.visibility, c.origin FROM contacts AS c"
    " LEFT JOIN companies AS o ON o.id = c.company_id WHERE c.deployment_id = ? AND c.removed_at IS NULL"
)


def find(database: Database, deployment: Deployment, contact_id: int) -> Contact:
    """The contact with this id. NotFound, also if it is removed or another deployment's."""
    row = rows.first(database.execute(f"{_COLUMNS} AND c.id = ?", (deployment.id, contact_id)))
    if row is None:
        raise NotFound(said("there is no such contact"))
    return _made_of(database, deployment, [row])[0]


def page(database: Database, deployment: Deployment, words: str, before: int | None, limit: int) -> list[Contact]:
    """Contacts whose name or address contains these words, the newest first. before: those with a smaller id. If the words
    are a whole address, it is looked up as in matching; "" finds all."""
    which, values = _condition(deployment, words)
    if before is not None:
        which, values = f"{which} AND c.id < ?", [*values, before]
    sql = f"{_COLUMNS} {which} ORDER BY c.id DESC LIMIT ?"
    return _made_of(database, deployment, rows.named(database.execute(sql, (deployment.id, *values, limit))))


def _condition(deployment: Deployment, words: str) -> tuple[str, list[str | int]]:
    words = " ".join(words.split())
    if not words:
        return "", []
    whole = address.typed(words)
    if whole is not None:
        held = "AND c.id IN (SELECT a.contact_id FROM contact_addresses AS a WHERE a.deployment_id = ? AND a.match_key = ?)"
        return held, [deployment.id, deployment.folding.key(whole)]
    pattern = f"%{like.escaped(words.lower())}%"
    named = (
        "AND (LOWER(c.name) LIKE ? ESCAPE '!' OR EXISTS (SELECT 1 FROM contact_addresses AS a WHERE a.contact_id = c.id"
        " AND a.address LIKE ? ESCAPE '!'))"
    )
    return named, [pattern, pattern]


def change(
    database: Database, deployment: Deployment, contact_id: int, name: str, company: str, now: datetime
) -> Contact:
    """Gives a contact another name and company; "" for no company. A missing company is created, as in an import. NotFound,
    BadInput."""
    name = checks.clean_name(name, said("contact's"))
    with database.transaction():
        before = find(database, deployment, contact_id)
        for found in before.addresses:
            _refuse_namesake(database, deployment, contact_id, found, name)
        company_id = None if not company.strip() else known_company(database, deployment, company, now)
        sql = (
            "UPDATE contacts SET name = ?, company_id = ? WHERE id = ?"
            " AND (name <> ? OR COALESCE(company_id, 0) <> COALESCE(?, 0))"
        )
        database.execute(sql, (name, company_id, contact_id, name, company_id))
        return find(database, deployment, contact_id)


def known_company(database: Database, deployment: Deployment, name: str, now: datetime) -> int:
    """The id of the company of this name, which is created if it is missing. BadInput."""
    try:
        return companies.known_id(database, deployment, name)
    except NotFound:
        return companies.add(database, deployment, name, None, now).id


def add_address(
    database: Database, deployment: Deployment, contact_id: int, text: str, *, shared: bool = False
) -> Contact:
    """Gives a contact a further address. shared: another contact, of another name, may have it already. NotFound, BadInput."""
    found = checks.clean_address(text)
    address_checks.refuse_own_domain(deployment, found)
    with database.transaction():
        before = find(database, deployment, contact_id)
        if len(before.addresses) >= MAX_ADDRESSES:
            raise BadInput(said("a contact has {most} addresses at most", most=MAX_ADDRESSES))
        if shared:
            address_checks.refuse_own(database, deployment, found)
            address_checks.refuse_namesake(database, deployment, found, before.name)
        else:
            address_checks.refuse_taken(database, deployment, found)
        contacts.put_addresses(database, deployment, [(contact_id, found)])
        return find(database, deployment, contact_id)


def remove_address(database: Database, deployment: Deployment, contact_id: int, text: str, now: datetime) -> Contact:
    """Removes an address from this contact alone; the last one stays. Mail doesn't make a contact of it again. NotFound,
    BadInput."""
    with database.transaction():
        before = find(database, deployment, contact_id)
        if text not in before.addresses:
            raise NotFound(said("{text} is not an address of {contact}", text=text, contact=before.name))
        if len(before.addresses) == 1:
            raise BadInput(
                said(
                    "{text} is the last address of {contact}: remove the contact instead",
                    text=text,
                    contact=before.name,
                )
            )
        _take_off(database, deployment, contact_id, [text], now)
        return find(database, deployment, contact_id)


def remove(database: Database, deployment: Deployment, contact_id: int, now: datetime) -> Contact:
    """Removes a contact with its addresses, and returns it. Mail doesn't make contacts of them again. NotFound."""
    with database.transaction():
        removed = find(database, deployment, contact_id)
        _take_off(database, deployment, contact_id, removed.addresses, now)
        database.execute("UPDATE contacts SET removed_at = ? WHERE id = ?", (rfc3339(now), contact_id))
        return removed


def set_visibility(database: Database, deployment: Deployment, contact_id: int, visibility: Visibility) -> Contact:
    """Sets the visibility of mail with the contact, from the next message on. NotFound."""
    with database.bound(), database.transaction():
        find(database, deployment, contact_id)
        sql = "UPDATE contacts SET visibility = ? WHERE id = ? AND visibility <> ?"
        database.execute(sql, (str(visibility), contact_id, str(visibility)))
        deployments.note_restriction(deployment, visibility)
        return find(database, deployment, contact_id)


def _take_off(
    database: Database, deployment: Deployment, contact_id: int, addresses: Sequence[str], now: datetime
) -> None:
    sql = "DELETE FROM contact_addresses WHERE contact_id = ? AND address IN ({})"
    batches.change(database, sql, (contact_id,), addresses)
    batches.insert(
        database,
        "removed_addresses",
        ("deployment_id", "address", "match_key", "removed_at"),
        [(deployment.id, one, deployment.folding.key(one), rfc3339(now)) for one in addresses],
        "ON CONFLICT (deployment_id, address) DO UPDATE SET removed_at = excluded.removed_at",
    )


def _refuse_namesake(database: Database, deployment: Deployment, contact_id: int, found: str, name: str) -> None:
    """BadInput if another contact that shares the address already has the name."""
    sql = (
        "SELECT c.name FROM contact_addresses AS a JOIN contacts AS c ON c.id = a.contact_id"
        " WHERE a.deployment_id = ? AND a.match_key = ? AND c.id <> ?"
    )
    held = database.execute(sql, (deployment.id, deployment.folding.key(found), contact_id)).fetchall()
    if any(other.casefold() == name.casefold() for (other,) in held):
        raise address_checks.held_by_contact(deployment, found, name)


def _made_of(database: Database, deployment: Deployment, found: list[rows.Row]) -> list[Contact]:
    held = "SELECT contact_id, address FROM contact_addresses WHERE contact_id IN ({}) ORDER BY id"
    addresses: defaultdict[int, list[str]] = defaultdict(list)
    for contact_id, one in batches.among(database, held, (), [row["id"] for row in found]):
        addresses[contact_id].append(one)
    return [
        Contact(
            id=row["id"],
            deployment=deployment.name,
            name=row["name"],
            company=row["company"],
            addresses=tuple(addresses[row["id"]]),
            created_at=parse(row["created_at"]),
            visibility=row["visibility"],
            origin=row["origin"],
        )
        for row in found
    ]
