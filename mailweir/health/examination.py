"""All checks that need settings, database and DNS alone, in the order in which `mailweir doctor` and the page show them.

Never changes anything, and needs no privileges. Each check is bounded (`findings.run`). Called by `doctor.command`,
and for the page by `health.page`.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import partial

from mailweir.errors import DatabaseUnavailable
from mailweir.health import database as checks
from mailweir.health import digest, dns, gmail, key_file, record
from mailweir.health.findings import Finding, Words, note, run
from mailweir.sentence import said
from mailweir.settings import Settings
from mailweir.store.database import health
from mailweir.store.database.connection import Database
from mailweir.store.people import deployments
from mailweir.store.people.deployments import Deployment

_QUESTION_SECONDS = 10.0


def of_dns(settings: Settings) -> Iterator[Finding]:
    """This host's DNS, without the capture domains: those are in the database, and `of_database` checks them."""
    if not dns.is_meant(settings):
        return

    def look() -> Iterator[Finding]:
        asked = dns.questions(settings)
        yield from dns.check_host(settings, asked)
        yield from dns.check_spf_of_host(settings, asked)

    yield from run(dns.AREA, look)


def of_database(
    settings: Settings, database: Database, name: str | None, now: datetime, words: Words
) -> Iterator[Finding]:
    """Checks a database that is of this version (`database.check_state`), and its content. name: of the only deployment to check,
    or None."""
    yield from of_writing(database)
    yield from run(checks.AREA, partial(checks.check_damage, settings, database))
    yield from run(key_file.AREA, partial(key_file.check, settings, database))
    yield from of_everybody(database, now)
    chosen: list[Deployment] = []

    def choose() -> Iterator[Finding]:
        chosen.extend([deployments.find(database, name)] if name else deployments.list_all(database))
        if not chosen:
            yield no_deployment()

    yield from run("record", choose)
    if dns.is_meant(settings):
        yield from run(dns.AREA, lambda: dns.check_mx(settings, dns.questions(settings), chosen))
    yield from run(gmail.AREA, partial(gmail.check_file, settings))
    yield from of_sync(settings, database, now)
    for deployment in chosen:
        yield from of_deployment(settings, database, deployment, now, words)


def of_writing(database: Database) -> Iterator[Finding]:
    """Could the filter write now?"""
    yield from run(checks.AREA, partial(checks.check_writing, database))


def of_everybody(database: Database, now: datetime, seconds: float = _QUESTION_SECONDS) -> Iterator[Finding]:
    """Checks for all deployments together: the clock, and mail that waits for the digest. seconds: for each question."""
    for area, check in (
        ("clock", partial(record.check_clock, database, now)),
        (digest.AREA, partial(digest.check_queue, database, now)),
        (digest.AREA, partial(digest.check_held, database, now)),
        (digest.AREA, partial(digest.check_older, database)),
    ):
        yield from run(area, partial(_bounded, database, check, seconds))


def of_sync(settings: Settings, database: Database, now: datetime) -> Iterator[Finding]:
    """Is the sync at work?"""
    yield from run(gmail.AREA, partial(gmail.check_sync, settings, database, now))


def of_deployment(
    settings: Settings,
    database: Database,
    deployment: Deployment,
    now: datetime,
    words: Words,
    seconds: float = _QUESTION_SECONDS,
) -> Iterator[Finding]:
    """One deployment's mailboxes and record, and no other's. seconds: for each question."""
    for check in (
        partial(gmail.check_mailboxes, settings, database, deployment, now),
        partial(gmail.check_consents, database, deployment, now),
        partial(record.check_routes, database, deployment),
        partial(record.check_logins, database, deployment),
        partial(record.check_authors, database, deployment, now),
        partial(record.check_groups, database, deployment, now),
        partial(record.check_forwarding, database, deployment, now, words),
        partial(record.check_addresses, database, deployment),
        partial(digest.check_unreadable, database, deployment),
    ):
        yield from run(f"record {deployment.name}", partial(_bounded, database, check, seconds))


def no_deployment() -> Finding:
    """There is nobody whose mail could be captured."""
    to_do = said("add one: mailweir deployment add NAME --domain CAPTURE-DOMAIN")
    return note("record", said("there is no deployment yet"), to_do, key="record.no_deployment")


def _bounded(database: Database, check: Callable[[], Iterable[Finding]], seconds: float) -> Iterator[Finding]:
    try:
        with health.limited(database, seconds):
            yield from check()
    except DatabaseUnavailable as error:
        if "interrupted" not in str(error):
            raise
        yield note(
            "record",
            said("it is too large for a question that may take {seconds:.0f} s; not looked at", seconds=seconds),
            key="record.too_large",
        )
