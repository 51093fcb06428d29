"""The content of an invitation: subject, time and place (RFC 5545, RFC 5546), as far as a list or a page shows it.

Reads the event of a text/calendar part. Never raises, on any bytes, and scans each line once: unreadable parts are left out.
Pure; called by the reading of a message.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from mailweir import charsets, encoded_words
from mailweir.reading import calendar_zones
from mailweir.reading.calendar_zones import Observance

MAX_BYTES = 1_000_000
MAX_LINE_CHARS = 10_000
MAX_TEXT_CHARS = 998
_MAX_ZONES = 50
_FIRST_YEAR, _LAST_YEAR = 1900, 9998  # with any zone, the moment still has a valid UTC time

_METHOD = re.compile(r"[A-Z][A-Z-]{0,39}")
# No expression here can match a text in two ways, so each is linear.
_LINE = re.compile(r'([\w-]{1,60}+)((?:;[^=:;"]{1,60}+=(?:[^":;]++|"[^"]*+")*+)*+):(.*+)', re.DOTALL)
_PARAMETER = re.compile(r';([^=:;"]{1,60}+)=((?:[^":;]++|"[^"]*+")*+)')
# The value of a time stands after the last colon: zone names may contain colons, with quotes or without.
_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)?(Z?))?")
_DURATION = re.compile(r"([+-]?)P(?:(\d{1,6})W)?(?:(\d{1,6})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,8})S)?)?")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_OBSERVANCES = frozenset({"STANDARD", "DAYLIGHT"})
_EVENT_NAMES = frozenset(
    {
        "SUMMARY",
        "LOCATION",
        "DTSTART",
        "DTEND",
        "DURATION",
        "RRULE",
        "RDATE",
        "RECURRENCE-ID",
        "X-MICROSOFT-CDO-ALLDAYEVENT",
    }
)
_ZONE_NAMES = frozenset({"DTSTART", "TZOFFSETFROM", "TZOFFSETTO", "RRULE", "RDATE"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """An event. method: in capitals: REQUEST invites, REPLY answers, CANCEL cancels; empty if there is none.

    starts_at, ends_at: aware, with the offset in force then; None if unreadable. ends_at: the first moment after it. is_all_day:
    both are midnight in UTC and mean a day, in any zone. zone: its IANA name, or the sender's own name for it; empty for a day,
    and if the zone is unknown: then the times are local times of the participants, given as if they were UTC. repeats: the times
    are those of the first occurrence.
    """

    method: str
    summary: str
    location: str
    starts_at: datetime | None
    ends_at: datetime | None
    is_all_day: bool
    zone: str
    repeats: bool


@dataclass(frozen=True, slots=True)
class _Property:
    value: str
    parameters: str

    def parameter(self, name: str) -> str:
        for key, value in _PARAMETER.findall(self.parameters):
            if key.strip().upper() == name:
                return str(value).strip().strip('"')
        return ""


_Properties = dict[str, _Property]


@dataclass(slots=True)
class _Calendar:
    """The state of parsing. event: that of a whole series if there is one, otherwise the first. zones: observances' properties,
    by TZID."""

    method: str = ""
    event: _Properties | None = None
    zones: dict[str, list[_Properties]] = field(default_factory=dict)


def read(ics: bytes, method_parameter: str) -> Invitation | None:
    """The event of a calendar; None if there is none. method_parameter: of Content-Type, for a calendar without a METHOD."""
    found = _parse(ics)
    if found.event is None:
        return None
    zones = {tzid: _observances(all_of_it) for tzid, all_of_it in found.zones.items()}
    times = _times(found.event, zones)
    summary, location = (_text(found.event.get(name)) for name in ("SUMMARY", "LOCATION"))
    if times.starts_at is None and not summary:
        return None
    return Invitation(
        method=_method(found.method) or _method(method_parameter),
        summary=summary,
        location=location,
        starts_at=times.starts_at,
        ends_at=times.ends_at,
        is_all_day=times.is_all_day,
        zone=times.zone,
        repeats="RRULE" in found.event or "RDATE" in found.event,
    )


# --- lines ------------------------------------------------------------------------------------------------------------


def _lines(ics: bytes) -> Iterator[tuple[str, _Property]]:
    """The properties, each with its name in capitals. Lines are unfolded before they are decoded: a fold may split a character
    (RFC 5545 3.1)."""
    data = ics[:MAX_BYTES].replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n ", b"").replace(b"\n\t", b"")
    for line in charsets.decode(data.removeprefix(b"\xef\xbb\xbf"), "us-ascii").split("\n"):
        found = _LINE.match(line[:MAX_LINE_CHARS])
        if found:
            yield found[1].upper(), _Property(found[3], found[2])


def _parse(ics: bytes) -> _Calendar:  # noqa: C901  one branch for each kind of line
    found = _Calendar()
    within: list[str] = []  # the known components; unknown ones are skipped with their content
    left_out = 0
    properties: _Properties = {}
    tzid, observances = "", [properties][:0]
    for name, one in _lines(ics):
        kind = one.value.strip().upper()
        if name == "BEGIN":
            if left_out or not _is_known(kind, within):
                left_out += 1
                continue
            within.append(kind)
            properties = {}
            if kind == "VTIMEZONE":
                tzid, observances = "", []
        elif name == "END":
            if left_out:
                left_out -= 1
            elif within and within[-1] == kind:
                within.pop()
                _keep(found, kind, properties, tzid, observances)
        elif left_out or not within:
            continue
        elif within[-1] == "VCALENDAR":
            found.method = found.method or (one.value.strip().upper() if name == "METHOD" else "")
        elif within[-1] == "VTIMEZONE":
            tzid = tzid or (one.value.strip() if name == "TZID" else "")
        elif name in (_EVENT_NAMES if within[-1] == "VEVENT" else _ZONE_NAMES):
            properties.setdefault(name, one)
    if within and within[-1] == "VEVENT":  # truncated
        _keep(found, "VEVENT", properties, tzid, observances)
    return found


def _is_known(kind: str, within: list[str]) -> bool:
    if kind in _OBSERVANCES:
        return within[-1:] == ["VTIMEZONE"]
    if kind == "VCALENDAR":
        return not within
    return kind in ("VEVENT", "VTIMEZONE") and within == ["VCALENDAR"]


def _keep(found: _Calendar, kind: str, properties: _Properties, tzid: str, observances: list[_Properties]) -> None:
    """Stores a component at its end."""
    if kind in _OBSERVANCES and len(observances) < calendar_zones.MAX_OBSERVANCES:
        observances.append(properties)
    elif kind == "VTIMEZONE" and len(found.zones) < _MAX_ZONES:
        found.zones.setdefault(tzid, observances)
    elif kind == "VEVENT":
        is_series = found.event is not None and "RECURRENCE-ID" in found.event and "RECURRENCE-ID" not in properties
        if found.event is None or is_series:
            found.event = properties


def _method(text: str) -> str:
    plain = text.strip().upper()
    return plain if _METHOD.fullmatch(plain) else ""


def _text(one: _Property | None) -> str:
    """Text by RFC 5545 3.3.11, as one line."""
    if one is None:
        return ""
    plain = _ESCAPED.sub(lambda found: " " if found[1] in "nN" else found[1], one.value[: MAX_TEXT_CHARS * 2])
    return " ".join(encoded_words.flatten(plain).split())[:MAX_TEXT_CHARS].strip()


# --- times ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Times:
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    is_all_day: bool = False
    zone: str = ""


@dataclass(frozen=True, slots=True)
class _Moment:
    at: datetime
    zone: str
    is_day: bool


def _times(event: _Properties, zones: Mapping[str, tuple[Observance, ...]]) -> _Times:
    begin, end = (_moment(event.get(name), zones) for name in ("DTSTART", "DTEND"))
    if begin is None:
        return _Times()
    starts_at, ends_at = begin.at, end.at if end else None
    if ends_at is None:
        ends_at = _later(starts_at, _duration(event.get("DURATION")))
    marked = event.get("X-MICROSOFT-CDO-ALLDAYEVENT")
    if marked is not None and marked.value.strip().upper() == "TRUE" and not begin.is_day:
        starts_at, ends_at = _midnight(starts_at), _midnight(ends_at) if ends_at else None
        begin = _Moment(starts_at, "", is_day=True)
    if begin.is_day and ends_at is None:
        ends_at = _later(starts_at, timedelta(days=1))
    if ends_at is not None and ends_at < starts_at:
        ends_at = None
    return _Times(starts_at, ends_at, begin.is_day, begin.zone)


def _moment(one: _Property | None, zones: Mapping[str, tuple[Observance, ...]]) -> _Moment | None:
    if one is None:
        return None
    wall, is_utc, is_day = _clock(one.value.rpartition(":")[2])
    if wall is None or not _FIRST_YEAR <= wall.year <= _LAST_YEAR:
        return None
    if is_day or is_utc:
        return _Moment(wall.replace(tzinfo=UTC), "" if is_day else "UTC", is_day)
    tzid = one.parameter("TZID")
    if ":" in one.value:  # `TZID=(UTC+01:00) Berlin:20261124T090000`, without the required quotes
        tzid = f"{tzid}:{one.value.rpartition(':')[0]}"
    at, zone = calendar_zones.placed(wall, tzid, zones)
    return _Moment(at, encoded_words.flatten(zone)[: calendar_zones.MAX_NAME_CHARS], is_day=False)


def _clock(text: str) -> tuple[datetime | None, bool, bool]:
    """Returns a time without a zone, or None if unreadable; whether it is in UTC; and whether it means a whole day."""
    found = _TIME.fullmatch(text.strip().upper())
    if found is None or not found[0].isascii():
        return None, False, False
    year, month, day, hour, minute, second, utc = found.groups()
    try:
        wall = datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0), min(int(second or 0), 59))  # noqa: DTZ001
    except ValueError:
        return None, False, False
    return wall, bool(utc), hour is None


def _duration(one: _Property | None) -> timedelta | None:
    """A duration by RFC 5545 3.3.6. None for a negative one, too."""
    found = _DURATION.fullmatch(one.value.strip().upper()) if one else None
    if found is None or found[1] == "-" or not any(found.groups()[1:]) or not found[0].isascii():
        return None
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in found.groups()[1:])
    return timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)


def _later(moment: datetime, by: timedelta | None) -> datetime | None:
    try:
        found = moment + (by or timedelta(0))
    except OverflowError:
        return None
    return found if by is not None and found.year <= _LAST_YEAR else None


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, tzinfo=UTC)


def _observances(found: list[_Properties]) -> tuple[Observance, ...]:
    made = []
    for one in found:
        before, after = (
            calendar_zones.offset(one[name].value) if name in one else None for name in ("TZOFFSETFROM", "TZOFFSETTO")
        )
        if after is None:
            continue
        texts = [one["DTSTART"].value] if "DTSTART" in one else []
        texts += one["RDATE"].value.split(",")[: calendar_zones.MAX_ONSETS] if "RDATE" in one else []
        onsets = tuple(wall for wall, _, _ in map(_clock, texts) if wall is not None)
        rule = one["RRULE"].value if "RRULE" in one else ""
        made.append(
            Observance(
                offset_from=after if before is None else before,
                offset_to=after,
                onsets=onsets,
                rule={
                    key.strip().upper(): value.strip()
                    for key, _, value in (part.partition("=") for part in rule.split(";")[:20])
                },
            )
        )
    return tuple(made)
