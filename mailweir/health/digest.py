"""The digest: is it behind, which mail could it not read, which mail did an older version read, and which mail is damaged?"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from mailweir.health.findings import Finding, note, ok, wrong
from mailweir.sentence import said
from mailweir.store.database.connection import Database
from mailweir.store.people.deployments import Deployment
from mailweir.store.record import digest_queue, digest_rebuilds, held, readings
from mailweir.store.record.digest_queue import Stage

AREA = "digest"
_LATE = timedelta(minutes=15)
_SHOWN = 5
MOST_COUNTED = 10_000  # for each view of the page


def check_queue(database: Database, now: datetime) -> Iterator[Finding]:
    """New mail waits for moments only, unless the digest doesn't run or can't keep up."""
    oldest = digest_queue.oldest_new(database)
    if oldest is not None and now - oldest > _LATE:
        yield wrong(
            AREA,
            said("mail that came at {oldest:%Y-%m-%d %H:%M:%SZ} isn't read or examined yet", oldest=oldest),
            said("does mailweir-digest run? Its log says why not; 'mailweir digest status' shows what waits"),
            key="digest.late",
            since=oldest,
        )
        return
    without_dns = digest_queue.count_without_dns(database)
    if without_dns:
        sentence = (
            said("the author of 1 message isn't examined yet, because DNS gave no answer")
            if without_dns == 1
            else said(
                "the authors of {number:,} messages aren't examined yet, because DNS gave no answer", number=without_dns
            )
        )
        yield note(
            AREA,
            sentence,
            said(
                "Mailweir asks again, at growing intervals of up to a day; if all of DNS fails, check the "
                "resolver ([dns])"
            ),
            key="digest.without_dns",
            messages=without_dns,
        )
    else:
        yield ok(AREA, said("new mail is read and examined"), key="digest.in_time")


def check_older(database: Database) -> Iterator[Finding]:
    """After an upgrade, mail that was read before has to be read again to get what the new version adds."""
    older = readings.count_older(database, MOST_COUNTED + 1)
    if not older:
        return
    if any(one.stage is Stage.READING for one in digest_rebuilds.going_on(database)):
        yield ok(AREA, said("mail that an older version read is being read again"), key="digest.read_again")
        return
    if older == 1:
        sentence = said("1 message was read by an older version")
    elif older > MOST_COUNTED:
        sentence = said("more than {number:,} messages were read by an older version", number=MOST_COUNTED)
    else:
        sentence = said("{number:,} messages were read by an older version", number=older)
    yield note(
        AREA,
        sentence,
        said("they lack what this version adds; to read them again, while mail flows: mailweir digest again"),
        key="digest.older",
        messages=min(older, MOST_COUNTED),
    )


def check_held(database: Database, now: datetime) -> Iterator[Finding]:
    """Held mail is decided within moments, unless DNS doesn't answer or the digest doesn't run."""
    waiting = held.waiting(database)
    if waiting.oldest is not None and now - waiting.oldest > _LATE:
        yield wrong(
            AREA,
            said(
                "{waits} mails wait for their reading since {oldest:%Y-%m-%d %H:%M:%SZ}, and it isn't known yet "
                "whose they are",
                waits=waiting.waits,
                oldest=waiting.oldest,
            ),
            said(
                "does mailweir-digest run, and does DNS answer? Its log says why not; mail that isn't read in "
                "time is erased (digest.held_keep_hours)"
            ),
            key="digest.held_late",
            since=waiting.oldest,
            number=waiting.waits,
        )
    else:
        yield ok(AREA, said("held mail is decided in time"), key="digest.held_in_time")


def check_unreadable(database: Database, deployment: Deployment) -> Iterator[Finding]:
    """Mail on which the reading process died three times, and damaged mail."""
    damaged = readings.unreadable(database, deployment.id, _SHOWN + 1, is_damaged=True)
    if damaged:
        shown = _listed(damaged)
        yield wrong(
            f"record {deployment.name}",
            said("the raw bytes are damaged in the database: activity {activities}", activities=shown),
            said("restore a backup that has them whole (docs/admin/backup.md)"),
            key="record.damaged",
            activities=shown,
        )
    found = readings.unreadable(database, deployment.id, _SHOWN + 1, is_damaged=False)
    if found:
        shown = _listed(found)
        yield note(
            f"record {deployment.name}",
            said("could not be read: activity {activities}", activities=shown),
            said("the message itself is kept ('mailweir activity raw ID'); after an upgrade: mailweir digest again ID"),
            key="record.unreadable",
            activities=shown,
        )


def _listed(activity_ids: list[int]) -> str:
    return ", ".join(map(str, activity_ids[:_SHOWN])) + (", …" if len(activity_ids) > _SHOWN else "")
