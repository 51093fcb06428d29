"""Imports many contacts at once: a file's rows, checked as in `contacts.add`, compared with existing contacts, and written in one
transaction or not at all.

A row matches the contact that has its name and one of its addresses: that contact gets the missing data and keeps its own, so
that importing the same rows twice changes nothing. Never reads a file, and never loads all contacts: it queries addresses in
batches. As much as possible is done before the transaction, because the filter waits while the transaction lasts. Called by the
command line.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from mailweir.contact_files.rows import BadRow, Row
from mailweir.errors import BadInput
from mailweir.sentence import said
from mailweir.store.database import batches
from mailweir.store.database.connection import Database
from mailweir.store.people import address_checks, checks
from mailweir.store.people.contact_changes import missing_companies, write
from mailweir.store.people.contact_plan import MAX_BAD_ROWS, BadRows, Plan, Progress
from mailweir.store.people.deployments import Deployment

MAX_ROWS = 1_000_000  # all of a file's rows are in memory at once, some 800 bytes each with their data

_PLANNING = 0.6  # share of the transaction's time


@dataclass(frozen=True, slots=True)
class Prepared:
    """A file's rows in their normal form, and apart from them the rows that are invalid whatever the database has."""

    rows: list[Row]
    bad: BadRows


@dataclass(frozen=True, slots=True)
class Imported:
    """The results of the rows. written: False if a bad row prevented it, or in a preview; the counts are then those of a real
    import.

    added, completed, unchanged: good rows, by their effect. kept_company: those of the latter two whose contact works for another
    company, and keeps it. bad: the first of the bad rows, by line. left_out: the number of all bad rows.
    """

    written: bool
    added: int
    completed: int
    unchanged: int
    kept_company: int
    companies_added: int
    left_out: int
    bad: tuple[BadRow, ...]


def prepare(deployment: Deployment, found: Iterable[Row | BadRow], company: str | None, progress: Progress) -> Prepared:
    """Brings rows into their normal form. company: for rows that name none. progress: called with the line.

    BadInput if there are more rows than MAX_ROWS, or that company's name is invalid.
    """
    company = "" if company is None else checks.clean_name(company, said("company's"))
    prepared = Prepared([], BadRows())
    names: dict[str, str] = {"": company}  # companies' clean names by given name; their rows share the string
    for number, row in enumerate(found):
        if number % batches.MAX_ROWS == 0:
            progress(row.line)
        if isinstance(row, BadRow):
            prepared.bad.add(row.line, row.reason)
            continue
        if len(prepared.rows) == MAX_ROWS:
            raise BadInput(said("there are more than {most} contacts: import them in several files", most=MAX_ROWS))
        try:
            prepared.rows.append(_clean(deployment, row, names))
        except BadInput as error:
            prepared.bad.add(row.line, str(error))
    return prepared


def _clean(deployment: Deployment, row: Row, companies: dict[str, str]) -> Row:
    name = checks.clean_name(row.name, said("contact's"))
    if not row.addresses:
        raise BadInput(said("the contact {name} has no mail address", name=name))
    addresses = [checks.clean_address(text) for text in row.addresses]
    address_checks.refuse_twice(addresses)
    for found in addresses:
        address_checks.refuse_own_domain(deployment, found)
    if row.company not in companies:
        companies[row.company] = checks.clean_name(row.company, said("company's"))
    return Row(row.line, name, tuple(addresses), companies[row.company])


def run(
    database: Database,
    deployment: Deployment,
    prepared: Prepared,
    now: datetime,
    *,
    partial: bool = False,
    shared: bool = False,
    progress: Progress,
) -> Imported:
    """Writes the rows: all of them, or none if one is bad, or with `partial` the good ones.

    shared: another contact, of another name, may have an address already. progress: called with the finished part, 0 to 1.
    """
    plan = Plan(database, deployment, shared=shared)
    if prepared.bad.count and not partial:
        plan.make(prepared.rows, progress)  # only to find the other bad rows: the filter needn't wait for that
        return _imported(plan, prepared.bad, 0, written=False)
    with database.transaction():
        plan.make(prepared.rows, lambda part: progress(part * _PLANNING))
        written = partial or not plan.bad.count
        made = 0
        if written:
            rest = 1 - _PLANNING
            made = write(database, deployment, plan.changes, now, lambda part: progress(_PLANNING + part * rest))
    return _imported(plan, prepared.bad, made, written=written)


def preview(database: Database, deployment: Deployment, prepared: Prepared, *, shared: bool = False) -> Imported:
    """The effects that `run` would have for the good rows, and the bad rows. Writes nothing, so no writer waits for it."""
    plan = Plan(database, deployment, shared=shared)
    plan.make(prepared.rows, lambda part: None)
    return _imported(plan, prepared.bad, missing_companies(database, deployment, plan.changes), written=False)


def _imported(plan: Plan, bad: BadRows, companies_added: int, *, written: bool) -> Imported:
    first = sorted((*bad.first, *plan.bad.first))[:MAX_BAD_ROWS]
    changes = plan.changes
    return Imported(
        written,
        len(changes.new),
        plan.completed,
        plan.unchanged,
        plan.kept_company,
        companies_added,
        bad.count + plan.bad.count,
        tuple(first),
    )
