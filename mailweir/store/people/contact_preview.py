"""The effects of an import, before anything is written: counts, examples, and the invalid rows.

Takes the rows in parts, and returns the first ones as examples. Called by the page's jobs.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from mailweir.contact_files.rows import BadRow, Row
from mailweir.store.database.connection import Database
from mailweir.store.people import contact_import
from mailweir.store.people.contact_changes import Person, missing_companies
from mailweir.store.people.contact_plan import BadRows, Plan
from mailweir.store.people.deployments import Deployment

_MAX_SCANNED = 50_000  # addresses that are examined for examples


@dataclass(frozen=True, slots=True)
class Example:
    """A contact that would be made or completed. addresses, company: those that it would get; "" for no company."""

    name: str
    addresses: tuple[str, ...]
    company: str


@dataclass(frozen=True, slots=True)
class Previewed:
    """added, completed, unchanged: good rows, by their effect. kept_company: those of the latter two whose contact works for
    another company, and keeps it. new, changed: examples. bad: the first bad rows, by line. left_out: the number of all."""

    added: int
    completed: int
    unchanged: int
    kept_company: int
    companies_added: int
    left_out: int
    bad: tuple[BadRow, ...]
    new: tuple[Example, ...]
    changed: tuple[Example, ...]


class Preview:
    """The preview of one file. company: for rows that name none; "" for no company. shared: another contact may have an address
    already."""

    def __init__(self, database: Database, deployment: Deployment, company: str, *, shared: bool) -> None:
        self._database = database
        self._deployment = deployment
        self._company = company or None
        self._plan = Plan(database, deployment, shared=shared)
        self._malformed = BadRows()

    def take(self, part: Iterable[Row | BadRow]) -> None:
        """Takes the next rows of the file. BadInput if the company's name is invalid."""
        prepared = contact_import.prepare(self._deployment, part, self._company, lambda line: None)
        for row in prepared.bad.first:
            self._malformed.add(row.line, row.reason)
        self._malformed.count += prepared.bad.count - len(prepared.bad.first)
        self._plan.make(prepared.rows, lambda done: None)

    def result(self, examples: int) -> Previewed:
        """The effects of all rows taken. examples: at most this many of each kind."""
        plan, malformed = self._plan, self._malformed
        known = list(dict.fromkeys(who for who, _ in plan.changes.addresses[:_MAX_SCANNED] if who.id is not None))
        known += [who for who in plan.changes.filled[:_MAX_SCANNED] if who not in known[:examples]]
        return Previewed(
            added=len(plan.changes.new),
            completed=plan.completed,
            unchanged=plan.unchanged,
            kept_company=plan.kept_company,
            companies_added=missing_companies(self._database, self._deployment, plan.changes),
            left_out=malformed.count + plan.bad.count,
            bad=tuple(sorted((*malformed.first, *plan.bad.first))),
            new=tuple(map(self._example, plan.changes.new[:examples])),
            changed=tuple(map(self._example, known[:examples])),
        )

    def _example(self, person: Person) -> Example:
        changes = self._plan.changes
        gets_company = person.id is None or person in changes.filled
        addresses = tuple(found for who, found in changes.addresses[:_MAX_SCANNED] if who is person)
        return Example(person.name, addresses, person.company if gets_company else "")
