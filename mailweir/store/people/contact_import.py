"""Many contacts at once: a file's rows, checked as `contacts.add` checks, compared with who is there, and written in one
transaction or not at all.

A row is the contact that has its name and one of its addresses: that one gets what it lacks and keeps what it has, so that the
same rows twice change nothing. Never reads a file, and never all contacts: it asks for addresses in batches. All that can be done
before the transaction is, for the filter waits as long as that lasts. Called by the command line.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from mailweir.contact_files.rows import BadRow, Row
from mailweir.errors import BadInput
from mailweir.store.database import batches
from mailweir.store.database.connection import Database
from mailweir.store.people import address_checks, checks
from mailweir.store.people.contact_changes import Changes, Person, missing_companies, write
from mailweir.store.people.deployments import Deployment

MAX_ROWS = 1_000_000  # all of a file's rows are in memory at once, some 800 bytes each with what is known of them
MAX_BAD_ROWS = 1_000  # kept with their reasons; the others are counted

_MAX_REASON_CHARS = 300
_PLANNING = 0.6  # its part of the time

Progress = Callable[[float], None]


@dataclass(slots=True)
class BadRows:
    """What can't be taken: the first ones of the file, and how many there are."""

    first: list[BadRow] = field(default_factory=list)
    count: int = 0

    def add(self, line: int, reason: str) -> None:
        """Takes one more, in the order of the file or not."""
        self.count += 1
        if len(self.first) < MAX_BAD_ROWS:
            short = reason if len(reason) <= _MAX_REASON_CHARS else reason[:_MAX_REASON_CHARS] + "…"
            self.first.append(BadRow(line, short))


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
    company = "" if company is None else checks.clean_name(company, "company's")
    prepared = Prepared([], BadRows())
    names: dict[str, str] = {"": company}  # of companies, as given and clean: each once in memory
    for number, row in enumerate(found):
        if number % batches.MAX_ROWS == 0:
            progress(row.line)
        if isinstance(row, BadRow):
            prepared.bad.add(row.line, row.reason)
            continue
        if len(prepared.rows) == MAX_ROWS:
            raise BadInput(f"there are more than {MAX_ROWS} contacts: import them in several files")
        try:
            prepared.rows.append(_clean(deployment, row, names))
        except BadInput as error:
            prepared.bad.add(row.line, str(error))
    return prepared


def _clean(deployment: Deployment, row: Row, companies: dict[str, str]) -> Row:
    name = checks.clean_name(row.name, "contact's")
    if not row.addresses:
        raise BadInput(f"the contact {name} has no mail address")
    addresses = [checks.clean_address(text) for text in row.addresses]
    address_checks.refuse_twice(addresses)
    for found in addresses:
        address_checks.refuse_own_domain(deployment, found)
    if row.company not in companies:
        companies[row.company] = checks.clean_name(row.company, "company's")
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
    plan = _Plan(database, deployment, shared=shared)
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
    plan = _Plan(database, deployment, shared=shared)
    plan.make(prepared.rows, lambda part: None)
    return _imported(plan, prepared.bad, missing_companies(database, deployment, plan.changes), written=False)


def _imported(plan: "_Plan", bad: BadRows, companies_added: int, *, written: bool) -> Imported:
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


class _Plan:
    """What the rows would change. Writes nothing; knows of each row what the rows before it will have made."""

    def __init__(self, database: Database, deployment: Deployment, *, shared: bool) -> None:
        self._database = database
        self._deployment = deployment
        self._shared = shared
        self._key = (
            deployment.folding.key
        )  # what an address is matched by: two spellings of one address are one here too
        self._users: dict[str, str] = {}  # usernames by key
        self._groups: set[str] = set()  # keys of the firm's groups
        self._holders: dict[str, tuple[Person, ...]] = {}  # contacts by key, of all addresses that were asked for
        self._persons: dict[int, Person] = {}  # those that are in the database
        self.changes = Changes()
        self.bad = BadRows()
        self.completed = self.unchanged = self.kept_company = 0

    def make(self, rows: Sequence[Row], progress: Progress) -> None:
        """Goes through the rows; asks once for each batch of them."""
        done = 0
        for part in batches.parts(rows):
            self._ask({self._key(found) for row in part for found in row.addresses} - self._holders.keys())
            for row in part:
                try:
                    self._take(row)
                except BadInput as error:
                    self.bad.add(row.line, str(error))
            done += len(part)
            progress(done / len(rows))

    def _ask(self, keys: set[str]) -> None:
        self._holders.update(dict.fromkeys(keys, ()))
        of_users = (
            "SELECT a.match_key, u.username FROM user_addresses a JOIN users u ON u.id = a.user_id"
            " WHERE a.deployment_id = ? AND a.match_key IN ({})"
        )
        self._users.update(batches.among(self._database, of_users, (self._deployment.id,), keys))
        of_groups = "SELECT match_key FROM group_addresses WHERE deployment_id = ? AND match_key IN ({})"
        self._groups.update(key for (key,) in batches.among(self._database, of_groups, (self._deployment.id,), keys))
        of_contacts = (
            "SELECT a.match_key, c.id, c.name, o.name FROM contact_addresses a JOIN contacts c ON c.id = a.contact_id"
            " LEFT JOIN companies o ON o.id = c.company_id WHERE a.deployment_id = ? AND a.match_key IN ({}) ORDER BY a.id"
        )
        for key, contact_id, name, company in batches.among(self._database, of_contacts, (self._deployment.id,), keys):
            person = self._persons.setdefault(contact_id, Person(contact_id, name, company or ""))
            if person not in self._holders[key]:  # of a contact, several addresses may have one key
                self._holders[key] += (person,)

    def _take(self, row: Row) -> None:
        for found in row.addresses:
            if self._key(found) in self._users:
                raise address_checks.held_by_user(self._deployment, found, self._users[self._key(found)])
            if self._key(found) in self._groups:
                raise address_checks.held_by_group(self._deployment, found)
        person = self._known(row)
        missing = [found for found in row.addresses if person is None or person not in self._holders[self._key(found)]]
        for found in missing:
            holders = self._holders[self._key(found)]
            if holders and not self._shared:
                raise address_checks.held_by_contact(self._deployment, found, holders[0].name)
        if person is None:
            person = Person(None, row.name, row.company)
            self.changes.new.append(person)
        else:
            self._complete(person, row, missing)
        for found in missing:
            self._holders[self._key(found)] += (person,)
            self.changes.addresses.append((person, found))

    def _known(self, row: Row) -> Person | None:
        """The contact that the row speaks of. BadInput where there are several, for then it isn't said which."""
        key = row.name.casefold()
        found: list[Person] = []
        for address in row.addresses:
            holders = self._holders[self._key(address)]
            found += (who for who in holders if who not in found and who.name.casefold() == key)
        if len(found) > 1:
            raise BadInput(f"its addresses belong to {len(found)} contacts {row.name} in {self._deployment.name}")
        return found[0] if found else None

    def _complete(self, person: Person, row: Row, missing: Sequence[str]) -> None:
        fills = bool(row.company and not person.company)
        if fills:
            person.company = row.company
            self.changes.fill_company(person)
        elif row.company and row.company != person.company:
            self.kept_company += 1
        if missing or fills:
            self.completed += 1
        else:
            self.unchanged += 1
