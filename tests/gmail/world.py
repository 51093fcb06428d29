"""A deployment whose users' mailboxes are in the test's Gmail. The sync runs on it one sweep at a time, with the test's clock."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gmail_sync import job_factory
from gmail_sync.budget import Project
from gmail_sync.job import Services
from gmail_sync.job_factory import JobFactory
from gmail_sync.sweep import Sweep
from gmail_sync.sync_now import SyncNow
from mailweir import log, secrets_file, settings
from mailweir.database_url import DatabaseUrl
from mailweir.settings import Settings
from mailweir.store.database import versions
from mailweir.store.database.connection import Database
from mailweir.store.gmail import gmail_connections, gmail_leases, gmail_mailboxes
from mailweir.store.gmail.gmail_leases import Rest
from mailweir.store.gmail.gmail_mailboxes import GmailMailbox, token_purpose
from mailweir.store.people import contacts, deployments, users
from mailweir.store.record import activities
from mailweir.store.record.activities import Activity, Filter
from tests.gmail.server import GmailServer, Mailbox

JANE, JOE, STRANGER = "jane@client.example", "joe@client.example", "x@stranger.example"


class World:
    """demo with richard, mary and olga of firm.example, and the contacts jane and joe. extra: lines for [gmail]."""

    def __init__(
        self, gmail: GmailServer, folder: Path, database_url: DatabaseUrl | None = None, extra: str = ""
    ) -> None:
        self.gmail = gmail
        self.at = datetime.now(UTC)
        (folder / "secrets").mkdir()
        client = gmail.client_file(folder / "secrets" / "client.json")
        name = f"sqlite:{database_url}" if isinstance(database_url, Path) else str(database_url)
        database = f'database = "{name}"\n' if database_url else ""
        patience = "" if "timeout_seconds" in extra else "timeout_seconds = 5\n"
        file = folder / "mailweir.toml"
        file.write_text(
            f'data_dir = "{folder}"\n{database}[gmail]\noauth_client_file = "{client}"\n'
            f'api_endpoint = "{gmail.endpoint}"\n{patience}{extra}'
        )
        self.settings_file = file
        self.settings: Settings = settings.load(file)
        versions.upgrade(self.settings.database_url)
        secrets_file.make(self.settings.token_key_path)
        self.database = Database(self.settings.database_url)
        self.demo = deployments.add(self.database, "demo", "demo.example.net", self.at)
        for name in ("richard", "mary", "olga"):
            users.add(self.database, self.demo, name, f"{name}@firm.example", "", self.at)
        for name, address in (("Jane", JANE), ("Joe", JOE)):
            contacts.add(self.database, self.demo, name, [address], None, self.at)
        self.services = self._services()
        self.job_factory = JobFactory(self.services)
        self.project = Project(10**9, 10**9, lambda: 0.0)

    def _services(self) -> Services:
        made = job_factory.services(self.settings, log.silent())
        return Services(made.database_pool, made.directory, made.settings, made.log, lambda: self.at)

    def close(self) -> None:
        """Closes the database."""
        self.services.database_pool.close()
        self.database.close()

    def connect(self, name: str = "richard", *, inbound: bool = True, outbound: bool = True) -> Mailbox:
        """Connects a user's mailbox, with a consent of its own."""
        box = self.gmail.mailbox(name)
        token = box.consent().encode()
        sealed = secrets_file.load(self.settings.token_key_path).seal(token, token_purpose(box.address))
        gmail_connections.connect(
            self.database,
            self.demo,
            name,
            box.address,
            inbound=inbound,
            outbound=outbound,
            token_sealed=sealed,
            now=self.at,
            first_days=self.settings.gmail.first_days,
        )
        return box

    def state(self, name: str = "richard") -> GmailMailbox:
        """The mailbox as `gmail status` shows it."""
        return gmail_mailboxes.find(self.database, self.demo, name)

    def sweep(self, name: str = "richard", quantum: int = 50) -> Rest | None:
        """One sweep of a mailbox, now."""
        leased = gmail_leases.lease_one(self.database, "test", self.at, self.state(name).id)
        assert leased, "the mailbox can't be leased"
        rest = Sweep(self.job_factory.job(leased, self.project)).run(quantum)
        if rest:
            gmail_leases.end(self.database, [rest])
        return rest

    def settle(self, name: str = "richard", sweeps: int = 20) -> None:
        """Sweeps until nothing is left that can be done now."""
        for _ in range(sweeps):
            rest = self.sweep(name)
            if rest is None or rest.next_sweep_at > self.at:
                return
        raise AssertionError(f"not settled after {sweeps} sweeps")

    def later(self, **passed: float) -> None:
        """Advances time: keywords of timedelta."""
        self.at += timedelta(**passed)

    def sync_now(self, name: str = "richard", notice: Callable[[str], None] = lambda text: None) -> SyncNow:
        """The work of `mailweir gmail sync` and `audit`."""
        return SyncNow(
            self.services,
            self.job_factory,
            self.state(name).id,
            notice=notice,
            sleep=lambda seconds: self.later(seconds=seconds),
        )

    def record(self) -> list[Activity]:
        """The activities, the oldest first; activities of the same time are sorted by subject."""
        return sorted(
            activities.select(self.database, self.demo, Filter()), key=lambda one: (one.recorded_at, one.subject)
        )

    def subjects(self) -> list[str]:
        """The subjects on the record."""
        return [one.subject for one in self.record()]

    def queued(self) -> list[str]:
        """Waiting messages of all mailboxes."""
        rows = self.database.execute("SELECT message_id FROM gmail_queue WHERE dead_at IS NULL ORDER BY id").fetchall()
        return [row[0] for row in rows]


def mail(
    subject: str, author: str = JANE, to: str = "richard@firm.example", *lines: str, body: str = "hello\r\n"
) -> bytes:
    """A message whose Message-ID is its subject."""
    head = [
        f"From: {author}",
        f"To: {to}",
        f"Subject: {subject}",
        f"Message-ID: <{subject.replace(' ', '-')}@mail.example>",
        "Date: Tue, 24 Nov 2026 03:12:55 +0000",
        *lines,
    ]
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode()


def seconds_until(rest: Rest | None, world: World) -> float:
    """Seconds until the mailbox's next sweep."""
    assert rest
    return (rest.next_sweep_at - world.at).total_seconds()


def cursor(world: World) -> str:
    """The cursor of richard's mailbox."""
    return str(world.database.execute("SELECT cursor FROM gmail_mailboxes").fetchone()[0])
