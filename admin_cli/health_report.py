"""The privileged chore: root checks what others can't, and reports it for this host. `doctor` on any host and the page show it.

A failure of a check is a finding of its own, and the other checks still run. The chore writes to the database as the
database's owner, and in short transactions, so the filter doesn't wait. Called by `mailweir health report`.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial

from admin_cli import context, in_force, refusal_chore
from admin_cli.doctor import certificate, postfix_files, queue, sockets, stack, units
from mailweir.errors import MailweirError
from mailweir.health import beginnings, disk, hosts
from mailweir.health.findings import Check, Finding, run, worst
from mailweir.settings import Settings
from mailweir.store.record import health_reports
from mailweir.store.record.health_reports import HealthReport


class CannotLook(MailweirError):
    """This user may not make the report, or the data folder can't be opened."""


def check_root() -> None:
    """CannotLook for other users than root: their incomplete report would replace root's."""
    if os.geteuid() != 0:
        raise CannotLook("this check needs root: run it as root")


@contextmanager
def alone(settings: Settings) -> Iterator[bool]:
    """Is this the only process that reports on this data folder? The lock ends with the process in any case. CannotLook."""
    try:
        descriptor = os.open(settings.data_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise CannotLook(f"can't open the data folder {settings.data_dir}: {error.strerror}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(descriptor)


def make(settings: Settings, now: datetime) -> list[HealthReport]:
    """Checks this host and stores its reports. Returns the reports. Errors: DatabaseUnavailable, DatabaseVersionError."""
    running = in_force.settings(settings)
    host = hosts.own_name(running)
    with context.opened(running):
        pass  # raises, for example, if it has another version: then no check is useful
    found = {name: run(name, check) for name, check in _checks(running, host, now).items()}
    reports = [_report(host, name, findings, now) for name, findings in found.items() if findings]
    with context.opened(running) as database_of_all, database_of_all.transaction(alone=False):
        reports = beginnings.noted(health_reports.of_host(database_of_all, host), reports)
        health_reports.put(database_of_all, host, reports, now)
    return reports


def _checks(settings: Settings, host: str, now: datetime) -> Mapping[str, Check]:
    """The checks, in the order in which mail meets their subjects."""
    room = partial(disk.check, settings, queue.folders(settings))
    if settings.run_by == "systemd" and not units.is_front_end():
        return {units.AREA: partial(units.check, settings), disk.AREA: room}
    look = units.check if settings.run_by == "systemd" else stack.check_processes
    return {
        stack.AREA: partial(look, settings),
        sockets.AREA: partial(sockets.check, settings),
        postfix_files.AREA: partial(postfix_files.check, settings),
        certificate.AREA: partial(certificate.check, settings, now),
        queue.AREA: partial(queue.check, settings, now),
        disk.AREA: room,
        refusal_chore.AREA: partial(refusal_chore.take, settings, host, now),
    }


def _report(host: str, name: str, findings: Sequence[Finding], now: datetime) -> HealthReport:
    report = [
        {
            "level": str(one.level),
            "finding": one.sentence,
            "to_do": one.to_do or None,
            "key": one.key,
            "facts": dict(one.facts),
        }
        for one in findings
    ]
    return HealthReport(host, name, str(worst(findings)), json.dumps(report), now)
