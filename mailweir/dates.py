"""Reads a Date header as a moment: RFC 5322 3.3 and 4.3, and the forms that mailers write instead.

Never guesses: a date with an absent, unknown or contradictory zone gives None (decision 0020). Never raises, on
any bytes. Called by `headers`, `identity`, `automatic` and `arc_results`, and by `error_mapping` for the dates of HTTP. Pure.
"""

import re
import unicodedata
from datetime import UTC, datetime, timedelta

from mailweir import encoded_words
from mailweir.month_names import MONTHS

MAX_DATE_BYTES = 1_000  # a longer value isn't read: cut, it could lose its zone
_FIRST_YEAR = 1900  # RFC 5322 3.3

_ENGLISH = {
    name: number for number, name in enumerate(b"jan feb mar apr may jun jul aug sep oct nov dec".split(), start=1)
}
# RFC 5322 3.3 as nearly all mail has it; the pattern can't match in two ways.
_PLAIN = re.compile(
    rb"(?:[a-z]{3},\s*)?(\d{1,2})\s+([a-z]{3})\s+(\d{4})\s+(\d\d):(\d\d)(?::(\d\d))?\s+"
    rb"(?:([+-])(\d\d)([0-5]\d)|(?:gmt|ut|utc|z))(?:\s*\([^()\\]*\))?\s*",
    re.IGNORECASE,
)

# RFC 5322 4.3, and names with one meaning everywhere, in minutes east of UTC. Not included: the military letters, which RFC 822
# defined the wrong way round (4.3 calls them unknown), and names that several regions share (IST, BST, AST).
_UTC_NAMES = frozenset({"gmt", "ut", "utc", "z"})
_ZONES = dict.fromkeys(_UTC_NAMES, 0) | {
    **{"est": -300, "edt": -240, "cst": -360, "cdt": -300, "mst": -420, "mdt": -360, "pst": -480, "pdt": -420},
    **{"wet": 0, "west": 60, "cet": 60, "cest": 120, "met": 60, "mest": 120, "mez": 60, "mesz": 120, "eet": 120, "eest": 180},
    **{"msk": 180, "hkt": 480, "sgt": 480, "jst": 540, "aest": 600, "aedt": 660, "nzst": 720, "nzdt": 780},
    **{"akst": -540, "akdt": -480, "hst": -600},
}  # fmt: skip

_COMMENT_EDGE = re.compile(r"[()]|\\.?")
_TIME = re.compile(
    r"(?<![\w:.])(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,]\d{1,9})?)?(?![\d:])"
    r"|(?<![\w:.])(\d{1,2})\.(\d\d)\.(\d\d)(?![\d.])"  # some old mailers
)
_ISO_T = re.compile(r"(?<=\d)t(?=\d\d:)")
_AFTER = re.compile(
    r"(?:([ap])\.?m\.?(?![a-z]))?,? ?"  # AM or PM
    r"(?:(\d{4})(?![\w:]) ?)?"  # the year of asctime; in git's form it stands before the zone
    r"((?:[a-z]{1,5} ?)?(?:[+-][\d:]{1,6})?(?: [a-z]{1,5})?)"  # the zone, with its name before or after the offset
    r"(?: ?(\d{4}))?"  # the year after the zone: date(1), Java, Ruby
)
_ZONE = re.compile(r"([a-z]+)? ?(?:([+-])(?:(\d\d?):(\d\d)|(\d\d?)(\d\d)?))?(?: ([a-z]+))?")
# Words of any script, U+FFFD for undecodable bytes (usually the day of the week), and the separators between them.
_BEFORE = re.compile(r"[\w\ufffd ,./-]*")
_WORD = re.compile(r"[\w\ufffd]+")
_CJK_EDGE = re.compile(r"(?<=\d)[年년日일]|(?<=\d[月월])(?=\d)")  # `2026年11月24日`
_FILLERS = frozenset({"de", "at"})  # `24 de nov. de 2026`, `November 24, 2026 at 3:12 PM`


def read(raw: bytes) -> datetime | None:
    """A date-time in UTC, to the second, or None if the moment isn't certain.

    `-0000` is UTC: by RFC 5322 3.3 it says nothing about the local zone, but it does give the moment. Without a zone, or with an
    uncertain zone, there is no moment: 4.3 treats such a zone as `-0000`, which would usually be hours off. A zone in a comment
    counts if there is no other. Years of two and three digits follow 4.3. The second 60 becomes the next second. The day of the
    week is ignored. raw: the header's value without surrounding white space, with its folds.
    """
    if len(raw) > MAX_DATE_BYTES:
        return None
    plain = _PLAIN.fullmatch(raw)
    if plain is None:
        return _read_other(raw)
    day, name, year, hour, minute, second, sign, zone_hours, zone_minutes = plain.groups()
    month = _ENGLISH.get(name.lower())
    if month is None:
        return _read_other(raw)
    offset = int(zone_hours) * 60 + int(zone_minutes) if sign else 0
    return _moment(
        (int(year), month, int(day)), (int(hour), int(minute), int(second or 0)), -offset if sign == b"-" else offset
    )


def without_comments(text: str) -> tuple[str, list[str]]:
    """The text with a blank for each comment (RFC 5322 3.2.2), and the comments. An unclosed comment extends to the end."""
    outside: list[str] = []
    comments: list[str] = []
    depth = position = 0
    for edge in _COMMENT_EDGE.finditer(text):
        if edge[0] == "(":
            if depth == 0:
                outside.append(text[position : edge.start()])
                position = edge.end()
            depth += 1
        elif edge[0] == ")" and depth:
            depth -= 1
            if depth == 0:
                comments.append(text[position : edge.start()])
                position = edge.end()
    (comments if depth else outside).append(text[position:])
    return " ".join(outside), comments


def _read_other(raw: bytes) -> datetime | None:
    # Some mailers put a weekday name with an accent into encoded words.
    text = unicodedata.normalize("NFKC", encoded_words.decode(raw, max_chars=MAX_DATE_BYTES).casefold())
    outside, comments = without_comments(text)
    line = _ISO_T.sub(" ", " ".join(outside.split()).rstrip(" ,;"))
    time = _TIME.search(line)
    after = _AFTER.fullmatch(line[time.end() :].strip()) if time else None
    if time is None or after is None:
        return None
    half, year, zone, late_year = after.groups()
    if year and late_year:
        return None
    hours, minutes, seconds = time[1] or time[4], time[2] or time[5], time[3] or time[6]
    clock = _read_clock(hours, minutes, seconds, half)
    date = _read_day(line[: time.start()], year or late_year)
    if not zone and len(comments) == 1:
        zone = " ".join(comments[0].split())
    offset = _read_zone(zone.strip())
    if clock is None or date is None or offset is None:
        return None
    return _moment(date, clock, offset)


def _read_clock(hour: str, minute: str, second: str | None, half: str | None) -> tuple[int, int, int] | None:
    hours = int(hour)
    if (half == "p" and hours == 0) or (half == "a" and hours > 12):
        return None
    if half and hours <= 12:
        hours = hours % 12 + (12 if half == "p" else 0)
    return hours, int(minute), int(second or 0)


def _read_day(text: str, year: str | None) -> tuple[int, int, int] | None:
    """Year, month and day from the text before the time; the year may stand after the time."""
    if not _BEFORE.fullmatch(text):
        return None
    words = [word for word in _WORD.findall(_CJK_EDGE.sub(" ", text)) if word not in _FILLERS]
    if year:
        words.append(year)
    # Drops the day of the week in any language (`terça-feira` is two words); `mar` may be a Tuesday or a month.
    while 3 < len(words) < 6 and not words[0][0].isdigit():
        del words[0]
    if len(words) != 3:
        return None
    one, two, three = words
    if two in MONTHS and _is_day(one):
        return _date(three, MONTHS[two], one)
    if one in MONTHS and _is_day(two) and len(three) == 4:
        return _date(three, MONTHS[one], two)
    if len(one) == 4 and _is_day(three):
        if two in MONTHS:
            return _date(one, MONTHS[two], three)
        if _is_day(two):  # ISO 8601; other orders could be the 4th of May or the 5th of April
            return _date(one, int(two), three)
    return None


def _is_day(word: str) -> bool:
    return len(word) <= 2 and word.isascii() and word.isdigit()


def _date(year: str, month: int, day: str) -> tuple[int, int, int] | None:
    if not (year.isascii() and year.isdigit() and 2 <= len(year) <= 4):
        return None
    number = int(year)
    if len(year) == 2:  # RFC 5322 4.3
        number += 2000 if number < 50 else 1900
    elif len(year) == 3:
        number += 1900
    return (number, month, int(day))


def _read_zone(text: str) -> int | None:
    """Minutes east of UTC, or None if uncertain. text: lower case."""
    zone = _ZONE.fullmatch(text)
    if zone is None or not text:
        return None
    name, sign, colon_hours, colon_minutes, hours, minutes, behind = zone.groups()
    if not sign:
        return None if behind else _ZONES.get(name)
    if not colon_hours and minutes is None:
        colon_hours, colon_minutes = hours, "0"  # ISO 8601: hours alone
    size = int(colon_hours or hours) * 60 + int(colon_minutes or minutes)
    if int(colon_minutes or minutes) > 59:
        return None
    offset = -size if sign == "-" else size
    if (
        name
        and name not in _UTC_NAMES
        and (len(hours or "") < 2 or minutes is None or _ZONES.get(name, offset) != offset)
    ):
        return None  # POSIX writes `EST+5` for the zone that mail calls `-0500`; `EST+0500` is neither
    if behind in _UTC_NAMES and offset:
        return None  # `+0100 GMT`: one is wrong. Other names after a number are comments without brackets
    return offset


def _moment(date: tuple[int, int, int], clock: tuple[int, int, int], offset_minutes: int) -> datetime | None:
    hour, minute, second = clock
    leap = second == 60
    try:
        found = datetime(*date, hour, minute, 59 if leap else second, tzinfo=UTC)
        if date[0] < _FIRST_YEAR or abs(offset_minutes) >= 24 * 60:
            return None
        return found - timedelta(minutes=offset_minutes, seconds=-1 if leap else 0)
    except (ValueError, OverflowError):
        return None
