"""A host under systemd: do the Ansible role's units run, and keep running? The installed units show the host's purpose."""

import subprocess
import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from mailweir import daemons
from mailweir.errors import MailweirError
from mailweir.health import advice
from mailweir.health.findings import Finding, note, ok, wrong
from mailweir.sentence import said
from mailweir.settings import Settings

AREA = "processes"
FRONT_END = daemons.FILTER.unit
_OURS = "mailweir-*"
_AT_BOOT = ("enabled", "disabled", "masked")
_HEALTH_TIMER = "mailweir-health.timer"
_POSTFIX = "postfix.service"
_POSTFIX_ON_DEBIAN_12 = "postfix@-.service"
_PROPERTIES = "Id,Type,ActiveState,SubState,NRestarts,Result"
_MANY_RESTARTS = 3
_SECONDS = 10


class NoSystemd(MailweirError):
    """The settings say that systemd runs the processes, but it can't be asked."""


def unit_files() -> dict[str, str]:
    """Our units that must run on this host, each with systemd's state for the next boot: enabled, disabled or masked.
    NoSystemd."""
    listed = _systemctl("list-unit-files", "--no-legend", "--plain", f"--state={','.join(_AT_BOOT)}", _OURS)
    rows = [line.split() for line in listed.splitlines()]
    return {row[0]: row[1] for row in sorted(rows) if len(row) > 1}


def is_front_end() -> bool:
    """Does this host accept mail? False also if systemd can't be asked, which `check` reports."""
    try:
        return FRONT_END in unit_files()
    except NoSystemd:
        return False


def check(settings: Settings) -> Iterator[Finding]:
    """Each of our units, and Postfix if there is a filter."""
    units = unit_files()
    if not units:
        yield wrong(
            AREA,
            said("there is no unit of Mailweir on this host"),
            said("run the playbook; see docs/admin/install.md"),
            key="processes.no_units",
        )
        return
    for name, at_boot in units.items():
        if at_boot != _AT_BOOT[0]:
            to_do = f"systemctl {'unmask' if at_boot == 'masked' else 'enable --now'} {_short(name)}"
            yield wrong(
                AREA,
                said("{name} is {at_boot}: it isn't started at boot", name=_short(name), at_boot=at_boot),
                to_do,
                key="processes.not_at_boot",
                unit=_short(name),
                state=at_boot,
            )
    names = [*units, *([_unit_of_postfix()] if FRONT_END in units else [])]
    states = [_state(name) for name in names]
    down = [one for one in states if one["ActiveState"] != "active"]
    for one in down:
        yield _not_running(settings, one)
    restless = [one for one in states if one not in down and int(one.get("NRestarts") or 0) >= _MANY_RESTARTS]
    for one in restless:
        name = _short(one["Id"])
        yield note(
            AREA,
            said("{name} was restarted {number} times", name=name, number=one["NRestarts"]),
            said("see {log}", log=advice.log_of(settings, name)),
            key="processes.restless",
            unit=name,
            restarts=int(one["NRestarts"]),
        )
    if not down:
        yield ok(
            AREA,
            said(
                "the {number} units of this host run: {names}",
                number=len(names),
                names=", ".join(_short(name) for name in names),
            ),
            key="processes.units_run",
            units=len(names),
        )


def reports_since(now: datetime) -> datetime | None:
    """When the timer for this host's health reports was started; None if it isn't active, or systemd can't be asked."""
    try:
        shown = _systemctl("show", "--property", "ActiveEnterTimestampMonotonic", "--value", _HEALTH_TIMER)
    except NoSystemd:
        return None
    since = int(shown.strip() or 0) / 1e6
    return now - timedelta(seconds=time.clock_gettime(time.CLOCK_MONOTONIC) - since) if since else None


def _unit_of_postfix() -> str:
    """The unit of Postfix's daemon. On Debian 12, postfix.service is a oneshot unit that starts nothing itself."""
    return _POSTFIX_ON_DEBIAN_12 if _state(_POSTFIX).get("Type") == "oneshot" else _POSTFIX


def _not_running(settings: Settings, state: Mapping[str, str]) -> Finding:
    name = _short(state["Id"])
    why = f"{state['ActiveState']} ({state['SubState']}, {state['Result'] or 'no result'})"
    program = name.removesuffix("@-")
    return wrong(
        AREA,
        said("{name} doesn't run: {why}", name=name, why=why),
        said(
            "systemctl start {name}; if it ends again, see {log}",
            name=name,
            log=advice.log_of(settings, program),
        ),
        key="processes.unit_down",
        unit=name,
        why=why,
    )


def _short(unit: str) -> str:
    return unit.removesuffix(".service")


def _state(unit: str) -> dict[str, str]:
    lines = _systemctl("show", "--property", _PROPERTIES, unit).splitlines()
    found = dict(line.split("=", 1) for line in lines if "=" in line)
    return {"Id": unit, "ActiveState": "unknown", "SubState": "", "Result": ""} | found


def _systemctl(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["systemctl", "--no-pager", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoSystemd(f"the settings say run_by = systemd, and systemctl can't be run: {error}") from error
    if done.returncode != 0:
        why = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise NoSystemd(f"the settings say run_by = systemd, and systemd can't be asked: {why}")
    return done.stdout
