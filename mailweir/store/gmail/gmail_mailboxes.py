"""Connected Gmail mailboxes, as people see them: the state of each. Never writes: `gmail_connections` does.

A mailbox is in the state `connected` or `reconnect`. In `reconnect` it can't be read until its user consents again, or somebody
fixes the fault at Google; it is probed now and then. Its cursor and its queue stay meanwhile, so that nothing is skipped. Called
by the command line and `health.gmail`; the sweeps use `gmail_leases` and `gmail_queue`.
"""

import enum
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mailweir.errors import NotFound
from mailweir.sentence import said
from mailweir.store.database import rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse, parse_or_none
from mailweir.store.people import staff
from mailweir.store.people.deployments import Deployment


class State(enum.StrEnum):
    """Can a mailbox be read?"""

    CONNECTED = "connected"
    RECONNECT = "reconnect"


@dataclass(frozen=True, slots=True)
class GmailMailbox:
    """A connected mailbox. Times: UTC, or None.

    error: why it waits or can't be read, in words. swept_at: the last complete sweep; last_message_at: its last recorded message.
    waiting: messages still to be examined, without held ones (see `gmail_queue`). dead: messages that were given up. audit_…: of
    the last audit. failures: sweeps in a row that Gmail's quota or an outage ended; the mailbox then waits till next_sweep_at.
    consent_ends_at: when the consent expires, as the consents of an app "in testing" do.
    """

    id: int
    deployment: str
    username: str
    address: str
    inbound: bool
    outbound: bool
    state: State
    error: str | None
    connected_at: datetime
    covered_since: datetime
    next_sweep_at: datetime
    swept_at: datetime | None
    last_message_at: datetime | None
    waiting: int
    dead: int
    failures: int
    audited_at: datetime | None
    audit_listed: int | None
    audit_missing: int | None
    consent_ends_at: datetime | None = None


def token_purpose(address: str) -> str:
    """The purpose for sealing a refresh token. A token that was copied to another mailbox's row can't be opened there."""
    return f"gmail_mailboxes refresh token {address}"


def find(database: Database, deployment: Deployment, username: str) -> GmailMailbox:
    """A user's connected mailbox. NotFound."""
    user = staff.present(database, deployment, username)
    found = _select(database, deployment, "AND m.user_id = ?", (user.id,))
    if not found:
        command = f"mailweir gmail connect {user.username} --inbound --outbound"
        raise NotFound(said("{user} has no Gmail connected; '{command}' does it", user=user.username, command=command))
    return found[0]


def token_sealed(database: Database, mailbox_id: int) -> bytes | None:
    """The sealed refresh token of a mailbox, or None."""
    row = database.execute("SELECT token_sealed FROM gmail_mailboxes WHERE id = ?", (mailbox_id,)).fetchone()
    return bytes(row[0]) if row and row[0] is not None else None


def client_id(database: Database, mailbox_id: int) -> str | None:
    """The OAuth client that a mailbox's token belongs to; None for that of `gmail.oauth_client_file`."""
    row = database.execute("SELECT client_id FROM gmail_mailboxes WHERE id = ?", (mailbox_id,)).fetchone()
    return str(row[0]) if row and row[0] is not None else None


def is_read(database: Database, address: str) -> bool:
    """Is the address connected by a consent, for any user of any deployment? All such users share one consent at Google."""
    sql = "SELECT 1 FROM gmail_mailboxes WHERE address = ? AND token_sealed IS NOT NULL AND disconnected_at IS NULL"
    return database.execute(sql, (address,)).fetchone() is not None


def shares_consent(database: Database, mailbox_id: int) -> bool:
    """Is the same address connected for another user too, of any deployment? Both users share one consent at Google."""
    sql = (
        "SELECT COUNT(*) FROM gmail_mailboxes m JOIN gmail_mailboxes o ON o.address = m.address AND o.id != m.id"
        " AND o.disconnected_at IS NULL AND o.token_sealed IS NOT NULL WHERE m.id = ?"
    )
    return bool(database.execute(sql, (mailbox_id,)).fetchone()[0])


def sealed_tokens(database: Database) -> list[tuple[str, bytes]]:
    """Each mailbox's address and its sealed refresh token, of all deployments."""
    sql = "SELECT address, token_sealed FROM gmail_mailboxes WHERE token_sealed IS NOT NULL ORDER BY id"
    return [(row[0], bytes(row[1])) for row in database.execute(sql).fetchall()]


def has_sealed(database: Database) -> bool:
    """Does the database hold a token that was sealed with the key file?"""
    sql = "SELECT COUNT(*) FROM gmail_mailboxes WHERE token_sealed IS NOT NULL"
    return bool(database.execute(sql).fetchone()[0])


def list_all(database: Database, deployment: Deployment) -> list[GmailMailbox]:
    """The deployment's connected mailboxes, by username."""
    return _select(database, deployment, "ORDER BY u.username", ())


def _select(database: Database, deployment: Deployment, ending: str, parameters: tuple[Any, ...]) -> list[GmailMailbox]:
    found = database.execute(
        "SELECT m.id, u.username, m.address, m.inbound, m.outbound, m.state, m.error, m.connected_at, m.covered_since,"
        " m.next_sweep_at, m.swept_at, m.last_message_at, (SELECT COUNT(*) FROM gmail_queue q WHERE q.mailbox_id = m.id"
        " AND q.dead_at IS NULL AND q.held_until IS NULL) AS waiting,"
        " (SELECT COUNT(*) FROM gmail_queue q WHERE q.mailbox_id = m.id AND q.dead_at IS NOT NULL) AS dead,"
        " m.failures, m.audited_at, m.audit_listed, m.audit_missing, m.consent_ends_at"
        " FROM gmail_mailboxes m JOIN users u ON u.id = m.user_id"
        f" WHERE m.deployment_id = ? AND m.disconnected_at IS NULL AND u.removed_at IS NULL {ending}",
        (deployment.id, *parameters),
    )
    return [_made_of(deployment, row) for row in rows.named(found)]


def _made_of(deployment: Deployment, row: rows.Row) -> GmailMailbox:
    return GmailMailbox(
        id=row["id"],
        deployment=deployment.name,
        username=row["username"],
        address=row["address"],
        inbound=bool(row["inbound"]),
        outbound=bool(row["outbound"]),
        state=State(row["state"]),
        error=row["error"],
        connected_at=parse(row["connected_at"]),
        covered_since=parse(row["covered_since"]),
        next_sweep_at=parse(row["next_sweep_at"]),
        swept_at=parse_or_none(row["swept_at"]),
        last_message_at=parse_or_none(row["last_message_at"]),
        waiting=row["waiting"],
        dead=row["dead"],
        failures=row["failures"],
        audited_at=parse_or_none(row["audited_at"]),
        audit_listed=row["audit_listed"],
        audit_missing=row["audit_missing"],
        consent_ends_at=parse_or_none(row["consent_ends_at"]),
    )
