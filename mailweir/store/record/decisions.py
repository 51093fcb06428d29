"""Decisions: what became of a message, read. Never writes: `writing` does. Called by `mailweir why`."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import peewee

from mailweir import address
from mailweir.store.database import models
from mailweir.store.database.connection import Database
from mailweir.store.people.deployments import Deployment

_MIN_WORD_CHARS = 3
_GMAIL_ID = re.compile(r"[0-9A-Za-z_-]{8,64}")  # opaque; at Google 16 hexadecimal digits


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What was decided of one message for one deployment. outcome, reason: the words of `decision`. time: RFC 3339, UTC.

    queue_id: Postfix's, or what `gmail_queue.source_id` makes of Gmail's id. recipients: capture addresses. activity,
    direction: of what was captured, else None. named: what From holds where that isn't the author alone. mailbox: the address
    of the Gmail mailbox that was synced, else None.
    """

    time: str
    deployment: str
    queue_id: str
    recipients: tuple[str, ...]
    author: str | None
    named: tuple[str, ...]
    message_id: str | None
    outcome: str
    reason: str
    activity: int | None
    direction: str | None
    mailbox: str | None

    @property
    def gmail_id(self) -> str | None:
        """Gmail's own id of the message, where it was synced."""
        return self.queue_id.rpartition("@")[0] if self.mailbox is not None else None


def find(
    database: Database,
    text: str,
    deployment: Deployment | None = None,
    limit: int | None = None,
    digests: Mapping[int, bytes] | None = None,
) -> list[Decision]:
    """The decisions on a Message-ID (with <> or without), an author's or recipient's address, a queue id, Gmail's id, or a part
    of what is recorded's subject; the newest first. digests: of the recipient, by deployment (`traces`)."""
    table, mailbox = models.Decision, models.GmailMailbox
    text = text.strip()
    if not text.isprintable():  # bytes of another encoding among them: nothing on the record is called so
        return []
    with database.bound():
        fits = (table.message_id.in_([text, f"<{text}>"])) | (table.source_id == text)
        if _GMAIL_ID.fullmatch(text):
            names = mailbox.select(peewee.Value(text).concat("@").concat(mailbox.id.cast("TEXT")))
            fits |= table.source_id.in_(names)
        author = address.normalise_path(text) or address.typed(text)
        if author:
            fits |= (table.author == author) | table.named.contains(json.dumps(author, ensure_ascii=False))
            to = models.ActivityContact.select(models.ActivityContact.activity)
            fits |= table.activity.in_(to.where(models.ActivityContact.address == author))
            for tenant_id, digest in (digests or {}).items():
                at = (
                    peewee.fn.INSTR(table.recipient_digests, digest) if database.is_sqlite else _position(table, digest)
                )
                fits |= (table.deployment == tenant_id) & (at > 0)
        elif len(text) >= _MIN_WORD_CHARS:
            fits |= models.Activity.subject.contains(text)
        query = table.select(table, models.Deployment.name, models.Activity.id, models.Activity.direction).join(
            models.Deployment
        )
        query = query.switch(table).join(models.Activity, "LEFT OUTER JOIN").where(fits)
        if deployment is not None:
            query = query.where(table.deployment == deployment.id)
        rows = list(query.order_by(table.decided_at.desc(), table.id.desc()).limit(limit))
        numbers = {number for row in rows if (number := _mailbox_number(row.source_id)) is not None}
        addresses = {row.id: row.address for row in mailbox.select().where(mailbox.id.in_(numbers))} if numbers else {}
        return [_plain(row, addresses.get(_mailbox_number(row.source_id))) for row in rows]


def _position(table: Any, digest: bytes) -> Any:
    return peewee.fn.POSITION(peewee.NodeList((peewee.Value(digest), peewee.SQL("IN"), table.recipient_digests)))


def count_synced(database: Database, deployment: Deployment) -> int:
    """How many messages the sync decided on. A scan: for a small record."""
    sql = "SELECT COUNT(*) FROM decisions WHERE deployment_id = ? AND source_id LIKE '%@%'"
    return int(database.execute(sql, (deployment.id,)).fetchone()[0])


def _mailbox_number(source_id: str) -> int | None:
    number = source_id.rpartition("@")[2]
    return int(number) if "@" in source_id and number.isdecimal() else None


def _plain(row: Any, mailbox: str | None) -> Decision:
    return Decision(
        time=row.decided_at,
        deployment=row.deployment.name,
        queue_id=row.source_id,
        recipients=tuple(json.loads(row.recipients)),
        author=row.author,
        named=tuple(json.loads(row.named)) if row.named else (),
        message_id=row.message_id,
        outcome=row.outcome,
        reason=row.reason,
        activity=row.activity_id,
        direction=row.activity.direction if row.activity_id is not None else None,
        mailbox=mailbox,
    )
