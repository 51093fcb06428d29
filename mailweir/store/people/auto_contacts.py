"""Contacts that mail from or to a company's domain makes, if an admin switched this on for the company (decision 0037).

The caller has checked that the author is proven, and isn't a program. Called by the digest, in a transaction during which nobody
else writes; `mailweir why` and `mailweir activity show` report the result.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from mailweir import address, display_names
from mailweir.decision import Reason
from mailweir.directory import DeploymentRef
from mailweir.store.database import batches
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse, rfc3339
from mailweir.store.people import companies, contacts

MAX_PER_DAY = 50  # new contacts of a company in 24 hours: enough for a whole office, too few for a flood of addresses
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Made:
    """contact_id: the contact that has the address now, or None. reason: why there is none. company: the id of a new contact's
    company."""

    contact_id: int | None
    reason: Reason | None = None
    company: int | None = None

    @property
    def is_new(self) -> bool:
        """Was it made by this call?"""
        return self.company is not None


@dataclass(frozen=True, slots=True)
class MadeByMail:
    """A contact that mail made, with the address by which an activity names it. made_at: UTC."""

    address: str
    company: str
    made_at: datetime


def in_activity(database: Database, activity_id: int) -> list[MadeByMail]:
    """The contacts on an activity's record that mail made."""
    sql = (
        "SELECT DISTINCT p.address, o.name, c.created_at FROM activity_contacts p"
        " JOIN contacts c ON c.id = p.contact_id AND c.origin = 'company_domain' LEFT JOIN companies o ON o.id = c.company_id"
        " WHERE p.activity_id = ? ORDER BY p.address"
    )
    found = database.execute(sql, (activity_id,)).fetchall()
    return [MadeByMail(normal, company or "", parse(made_at)) for normal, company, made_at in found]


def make(database: Database, deployment: DeploymentRef, normal: str, name: str, now: datetime) -> Made:
    """The contact with this address, existing or new, or the reason why there is none. name: see `display_names`."""
    key = deployment.folding.key(normal)
    domain = address.split(key)[1]
    held = "SELECT contact_id FROM contact_addresses WHERE deployment_id = ? AND match_key = ? ORDER BY id LIMIT 1"
    if there := database.execute(held, (deployment.id, key)).fetchone():
        return Made(int(there[0]))
    company_sql = "SELECT id FROM companies WHERE deployment_id = ? AND domain = ? AND auto_contacts = 1"
    company = database.execute(company_sql, (deployment.id, domain)).fetchone()
    if company is None or _is_own(database, deployment, key):
        return Made(None, Reason.UNKNOWN_AUTHOR)
    if companies.why_not_alone(database, deployment.id, domain):
        return Made(None, Reason.COMPANY_NOT_ALONE)
    removed = "SELECT 1 FROM removed_addresses WHERE deployment_id = ? AND match_key = ?"
    if database.execute(removed, (deployment.id, key)).fetchone():
        return Made(None, Reason.COMPANY_REMOVED)
    of_late = "SELECT COUNT(*) FROM contacts WHERE company_id = ? AND origin = 'company_domain' AND created_at > ?"
    (count,) = database.execute(of_late, (company[0], rfc3339(now - _DAY))).fetchone()
    if count >= MAX_PER_DAY:
        return Made(None, Reason.COMPANY_LIMIT)
    contact_id = _insert(database, deployment, key, _harmless(database, deployment, key, name), company[0], now)
    return Made(contact_id, company=int(company[0]))


def _insert(database: Database, deployment: DeploymentRef, key: str, name: str, company_id: int, now: datetime) -> int:
    columns = ("deployment_id", "company_id", "name", "created_at", "origin")
    row = (deployment.id, company_id, name, rfc3339(now), "company_domain")
    ((contact_id,),) = batches.insert(database, "contacts", columns, [row], "RETURNING id")
    contacts.put_addresses(database, deployment, [(contact_id, key)])
    return int(contact_id)


def _is_own(database: Database, deployment: DeploymentRef, key: str) -> bool:
    sql = (
        "SELECT 1 FROM user_addresses WHERE deployment_id = ? AND match_key = ? UNION ALL"
        " SELECT 1 FROM group_addresses WHERE deployment_id = ? AND match_key = ?"
    )
    return database.execute(sql, (deployment.id, key, deployment.id, key)).fetchone() is not None


def _harmless(database: Database, deployment: DeploymentRef, key: str, name: str) -> str:
    """The name; if a user has it, a replacement, because readers would take the contact for a colleague."""
    sql = "SELECT name FROM users WHERE deployment_id = ? AND removed_at IS NULL AND name <> ''"
    staff = [one for (one,) in database.execute(sql, (deployment.id,)).fetchall()]
    return display_names.unless_taken(name, key, staff)
