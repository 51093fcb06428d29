"""Reads decisions, which say what became of messages. Never writes: `writing` does. Called by `decision_search` and
`decision_pages`."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mailweir import address
from mailweir.decision import FROM_THE_LOG, Reason
from mailweir.store.database import batches, like, rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse, rfc3339
from mailweir.store.people.deployments import Deployment
from mailweir.store.record import refusals
from mailweir.store.record.visibility import Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The decision on one message for one deployment. outcome, reason: the words of `decision`. time: UTC.

    queue_id: Postfix's, or made of Gmail's id by `gmail_queue.source_id`; None if mail was refused before it had one. recipients:
    capture addresses. activity: of captured mail, else None. named: the addresses in From, if From has others than the author.
    rule, rule_user: the never-log rule that hid the message, and the username of the rule's owner. forwarder: the username of the
    user who forwarded a contact's mail by hand; original_author: the contact's address. mailbox: the address of the synced Gmail
    mailbox, else None. direction, sender_verdict, its reason and domain: the activity's, see there; None if nothing was captured.
    """

    time: datetime
    deployment: str
    queue_id: str | None
    recipients: tuple[str, ...]
    author: str | None
    named: tuple[str, ...]
    message_id: str | None
    outcome: str
    reason: str
    activity: int | None
    direction: str | None
    mailbox: str | None
    sender_verdict: str | None = None
    sender_verdict_reason: str | None = None
    sender_verdict_domain: str | None = None
    rule: str | None = None
    rule_user: str | None = None
    forwarder: str | None = None
    original_author: str | None = None

    @property
    def gmail_id(self) -> str | None:
        """Gmail's own id of the message, if it was synced."""
        return self.queue_id.rpartition("@")[0] if self.mailbox is not None and self.queue_id else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """A person who asks for decisions of one deployment, and sees as much of them as law 13 allows.

    Of mail on the record, the asker sees the decisions that the reader may see. Of all other decisions, an admin sees all. A user
    sees those on mail to capture_address, from an address of the user's, and from the user's mailbox. has_tags: is `+tag` in an
    address ignored?
    """

    reader: Reader
    username: str
    capture_address: str
    has_tags: bool = False
    is_admin: bool = False


def select(database: Database, condition: str, values: Sequence[Any], ending: str = "") -> list[Decision]:
    """The decisions that match a condition on `c`, the newest first."""
    sql = (
        "SELECT c.decided_at, d.name AS deployment, c.source_id, c.recipients, c.author, c.named, c.message_id, c.outcome,"
        " c.reason, c.activity_id, c.rule, a.direction, a.author AS recorded_author, a.sender_verdict,"
        " (SELECT u.username FROM sightings s JOIN users u ON u.id = s.user_id WHERE s.activity_id = c.activity_id"
        " AND s.source_id = c.source_id AND s.route = 'log' ORDER BY s.id LIMIT 1) AS log_user,"
        " led.verdict_reason, led.verdict_domain"
        " FROM decisions c"
        " JOIN deployments d ON d.id = c.deployment_id LEFT JOIN activities a ON a.id = c.activity_id"
        f" LEFT JOIN raw_messages led ON led.id = a.leading_raw_id WHERE {condition}"
        f" ORDER BY c.decided_at DESC, c.id DESC{ending}"
    )
    found = rows.named(database.execute(sql, values))
    numbers = {number for row in found if (number := _mailbox_number(row["source_id"])) is not None}
    mailboxes = "SELECT id, address FROM gmail_mailboxes WHERE id IN ({})"
    addresses = dict(batches.among(database, mailboxes, (), numbers))
    return [_made_of(row, addresses.get(_mailbox_number(row["source_id"]))) for row in found]


def told_to(asker: Asker, values: list[Any]) -> str:
    """A condition on a decision `c` and its activity `a`; its values are added to `values`. An OR is fast enough here, because
    the search has narrowed the rows before."""
    reader = asker.reader
    marks = ",".join("?" * len(reader.user_ids))
    values += [reader.deployment_id, *reader.user_ids]
    seen = (
        # LIMIT: for EXISTS, PostgreSQL would list everything that the reader takes part in, however much that is
        "(a.visibility <> 'participants' OR (SELECT 1 FROM activity_users mine"
        f" WHERE mine.activity_id = a.id AND mine.user_id IN ({marks}) LIMIT 1) IS NOT NULL)"
    )
    if asker.is_admin:
        return f"c.deployment_id = ? AND (c.activity_id IS NULL OR {seen})"
    addressed = ["c.recipients LIKE ? ESCAPE '!'"] * (1 + asker.has_tags)
    values.append(f'%"{like.escaped(asker.capture_address)}"%')
    if asker.has_tags:
        local, domain = address.split(asker.capture_address)
        values.append(f'%"{like.escaped(local)}+%@{like.escaped(domain)}"%')
    values += [*reader.user_ids, *reader.user_ids]
    own = (
        f"({' OR '.join(addressed)} OR c.author IN (SELECT own.address FROM user_addresses own WHERE own.user_id IN ({marks}))"
        f" OR EXISTS (SELECT 1 FROM gmail_mailboxes m WHERE m.user_id IN ({marks})"
        " AND c.source_id LIKE '%@' || CAST(m.id AS TEXT)))"
    )
    return f"c.deployment_id = ? AND (c.activity_id IS NOT NULL AND {seen} OR c.activity_id IS NULL AND {own})"


def told(
    deployment: Deployment | None, asker: Asker | None, since: datetime | None, in_log: Collection[str] | None
) -> tuple[str, list[Any]]:
    """The condition under which a decision `c`, with its activity `a`, is shown, and its values. in_log: source ids of decisions
    from Postfix's log that aren't shown; None: no decisions from the log are shown. See `told` in `decision_search.Wanted`."""
    parts = ["1 = 1"]
    values: list[Any] = []
    without = [("c.reason", [str(one) for one in FROM_THE_LOG] if in_log is None else [])]
    without.append(("c.source_id", list(in_log or ())))
    for column, words in without:
        if words:
            parts.append(f"{column} NOT IN ({', '.join('?' * len(words))})")
            values += words
    if deployment is not None:
        parts.append("c.deployment_id = ?")
        values.append(deployment.id)
    if asker is not None:
        parts.append(told_to(asker, values))
    if since is not None:
        parts.append("c.decided_at >= ?")
        values.append(rfc3339(since))
    return " AND ".join(parts), values


def count_synced(database: Database, deployment: Deployment) -> int:
    """How many messages the sync decided on. A scan: for a small record."""
    sql = "SELECT COUNT(*) FROM decisions WHERE deployment_id = ? AND source_id LIKE '%@%'"
    return int(database.execute(sql, (deployment.id,)).fetchone()[0])


def _mailbox_number(source_id: str) -> int | None:
    number = source_id.rpartition("@")[2]
    return int(number) if "@" in source_id and number.isdecimal() else None


def _made_of(row: rows.Row, mailbox: str | None) -> Decision:
    rule, rule_user = json.loads(row["rule"]) if row["rule"] else (None, None)
    is_forward = row["reason"] == Reason.FORWARDED_BY_USER
    return Decision(
        time=parse(row["decided_at"]),
        deployment=row["deployment"],
        queue_id=refusals.queue_id_of(row["source_id"]) if row["reason"] in FROM_THE_LOG else row["source_id"],
        recipients=tuple(json.loads(row["recipients"])),
        author=row["author"],
        named=tuple(json.loads(row["named"])) if row["named"] else (),
        message_id=row["message_id"],
        outcome=row["outcome"],
        reason=row["reason"],
        activity=row["activity_id"],
        direction=row["direction"],
        mailbox=mailbox,
        sender_verdict=row["sender_verdict"],
        sender_verdict_reason=row["verdict_reason"],
        sender_verdict_domain=row["verdict_domain"],
        rule=rule,
        rule_user=rule_user,
        forwarder=row["log_user"] if is_forward else None,
        original_author=row["recorded_author"] if is_forward else None,
    )
