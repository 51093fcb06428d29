"""Deployments: the tenants and their capture domains. Called by the command line."""

from dataclasses import dataclass, replace
from datetime import datetime

from mailweir import visibility
from mailweir.errors import BadInput, NotFound
from mailweir.folding import Folding
from mailweir.sentence import said
from mailweir.store.database import like, models, rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse, rfc3339
from mailweir.store.people import checks, match_keys
from mailweir.visibility import Visibility

_SELECTED = (
    "SELECT id, name, domain, created_at, plus_addresses, gmail_dots, private_words, automatic_todos, held_forwards,"
    " known_threads"
    " FROM deployments"
)


@dataclass(frozen=True, slots=True)
class Deployment:
    """A tenant. created_at: UTC. plus_addresses, gmail_dots: see `folding`. private_words: separated by commas, see `visibility`.
    automatic_todos: automatic answers become to-dos too. held_forwards: mail that users forward to log@ by hand is held until it
    is read. known_threads: are replies from unknown addresses recorded if their thread is known?"""

    id: int
    name: str
    domain: str
    created_at: datetime
    plus_addresses: bool = False
    gmail_dots: bool = False
    private_words: str = ""
    automatic_todos: bool = False
    held_forwards: bool = True
    known_threads: bool = False

    @property
    def folding(self) -> Folding:
        """The deployment's choice of spellings that belong to one person."""
        return Folding(self.plus_addresses, self.gmail_dots)

    @property
    def log_address(self) -> str:
        """The address to which its users copy mail that they send."""
        return f"log@{self.domain}"

    def capture_address(self, username: str) -> str:
        """The address to which this user's mailbox forwards."""
        return f"{username}@{self.domain}"


def add(database: Database, name: str, domain: str, now: datetime) -> Deployment:
    """Makes a deployment. BadInput if name or capture domain is invalid or taken, or a user's own address is within it."""
    name = checks.clean_deployment_name(name)
    domain = checks.clean_domain(domain)
    with database.bound(), database.transaction():
        _refuse_taken(database, name, domain)
        _refuse_loop(database, domain)
        models.Deployment.create(name=name, domain=domain, created_at=rfc3339(now))
        return find(database, name)


def list_all(database: Database) -> list[Deployment]:
    """All deployments, by name."""
    return [_made_of(row) for row in rows.named(database.execute(f"{_SELECTED} ORDER BY name"))]


def find(database: Database, name: str) -> Deployment:
    """The deployment of this name. NotFound, which lists the existing ones."""
    row = rows.first(database.execute(f"{_SELECTED} WHERE name = ?", (name,)))
    if row:
        return _made_of(row)
    names = ", ".join(deployment.name for deployment in list_all(database))
    if not names:
        raise NotFound(said("unknown deployment '{name}'; there is none yet", name=name))
    raise NotFound(said("unknown deployment '{name}'; there is: {names}", name=name, names=names))


def change_folding(
    database: Database, name: str, *, plus_addresses: bool | None, gmail_dots: bool | None
) -> Deployment:
    """Switches the folding of addresses; None leaves a switch unchanged. Counts at the next message.

    NotFound; BadInput if two addresses of users or groups would become one, and then nothing is changed.
    """
    with database.bound(), database.transaction():
        before = find(database, name)
        after = replace(
            before,
            plus_addresses=before.plus_addresses if plus_addresses is None else plus_addresses,
            gmail_dots=before.gmail_dots if gmail_dots is None else gmail_dots,
        )
        if after == before:  # nothing is written, so the log of changes gets no entry
            return before
        chosen = {"plus_addresses": int(after.plus_addresses), "gmail_dots": int(after.gmail_dots)}
        models.Deployment.update(**chosen).where(models.Deployment.id == before.id).execute()
        match_keys.rewrite(database, after.id, after.folding)
        return after


def set_private_words(database: Database, name: str, words: str) -> Deployment:
    """Sets the words, separated by commas: mail with one of them in its subject is visible to its participants only. "" for none.
    Counts at the next message. NotFound, BadInput."""
    kept = visibility.cleaned(words)
    with database.bound(), database.transaction():
        found = find(database, name)
        _set(found, {"private_words": kept})
        return replace(found, private_words=kept)


def set_held_forwards(database: Database, name: str, *, is_on: bool) -> Deployment:
    """Switches whether a contact's mail is recorded if a user forwards it to log@ by hand. Counts at once, also for held mail.
    NotFound."""
    with database.bound(), database.transaction():
        found = find(database, name)
        _set(found, {"held_forwards": int(is_on)})
        return replace(found, held_forwards=is_on)


def set_automatic_todos(database: Database, name: str, *, is_on: bool) -> Deployment:
    """Switches whether automatic mail, such as an out-of-office, makes to-dos. Counts at the next message. NotFound."""
    with database.bound(), database.transaction():
        found = find(database, name)
        _set(found, {"automatic_todos": int(is_on)})
        return replace(found, automatic_todos=is_on)


def set_known_threads(database: Database, name: str, *, is_on: bool) -> Deployment:
    """Switches whether replies from unknown addresses are recorded if their thread is known. Counts at the next message.
    NotFound."""
    with database.bound(), database.transaction():
        found = find(database, name)
        _set(found, {"known_threads": int(is_on)})
        return replace(found, known_threads=is_on)


def note_restriction(deployment: Deployment, wanted: Visibility) -> None:
    """Records that some default visibility restricts mail, so that recording checks the defaults from now on. Within the
    transaction that sets it."""
    if wanted is not Visibility.EVERYONE:
        table = models.Deployment
        table.update(restricts_people=1).where(table.id == deployment.id, table.restricts_people == 0).execute()


def _set(found: Deployment, values: dict[str, str | int]) -> None:
    """Within a transaction. Unchanged values aren't written."""
    fresh = {name: value for name, value in values.items() if getattr(found, name) != value}
    if fresh:
        models.Deployment.update(**fresh).where(models.Deployment.id == found.id).execute()


def _refuse_taken(database: Database, name: str, domain: str) -> None:
    for row in rows.named(database.execute(f"{_SELECTED} WHERE name = ? OR domain = ?", (name, domain))):
        if row["name"] == name:
            raise BadInput(
                said(
                    "there is a deployment {name} already, with the capture domain {domain}",
                    name=name,
                    domain=row["domain"],
                )
            )
        raise BadInput(
            said(
                "the capture domain {domain} is taken by the deployment {deployment}",
                domain=domain,
                deployment=row["name"],
            )
        )


def _refuse_loop(database: Database, domain: str) -> None:
    sql = (
        "SELECT a.address, u.username, d.name AS deployment FROM user_addresses a JOIN users u ON u.id = a.user_id"
        " JOIN deployments d ON d.id = u.deployment_id WHERE a.address LIKE ? ESCAPE '!'"
    )
    row = rows.first(database.execute(sql, (f"%@{like.escaped(domain)}",)))
    if row:
        raise BadInput(
            said(
                "{domain} can't be a capture domain: the user {username} of {deployment} has the address {address}, "
                "and mail would loop",
                domain=domain,
                username=row["username"],
                deployment=row["deployment"],
                address=row["address"],
            )
        )


def _made_of(row: rows.Row) -> Deployment:
    return Deployment(
        id=row["id"],
        name=row["name"],
        domain=row["domain"],
        created_at=parse(row["created_at"]),
        plus_addresses=bool(row["plus_addresses"]),
        gmail_dots=bool(row["gmail_dots"]),
        private_words=row["private_words"],
        automatic_todos=bool(row["automatic_todos"]),
        held_forwards=bool(row["held_forwards"]),
        known_threads=bool(row["known_threads"]),
    )
