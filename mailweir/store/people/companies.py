"""Companies: whom contacts work for. Called by the command line and by `contacts`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mailweir.errors import BadInput, NotFound
from mailweir.store.database import models
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import rfc3339
from mailweir.store.people import checks
from mailweir.store.people.deployments import Deployment


@dataclass(frozen=True, slots=True)
class Company:
    """A company. domain: of its mail, or None. created_at: RFC 3339, UTC."""

    id: int
    deployment: str
    name: str
    domain: str | None
    created_at: str


def add(database: Database, deployment: Deployment, name: str, domain: str | None, now: datetime) -> Company:
    """Makes a company. BadInput where name or domain can't be, or the name is taken."""
    name = checks.clean_name(name, "company's")
    domain = None if domain is None else checks.clean_domain(domain)
    with database.bound(), database.transaction():
        if _row(deployment, name):
            raise BadInput(f"there is a company '{name}' in {deployment.name} already")
        row = models.Company.create(deployment=deployment.id, name=name, domain=domain, created_at=rfc3339(now))
        return _plain(deployment, row)


def list_all(database: Database, deployment: Deployment) -> list[Company]:
    """The deployment's companies, by name."""
    with database.bound():
        rows = models.Company.select().where(models.Company.deployment == deployment.id).order_by(models.Company.name)
        return [_plain(deployment, row) for row in rows]


def known_id(deployment: Deployment, name: str) -> int:
    """The id of the company of this name; for `contacts`, within its transaction. NotFound."""
    row = _row(deployment, checks.clean_name(name, "company's"))
    if row is None:
        raise NotFound(f"unknown company '{name}' in {deployment.name}; make it with 'mailweir company add'")
    return int(row.id)


def _row(deployment: Deployment, name: str) -> Any:
    return models.Company.get_or_none(models.Company.deployment == deployment.id, models.Company.name == name)


def _plain(deployment: Deployment, row: Any) -> Company:
    return Company(row.id, deployment.name, row.name, row.domain, row.created_at)
