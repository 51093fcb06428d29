"""Deployments: the tenants and their capture domains. Called by the command line."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mailweir.errors import BadInput, NotFound
from mailweir.store import checks, models
from mailweir.store.connection import Database
from mailweir.store.moments import rfc3339


@dataclass(frozen=True, slots=True)
class Deployment:
    """A tenant. created_at: RFC 3339, UTC."""

    id: int
    name: str
    domain: str
    created_at: str

    @property
    def log_address(self) -> str:
        """Where its users copy what they send."""
        return f"log@{self.domain}"

    def capture_address(self, username: str) -> str:
        """Where this user's mailbox forwards to."""
        return f"{username}@{self.domain}"


def add(database: Database, name: str, domain: str, now: datetime) -> Deployment:
    """Makes a deployment. BadInput where name or capture domain can't be or are taken, or a user's own address is within it."""
    name = checks.clean_deployment_name(name)
    domain = checks.clean_domain(domain)
    with database.bound(), database.transaction():
        _refuse_taken(name, domain)
        _refuse_loop(domain)
        return _plain(models.Deployment.create(name=name, domain=domain, created_at=rfc3339(now)))


def list_all(database: Database) -> list[Deployment]:
    """All deployments, by name."""
    with database.bound():
        return [_plain(row) for row in models.Deployment.select().order_by(models.Deployment.name)]


def find(database: Database, name: str) -> Deployment:
    """The deployment of this name. NotFound, which names those that there are."""
    with database.bound():
        row = models.Deployment.get_or_none(models.Deployment.name == name)
        if row:
            return _plain(row)
    names = ", ".join(deployment.name for deployment in list_all(database))
    raise NotFound(f"unknown deployment '{name}'; " + (f"there is: {names}" if names else "there is none yet"))


def _refuse_taken(name: str, domain: str) -> None:
    for row in models.Deployment.select().where(
        (models.Deployment.name == name) | (models.Deployment.domain == domain)
    ):
        if row.name == name:
            raise BadInput(f"there is a deployment {name} already, with the capture domain {row.domain}")
        raise BadInput(f"the capture domain {domain} is taken by the deployment {row.name}")


def _refuse_loop(domain: str) -> None:
    row = (
        models.UserAddress.select(models.UserAddress.address, models.User.username, models.Deployment.name)
        .join(models.User)
        .join(models.Deployment)
        .where(models.UserAddress.address.endswith(f"@{domain}"))
        .tuples()
        .first()
    )
    if row:
        raise BadInput(
            f"{domain} can't be a capture domain: the user {row[1]} of {row[2]} has the address {row[0]}, and mail would loop"
        )


def _plain(row: Any) -> Deployment:
    return Deployment(row.id, row.name, row.domain, row.created_at)
