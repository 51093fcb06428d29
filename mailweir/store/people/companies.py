"""Companies: whom contacts work for. Called by the command line and by `contacts`."""

from dataclasses import dataclass
from datetime import datetime

from mailweir.errors import BadInput, NotFound
from mailweir.store.database import models, rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse, rfc3339
from mailweir.store.people import checks, deployments
from mailweir.store.people.deployments import Deployment
from mailweir.visibility import Visibility


@dataclass(frozen=True, slots=True)
class Company:
    """A company. domain: of its mail, or None. visibility: what mail with it gets as it is recorded. created_at: UTC."""

    id: int
    deployment: str
    name: str
    domain: str | None
    created_at: datetime
    visibility: str = Visibility.EVERYONE


def add(database: Database, deployment: Deployment, name: str, domain: str | None, now: datetime) -> Company:
    """Makes a company. BadInput where name or domain can't be, or the name is taken."""
    name = checks.clean_name(name, "company's")
    domain = None if domain is None else checks.clean_domain(domain)
    with database.bound(), database.transaction():
        if _select(database, deployment, "AND name = ?", (name,)):
            raise BadInput(f"there is a company '{name}' in {deployment.name} already")
        models.Company.create(deployment=deployment.id, name=name, domain=domain, created_at=rfc3339(now))
        return _select(database, deployment, "AND name = ?", (name,))[0]


def set_visibility(database: Database, deployment: Deployment, name: str, visibility: Visibility) -> Company:
    """What mail with the company's contacts gets as it is recorded, from the next message on. NotFound."""
    with database.bound(), database.transaction():
        company_id = known_id(database, deployment, name)
        models.Company.update(visibility=str(visibility)).where(models.Company.id == company_id).execute()
        deployments.note_restriction(deployment, visibility)
        return _select(database, deployment, "AND id = ?", (company_id,))[0]


def list_all(database: Database, deployment: Deployment) -> list[Company]:
    """The deployment's companies, by name."""
    return _select(database, deployment, "ORDER BY name")


def known_id(database: Database, deployment: Deployment, name: str) -> int:
    """The id of the company of this name; for `contacts`, within its transaction. NotFound."""
    found = _select(database, deployment, "AND name = ?", (checks.clean_name(name, "company's"),))
    if not found:
        raise NotFound(f"unknown company '{name}' in {deployment.name}; make it with 'mailweir company add'")
    return found[0].id


def _select(
    database: Database, deployment: Deployment, ending: str, values: tuple[str | int, ...] = ()
) -> list[Company]:
    sql = f"SELECT id, name, domain, created_at, visibility FROM companies WHERE deployment_id = ? {ending}"
    return [
        Company(
            id=row["id"],
            deployment=deployment.name,
            name=row["name"],
            domain=row["domain"],
            created_at=parse(row["created_at"]),
            visibility=row["visibility"],
        )
        for row in rows.named(database.execute(sql, (deployment.id, *values)))
    ]
