"""`mailweir doctor`: runs all checks, and prints what they found.

Never changes anything. Root looks at the database as its folder's owner. Called by an admin, or by a monitor with --json.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import datetime
from functools import partial
from typing import Annotated

import typer

from admin_cli import context, data_folder, in_force, options, output, tables
from admin_cli.doctor import (
    certificate,
    dns,
    gmail,
    key_file,
    postfix_files,
    queue,
    record,
    settings_sense,
    sockets,
    stack,
    units,
)
from admin_cli.doctor import database as checks
from admin_cli.doctor.findings import Finding, Level, note, run, wrong
from admin_cli.ownership import acting_for
from mailweir.errors import DatabaseUnavailable
from mailweir.settings import Settings, load
from mailweir.store.database import health
from mailweir.store.database.connection import Database
from mailweir.store.people import deployments
from mailweir.store.people.deployments import Deployment

_BUSY_SECONDS = 3.0  # a writer of ours holds the lock for milliseconds
_QUESTION_SECONDS = 10.0
_OUTSIDE_LEVELS = {"ok": "ok", "note": "note", "wrong": "WRONG"}


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command("doctor", epilog=options.example("mailweir doctor", "mailweir doctor --json"))(doctor)


def doctor(
    deployment: Annotated[
        str | None, typer.Option("--deployment", metavar="NAME", help="Only this deployment's record.")
    ] = None,
    as_json: options.JsonOption = False,
) -> None:
    """Says what is right and wrong with the stack, and what to do. Exits 1 where something is wrong. Changes nothing."""
    found = list(examine(load(), deployment, context.now()))
    if as_json:
        output.show_json(
            [
                {"area": one.area, "level": str(one.level), "finding": one.sentence, "to_do": one.to_do or None}
                for one in found
            ]
        )
    else:
        rows = [(_OUTSIDE_LEVELS[one.level], one.area, one.sentence, one.to_do) for one in found]
        tables.show(("", "area", "what was found", "what to do"), rows, empty="")
        output.say(_summary(found))
    if any(one.level == "wrong" for one in found):
        raise typer.Exit(1)


def _summary(found: list[Finding]) -> str:
    faults = sum(one.level == "wrong" for one in found)
    return "Nothing is wrong." if not faults else f"{faults} {'thing is' if faults == 1 else 'things are'} wrong."


def examine(settings: Settings, name: str | None, now: datetime) -> Iterator[Finding]:
    """All findings, in the order in which mail meets what they are about."""
    running = in_force.settings(settings)
    by_systemd = settings.run_by == "systemd"
    yield from run("data folder", partial(_check_data_folder, settings))
    yield from run(stack.AREA, partial(units.check if by_systemd else stack.check_processes, settings))
    yield from run(settings_sense.AREA, partial(settings_sense.check, settings, running))
    if not by_systemd or units.is_front_end():
        yield from _examine_front_end(settings, running, now)
    yield from _examine_database(running, name, now)


def _check_data_folder(settings: Settings) -> Iterator[Finding]:
    for fault in data_folder.faults(settings):
        what, _, to_do = fault.partition(": ")
        yield wrong("data folder", what, to_do)


def _examine_front_end(settings: Settings, running: Settings, now: datetime) -> Iterator[Finding]:
    """What takes mail. running: the settings that it goes by."""
    if stack.is_running(settings) is not False:
        for check in (stack.check_filter, stack.check_lookups, stack.check_dialogue, stack.check_relay):
            yield from run(stack.AREA, partial(check, running))
        yield from run(sockets.AREA, partial(sockets.check, running))
    yield from run(postfix_files.AREA, partial(postfix_files.check, running))
    yield from run(certificate.AREA, partial(certificate.check, running, now))
    yield from run(queue.AREA, partial(queue.check, running, now))
    yield from run(queue.AREA, partial(queue.check_outbox, running))
    yield from _examine_dns(running)


def _examine_dns(settings: Settings) -> Iterator[Finding]:
    """What needs no database; `_examine_record` asks for the capture domains."""
    if not dns.is_meant(settings):
        return

    def look() -> Iterator[Finding]:
        asked = dns.questions(settings)
        yield from dns.check_host(settings, asked)
        yield from dns.check_spf_of_host(settings, asked)

    yield from run(dns.AREA, look)


def _examine_database(settings: Settings, name: str | None, now: datetime) -> Iterator[Finding]:
    yield from run("disk", partial(checks.check_room, settings))
    yield from run(checks.AREA, partial(checks.check_owner, settings))
    database_url = settings.database_url
    opened: list[Database] = []

    def open_it() -> Iterator[Finding]:
        opened.append(Database(database_url, busy_timeout_seconds=_BUSY_SECONDS))
        yield from ()

    with acting_for(database_url):
        yield from run(checks.AREA, open_it)
    if not opened:
        return
    with acting_for(database_url), closing(opened[0]) as database:
        state = run(checks.AREA, partial(checks.check_state, database))
        yield from state
        if any(one.level is Level.WRONG for one in state):
            return
        yield from run(checks.AREA, partial(checks.check_writing, database))
        yield from run(checks.AREA, partial(checks.check_damage, settings, database))
        yield from run(key_file.AREA, partial(key_file.check, settings, database))
        yield from _examine_record(settings, database, name, now)


def _examine_record(settings: Settings, database: Database, name: str | None, now: datetime) -> Iterator[Finding]:
    def bounded(check: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
        try:
            with health.limited(database, _QUESTION_SECONDS):
                yield from check()
        except DatabaseUnavailable as error:
            if "interrupted" not in str(error):
                raise
            yield note(
                "record", f"it is too large for a question that may take {_QUESTION_SECONDS:.0f} s; not looked at"
            )

    yield from run("clock", partial(bounded, partial(record.check_clock, database, now)))
    chosen: list[Deployment] = []

    def choose() -> Iterator[Finding]:
        chosen.extend([deployments.find(database, name)] if name else deployments.list_all(database))
        if not chosen:
            to_do = "make one: mailweir deployment add NAME --domain CAPTURE-DOMAIN"
            yield note("record", "there is no deployment yet", to_do)

    yield from run("record", choose)
    if dns.is_meant(settings):
        yield from run(dns.AREA, lambda: dns.check_mx(settings, dns.questions(settings), chosen))
    yield from run(gmail.AREA, partial(gmail.check_file, settings))
    yield from run(gmail.AREA, partial(gmail.check_sync, settings, database, now))
    for deployment in chosen:
        for check in (
            partial(gmail.check_mailboxes, settings, database, deployment, now),
            partial(record.check_routes, database, deployment),
            partial(record.check_logins, database, deployment),
            partial(record.check_authors, database, deployment, now),
            partial(record.check_groups, database, deployment, now),
            partial(record.check_forwarding, database, deployment, now),
            partial(record.check_addresses, database, deployment),
        ):
            yield from run(f"record {deployment.name}", partial(bounded, check))
