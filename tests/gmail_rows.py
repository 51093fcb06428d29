"""Rows for the tests of Gmail's tables: a firm, connected mailboxes, leases."""

from datetime import datetime, timedelta
from typing import Any

from mailweir.store.database.connection import Database
from mailweir.store.gmail import gmail_connections, gmail_leases
from mailweir.store.gmail.gmail_leases import Leased, Rest
from mailweir.store.gmail.gmail_mailboxes import GmailMailbox
from mailweir.store.people import deployments, users
from mailweir.store.people.deployments import Deployment


def make_firm(database: Database, now: datetime) -> Deployment:
    """A deployment with richard and olga."""
    made = deployments.add(database, "demo", "demo.example.net", now)
    users.add(database, made, "richard", "richard@firm.example", "", now)
    users.add(database, made, "olga", "olga@firm.example", "", now)
    return made


def connect(
    database: Database, deployment: Deployment, username: str, now: datetime, address: str = "", **changed: Any
) -> GmailMailbox:
    """Connects a user's mailbox, by default both ways and with seven days of its mail."""
    chosen = {"inbound": True, "outbound": True, "token_sealed": b"sealed", "first_days": 7, **changed}
    address = address or f"{username.lower()}@firm.example"
    return gmail_connections.connect(database, deployment, username, address, now=now, **chosen)


def take(database: Database, mailbox_id: int, now: datetime, owner: str = "a") -> Leased:
    """Leases a mailbox that can be leased."""
    leased = gmail_leases.lease_one(database, owner, now, mailbox_id)
    assert leased
    return leased


def rest(leased: Leased, now: datetime, seconds: float = 60.0, **changed: Any) -> Rest:
    """The end of a whole sweep."""
    due = now + timedelta(seconds=seconds)
    return Rest(leased.id, leased.epoch, due, now, 0, None, 1_500, now)._replace(**changed)


def row(database: Database, mailbox_id: int) -> dict[str, Any]:
    """A mailbox's current row."""
    cursor = database.execute("SELECT * FROM gmail_mailboxes WHERE id = ?", (mailbox_id,))
    return dict(zip([column[0] for column in cursor.description], cursor.fetchone(), strict=True))
