"""The one write path: what a decision leaves behind, in the caller's transaction, safe to repeat.

Never opens a transaction, compresses or parses: it is handed what to write, and the filter writes many entries in one commit.
Called by the filter's group commit and by the sync.
"""

import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mailweir.confirmation import Confirmation
from mailweir.matching import Decision, Outcome, Reason
from mailweir.store.connection import Database
from mailweir.store.writing import RawRow, Writer


@dataclass(frozen=True, slots=True)
class Content:
    """What is kept of a captured message. raw_zstd: the message's bytes, compressed; size_bytes: before that."""

    identity: bytes
    body_digest: bytes
    raw_zstd: bytes
    size_bytes: int
    subject: str
    sent_at: datetime | None


@dataclass(frozen=True, slots=True)
class Redirect:
    """A proven forwarding confirmation for its owners: (user id, mailbox) of each, and the limits on redirecting."""

    confirmation: Confirmation
    owners: tuple[tuple[int, str], ...]
    max_per_message: int
    max_per_user_and_hour: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One message in one deployment. source_id: queue id or Gmail id. content is there exactly where it is captured."""

    decision: Decision
    source_id: str
    seen_at: datetime
    content: Content | None = None
    redirect: Redirect | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """What came of an entry. mailboxes: where a confirmation is to be redirected; token: of its envelope sender."""

    outcome: Outcome
    activity_id: int | None = None
    mailboxes: tuple[str, ...] = ()
    token: str | None = None


def record(database: Database, entry: Entry) -> Recorded:
    """Writes an entry. A repeat, of the same source or of the same message, adds what is new of it and nothing else.

    Errors: DatabaseUnavailable, or the database's own error where a row can't be (the caller rolls back).
    """
    writer = Writer(database)
    if entry.redirect:
        return _record_redirect(writer, entry, entry.redirect)
    for token in entry.decision.bounce_tokens:
        writer.mark_bounced(entry.decision.deployment.id, token, rfc3339(entry.seen_at))
    activity_id = _record_activity(writer, entry, entry.content) if entry.content else None
    _write_decision(writer, entry, entry.decision.outcome, entry.decision.reason, activity_id)
    return Recorded(entry.decision.outcome, activity_id)


def _record_activity(writer: Writer, entry: Entry, content: Content) -> int:
    decision, now = entry.decision, rfc3339(entry.seen_at)
    activity_id = writer.put_activity(
        deployment_id=decision.deployment.id,
        identity=content.identity,
        direction=str(decision.direction),
        author=decision.author or "",
        subject=content.subject,
        sent_at=rfc3339(content.sent_at) if content.sent_at else None,
        recorded_at=now,
        message_id=decision.message_id,
    )
    raw_id = writer.put_raw(activity_id, RawRow(content.body_digest, content.size_bytes, content.raw_zstd, now))
    for route, user_id in decision.sightings:
        writer.put_sighting(activity_id, str(route), entry.source_id, user_id, raw_id, now)
    writer.put_contacts(activity_id, decision.contacts)
    writer.put_users(activity_id, decision.users)
    writer.put_todos(activity_id, decision.todo_users, now)
    return activity_id


def _record_redirect(writer: Writer, entry: Entry, redirect: Redirect) -> Recorded:
    """Counts within the transaction, so that neither two workers nor a retry redirect more often than allowed.

    The link is kept for the person's page even where the limit is reached.
    """
    now = rfc3339(entry.seen_at)
    hour_ago = rfc3339(entry.seen_at - timedelta(hours=1))
    message_id = entry.decision.message_id or f"queue id {entry.source_id}"
    token = secrets.token_hex(16)
    mailboxes: list[str] = []
    for user_id, mailbox in redirect.owners:
        row_id, redirects, known_token = writer.put_confirmation(
            entry.decision.deployment.id,
            user_id,
            message_id,
            redirect.confirmation.requester,
            redirect.confirmation.link,
            token,
            now,
        )
        token = known_token
        others = writer.count_redirected_others(user_id, hour_ago, row_id)
        if redirects < redirect.max_per_message and others < redirect.max_per_user_and_hour:
            writer.count_redirect(row_id, now)
            mailboxes.append(mailbox)
    if not mailboxes:
        _write_decision(writer, entry, Outcome.IGNORED, Reason.CONFIRMATION_LIMIT, None)
        return Recorded(Outcome.IGNORED)
    _write_decision(writer, entry, Outcome.REDIRECTED, Reason.CONFIRMATION, None)
    return Recorded(Outcome.REDIRECTED, None, tuple(mailboxes), token)


def _write_decision(writer: Writer, entry: Entry, outcome: Outcome, reason: Reason, activity_id: int | None) -> None:
    decision = entry.decision
    writer.put_decision(
        decision.deployment.id,
        entry.source_id,
        rfc3339(entry.seen_at),
        str(outcome),
        str(reason),
        json.dumps(decision.addresses),
        decision.author,
        decision.message_id,
        activity_id,
    )


def rfc3339(moment: datetime) -> str:
    """UTC as RFC 3339 with microseconds and Z: as text it sorts by time."""
    text = (moment if moment.tzinfo is UTC else moment.astimezone(UTC)).isoformat(timespec="microseconds")
    return text.removesuffix("+00:00") + "Z"  # strftime takes eight times as long
