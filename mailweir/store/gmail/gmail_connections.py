"""Connects and disconnects users' Gmail mailboxes, sets the position where the sync begins, and refuses foreign mailboxes.

A mailbox that is connected again continues at the same cursor; a running sweep of it is fenced off. Called by the command line,
and by `users`, because a removed user's mailbox is no longer read.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from mailweir.errors import BadInput
from mailweir.sentence import said
from mailweir.store.database import models, rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse, rfc3339, rfc3339_or_none
from mailweir.store.gmail import gmail_mailboxes, gmail_revocations
from mailweir.store.gmail.gmail_mailboxes import GmailMailbox, State
from mailweir.store.people import checks, staff
from mailweir.store.people.deployments import Deployment

_REMEMBERED = 20  # recorded messages that identify a mailbox
_NEWEST_ADDRESS = "SELECT MAX(id) FROM contact_addresses WHERE deployment_id = ?"
_NEWEST_GROUP = "SELECT MAX(id) FROM group_addresses WHERE deployment_id = ?"
_NEWEST_REMOVAL = "SELECT MAX(id) FROM never_log_removals WHERE deployment_id = ?"
_NEWEST_SWITCH = "SELECT MAX(id) FROM auto_contact_switches WHERE deployment_id = ?"
FULL = 1_000_000_000  # units of the quota: more than any mailbox may save up


class NotOwnAddress(BadInput):
    """The mailbox isn't one of the user's own addresses."""


class ReadForAnother(BadInput):
    """The mailbox is connected for another user."""


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
    client_id: str | None = None,
) -> GmailMailbox:
    """Connects a user's mailbox, or reconnects the same one: with a new token, and at its old cursor.

    token_sealed: the refresh token (`secrets_file`); None if a service account reads the mailbox. first_days: how far back its
    mail is examined. cursor: the current position of its history, for a mailbox that wasn't connected before; messages from then
    on are examined, whenever the first sweep is. None: unknown; the first sweep lists messages since now. consent_ends_at: when
    the token expires, if it does. client_id: of the OAuth client that the token belongs to; None: that of
    `gmail.oauth_client_file`. is_renamed: the connected mailbox has this new address, and is the same. A mailbox that was
    disconnected continues where it was, too, and messages since its last sweep are listed. The consents of the user's earlier
    mailboxes are still given back to Google, and so is this mailbox's if a service account reads it from now on. NotFound for the
    user; BadInput if the address isn't one of the user's own, or another mailbox of the user is connected.
    """
    with database.bound(), database.transaction():
        user = staff.present(database, deployment, username)
        _refuse_foreign(database, deployment, user, address)
        before = _connected(database, user.id)
        if before and not is_renamed and before["address"] != address:
            raise BadInput(
                said(
                    "{user} is connected with {address}: 'mailweir gmail disconnect {user}' first",
                    user=user.username,
                    address=before["address"],
                )
            )
        gmail_revocations.forget_results(database, user.id)
        if token_sealed is not None:
            gmail_revocations.in_use_again(database, user.id, address, client_id)
        elif before:
            _return(database, user.id, before, now)
        mailbox_id = before["id"] if before else _revived(database, deployment, user.id, address, now, first_days)
        given = {
            "address": address,
            "inbound": int(inbound),
            "outbound": int(outbound),
            "token_sealed": token_sealed,
            "client_id": client_id,
            "state": State.CONNECTED.value,
            "consent_ends_at": rfc3339_or_none(consent_ends_at),
            "next_sweep_at": rfc3339(now),
            "failures": 0,
        }
        if mailbox_id is None:
            _create(database, deployment, user.id, given, now=now, first_days=first_days, cursor=cursor)
        else:
            # Only these columns, and the database computes the epoch: a sweep may be writing other columns at this moment.
            fresh = {**given, "error": None, "refused_since": None, "refusals": 0, **_fenced_off()}
            models.GmailMailbox.update(**fresh).where(models.GmailMailbox.id == mailbox_id).execute()
    return gmail_mailboxes.find(database, deployment, username)


def _create(
    database: Database,
    deployment: Deployment,
    user_id: int,
    given: Mapping[str, object],
    *,
    now: datetime,
    first_days: int,
    cursor: str | None,
) -> None:
    """Adds a mailbox that wasn't connected before. given: the columns that a later consent sets, too."""
    first = now - timedelta(days=first_days)
    models.GmailMailbox.create(
        deployment=deployment.id,
        user=user_id,
        **given,
        connected_at=rfc3339(now),
        covered_since=rfc3339(first),
        cursor=cursor,
        list_since=rfc3339(first) if first_days or cursor is None else None,
        backfilled_address_id=_newest(database, _NEWEST_ADDRESS, deployment),
        backfilled_group_id=_newest(database, _NEWEST_GROUP, deployment),
        backfilled_removal_id=_newest(database, _NEWEST_REMOVAL, deployment),
        backfilled_switch_id=_newest(database, _NEWEST_SWITCH, deployment),
        units=FULL,
        units_at=rfc3339(now),
        audit_due_at=rfc3339(now + timedelta(hours=1)),
        epoch=0,
    )


def _revived(
    database: Database, deployment: Deployment, user_id: int, address: str, now: datetime, first_days: int
) -> int | None:
    """Restores this mailbox if the user had disconnected it, so that the next sweep lists the messages missed since then; returns
    its id, or None."""
    sql = (
        "SELECT id, swept_at, covered_since FROM gmail_mailboxes WHERE deployment_id = ? AND user_id = ? AND address = ?"
        " ORDER BY id DESC LIMIT 1"
    )
    row = rows.first(database.execute(sql, (deployment.id, user_id, address)))
    if row is None:
        return None
    # Its queue was deleted, so the list reaches back before the last sweep.
    begin = min(parse(row["swept_at"] or row["covered_since"]), now - timedelta(days=first_days))
    since = min(begin, now) - timedelta(days=1)
    table = models.GmailMailbox
    table.update(
        disconnected_at=None,
        connected_at=rfc3339(now),
        list_since=rfc3339(since),
        audit_due_at=rfc3339(now + timedelta(hours=1)),
    ).where(table.id == row["id"]).execute()
    return int(row["id"])


def set_directions(
    database: Database, deployment: Deployment, username: str, *, inbound: bool, outbound: bool, now: datetime
) -> GmailMailbox:
    """Changes which mail of a connected mailbox is recorded, from the next message on. NotFound; BadInput if neither direction
    would be recorded."""
    if not (inbound or outbound):
        raise BadInput(said("that would record nothing: choose inbound, outbound or both, or disconnect the mailbox"))
    with database.bound(), database.transaction():
        found = gmail_mailboxes.find(database, deployment, username)
        if (found.inbound, found.outbound) == (inbound, outbound):
            return found
        table = models.GmailMailbox
        # A running sweep uses the earlier directions, so it is fenced off.
        fresh = {"inbound": int(inbound), "outbound": int(outbound), "next_sweep_at": rfc3339(now), **_fenced_off()}
        table.update(**fresh).where(table.id == found.id).execute()
    return gmail_mailboxes.find(database, deployment, username)


class Connected(NamedTuple):
    """A mailbox that a user has connected. recorded_ids: Gmail's ids of its latest recorded messages."""

    address: str
    cursor: str | None
    recorded_ids: tuple[str, ...]


def may_connect(
    database: Database, deployment: Deployment, username: str, address: str | None
) -> tuple[str, Connected | None]:
    """Returns the address to connect (this one, else the connected mailbox's, else the user's main mailbox), and the connected
    mailbox or None. Errors as in `connect`."""
    user = staff.present(database, deployment, username)
    row = _connected(database, user.id)
    wanted = checks.clean_address(address) if address else row["address"] if row else user.mailbox
    _refuse_foreign(database, deployment, user, wanted)
    if row is None:
        return wanted, None
    return wanted, Connected(row["address"], row["cursor"], _recorded_ids(database, row["id"]))


def _recorded_ids(database: Database, mailbox_id: int) -> tuple[str, ...]:
    found = database.execute(
        "SELECT source_id FROM decisions WHERE activity_id IS NOT NULL AND source_id LIKE ? ORDER BY id DESC LIMIT ?",
        (f"%@{mailbox_id}", _REMEMBERED),
    ).fetchall()
    return tuple(source.rpartition("@")[0] for (source,) in found)


def disconnect(database: Database, deployment: Deployment, username: str, now: datetime) -> bytes | None:
    """Disconnects a user's mailbox, and deletes the token and the queue; returns the sealed token, to revoke it. NotFound."""
    with database.bound(), database.transaction():
        mailbox = gmail_mailboxes.find(database, deployment, username)
        token = gmail_mailboxes.token_sealed(database, mailbox.id)
        _end(database, mailbox.id, now)
    return token


def disconnect_and_return(database: Database, deployment: Deployment, username: str, now: datetime) -> str:
    """Disconnects a user's mailbox, and requests that the sync gives its consent, if there is one, back to Google; returns the
    mailbox's address. NotFound."""
    with database.bound(), database.transaction():
        mailbox = gmail_mailboxes.find(database, deployment, username)
        end_and_return(database, staff.present(database, deployment, username), now)
    return mailbox.address


def end_and_return(database: Database, user: staff.Member, now: datetime) -> None:
    """Ends a user's connection, if there is one, and requests that the sync gives the consent back to Google. Call it within a
    transaction, with the models bound."""
    row = _connected(database, user.id)
    if row is None:
        return
    _return(database, user.id, row, now)
    _end(database, row["id"], now)


def _return(database: Database, user_id: int, row: rows.Row, now: datetime) -> None:
    """Requests that the sync gives back the consent by which a mailbox is read, if there is one. row: from `_connected`."""
    token, client_id = gmail_mailboxes.token_sealed(database, row["id"]), gmail_mailboxes.client_id(database, row["id"])
    if token is not None:
        gmail_revocations.ask(database, user_id, row["address"], client_id, token, now)


def _end(database: Database, mailbox_id: int, now: datetime) -> None:
    table = models.GmailMailbox
    # first: from then on no sweep adds to the queue
    table.update(disconnected_at=rfc3339(now), token_sealed=None, **_fenced_off()).where(
        table.id == mailbox_id
    ).execute()
    database.execute("DELETE FROM gmail_queue WHERE mailbox_id = ?", (mailbox_id,))


def _fenced_off() -> dict[str, Any]:
    """The columns that fence off a running sweep, so that it can't write any more."""
    return {"epoch": models.GmailMailbox.epoch + 1, "lease_owner": None, "lease_until": None}


def _refuse_foreign(database: Database, deployment: Deployment, user: staff.Member, address: str) -> None:
    """BadInput if the address isn't one of the user's own, so that nobody's private mailbox is read by mistake, or if it is still
    connected for another user, who had it before."""
    own = "SELECT 1 FROM user_addresses WHERE deployment_id = ? AND user_id = ? AND match_key = ?"
    key = deployment.folding.key(address)
    if database.execute(own, (deployment.id, user.id, key)).fetchone() is None:
        raise NotOwnAddress(
            said(
                "{address} isn't an address of {user} in {deployment}: choose another Google account, or say that it "
                "is one with 'mailweir user alias {user} {address}'",
                address=address,
                user=user.username,
                deployment=deployment.name,
            )
        )
    others = (
        "SELECT u.username FROM gmail_mailboxes m JOIN users u ON u.id = m.user_id"
        " WHERE m.deployment_id = ? AND m.address = ? AND m.user_id <> ? AND m.disconnected_at IS NULL"
    )
    other = database.execute(others, (deployment.id, address, user.id)).fetchone()
    if other:
        raise ReadForAnother(
            said(
                "{address} is connected for {other}: 'mailweir gmail disconnect {other}' first",
                address=address,
                other=other[0],
            )
        )


def refuse_read_for(database: Database, deployment: Deployment, user: staff.Member, address: str) -> None:
    """Called before an address is taken from a user: BadInput if its mailbox is connected. Otherwise the mailbox would still be
    read as that of a user who no longer has it."""
    row = _connected(database, user.id)
    if row is not None and deployment.folding.key(row["address"]) == deployment.folding.key(address):
        raise BadInput(
            said(
                "the Gmail of {address} is read for {user}: 'mailweir gmail disconnect {user}' first",
                address=row["address"],
                user=user.username,
            )
        )


def _newest(database: Database, sql: str, deployment: Deployment) -> int:
    """The newest id, or 0. Examining the first days' mail already covers the existing contacts and groups."""
    (newest,) = database.execute(sql, (deployment.id,)).fetchone()
    return int(newest or 0)


def _connected(database: Database, user_id: int) -> rows.Row | None:
    sql = "SELECT id, address, cursor FROM gmail_mailboxes WHERE user_id = ? AND disconnected_at IS NULL"
    return rows.first(database.execute(sql, (user_id,)))
