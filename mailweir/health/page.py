"""The page's view of health: the findings of `doctor`, as far as a web process can check, within the time that a browser waits.

Checked again for each view, and stored nowhere. Checks that need root (sockets, certificates, queues) aren't made here, but come
from the hosts' reports (`hosts`). Checks that need minutes, such as a search for damage, aren't made. Areas without a check are
unknown. Never opens the key file. Called by the page.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from mailweir.health import database as checks
from mailweir.health import disk, dns, examination, hosts
from mailweir.health.findings import Finding, Level, Words, run
from mailweir.settings import Settings
from mailweir.store.database.connection import Database
from mailweir.store.people.deployments import Deployment
from mailweir.store.record.health_reports import HealthReport

QUESTION_SECONDS = 2.0  # for one question to the database
DNS_SECONDS = 3.0  # for all questions to DNS
ALL_SECONDS = 10.0  # after this time no further deployment is checked


@dataclass(frozen=True, slots=True)
class Examined:
    """common: findings that all deployments share. of_deployments: by name. not_reached: names of those without time for a
    check."""

    common: tuple[Finding, ...]
    of_deployments: Mapping[str, tuple[Finding, ...]]
    not_reached: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """The state of one shared area, without names of people. level: None if it is unknown. at: the time of the check; None: just
    now."""

    area: str
    level: Level | None
    at: datetime | None


def examine(
    settings: Settings,
    database: Database,
    deployments: Sequence[Deployment],
    now: datetime,
    words: Words,
    clock: Callable[[], float] = time.monotonic,
) -> Examined:
    """Checks the shared areas and these deployments. A check that isn't possible becomes a finding."""
    ends = clock() + ALL_SECONDS
    found = list(_of_everybody(settings, database, now))
    by_name = _of_dns(settings, deployments, found)
    not_reached = []
    for one in deployments:
        if clock() >= ends:
            not_reached.append(one.name)
            continue
        by_name[one.name] += examination.of_deployment(settings, database, one, now, words, QUESTION_SECONDS)
    return Examined(tuple(found), {name: tuple(of_it) for name, of_it in by_name.items()}, tuple(not_reached))


def _of_everybody(settings: Settings, database: Database, now: datetime) -> Iterator[Finding]:
    yield from run(checks.AREA, lambda: checks.check_state(database))
    yield from examination.of_writing(database)
    yield from examination.of_everybody(database, now, QUESTION_SECONDS)
    yield from examination.of_sync(settings, database, now)
    yield from run(disk.AREA, lambda: disk.check(settings, ()))


def _of_dns(settings: Settings, deployments: Sequence[Deployment], found: list[Finding]) -> dict[str, list[Finding]]:
    """Each deployment's MX, by name; the host's own findings go to `found`. All within one time limit."""
    by_name: dict[str, list[Finding]] = {one.name: [] for one in deployments}
    if not dns.is_meant(settings):
        return by_name

    def look() -> Iterator[Finding]:
        asked = dns.questions(settings, DNS_SECONDS)
        yield from dns.check_host(settings, asked)
        yield from dns.check_spf_of_host(settings, asked)
        for one in deployments:
            by_name[one.name] += dns.check_mx(settings, asked, [one])

    found += run(dns.AREA, look)
    return by_name


def standings(common: Iterable[Finding], reports: Iterable[HealthReport], now: datetime) -> list[Standing]:
    """The state of each shared area, for readers who may not see the findings, because findings name other deployments' mail and
    hosts.

    reports: of all hosts. A silent host makes its areas unknown, unless another host finds something wrong.
    """
    found = [Standing(one.area, one.level, None) for one in common]
    found += [Standing(one.check, _level(one, now), one.at) for one in reports]
    areas = dict.fromkeys(one.area for one in found)
    return [_together([one for one in found if one.area == area]) for area in areas]


def _level(report: HealthReport, now: datetime) -> Level | None:
    return Level(report.state) if now - report.at <= hosts.TOO_OLD else None


def _together(of_area: Sequence[Standing]) -> Standing:
    known = [one.level for one in of_area if one.level is not None]
    worst_known = max(known, key=list(Level).index, default=None)
    is_unknown = len(known) < len(of_area) and worst_known is not Level.WRONG
    oldest = min((one.at for one in of_area if one.at is not None), default=None)
    return Standing(of_area[0].area, None if is_unknown else worst_known, oldest)
