"""The digest: is it behind, and what could it not read?"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from mailweir.health.findings import Finding, note, ok, wrong
from mailweir.store.database.connection import Database
from mailweir.store.people.deployments import Deployment
from mailweir.store.record import digest_queue, readings

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
