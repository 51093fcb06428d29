"""A deployment whose users' mailboxes are on the load server: thousands, connected by rows, without a consent for each.

Called by `bench.sync` and by the chaos of the sync.
"""

from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from mailweir import secrets_file, settings
from mailweir.database_url import DatabaseUrl
from mailweir.settings import Settings
from mailweir.store.database import versions
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import rfc3339
from mailweir.store.gmail import gmail_connections, gmail_mailboxes
from mailweir.store.gmail.gmail_mailboxes import token_purpose
from mailweir.store.people import deployments
from tests.gmail import load_mail
from tests.gmail.load_client import LoadServer
from tests.gmail.load_mailboxes import FIRST_HISTORY_ID

_BATCH_ROWS = 100
_USER = ("deployment_id", "username", "name", "mailbox", "created_at")
_CONTACT = ("deployment_id", "name", "created_at")
_MAILBOX = (
    "deployment_id", "user_id", "address", "inbound", "outbound", "token_sealed", "state", "connected_at", "covered_since",
    "cursor", "list_since", "backfilled_address_id", "next_sweep_at", "failures", "units", "units_at", "audit_due_at", "epoch",
)  # fmt: skip


class LoadSite:
    """demo with a user for each of this many of the server's mailboxes, and this many contacts; all mailboxes are due now.

    gmail: lines for [gmail]. has_swept: the mailboxes have been read up to now; otherwise all of their content is still to be
    listed. decisions: each is logged.
    """

    def __init__(
        self,
        server: LoadServer,
        folder: Path,
        database_url: DatabaseUrl | None,
        *,
        boxes: int,
        gmail: str = "",
        has_swept: bool = True,
        decisions: bool = False,
    ) -> None:
        (folder / "secrets").mkdir()
        name = f"sqlite:{database_url}" if isinstance(database_url, Path) else str(database_url)
        self.settings_file = folder / "mailweir.toml"
        self.settings_file.write_text(
            f'data_dir = "{folder}"\n{f"database = {name!r}" if database_url else ""}\n'
            f"[log]\ndecisions = {str(decisions).lower()}\n[gmail]\n"
            f'oauth_client_file = "{server.client_file(folder / "secrets" / "client.json")}"\n'
            f'api_endpoint = "{server.endpoint}"\n{gmail}'
        )
        self.settings: Settings = settings.load(self.settings_file)
        self.boxes = boxes
        versions.upgrade(self.settings.database_url)
        secrets_file.make(self.settings.token_key_path)
        with closing(self.open()) as database:
            now = datetime.now(UTC)
            demo = deployments.add(database, "demo", "demo.example.net", now)
            with database.transaction():
                _contacts(database, demo.id, server.mix.contacts, now)
                _users(database, demo.id, boxes, now)
                _put(database, "gmail_mailboxes", _MAILBOX, self._rows(database, demo.id, now, has_swept=has_swept))
            if database.is_sqlite:
                database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                database.execute("ANALYZE")
            else:
                database.execute("ANALYZE")

    def open(self) -> Database:
        """A new connection, which the caller closes."""
        return Database(self.settings.database_url, busy_timeout_seconds=60)

    def _rows(self, database: Database, demo: int, now: datetime, *, has_swept: bool) -> Iterator[tuple[Any, ...]]:
        key = secrets_file.load(self.settings.token_key_path)
        at, later, since = rfc3339(now), rfc3339(now + timedelta(hours=1)), rfc3339(now - timedelta(days=7))
        cursor, list_since = (str(FIRST_HISTORY_ID), None) if has_swept else (None, since)
        (newest,) = database.execute("SELECT COALESCE(MAX(id), 0) FROM contact_addresses").fetchone()
        users = database.execute("SELECT id, mailbox FROM users ORDER BY id").fetchall()
        for number, (user_id, address) in enumerate(users):
            token = key.seal(load_mail.refresh_token(number).encode(), token_purpose(address))
            yield (
                *(demo, user_id, address, 1, 1, token, gmail_mailboxes.State.CONNECTED.value, at, since),
                *(cursor, list_since, newest, at, 0, gmail_connections.FULL, at, later, 0),
            )


def _contacts(database: Database, demo: int, count: int, now: datetime) -> None:
    at = rfc3339(now)
    _put(database, "contacts", _CONTACT, ((demo, load_mail.contact(number), at) for number in range(count)))
    database.execute(
        "INSERT INTO contact_addresses (deployment_id, contact_id, address, match_key)"
        " SELECT deployment_id, id, name, name FROM contacts ORDER BY id"
    )


def _users(database: Database, demo: int, count: int, now: datetime) -> None:
    at = rfc3339(now)
    addresses = (load_mail.address(number) for number in range(count))
    _put(database, "users", _USER, ((demo, one.partition("@")[0], "", one, at) for one in addresses))
    database.execute(
        "INSERT INTO user_addresses (deployment_id, user_id, address, match_key)"
        " SELECT deployment_id, id, mailbox, mailbox FROM users ORDER BY id"
    )


def _put(database: Database, table: str, columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
    left = iter(rows)
    one = "(" + ", ".join("?" * len(columns)) + ")"
    while part := list(islice(left, _BATCH_ROWS)):
        values = [value for row in part for value in row]
        marks = ", ".join([one] * len(part))
        database.fast_execute()(f"INSERT INTO {table} ({', '.join(columns)}) VALUES {marks}", values)
