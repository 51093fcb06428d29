"""Health: the findings of `mailweir doctor`, from the same code, with links to the pages that mend them. Checks anew for each
request.

An operator sees all deployments and hosts. A deployment's admin sees that deployment, and of the shared parts only their state:
their details name other deployments.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import flask

from mailweir.errors import DatabaseUnavailable
from mailweir.explain import synced
from mailweir.health import hosts
from mailweir.health import page as looking
from mailweir.health.findings import Finding, Level
from mailweir.health.page import Examined
from mailweir.store.database.health import limited
from mailweir.store.database.moments import parse
from mailweir.store.gmail import gmail_mailboxes
from mailweir.store.people.deployments import Deployment
from mailweir.store.record import digest_queue, health_reports
from mailweir.store.record.health_reports import HealthReport
from webapp import explained, health_shown, here
from webapp.access import Access, open_to
from webapp.health_shown import Shown

blueprint = flask.Blueprint("health", __name__)
_ROUTE_KEY = "record.route"
_ROUTES = ("forward", "log", "relay", "gmail_in", "gmail_out")


@dataclass(frozen=True, slots=True)
class _Section:
    """A deployment, a host or the shared parts. was_reached: False if there was no time left to check it."""

    title: str
    found: list[Shown]
    was_reached: bool = True

    @property
    def open(self) -> list[Shown]:
        """Findings that need an action, or that people should know."""
        return [one for one in self.found if one.level is not Level.OK]

    @property
    def fine(self) -> list[Shown]:
        """Findings that are in order."""
        return [one for one in self.found if one.level is Level.OK]


@dataclass(frozen=True, slots=True)
class _Route:
    """A route. last: the time of its last captured mail, or None."""

    name: str
    last: datetime | None


@blueprint.get("/admin/health")
@open_to(Access.ADMIN)
def page() -> str:
    """Makes the checks, and shows the findings."""
    is_operator, at = here.account().is_operator, here.deployment_or_none()
    looked_at = here.choices() if is_operator else [here.deployment()]
    examined = looking.examine(here.site().settings, here.database(), looked_at, here.now(), explained.said)
    reports = health_reports.list_all(here.database())
    sections = _of_deployments(examined, looked_at, at)
    if is_operator:
        sections += [_common(examined), *_of_hosts(reports)]
    levels = [one.level for section in sections for one in section.found]
    standings = [] if is_operator else looking.standings(examined.common, reports, here.now())
    levels += [one.level for one in standings if one.level is not None]
    return flask.render_template(
        "admin/health.html",
        is_operator=is_operator,
        wrong=sum(level is Level.WRONG for level in levels),
        sections=sections,
        standings=standings,
        area_words=health_shown.area_words,
        has_reports=bool(reports),
        routes=_routes(examined.of_deployments.get(at.name, ())) if at else [],
        mailboxes=[(one, explained.said(synced.state(one))) for one in _mailboxes(at)] if at else [],
        waiting=_waiting() if is_operator else [],
        no_deployment=is_operator and not looked_at,
    )


def _of_deployments(examined: Examined, looked_at: Sequence[Deployment], at: Deployment | None) -> list[_Section]:
    """The sections of deployments. Only the deployment that the account looks at has links: other pages show only this one."""
    own = here.membership()
    sections = []
    for one in looked_at:
        is_at = at is not None and one.id == at.id
        own_id = own.user_id if own else None
        mend = health_shown.mends(here.database(), one, own_id) if is_at else health_shown.nowhere
        found = [health_shown.shown(of_it, mend) for of_it in examined.of_deployments[one.name]]
        sections.append(_Section(one.name, health_shown.by_urgency(found), one.name not in examined.not_reached))
    return sections


def _common(examined: Examined) -> _Section:
    return _Section("", _for_operators(examined.common))


def _of_hosts(reports: Sequence[HealthReport]) -> list[_Section]:
    by_host: dict[str, list[Finding]] = {}
    for one in hosts.of_others(reports, "", here.now()):
        by_host.setdefault(str(one.facts.get("host", "")), []).append(one)
    return [_Section(host, _for_operators(found)) for host, found in by_host.items()]


def _for_operators(found: Sequence[Finding]) -> list[Shown]:
    return health_shown.by_urgency(health_shown.shown(one, health_shown.nowhere) for one in found)


def _routes(found: Sequence[Finding]) -> list[_Route]:
    last = {str(one.facts["route"]): parse(str(one.facts["last"])) for one in found if one.key == _ROUTE_KEY}
    return [_Route(name, last.get(name)) for name in _ROUTES]


def _mailboxes(deployment: Deployment) -> list[gmail_mailboxes.GmailMailbox]:
    return gmail_mailboxes.list_all(here.database(), deployment)


def _waiting() -> list[digest_queue.Waiting] | None:
    """The work that waits for the digest; None if counting it takes too long."""
    try:
        with limited(here.database(), looking.QUESTION_SECONDS):
            return digest_queue.waiting(here.database())
    except DatabaseUnavailable:
        return None
