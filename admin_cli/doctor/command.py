"""`mailweir doctor`: runs all checks, and prints what they found.

Never changes anything. Root looks at the database as its folder's owner. Called by an admin, or by a monitor with --json.
"""

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from functools import partial
from typing import Annotated

import typer

from admin_cli import context, data_folder, in_force, options, output, tables
from admin_cli.change_notes import reads
from admin_cli.doctor import certificate, page, postfix_files, queue, sockets, stack, units
from admin_cli.ownership import acting_for
from mailweir.explain import english
from mailweir.health import database as checks
from mailweir.health import disk, examination, hosts, settings_sense
from mailweir.health.findings import Finding, Level, run, wrong
from mailweir.settings import Settings, load
from mailweir.store.database.connection import Database
from mailweir.store.record import health_reports

_BUSY_SECONDS = 3.0  # a writer of ours holds the lock for milliseconds
_OUTSIDE_LEVELS = {"ok": "ok", "note": "note", "wrong": "WRONG"}


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command("doctor", epilog=options.example("mailweir doctor", "mailweir doctor --json"))(doctor)


@reads
def doctor(
    deployment: Annotated[
        str | None, typer.Option("--deployment", metavar="NAME", help="Only this deployment's record.")
    ] = None,
    as_json: options.JsonOption = False,
) -> None:
    """Checks the stack, and says how to solve each problem. Exits 1 if something is wrong. Changes nothing."""
    found = list(examine(load(), deployment, context.now()))
    if as_json:
        output.show_json(
            [
                {
                    "area": one.area,
                    "level": str(one.level),
                    "finding": one.sentence,
                    "to_do": one.to_do or None,
                    "key": one.key,
                }
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
    """All findings, in the order in which mail meets their subjects."""
    running = in_force.settings(settings)
    by_systemd = settings.run_by == "systemd"
    yield from run("data folder", partial(_check_data_folder, settings))
    yield from run(stack.AREA, partial(units.check if by_systemd else stack.check_processes, settings))
    yield from run(settings_sense.AREA, partial(settings_sense.check, settings, running))
    if not by_systemd or units.is_front_end():
        yield from _examine_front_end(settings, running, now)
    if page.is_here(running):
        yield from _examine_page(settings, running)
    yield from _examine_database(running, name, now)


def _check_data_folder(settings: Settings) -> Iterator[Finding]:
    for fault in data_folder.faults(settings):
        what, _, to_do = fault.partition(": ")
        yield wrong("data folder", what, to_do, key="data_folder.wrong_kind")


def _examine_front_end(settings: Settings, running: Settings, now: datetime) -> Iterator[Finding]:
    """The programs that take mail. running: the settings that they use."""
    if stack.is_running(settings) is not False:
        for check in (stack.check_filter, stack.check_lookups, stack.check_dialogue, stack.check_relay):
            yield from run(stack.AREA, partial(check, running))
        yield from run(sockets.AREA, partial(sockets.check, running))
    yield from run(postfix_files.AREA, partial(postfix_files.check, running))
    yield from run(certificate.AREA, partial(certificate.check, running, now))
    yield from run(queue.AREA, partial(queue.check, running, now))
    yield from run(queue.AREA, partial(queue.check_outbox, running))
    yield from examination.of_dns(running)


def _examine_page(settings: Settings, running: Settings) -> Iterator[Finding]:
    """The page. running: the settings that it uses."""
    if stack.is_running(settings) is not False:
        yield from run(page.AREA, partial(page.check_answer, running))
    yield from run(page.AREA, partial(page.check_settings, running))


def _examine_database(settings: Settings, name: str | None, now: datetime) -> Iterator[Finding]:
    yield from run(disk.AREA, partial(disk.check, settings, queue.folders(settings)))
    yield from run(checks.AREA, partial(checks.check_owner, settings))
    # asked as root, before this process acts as the database's owner
    since = units.reports_since(now) if settings.run_by == "systemd" else stack.running_since(settings)
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
        yield from examination.of_database(settings, database, name, now, english.text)
        yield from run("health", partial(_reported, settings, database, since, now))


def _reported(settings: Settings, database: Database, since: datetime | None, now: datetime) -> Iterator[Finding]:
    """Reports of the privileged chore: the other hosts' reports, and this host's if it is late. since: when the chore began
    here."""
    reports, own = health_reports.list_all(database), hosts.own_name(settings)
    yield from hosts.own_is_late(reports, own, since, now)
    yield from hosts.of_others(reports, own, now)
