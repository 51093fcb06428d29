"""Writes Postfix's recent refusals as decisions of the deployments that the mail was for.

The log is read as root, and the database as its owner. A refusal's decision keeps no more than that of ignored mail: the
envelope sender, a user's capture address, and digests of any other recipient (law 3). Called by `health_report`.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from admin_cli import context
from mailweir import address
from mailweir.decision import Outcome, Reason
from mailweir.directory import DeploymentRef
from mailweir.health.findings import Finding, note, ok
from mailweir.health.refusal_quota import RefusalQuota
from mailweir.sentence import said
from mailweir.settings import Settings
from mailweir.store.database.connection import Database
from mailweir.store.people import deployments
from mailweir.store.people.directory import SqlDirectory, Standing
from mailweir.store.record import log_positions, refusals
from mailweir.store.record.writing import DecisionRow
from mailweir.traces import Traces
from postfix import log_tail, new_refusals
from postfix.maillog import Refusal

AREA = "postfix log"
_OURS = frozenset({Standing.USER, Standing.LOG, Standing.ROLE})
_UNKNOWN_USER = "550 5.1.1"


@dataclass(frozen=True, slots=True)
class _Taken:
    """Rows to write, and by deployment the number of refusals over the limit."""

    rows: list[DecisionRow]
    left_out: dict[str, int]


def take(settings: Settings, host: str, now: datetime) -> Iterator[Finding]:
    """Reads the log from the place where the last call stopped. LogUnreadable, DatabaseUnavailable: then that place stays."""
    log = settings.postfix_log_file
    with context.opened(settings) as database:
        last = log_positions.find(database, host, str(log))
    tail = log_tail.read(log, last[0] if last else None)
    found = new_refusals.find(tail, now)
    quota = RefusalQuota(last[1] if last else "", now)
    with context.opened(settings) as database:
        taken = _choose(database, Traces(settings.token_key_path), found, quota, now)
        refusals.put(database, taken.rows)
        with database.transaction():
            log_positions.put(database, host, str(log), tail.position, quota.text, now)
    yield from _said(tail, taken)


def _said(tail: log_tail.Tail, taken: _Taken) -> Iterator[Finding]:
    if taken.left_out:
        counts = ", ".join(f"{count} of {name}" for name, count in sorted(taken.left_out.items()))
        yield note(
            AREA,
            said("too much mail was refused to record all of it: {counts} left out within a minute", counts=counts),
            said("Postfix's log on that host has all of it"),
            key="postfix_log.flood",
            left_out=counts,
        )
    if tail.is_lost or tail.skipped_bytes:
        what = (
            said("the log that was read last is gone")
            if tail.is_lost
            else said("{bytes:,} bytes were too much", bytes=tail.skipped_bytes)
        )
        yield note(
            AREA,
            said("a part of Postfix's log wasn't read: {what}", what=what),
            said("refusals of that time aren't on the record"),
            key="postfix_log.not_read",
            why=what,
        )
    if not taken.left_out and not tail.is_lost and not tail.skipped_bytes:
        yield ok(AREA, said("Postfix's log is read, and what it refused is on the record"), key="postfix_log.read")


def _choose(database: Database, traces: Traces, found: Sequence[Refusal], quota: RefusalQuota, now: datetime) -> _Taken:
    """A refusal counts for the deployment that has the recipient's domain as its capture domain."""
    refs = {
        one.domain: DeploymentRef(one.id, one.name, one.domain, one.folding) for one in deployments.list_all(database)
    }
    directory = SqlDirectory(database)
    rows = []
    for refusal in found:
        recipient = address.normalise_path(refusal.recipient or "")
        ref = refs.get(address.split(recipient)[1]) if recipient else None
        if recipient and ref and quota.take(ref.id):
            rows.append(_row(refusal, recipient, ref, directory, traces, now))
    names = {ref.id: ref.name for ref in refs.values()}
    return _Taken(rows, {names[number]: count for number, count in quota.left_out.items()})


def _row(
    refusal: Refusal, recipient: str, ref: DeploymentRef, directory: SqlDirectory, traces: Traces, now: datetime
) -> DecisionRow:
    is_ours = directory.standing(recipient) in _OURS
    return DecisionRow(
        deployment_id=ref.id,
        source_id=refusals.source_id(refusal.queue_id, refusal.key),
        decided_at=min(refusal.time, now),  # not in the future, even if the clock was set back
        outcome=str(Outcome.REFUSED),
        reason=str(_reason(refusal)),
        recipients=json.dumps([recipient] if is_ours else []),
        author=address.normalise_path(refusal.sender or "") or None,
        message_id=refusal.message_id if (refusal.message_id or "").isprintable() else None,
        activity_id=None,
        relay_login_id=None,
        named=None,
        recipient_digests=traces.of(ref, [recipient]),
        labels=None,
    )


def _reason(refusal: Refusal) -> Reason:
    if refusal.reply.startswith(_UNKNOWN_USER):
        return Reason.NO_SUCH_RECIPIENT
    return Reason.POSTFIX_REFUSED if refusal.is_for_good else Reason.POSTFIX_PUT_OFF
