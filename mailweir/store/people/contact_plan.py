"""The changes that a file's rows would make to the deployment's contacts, and the invalid rows. Writes nothing.

Queries addresses in batches, never all contacts. Called by `contact_import` and `contact_preview`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mailweir.contact_files.rows import BadRow, Row
from mailweir.errors import BadInput
from mailweir.sentence import said
from mailweir.store.database import batches
from mailweir.store.database.connection import Database
from mailweir.store.people import address_checks
from mailweir.store.people.contact_changes import Changes, Person
from mailweir.store.people.deployments import Deployment

MAX_BAD_ROWS = 1_000  # kept with their reasons; the others are counted

_MAX_REASON_CHARS = 300

Progress = Callable[[float], None]


@dataclass(slots=True)
class BadRows:
    """The invalid rows: the first ones, and the number of all."""

    first: list[BadRow] = field(default_factory=list)
    count: int = 0

    def add(self, line: int, reason: str) -> None:
        """Adds a row."""
        self.count += 1
        if len(self.first) < MAX_BAD_ROWS:
            short = reason if len(reason) <= _MAX_REASON_CHARS else reason[:_MAX_REASON_CHARS] + "…"
            self.first.append(BadRow(line, short))


class Plan:
    """The changes that the rows make. Each row is compared with the contacts as the rows before it would leave them."""

    def __init__(self, database: Database, deployment: Deployment, *, shared: bool) -> None:
        self._database = database
        self._deployment = deployment
        self._shared = shared
        self._key = deployment.folding.key  # an address's matching key: equal for two spellings of one address
        self._users: dict[str, str] = {}  # usernames by key
        self._groups: set[str] = set()  # keys of the firm's groups
        self._holders: dict[str, tuple[Person, ...]] = {}  # contacts by key, of all queried addresses
        self._persons: dict[int, Person] = {}  # those that are in the database
        self.changes = Changes()
        self.bad = BadRows()
        self.completed = self.unchanged = self.kept_company = 0

    def make(self, rows: Sequence[Row], progress: Progress) -> None:
        """Goes through the rows, and queries the addresses of a batch together."""
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
            if person not in self._holders[key]:  # several addresses of a contact may have one key
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
        """The contact that has the row's name and one of its addresses. BadInput if there are several."""
        key = row.name.casefold()
        found: list[Person] = []
        for address in row.addresses:
            holders = self._holders[self._key(address)]
            found += (who for who in holders if who not in found and who.name.casefold() == key)
        if len(found) > 1:
            raise BadInput(
                said(
                    "its addresses belong to {number} contacts {name} in {deployment}",
                    number=len(found),
                    name=row.name,
                    deployment=self._deployment.name,
                )
            )
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
