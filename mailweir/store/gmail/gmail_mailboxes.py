"""Connected Gmail mailboxes, as people see them: connect, disconnect, state.

A mailbox is `connected`, or `reconnect`: it can't be read until its user consents again, or somebody mends what is wrong at
Google; it is asked for now and then. Its cursor and its queue stay through that, so that nothing is skipped. Called by the
command line and `doctor`; the sweeps go by `gmail_leases` and `gmail_queue`.
"""

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from mailweir.errors import BadInput, NotFound
from mailweir.store.database import models, rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse, parse_or_none, rfc3339, rfc3339_or_none
from mailweir.store.people import checks, staff
from mailweir.store.people.deployments import Deployment

_REMEMBERED = 20  # recorded messages by which a mailbox is known again
FULL = 1_000_000_000  # of the quota: more than any bucket holds


class State(enum.StrEnum):
    """Can a mailbox be read?"""

    CONNECTED = "connected"
    RECONNECT = "reconnect"


@dataclass(frozen=True, slots=True)
class GmailMailbox:
    """A connected mailbox. Times: UTC, or None.

    error: why it waits or can't be read, in words. swept_at: the last whole sweep; last_message_at: the last message of it that
    went on the record. waiting, dead: messages still to be looked at (without those that are held, see `gmail_queue`), and given
    up. audit_…: of the last audit. failures: sweeps in a row that Gmail's quota or an outage ended; it waits till next_sweep_at.
    consent_ends_at: when the consent ends by itself, as those of an app "in testing" do.
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


def connect(
    database: Database,
    deployment: Deployment,
    username: str,
    address: str,
    *,
    inbound: bool,
    outbound: bool,
    token_sealed: bytes | None,
    now: datetime,
    first_days: int,
    cursor: str | None = None,
    is_renamed: bool = False,
    consent_ends_at: datetime | None = None,
) -> GmailMailbox:
    """Connects a user's mailbox, or the same one again: with a new token, and at the cursor where it stood.

    token_sealed: the refresh token (`secrets_file`); None where a service account reads the mailbox. first_days: how far back its
    mail is looked at. cursor: where its history stands now, for a mailbox that wasn't connected before; what comes from
    then on is looked at, whenever the first sweep is. None: unknown, and what came since then is listed.
    consent_ends_at: when the token ends by itself, if it does. is_renamed: the address is another one than the connected
    mailbox's, and the mailbox the same. One that was disconnected goes on where it was, too, and what came since its last sweep
    is listed.
    NotFound for the user; BadInput where the address isn't one of the user's own, or another mailbox of the user is connected.
    """
    with database.bound(), database.transaction():
        user = staff.present(database, deployment, username)
        refuse_foreign(deployment, user.id, user.username, address)
        table = models.GmailMailbox
        row = table.get_or_none(table.user == user.id, table.disconnected_at.is_null())
        if not is_renamed:
            _refuse_second(user.username, row, address)
        row = row or _revived(deployment, user.id, address, now, first_days)
        given = {
            "address": address,
            "inbound": int(inbound),
            "outbound": int(outbound),
            "token_sealed": token_sealed,
            "state": State.CONNECTED.value,
            "consent_ends_at": rfc3339_or_none(consent_ends_at),
            "next_sweep_at": rfc3339(now),
            "failures": 0,
        }
        if row is None:
            row = table.create(
                deployment=deployment.id,
                user=user.id,
                **given,
                connected_at=rfc3339(now),
                covered_since=rfc3339(now - timedelta(days=first_days)),
                cursor=cursor,
                list_since=rfc3339(now - timedelta(days=first_days)) if first_days or cursor is None else None,
                backfilled_address_id=_newest(models.ContactAddress, deployment.id),
                backfilled_group_id=_newest(models.GroupAddress, deployment.id),
                units=FULL,
                units_at=rfc3339(now),
                audit_due_at=rfc3339(now + timedelta(hours=1)),
                epoch=0,
            )
        else:
            # only what changes, and counted on by the database: a sweep may be writing the rest at this moment
            table.update(
                **given,
                error=None,
                refused_since=None,
                refusals=0,
                **_fenced_off(),
            ).where(table.id == row.id).execute()
        mailbox_id = int(row.id)
    return _one(database, deployment, mailbox_id)


def _revived(deployment: Deployment, user_id: int, address: str, now: datetime, first_days: int) -> Any:
    """The same mailbox as it was before the user disconnected it, with what it missed since then still to be listed; or None."""
    table = models.GmailMailbox
    fits = (table.deployment == deployment.id) & (table.user == user_id) & (table.address == address)
    row = table.select().where(fits).order_by(table.id.desc()).first()
    if row is None:
        return None
    # what was in its queue is forgotten, so the list goes back beyond the last sweep
    begin = min(parse(row.swept_at or row.covered_since), now - timedelta(days=first_days))
    since = min(begin, now) - timedelta(days=1)
    table.update(
        disconnected_at=None,
        connected_at=rfc3339(now),
        list_since=rfc3339(since),
        audit_due_at=rfc3339(now + timedelta(hours=1)),
    ).where(table.id == row.id).execute()
    return row


class Connected(NamedTuple):
    """A mailbox that a user has connected. recorded_ids: of the latest messages of it that are on the record."""

    address: str
    cursor: str | None
    recorded_ids: tuple[str, ...]


def token_purpose(address: str) -> str:
    """What a refresh token is sealed for: one that was copied to another mailbox's row doesn't open there."""
    return f"gmail_mailboxes refresh token {address}"


def may_connect(
    database: Database, deployment: Deployment, username: str, address: str | None
) -> tuple[str, Connected | None]:
    """The address that is to be connected: this one, else the connected one, else the main mailbox; and what is connected. Errors
    as of `connect`."""
    with database.bound():
        user = staff.present(database, deployment, username)
        table = models.GmailMailbox
        row = table.get_or_none(table.user == user.id, table.disconnected_at.is_null())
        wanted = checks.clean_address(address) if address else str(row.address if row else user.mailbox)
        refuse_foreign(deployment, user.id, user.username, wanted)
        if row is None:
            return wanted, None
        cursor = None if row.cursor is None else str(row.cursor)
        return wanted, Connected(str(row.address), cursor, _recorded_ids(database, row.id))


def _recorded_ids(database: Database, mailbox_id: int) -> tuple[str, ...]:
    rows = database.execute(
        "SELECT source_id FROM decisions WHERE activity_id IS NOT NULL AND source_id LIKE ? ORDER BY id DESC LIMIT ?",
        (f"%@{int(mailbox_id)}", _REMEMBERED),
    ).fetchall()
    return tuple(row[0].rpartition("@")[0] for row in rows)


def disconnect(database: Database, deployment: Deployment, username: str, now: datetime) -> bytes | None:
    """Ends it: the token is forgotten, and so is what was waiting; the sealed token, to revoke it. NotFound."""
    with database.bound(), database.transaction():
        row = _connected(database, deployment, username)
        token = bytes(row.token_sealed) if row.token_sealed is not None else None
        end_all_of(row.user_id, now)
    return token


def end_all_of(user_id: int, now: datetime) -> None:
    """Ends what a user has connected, if anything: within a transaction, with the models bound."""
    table, queued = models.GmailMailbox, models.GmailQueued
    fits = (table.user == user_id) & table.disconnected_at.is_null()
    ids = [row.id for row in table.select(table.id).where(fits)]
    # first: from then on no sweep adds to the queue
    table.update(disconnected_at=rfc3339(now), token_sealed=None, **_fenced_off()).where(table.id.in_(ids)).execute()
    queued.delete().where(queued.mailbox.in_(ids)).execute()


def _fenced_off() -> dict[str, Any]:
    """Whoever sweeps it now writes no more."""
    return {"epoch": models.GmailMailbox.epoch + 1, "lease_owner": None, "lease_until": None}


def _refuse_connected(deployment: Deployment, user_id: int, address: str) -> None:
    table = models.GmailMailbox
    fits = (table.deployment == deployment.id) & (table.address == address) & table.disconnected_at.is_null()
    other = table.select(models.User.username).join(models.User).where(fits, table.user != user_id).tuples().first()
    if other:
        raise BadInput(f"{address} is connected for {other[0]}: 'mailweir gmail disconnect {other[0]}' first")


def find(database: Database, deployment: Deployment, username: str) -> GmailMailbox:
    """A user's connected mailbox. NotFound."""
    with database.bound():
        mailbox_id = int(_connected(database, deployment, username).id)
    return _one(database, deployment, mailbox_id)


def token_sealed(database: Database, mailbox_id: int) -> bytes | None:
    """The sealed refresh token of a mailbox, or None."""
    row = database.execute("SELECT token_sealed FROM gmail_mailboxes WHERE id = ?", (mailbox_id,)).fetchone()
    return bytes(row[0]) if row and row[0] is not None else None


def is_read(database: Database, address: str) -> bool:
    """Is the address connected by a consent, for any user of any deployment? At Google they have one consent."""
    sql = "SELECT 1 FROM gmail_mailboxes WHERE address = ? AND token_sealed IS NOT NULL AND disconnected_at IS NULL"
    return database.execute(sql, (address,)).fetchone() is not None


def shares_consent(database: Database, mailbox_id: int) -> bool:
    """Is the same address connected for another user too, of whatever deployment? At Google they have one consent."""
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


def refuse_foreign(deployment: Deployment, user_id: int, username: str, address: str) -> None:
    """BadInput where the address isn't one of the user's own, so that nobody's private mailbox is read by mistake, or is still
    connected for a user who had it before. With the models bound."""
    own = models.UserAddress.get_or_none(
        models.UserAddress.deployment == deployment.id,
        models.UserAddress.user == user_id,
        models.UserAddress.match_key == deployment.folding.key(address),
    )
    if own is None:
        raise BadInput(
            f"{address} isn't an address of {username} in {deployment.name}: choose another Google account, or say "
            f"that it is one with 'mailweir user alias {username} {address}'"
        )
    _refuse_connected(deployment, user_id, address)


def refuse_read_for(deployment: Deployment, user_id: int, username: str, address: str) -> None:
    """BadInput where this address's mailbox is read for the user: else it would be read on as the mailbox of somebody who hasn't
    got it any more. With the models bound."""
    table = models.GmailMailbox
    row = table.get_or_none(table.user == user_id, table.disconnected_at.is_null())
    if row is not None and deployment.folding.key(row.address) == deployment.folding.key(address):
        raise BadInput(
            f"the Gmail of {row.address} is read for {username}: 'mailweir gmail disconnect {username}' first"
        )


def _refuse_second(username: str, row: Any, address: str) -> None:
    if row is not None and row.address != address:
        raise BadInput(f"{username} is connected with {row.address}: 'mailweir gmail disconnect {username}' first")


def _one(database: Database, deployment: Deployment, mailbox_id: int) -> GmailMailbox:
    return _select(database, deployment, "AND m.id = ?", (mailbox_id,))[0]


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


def _newest(table: Any, deployment_id: int) -> int:
    """The contacts and groups that are there by now are looked for in the first days' mail already."""
    newest = table.select(table.id).where(table.deployment == deployment_id).order_by(table.id.desc()).first()
    return int(newest.id) if newest else 0


def _connected(database: Database, deployment: Deployment, username: str) -> Any:
    user = staff.present(database, deployment, username)
    table = models.GmailMailbox
    row = table.get_or_none(table.user == user.id, table.disconnected_at.is_null())
    if row is None:
        command = f"mailweir gmail connect {user.username} --inbound --outbound"
        raise NotFound(f"{user.username} has no Gmail connected; '{command}' does it")
    return row
