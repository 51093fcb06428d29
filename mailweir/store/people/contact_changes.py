"""The SQL that creates and completes many contacts at once. `contact_plan` decides what to write, and `contact_import` calls
this module within its transaction."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from mailweir.store.database import batches
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import rfc3339
from mailweir.store.people import contacts
from mailweir.store.people.deployments import Deployment


@dataclass(slots=True, eq=False)
class Person:
    """A contact during an import. id: None before it is written. company: empty for none. Equal to itself only."""

    id: int | None
    name: str
    company: str


@dataclass(slots=True)
class Changes:
    """The changes to write. addresses: in the order of the rows. filled: existing contacts that get a company."""

    new: list[Person] = field(default_factory=list)
    addresses: list[tuple[Person, str]] = field(default_factory=list)
    filled: list[Person] = field(default_factory=list)

    @property
    def companies(self) -> set[str]:
        """The names of the companies that contacts get, existing or not."""
        return {person.company for person in (*self.new, *self.filled) if person.company}

    def fill_company(self, person: Person) -> None:
        """Records that a contact gets a company; a new contact is written with it anyway."""
        if person.id is not None:
            self.filled.append(person)


def write(
    database: Database, deployment: Deployment, changes: Changes, now: datetime, progress: Callable[[float], None]
) -> int:
    """Writes everything; returns how many companies were made. progress: called with the finished part, 0 to 1."""
    company_ids = _company_ids(database, deployment, changes.companies)
    missing = sorted(changes.companies - company_ids.keys())
    if missing:
        columns = ("deployment_id", "name", "created_at")
        rows = ((deployment.id, name, rfc3339(now)) for name in missing)
        batches.insert(database, "companies", columns, rows, "ON CONFLICT (deployment_id, name) DO NOTHING")
        company_ids |= _company_ids(database, deployment, missing)
    _fill_companies(database, changes.filled, company_ids)
    _write_new(database, deployment, changes.new, company_ids, now, lambda part: progress(part / 2))
    _write_addresses(database, deployment, changes.addresses, lambda part: progress(0.5 + part / 2))
    return len(missing)


def missing_companies(database: Database, deployment: Deployment, changes: Changes) -> int:
    """The number of companies that would be made."""
    return len(changes.companies - _company_ids(database, deployment, changes.companies).keys())


def _company_ids(database: Database, deployment: Deployment, names: Iterable[str]) -> dict[str, int]:
    sql = "SELECT name, id FROM companies WHERE deployment_id = ? AND name IN ({})"
    return dict(batches.among(database, sql, (deployment.id,), list(names)))


def _fill_companies(database: Database, filled: Iterable[Person], company_ids: dict[str, int]) -> None:
    by_company: defaultdict[str, list[int]] = defaultdict(list)
    for person in filled:
        assert person.id is not None
        by_company[person.company].append(person.id)
    for company, ids in by_company.items():
        batches.change(database, "UPDATE contacts SET company_id = ? WHERE id IN ({})", (company_ids[company],), ids)


def _write_new(
    database: Database,
    deployment: Deployment,
    new: list[Person],
    company_ids: dict[str, int],
    now: datetime,
    progress: Callable[[float], None],
) -> None:
    columns = ("deployment_id", "company_id", "name", "created_at")
    done = 0
    for part in batches.parts(new):
        rows = ((deployment.id, company_ids.get(person.company), person.name, rfc3339(now)) for person in part)
        made = batches.insert(database, "contacts", columns, rows, "RETURNING id, company_id, name")
        # RETURNING promises no order. Rows of one name and company are interchangeable as long as they have no addresses.
        ids: defaultdict[tuple[int | None, str], list[int]] = defaultdict(list)
        for contact_id, company_id, name in sorted(made, key=lambda row: int(row[0]), reverse=True):
            ids[company_id, name].append(contact_id)
        for person in part:
            person.id = ids[company_ids.get(person.company), person.name].pop()
        done += len(part)
        progress(done / len(new))


def _write_addresses(
    database: Database,
    deployment: Deployment,
    addresses: list[tuple[Person, str]],
    progress: Callable[[float], None],
) -> None:
    for start in range(0, len(addresses), batches.MAX_ROWS):
        rows: list[tuple[int, str]] = []
        for person, found in addresses[start : start + batches.MAX_ROWS]:
            assert person.id is not None
            rows.append((person.id, found))
        contacts.put_addresses(database, deployment, rows)
        progress((start + len(rows)) / len(addresses))
