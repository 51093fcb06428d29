"""The digest: is it behind, and what could it not read?"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from mailweir.health.findings import Finding, note, ok, wrong
from mailweir.store.database.connection import Database
from mailweir.store.people.deployments import Deployment
from mailweir.store.record import digest_queue, held, readings

AREA = "digest"
_LATE = timedelta(minutes=15)
_SHOWN = 5


def check_queue(database: Database, now: datetime) -> Iterator[Finding]:
    """What is new waits for moments, unless the digest doesn't run or can't keep up."""
    oldest = digest_queue.oldest_new(database)
    if oldest is not None and now - oldest > _LATE:
        yield wrong(
            AREA,
            f"mail that came at {oldest:%Y-%m-%d %H:%M:%SZ} isn't read or examined yet",
            "does mailweir-digest run? Its log says why not; 'mailweir digest status' shows what waits",
            key="digest.late",
            since=oldest,
        )
    else:
        yield ok(AREA, "new mail is read and examined", key="digest.in_time")


def check_held(database: Database, now: datetime) -> Iterator[Finding]:
    """What is held is decided within moments, unless DNS doesn't answer or the digest doesn't run."""
    waiting = held.waiting(database)
    if waiting.oldest is not None and now - waiting.oldest > _LATE:
        yield wrong(
            AREA,
            f"{waiting.waits} mails wait for their reading since {waiting.oldest:%Y-%m-%d %H:%M:%SZ}, and nobody knows yet"
            " whose they are",
            "does mailweir-digest run, and does DNS answer? Its log says why not; what isn't read in time is erased"
            " (digest.held_keep_hours)",
            key="digest.held_late",
            since=waiting.oldest,
            number=waiting.waits,
        )
    else:
        yield ok(AREA, "held mail is decided in time", key="digest.held_in_time")


def check_unreadable(database: Database, deployment: Deployment) -> Iterator[Finding]:
    """What ended the child that read it, three times."""
    found = readings.unreadable(database, deployment.id, _SHOWN + 1)
    if found:
        shown = ", ".join(map(str, found[:_SHOWN])) + (", …" if len(found) > _SHOWN else "")
        yield note(
            f"record {deployment.name}",
            f"could not be read: activity {shown}",
            "the message itself is kept ('mailweir activity raw ID'); after an upgrade: mailweir digest again ID",
            key="record.unreadable",
            activities=shown,
        )
