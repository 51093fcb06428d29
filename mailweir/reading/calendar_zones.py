"""Time zones of invitations (RFC 5545 3.6.5): the meaning of a TZID, and conversion of local times.

A name that IANA or Windows defines means their rules, because many mailers send old or wrong rules with it. Any other name means
the rules in the invitation; without them the zone is unknown. Rules are supported as far as mailers write them: explicit dates,
and one weekday of a month each year. Never raises; bounded. Pure but for the system's table of zones; called by `invitation`.
Standard library only.
"""

import calendar
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from mailweir.reading.windows_zones import ZONES

MAX_OBSERVANCES = 200
MAX_ONSETS = 100
MAX_NAME_CHARS = 100

_IANA = re.compile(r"[A-Z][A-Za-z0-9_+-]{0,30}(?:/[A-Za-z0-9_+-]{1,30}){0,2}")
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)(?::?(\d\d))?")
_BY_DAY = re.compile(r"([+-]?\d)?(MO|TU|WE|TH|FR|SA|SU)")
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


@dataclass(frozen=True, slots=True, kw_only=True)
class Observance:
    """A part of the year with one offset from UTC. onsets: its starts, in the local time that holds before each start. rule: the
    parts of its RRULE."""

    offset_from: timedelta
    offset_to: timedelta
    onsets: tuple[datetime, ...]
    rule: Mapping[str, str]


def offset(text: str) -> timedelta | None:
    """`+0100` (RFC 5545 3.3.14)."""
    found = _OFFSET.fullmatch(text.strip())
    if found is None:
        return None
    size = timedelta(hours=int(found[2]), minutes=int(found[3]), seconds=int(found[4] or 0))
    return None if size >= timedelta(hours=24) else -size if found[1] == "-" else size


def name_of(tzid: str) -> str:
    """The IANA zone of a TZID, or an empty string. Some programs put a path in front (`/example.org/2026/Europe/Berlin`)."""
    plain = tzid.strip().strip('"').strip()
    if len(plain) > MAX_NAME_CHARS:
        return ""
    by_windows = ZONES.get(plain.lower())
    if by_windows:
        return by_windows if _zone(by_windows) else ""
    parts = plain.strip("/").split("/")
    candidates = [plain] if not plain.startswith("/") else ["/".join(parts[-3:]), "/".join(parts[-2:]), parts[-1]]
    return next((name for name in candidates if _IANA.fullmatch(name) and _zone(name)), "")


def placed(wall: datetime, tzid: str, zones: Mapping[str, Sequence[Observance]]) -> tuple[datetime, str]:
    """The moment of a local time, with the zone's offset then; and the zone's IANA name. If only the invitation has the zone's
    rules, its TZID is returned instead. If the zone is unknown, the name is an empty string, and the moment treats the local time
    as UTC. zones: rules by TZID."""
    name = name_of(tzid)
    known = _zone(name) if name else None
    if known is not None:
        return _fixed(wall, known.utcoffset(wall)), name
    found = _by_rules(wall, zones.get(tzid, ()))
    if found is not None:
        return _fixed(wall, found), tzid
    return wall.replace(tzinfo=UTC), ""


def _fixed(wall: datetime, size: timedelta | None) -> datetime:
    return wall.replace(tzinfo=timezone(size or timedelta(0)))


@lru_cache(maxsize=128)
def _zone(name: str) -> tzinfo | None:
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # an unknown zone, or the name of a folder of zones
        return None


def _by_rules(wall: datetime, observances: Sequence[Observance]) -> timedelta | None:
    """The offset in force: that of the latest onset."""
    if not observances:
        return None
    onsets = [(onset, one) for one in observances for onset in _onsets(one, wall.year)]
    before = [pair for pair in onsets if pair[0] <= wall]
    if before:
        return max(before, key=lambda pair: pair[0])[1].offset_to
    first = min(onsets, key=lambda pair: pair[0], default=None)
    return first[1].offset_from if first else observances[0].offset_to


def _onsets(one: Observance, year: int) -> list[datetime]:
    """The explicit onsets, and those that the rule gives for this year and the previous one."""
    found = list(one.onsets)
    if one.onsets:
        begin = one.onsets[0]
        until = one.rule.get("UNTIL", "")
        made = [_by_rule(one.rule, begin, each) for each in (year - 1, year) if each > begin.year]
        found += [onset for onset in made if onset and (not until[:8].isdigit() or f"{onset:%Y%m%d}" <= until[:8])]
    return found


def _by_rule(rule: Mapping[str, str], begin: datetime, year: int) -> datetime | None:
    """`FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU`; without BYDAY, the same day of the month as the first onset."""
    if rule.get("FREQ", "").upper() != "YEARLY":
        return None
    text = rule.get("BYMONTH", "")
    month = int(text) if text.isascii() and text.isdigit() and len(text) <= 2 else begin.month
    if not 1 <= month <= 12 or not 1 <= year <= 9999:
        return None
    by_day = _BY_DAY.fullmatch(rule.get("BYDAY", "").upper())
    first_weekday, length = calendar.monthrange(year, month)
    if by_day is None:
        day: int | None = min(begin.day, length)
    else:
        place = int(by_day[1] or 1)
        days = range(1 + (_DAYS.index(by_day[2]) - first_weekday) % 7, length + 1, 7)
        day = _chosen(days, place, rule.get("BYMONTHDAY", ""))
    return begin.replace(year=year, month=month, day=day) if day else None


def _chosen(days: Sequence[int], place: int, month_days: str) -> int | None:
    """The first of these days that month_days (BYMONTHDAY) has. If month_days is empty, the day at this place: 1 is the first, -1
    the last."""
    allowed = {part.strip() for part in month_days.split(",")[:31]} - {""}
    if allowed:
        return next((day for day in days if str(day) in allowed), None)
    index = place - 1 if place > 0 else place
    return days[index] if place and -len(days) <= index < len(days) else None
