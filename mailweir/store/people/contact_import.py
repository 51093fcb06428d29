"""Many contacts at once: a file's rows, checked as `contacts.add` checks, compared with who is there, and written in one
transaction or not at all.

A row is the contact that has its name and one of its addresses: that one gets what it lacks and keeps what it has, so that the
same rows twice change nothing. Never reads a file, and never all contacts: it asks for addresses in batches. All that can be done
before the transaction is, for the filter waits as long as that lasts. Called by the command line.
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

MAX_ROWS = 1_000_000  # all of a file's rows are in memory at once, some 800 bytes each with what is known of them

_PLANNING = 0.6  # its part of the time


@dataclass(frozen=True, slots=True)
class Prepared:
    """A file's rows in their normal form, without those that can't be contacts whoever is there."""

    rows: list[Row]
    bad: BadRows


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of the rows. written: False where a bad row held all of them back, or in a preview; the counts are then what
    would have been.

    added, completed, unchanged: good rows, by what they made of their contact. kept_company: those of the latter two whose
    contact works for another company, and goes on to. bad: by line, the first ones; left_out: how many.
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
    """Brings rows into their normal form. company: of the rows that name none. progress is given the line.

    BadInput where there are more rows than MAX_ROWS, or that company's name can't be one.
    """
    company = "" if company is None else checks.clean_name(company, said("company's"))
    prepared = Prepared([], BadRows())
    names: dict[str, str] = {"": company}  # of companies, as given and clean: each once in memory
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
    """Writes the rows: all of them, or none where one is bad, or with `partial` the good ones.

    shared: another contact, of another name, may have an address already. progress is given the part that is done, 0 to 1.
    """
    plan = Plan(database, deployment, shared=shared)
    if prepared.bad.count and not partial:
        plan.make(prepared.rows, progress)  # only to say what else is bad: no need to keep the filter waiting
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
    """What `run` would make of the good rows, and which ones are bad. Writes nothing, and keeps nobody waiting."""
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
