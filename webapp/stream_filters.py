"""The filters of a list of activities. They are in the URL, so that you can bookmark a list, pass it on and go back to it.

A form makes such a URL, without script. If a filter is impossible, a sentence says so, and nothing is listed. Called by
`pages.activities`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

from flask_babel import gettext

from mailweir.errors import BadInput, NotFound
from mailweir.reading.labels import Label
from mailweir.store.people import company_lists, users
from mailweir.store.record import activities
from mailweir.store.record.stream_filter import StreamFilter
from webapp import forms, here, rows, times

NAMES = ("contact", "company", "user", "direction", "label", "route", "verdict", "since", "until")
_MAX_CHARS = 320
_YEARS = range(1970, 9999)
_MAX_CHOICES = 200


@dataclass(frozen=True, slots=True)
class Chip:
    """An active filter, as the list shows it. without: the list's fields without this filter."""

    words: str
    without: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """The filters that the URL asks for. fields: their values, by the names of NAMES. wanted: None if a value is impossible;
    errors say why."""

    fields: Mapping[str, Any]
    wanted: StreamFilter | None
    errors: tuple[str, ...] = ()

    @property
    def chips(self) -> list[Chip]:
        """A chip for each active filter, in the order of NAMES."""
        return [
            Chip(_words(name, value), {key: kept for key, kept in self.fields.items() if key != name})
            for name, value in self.fields.items()
        ]


def read(names: Collection[str] = NAMES) -> Asked:
    """The filters of these names in the request's URL."""
    given = {name: forms.asked(name, _MAX_CHARS) for name in names}
    fields = {name: value for name, value in given.items() if value}
    reading = _Reading(fields)
    wanted = reading.filter()
    return Asked(fields, None if reading.errors else wanted, tuple(reading.errors))


def options() -> dict[str, list[tuple[str, str]]]:
    """The choices of each field: (value, words)."""
    return {
        "direction": list(_directions().items()),
        "label": [(str(one), rows.label(one)) for one in Label],
        "route": list(_routes().items()),
        "verdict": list(_verdicts().items()),
    }


@dataclass(slots=True)
class _Reading:
    """Makes a StreamFilter from fields, and collects their errors."""

    fields: Mapping[str, str]
    errors: list[str] = field(default_factory=list)

    def filter(self) -> StreamFilter:
        """The filter. If there are errors, it lacks those fields."""
        label = self._chosen("label", {str(one): "" for one in Label})
        return StreamFilter(
            contacts=self._contacts(),
            company=self._company(),
            users=self._users(),
            direction=self._chosen("direction", _directions()),
            label=Label(label) if label else None,
            route=self._chosen("route", _routes()),
            verdict=self._chosen("verdict", _verdicts()),
            since=self._day("since", 0),
            until=self._day("until", 1),
        )

    def _contacts(self) -> tuple[int, ...]:
        typed = self.fields.get("contact")
        if typed is None:
            return ()
        try:
            return tuple(activities.contact_ids(here.database(), here.deployment(), typed))
        except BadInput:
            self.errors.append(gettext("Name a contact by its mail address, such as jane@client.example."))
        except NotFound:
            self.errors.append(gettext("No contact has this address: %(address)s", address=typed))
        return ()

    def _company(self) -> int | None:
        typed = self.fields.get("company")
        if typed is None:
            return None
        found = company_lists.named(here.database(), here.deployment(), typed)
        if found is None:
            self.errors.append(gettext("No company has this name: %(name)s", name=typed))
        return found.id if found else None

    def _users(self) -> tuple[int, ...]:
        typed = self.fields.get("user")
        if typed is None:
            return ()
        try:
            return tuple(activities.user_ids(here.database(), here.deployment(), typed))
        except NotFound:
            self.errors.append(gettext("No user has this name: %(name)s", name=typed))
        return ()

    def _chosen(self, name: str, known: Mapping[str, str]) -> str | None:
        value = self.fields.get(name)
        if value is not None and value not in known:
            self.errors.append(gettext("Choose one from the list, not %(value)s.", value=value))
            return None
        return value

    def _day(self, name: str, further: int) -> datetime | None:
        """The beginning of the field's day in the reader's zone, in UTC. further: so many days later."""
        typed = self.fields.get(name)
        if typed is None:
            return None
        try:
            day = date.fromisoformat(typed)
        except ValueError:
            day = date.min
        if day.year not in _YEARS:
            self.errors.append(gettext("Write a day like 2026-11-30, not %(value)s.", value=typed))
            return None
        return _begin(day + timedelta(days=further), times.zone())


def _begin(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _directions() -> dict[str, str]:
    return {"incoming": gettext("received"), "outgoing": gettext("sent")}


def _routes() -> dict[str, str]:
    return {
        "forward": gettext("forwarding"),
        "log": gettext("log address"),
        "relay": gettext("outgoing SMTP"),
        "gmail_in": gettext("Gmail, received"),
        "gmail_out": gettext("Gmail, sent"),
    }


def _verdicts() -> dict[str, str]:
    return {
        "pass": gettext("proven"),
        "fail": gettext("not proven: its signature doesn't hold"),
        "none": gettext("not proven"),
        "pending": gettext("not examined yet"),
    }


def _words(name: str, value: str) -> str:
    """A chip's words, for the filter of this name with this value."""
    known: Mapping[str, Mapping[str, str]] = {
        "direction": _directions(),
        "route": _routes(),
        "verdict": _verdicts(),
        "label": {str(one): rows.label(one) for one in Label},
    }
    shown = known.get(name, {}).get(value, value)
    said = {
        "contact": gettext("contact: %(value)s", value=shown),
        "company": gettext("company: %(value)s", value=shown),
        "user": gettext("on the record of %(value)s", value=shown),
        "direction": gettext("direction: %(value)s", value=shown),
        "label": gettext("label: %(value)s", value=shown),
        "route": gettext("route: %(value)s", value=shown),
        "verdict": gettext("author: %(value)s", value=shown),
        "since": gettext("from %(value)s on", value=shown),
        "until": gettext("until %(value)s", value=shown),
    }
    return str(said[name])


def usernames() -> list[str]:
    """Usernames to choose from; empty if the list would be too long."""
    found = [one.username for one in users.list_all(here.database(), here.deployment())]
    return found if len(found) <= _MAX_CHOICES else []
