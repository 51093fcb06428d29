"""The one write path: stores a decision's results in the caller's transaction; safe to repeat.

Never opens a transaction, compresses or parses. The caller passes in the entries; the filter writes many of them in one commit.
Called by the filter's group commit, the sync and the digest.
"""

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from datetime import datetime, timedelta

from mailweir import subjects
from mailweir.confirmation import Confirmation
from mailweir.decision import Decision, Doubt, Outcome, Reason
from mailweir.sender_verdict import VerdictReason
from mailweir.store.database.connection import Database
from mailweir.store.people import relay_logins
from mailweir.store.people.relay_logins import UseRow
from mailweir.store.record import held, leading, verdicts, visibility
from mailweir.store.record.confirmations import ConfirmationWriter
from mailweir.store.record.held import NewHeld
from mailweir.store.record.verdicts import Led
from mailweir.store.record.writing import ActivityRow, DecisionRow, RawRow, SightingRow, Stored, Writer
from mailweir.visibility import is_private


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The stored part of a captured message. raw_zstd: the message's bytes, compressed; size_bytes: its size before that.

    identity, version_digest: `identity.key` and `identity.version`. is_proven: the author is proven without a signature, by a
    login or by the mailbox that sent it. header_labels: `reading.labels.to_bits` of its headers.
    """

    identity: bytes
    version_digest: bytes
    raw_zstd: bytes
    size_bytes: int
    subject: str
    sent_at: datetime | None
    is_proven: bool = False
    header_labels: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """A proven forwarding confirmation for its owners: (user id, mailbox) of each, and the limits on redirecting."""

    confirmation: Confirmation
    owners: tuple[tuple[int, str], ...]
    max_per_message: int
    max_per_user_and_hour: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """The stored part of mail that waits for its reading. facts: JSON of `holding.Facts`. The limits: see `NewHeld`."""

    facts: str
    content_zstd: bytes
    size_bytes: int
    keep: timedelta
    max_author_bytes: int
    max_deployment_bytes: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One message in one deployment. source_id: queue id or Gmail id. content: set exactly if it is captured; hold: set exactly
    if it is held.

    use: its contribution to the counts of the login that sent it. traces: of header recipients, see `traces`. labels: the labels
    of Gmail that the decision used (`gmail_labels`). forwarded: the users whom Gmail forwarded it to: (user id, forwarding
    mailbox).
    """

    decision: Decision
    source_id: str
    seen_at: datetime
    content: Content | None = None
    _: KW_ONLY
    redirect: Redirect | None = None
    use: UseRow | None = None
    traces: bytes | None = None
    labels: int | None = None
    hold: Hold | None = None
    forwarded: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Recorded:
    """The result of an entry. mailboxes: where a confirmation is to be redirected; token: of its envelope sender.

    reason: the one stored with the decision.
    """

    outcome: Outcome
    activity_id: int | None = None
    mailboxes: tuple[str, ...] = ()
    token: str | None = None
    reason: Reason | None = field(default=None, compare=False)


def record(database: Database, entry: Entry) -> Recorded:
    """Writes one entry; see `record_all`."""
    return record_all(database, [entry])[0]


def record_all(database: Database, entries: Sequence[Entry]) -> list[Recorded]:
    """Writes entries, and returns the result of each.

    A repeat, of the same source or of the same message, adds its new parts and nothing else. Errors: DatabaseUnavailable, or the
    database's own error if a row is invalid (the caller rolls back).
    """
    with database.together():
        return _record_together(database, entries)


def _record_together(database: Database, entries: Sequence[Entry]) -> list[Recorded]:
    activity_ids = _record_activities(database, [entry for entry in entries if entry.content])
    recorded: list[Recorded] = []
    decisions: list[DecisionRow] = []
    for entry in entries:
        if entry.redirect:
            result, reason = _record_redirect(ConfirmationWriter(database), entry, entry.redirect)
        else:
            reason = entry.decision.reason
            result = Recorded(entry.decision.outcome, activity_ids.get(id(entry)), reason=reason)
        for token in entry.decision.bounce_tokens:
            ConfirmationWriter(database).mark_bounced(entry.decision.deployment.id, token, entry.seen_at)
        recorded.append(result)
        decisions.append(_decision_row(entry, result, reason))
    Writer(database).put_decisions(decisions)
    forwarded = [one for entry in entries for one in entry.forwarded]
    if forwarded:
        ConfirmationWriter(database).end_forwarded(forwarded, max(entry.seen_at for entry in entries))
    _hold(database, entries, recorded)
    uses = [entry.use for entry in entries if entry.use]
    if uses:
        relay_logins.put_uses(database, uses, max(entry.seen_at for entry in entries))
    return recorded


def _hold(database: Database, entries: Sequence[Entry], recorded: list[Recorded]) -> None:
    """Stores the mail to hold. Mail for which there is no room gets the reason HELD_TOO_MUCH."""
    positions = [position for position, entry in enumerate(entries) if entry.hold and entry.decision.held]
    if not positions:
        return
    for found in held.put(database, [_new_held(entries[position]) for position in positions]):
        position = positions[found]
        recorded[position] = replace(recorded[position], reason=Reason.HELD_TOO_MUCH)


def _new_held(entry: Entry) -> NewHeld:
    decision, hold = entry.decision, entry.hold
    assert hold is not None
    assert decision.held is not None
    return NewHeld(
        deployment_id=decision.deployment.id,
        kind=decision.held,
        source_id=entry.source_id,
        author=decision.author or "",
        held_at=entry.seen_at,
        keep=hold.keep,
        size_bytes=hold.size_bytes,
        facts=hold.facts,
        content_zstd=hold.content_zstd,
        max_author_bytes=hold.max_author_bytes,
        max_deployment_bytes=hold.max_deployment_bytes,
    )


def _key(entry: Entry) -> tuple[int, bytes]:
    return entry.decision.deployment.id, entry.content.identity if entry.content else b""


def _put_activities(writer: Writer, entries: Sequence[Entry]) -> dict[int, Stored]:
    """Activities, by the entry's `id()`. A different mail under an existing key gets a key of its own (see `subjects`)."""
    stored = writer.put_activities([_activity_row(entry, entry.content) for entry in entries if entry.content])
    found_for: dict[int, Stored] = {}
    others: list[Entry] = []
    for entry in entries:
        assert entry.content is not None
        found = stored[_key(entry)]
        if subjects.same(found.subject, entry.content.subject):
            found_for[id(entry)] = found
        else:
            others.append(entry)
    if others:
        renamed = [replace(entry, content=_under_own_key(entry.content)) for entry in others if entry.content]
        stored = writer.put_activities([_activity_row(entry, entry.content) for entry in renamed if entry.content])
        found_for |= {id(entry): stored[_key(new)] for entry, new in zip(others, renamed, strict=True)}
    return found_for


def _under_own_key(content: Content) -> Content:
    key = hashlib.sha256(content.identity + b"\0subject\0" + subjects.core(content.subject).encode("utf-8", "replace"))
    return replace(content, identity=key.digest())


def _record_activities(database: Database, entries: Sequence[Entry]) -> dict[int, int]:
    """Ids of activities, by the entry's `id()`."""
    if not entries:
        return {}
    writer = Writer(database)
    stored = _put_activities(writer, entries)
    ids = {entry_id: one.id for entry_id, one in stored.items()}
    raw_ids = writer.put_raws([_raw_row(ids[id(entry)], entry, entry.content) for entry in entries if entry.content])
    sightings: list[SightingRow] = []
    contacts: list[tuple[int, int, str, int, int]] = []
    users: list[tuple[int, int]] = []
    todos: list[tuple[int, int, datetime]] = []
    for entry in entries:
        assert entry.content is not None
        activity_id, now = ids[id(entry)], entry.seen_at
        raw_id = raw_ids[activity_id, entry.content.version_digest]
        for route, user_id in entry.decision.sightings:
            sightings.append(SightingRow(activity_id, str(route), entry.source_id, user_id, raw_id, now))
        contacts += [
            (activity_id, contact.id, contact.address, raw_id, int(contact.is_bcc))
            for contact in entry.decision.contacts
        ]
        users += [(activity_id, user_id) for user_id in entry.decision.users]
        todos += [(activity_id, user_id, now) for user_id in entry.decision.todo_users]
    writer.put_sightings(sightings)
    writer.put_contacts(contacts)
    writer.put_users(users)
    writer.put_todos(todos)
    _settle_visibility(database, entries, stored)
    led: list[Led] = []
    for entry in entries:
        if entry.content and entry.content.is_proven:
            activity_id = ids[id(entry)]
            raw_id = raw_ids[activity_id, entry.content.version_digest]
            led += filter(None, [verdicts.prove(database, raw_id, activity_id, entry.seen_at)])
    if led:
        leading.join_threads(database, led, max(entry.seen_at for entry in entries))
    return ids


def _settle_visibility(database: Database, entries: Sequence[Entry], stored: dict[int, Stored]) -> None:
    """Law 13: the strictest of an activity's versions decides, and these are some of them."""
    private, of_people = set(), set()
    for entry in entries:
        found = stored[id(entry)]
        if entry.content and is_private(entry.content.subject, found.private_words):
            private.add(found.id)
        if found.restricts_people:
            of_people.add(found.id)
    if private or of_people:
        visibility.settle(database, private, of_people)


def _activity_row(entry: Entry, content: Content) -> ActivityRow:
    decision = entry.decision
    return ActivityRow(
        deployment_id=decision.deployment.id,
        identity=content.identity,
        direction=str(decision.direction),
        author=decision.author or "",
        subject=content.subject,
        sent_at=content.sent_at,
        recorded_at=entry.seen_at,
        message_id=decision.message_id,
        by_known_thread=int(decision.by_known_thread),
    )


def _raw_row(activity_id: int, entry: Entry, content: Content) -> RawRow:
    return RawRow(
        activity_id=activity_id,
        version_digest=content.version_digest,
        subject=content.subject,
        size_bytes=content.size_bytes,
        content_zstd=content.raw_zstd,
        recorded_at=entry.seen_at,
        # A signature proves one reading of From, and a mail reader may show another one (decision 0003).
        verdict="none" if entry.decision.doubt else "pending",
        author_doubt=str(entry.decision.doubt) if entry.decision.doubt else None,
        author_via=entry.decision.via,
        header_labels=content.header_labels,
        verdict_reason=_why_in_doubt(entry.decision.doubt),
    )


def _why_in_doubt(doubt: Doubt | None) -> str | None:
    if doubt is None:
        return None
    return str(VerdictReason.FORWARDED_BY_HAND if doubt is Doubt.FORWARDED else VerdictReason.AUTHOR_IN_DOUBT)


def _record_redirect(writer: ConfirmationWriter, entry: Entry, redirect: Redirect) -> tuple[Recorded, Reason]:
    """The link is stored, so that the page can show it, even if a limit is reached and nothing is redirected."""
    now, hour_ago = entry.seen_at, entry.seen_at - timedelta(hours=1)
    message_id = entry.decision.message_id or f"queue id {entry.source_id}"
    token = secrets.token_hex(16)
    mailboxes: list[str] = []
    for user_id, mailbox in redirect.owners:
        row_id, redirects, known_token = writer.put(
            entry.decision.deployment.id,
            user_id,
            message_id,
            redirect.confirmation.requester,
            redirect.confirmation.link,
            token,
            now,
        )
        others = writer.count_redirected_others(user_id, hour_ago, row_id)
        if redirects < redirect.max_per_message and others < redirect.max_per_user_and_hour:
            writer.count_redirect(row_id, now)
            mailboxes.append(mailbox)
            token = known_token  # of one of its recipients, so that a bounce is noted there
    if not mailboxes:
        reason = Reason.CONFIRMATION_LIMIT
        return Recorded(Outcome.IGNORED, reason=reason), reason
    reason = Reason.CONFIRMATION
    return Recorded(Outcome.REDIRECTED, mailboxes=tuple(mailboxes), token=token, reason=reason), reason


def _decision_row(entry: Entry, result: Recorded, reason: Reason) -> DecisionRow:
    decision = entry.decision
    return DecisionRow(
        deployment_id=decision.deployment.id,
        source_id=entry.source_id,
        decided_at=entry.seen_at,
        outcome=str(result.outcome),
        reason=str(reason),
        recipients=json.dumps(decision.addresses),
        author=decision.author,
        message_id=decision.message_id,
        activity_id=result.activity_id,
        # Refused mail isn't relayed, so nobody gets a notice about it.
        relay_login_id=entry.use.login_id if entry.use and result.outcome is not Outcome.REFUSED else None,
        named=json.dumps(decision.named, ensure_ascii=False) if decision.named else None,
        recipient_digests=entry.traces,
        labels=entry.labels,
        rule=json.dumps([decision.rule.pattern, decision.rule.username]) if decision.rule else None,
    )
