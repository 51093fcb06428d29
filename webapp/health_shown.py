"""Findings as the page shows them: with the time when they began, and a link to their remedy. Called by `pages.health`."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import flask
from flask_babel import gettext

from mailweir.errors import BadInput
from mailweir.explain.remedies import Action
from mailweir.health import remedies
from mailweir.health.findings import Finding, Level
from mailweir.printable import printable
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse
from mailweir.store.gmail import gmail_mailboxes
from mailweir.store.people import users
from mailweir.store.people.deployments import Deployment
from webapp import here, spoken

_SINCE = ("since", "seen_at", "last")  # facts that have the time when a finding began, the most exact first
_RECENT = timedelta(days=7)
_AT_START = {"dns.no_mx", "dns.mx_elsewhere", "record.no_deployment", "record.route_without_mail"}


@dataclass(frozen=True, slots=True)
class Link:
    """A link to the page where a finding is mended."""

    words: str
    url: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A finding. area: its subject, "" if the heading names it. since: None if it isn't known; is_recent: within a week.
    link: to the page where the finding is mended. to_do: the advice of `doctor`, "" if there is nothing to do. is_english: a part
    of the sentence has no translation, because it came from elsewhere."""

    area: str
    level: Level
    sentence: str
    since: datetime | None
    is_recent: bool
    link: Link | None
    to_do: str
    is_english: bool


Mend = Callable[[Finding], Link | None]


def shown(finding: Finding, mend: Mend) -> Shown:
    """A finding for the page. mend: gives the link to the page where a finding is mended."""
    link = mend(finding) if finding.level is not Level.OK else None
    to_do = finding.to_do if finding.level is not Level.OK else ""
    since = _since(finding.facts)
    is_english = spoken.is_english(finding.sentence) or spoken.is_english(to_do)
    return Shown(
        area=_area(finding),
        level=finding.level,
        sentence=printable(spoken.spoken(finding.sentence)),
        since=since,
        is_recent=since is not None and here.now() - since < _RECENT,
        link=link,
        to_do=printable(spoken.spoken(to_do)),
        is_english=is_english,
    )


def _area(finding: Finding) -> str:
    """The area in words. It is "" for the findings of a deployment or a host, because the heading names them."""
    begin, _, named = finding.area.partition(" ")
    return "" if named and begin in ("record", "gmail", "host") else printable(area_words(finding.area))


def by_urgency(found: Iterable[Shown]) -> list[Shown]:
    """The findings, with the worst ones first."""
    return sorted(found, key=lambda one: -list(Level).index(one.level))


def nowhere(_: Finding) -> Link | None:
    """No link: for findings that this reader can't mend on any page."""
    return None


def mends(database: Database, deployment: Deployment, own_user_id: int | None) -> Mend:
    """A function that finds the page where a finding of this deployment is mended. own_user_id: the reader's; the page for the
    reader's own findings is Integrations."""
    ids: dict[str, int] = {}
    for user in users.list_all(database, deployment):
        ids |= dict.fromkeys((user.username, *user.addresses), user.id)
    for mailbox in gmail_mailboxes.list_all(database, deployment):
        if mailbox.username in ids:
            ids.setdefault(mailbox.address, ids[mailbox.username])

    def mend(finding: Finding) -> Link | None:
        remedy = remedies.remedy(finding)
        user_id = ids.get(remedy.subject)
        if remedy.action is not Action.NONE and user_id is not None:
            return _of_user(user_id, remedy.subject, is_own=user_id == own_user_id)
        if remedy.action is Action.ADD_GROUP:
            return _link("admin_groups.page", gettext("Groups"), address=remedy.subject or None)
        if finding.key in _AT_START:
            return _link("admin.page", gettext("First steps, and the MX record"))
        if finding.key == "record.shared_addresses":
            return _link("admin_contacts.page", gettext("Contacts"))
        return None

    return mend


def _of_user(user_id: int, name: str, *, is_own: bool) -> Link | None:
    if is_own and (link := _link("integrations.page", gettext("Integrations"))):
        return link
    return _link("admin_users.one", gettext("The user %(name)s", name=name), user_id=user_id)


def _link(endpoint: str, words: str, **values: Any) -> Link | None:
    if endpoint not in flask.current_app.view_functions:
        return None
    return Link(words, flask.url_for(endpoint, **values))


def _since(facts: Mapping[str, object]) -> datetime | None:
    for name in _SINCE:
        value = facts.get(name)
        if isinstance(value, str):
            try:
                return parse(value)
            except (ValueError, BadInput):
                continue
    return None


def area_words(area: str) -> str:
    """An area's name in words. An area of a later version stays as it is."""
    words: dict[str, str] = {
        "database": gettext("Database"),
        "clock": gettext("Clock"),
        "digest": gettext("Reading of new mail"),
        "gmail": gettext("Gmail sync"),
        "DNS": gettext("DNS of this host"),
        "disk": gettext("Disk"),
        "queue": gettext("Mail queue"),
        "certificate": gettext("Certificate"),
        "processes": gettext("Processes"),
        "sockets": gettext("Sockets"),
        "postfix log": gettext("Postfix's log"),
        "postfix": gettext("Settings of Postfix"),
    }
    return words.get(area, area)
