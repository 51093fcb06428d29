"""Lists of companies for a page: by name, fifty at a time, from the id of the last or first company shown before. Never writes.

Called by the web page.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mailweir.store.database import like, rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse
from mailweir.store.people import name_pages
from mailweir.store.people.deployments import Deployment
from mailweir.store.people.name_pages import Place

_COLUMNS = "SELECT c.id, c.name, c.domain, c.created_at, c.visibility, c.auto_contacts FROM companies AS c"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedCompany:
    """A company; see `companies.Company`. created_at: UTC."""

    id: int
    name: str
    domain: str | None
    created_at: datetime
    visibility: str
    auto_contacts: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CompanyPage:
    """companies: by name. after, before: the ids for the next requests, None if there are no more."""

    companies: tuple[ListedCompany, ...]
    after: int | None = None
    before: int | None = None


def page(
    database: Database,
    deployment: Deployment,
    *,
    begins: str = "",
    after: int | None = None,
    before: int | None = None,
    limit: int = 50,
) -> CompanyPage:
    """A page of a deployment's companies. begins: the beginning of a word of the name, or of the domain. after, before: the page
    next to this company; at most one of the two. limit: 1 to 200, else ValueError. DatabaseUnavailable."""
    is_back = before is not None
    chosen = before if is_back else after
    beside = _place(database, deployment, chosen) if chosen is not None else None
    if chosen is not None and beside is None:
        return CompanyPage(companies=())
    condition, values = _wanted(database, deployment, begins)
    found = name_pages.read(database, _COLUMNS, condition, values, beside=beside, is_back=is_back, limit=limit)
    return CompanyPage(companies=tuple(_made_of(found.rows)), after=found.after, before=found.before)


def find(database: Database, deployment: Deployment, company_id: int) -> ListedCompany | None:
    """The company with this id; None if it is another deployment's, or doesn't exist."""
    sql = f"{_COLUMNS} WHERE c.deployment_id = ? AND c.id = ?"
    found = _made_of(rows.named(database.execute(sql, (deployment.id, name_pages.within(company_id)))))
    return found[0] if found else None


def named(database: Database, deployment: Deployment, name: str) -> ListedCompany | None:
    """The company of this name, ignoring case; the exact one first. None if there is none."""
    sql = f"{_COLUMNS} WHERE c.deployment_id = ? AND LOWER(c.name) = LOWER(?) ORDER BY c.name <> ?, c.id LIMIT 1"
    found = _made_of(rows.named(database.execute(sql, (deployment.id, name, name))))
    return found[0] if found else None


def _place(database: Database, deployment: Deployment, company_id: int) -> Place | None:
    sql = "SELECT LOWER(name), id FROM companies WHERE id = ? AND deployment_id = ?"
    row = database.execute(sql, (name_pages.within(company_id), deployment.id)).fetchone()
    return Place(*row) if row else None


def _wanted(database: Database, deployment: Deployment, begins: str) -> tuple[str, list[Any]]:
    condition = "c.deployment_id = ?"
    values: list[Any] = [deployment.id]
    if begins := " ".join(begins.split()):
        matches = "LIKE" if database.is_sqlite else "ILIKE"  # both ignore case
        condition += (
            f" AND (c.name {matches} ? ESCAPE '!' OR c.name {matches} ? ESCAPE '!' OR c.domain {matches} ? ESCAPE '!')"
        )
        text = like.escaped(begins)
        values += [f"{text}%", f"% {text}%", f"{text.removeprefix('@')}%"]
    return condition, values


def _made_of(found: Sequence[rows.Row]) -> list[ListedCompany]:
    return [
        ListedCompany(
            id=row["id"],
            name=row["name"],
            domain=row["domain"],
            created_at=parse(row["created_at"]),
            visibility=row["visibility"],
            auto_contacts=bool(row["auto_contacts"]),
        )
        for row in found
    ]
