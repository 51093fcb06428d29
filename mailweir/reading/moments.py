"""Does a line contain a date, or a time of day, in any language? Found by numbers, and by known month names.

`written` reads the date of a header that a mail program wrote for people. Pure. Called by `attribution`, `header_block`,
`forwarded`.
"""

import re
import unicodedata
from datetime import datetime

from mailweir import dates
from mailweir.reading import months
from mailweir.reading.months import MONTHS

_MAX_CHARS = 400
# 24. 6. 3. (Korea: the year, the month, the day), 3/6/2024, 03.06.24, 2024-06-03, 2024. 06. 03., 2024年6月3日, ٣/٦/٢٠٢٤
_NUMERIC = re.compile(
    r"(?P<short>(?<![\d.] )(?<!\d)\d{2}\. \d{1,2}\. \d{1,2}\.(?= ))"
    r"|(?<!\d)(?:\d{1,2} ?[./-] ?\d{1,2} ?[./-] ?(?:\d{4}|\d{2})|\d{4} ?[./-] ?\d{1,2} ?[./-] ?\d{1,2})(?!\d)"
    r"|\d{4} ?[年년] ?\d{1,2} ?[月월](?: ?\d{1,2} ?[日일])?"
)
_YEAR = re.compile(r"(?<![\d:.,/])(?:\d{4})(?![\d:])")
_DAY = re.compile(r"(?<![\d:.,/+-])\d{1,2}(?![\d:/%])")
# Letters, with the vowel signs that Indian and Thai scripts put beside them; Thai abbreviates to two letters.
_WORD = re.compile(r"[^\W\d_](?:[^\W\d_]|[\u0900-\u0963\u0e31-\u0e4e]){2,20}|[\u0e01-\u0e2e]{2}")
_TIME = re.compile(
    r"(?<![\d:])\d{1,2} ?[:hH.：] ?\d{2}(?![\d])(?: ?[:.：]\d{2})?|\d{1,2} ?[AaPp]\.? ?[Mm]\b|\d{1,2} ?[時시点點]"
)
_CLOCK = re.compile(r"(?<![\d:.])(\d{1,2})(?:[:.]| ?h ?)(\d{2})(?:[:.](\d{2}))?(?![\d:])")
_HALF = re.compile(r"\b([ap])\.? ?m\b", re.IGNORECASE)
_ZONE = re.compile(
    r"[\s(,;]{0,4}(?:[AaPp]\.? ?[Mm]\b\.?)?[\s(,;]{0,4}(?:(?:GMT|UTC|gmt|utc) ?([+-]\d{1,2}(?::?\d{2})?)?"
    r"|([+-]\d{2}:?\d{2})(?!\d)|([^\W\d_a-z]{3,5})\b)"
)
_ENGLISH = ["", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_DIGIT = re.compile(r"\d")
_DOTTED = re.compile(r"\d\. ?\d{1,2}\. ?\d")
_NUMBERS = re.compile(r"\d+")
# Zone names that Apple's programs write in their languages, and that have one meaning.
_ZONES = {
    "SELČ": "+0200",
    "SEČ": "+0100",
    "HAEC": "+0200",
    "HNEC": "+0100",
    "BRT": "-0300",
    "HAE": "-0400",
    "HNE": "-0500",
}


def has_date(text: str) -> bool:
    """A day of a month, or a day and a year."""
    head = text[:_MAX_CHARS]
    if _NUMERIC.search(head):
        return True
    without_times = _TIME.sub(" ", head)
    if not _DAY.search(without_times):
        return False
    return bool(_YEAR.search(without_times)) or _has_month(without_times)


def has_year(text: str) -> bool:
    """A date in numbers, or a year of four digits."""
    return _NUMERIC.search(text[:_MAX_CHARS]) is not None or _YEAR.search(text[:_MAX_CHARS]) is not None


def date_start(text: str) -> int | None:
    """The position of the first number or month name of a date."""
    found = _DIGIT.search(text[:_MAX_CHARS])
    month = next((match.start() for match in _WORD.finditer(text[:_MAX_CHARS]) if _is_month(match[0])), None)
    starts = [start for start in (found.start() if found else None, month) if start is not None]
    return min(starts, default=None)


def has_time(text: str) -> bool:
    """A time of day."""
    return _TIME.search(_NUMERIC.sub(" ", text[:_MAX_CHARS])) is not None


def _has_month(text: str) -> bool:
    return any(_is_month(match[0]) for match in _WORD.finditer(text))


def _is_month(word: str) -> bool:
    return unicodedata.normalize("NFKC", word.casefold()) in MONTHS


def written(text: str, zone: str = "") -> datetime | None:
    """The moment in a header's date, to the second, or None if it isn't certain.

    zone: `+0200`, used if the date has none: programs write a header for people in their own zone. Without it such a date is
    None. Two numbers that could each be the day or the month give None.
    """
    plain = months.plain(text[:_MAX_CHARS]).strip(" *_\t")
    found = dates.read(plain.encode())
    if found is not None:
        return found
    clock = None
    for clock in _CLOCK.finditer(plain):
        if ":" in clock[0] or "h" in clock[0] or not _NUMERIC.match(plain, clock.start()):
            break
    if clock is None:
        return None
    before, behind = plain[: clock.start()], plain[clock.end() :]
    day = _day(before) or _day(behind)
    told = _zone(behind)
    offset = zone if told is None else told
    if day is None or not offset:
        return None
    half = _HALF.search(behind[:8])
    hour = int(clock[1])
    if half and 1 <= hour <= 12:
        hour = hour % 12 + (12 if half[1] in "pP" else 0)
    year, month, date = day
    if not 1 <= month <= 12:
        return None
    return dates.read(f"{date} {_ENGLISH[month]} {year:04} {hour:02}:{clock[2]}:{clock[3] or '00'} {offset}".encode())


def _day(text: str) -> tuple[int, int, int] | None:
    """Year, month and day: by the month's name, by a year in front, by dots, or by a number over 12."""
    whole = _NUMERIC.search(text)
    text = whole[0] if whole else text
    numbers = [int(one) for one in _NUMBERS.findall(text)[:8] if len(one) <= 4]
    named = [
        MONTHS[name]
        for name in (unicodedata.normalize("NFKC", one[0].casefold()) for one in _WORD.finditer(text))
        if name in MONTHS
    ]
    if named:
        year = next((one for one in numbers if one >= 1900), None)
        day = next((one for one in numbers if 1 <= one <= 31), None)
        # A weekday may be spelled like a month (`mar`): then the month comes after the weekday.
        return (year, named[-1] if len(named) < 3 else named[0], day) if year and day else None
    if len(numbers) < 3 or ("年" in text and numbers[0] < 1900):  # a year of Japan's eras
        return None
    one, two, three = numbers[:3]
    if whole and whole["short"]:
        return 2000 + one, two, three
    if one >= 1900:
        return one, two, three
    year = three if three >= 1900 else 2000 + three if three < 100 else 0
    if not year:
        return None
    if _DOTTED.search(text) or one > 12:
        return year, two, one
    return (year, one, two) if two > 12 else None


def _zone(text: str) -> str | None:
    """`+0200` or a name; None if there is none, an empty string if it is unknown."""
    match = _ZONE.match(text)
    if match is None:
        return None
    if match[3] and not match[1] and not match[2]:
        if match[3] in _ZONES:
            return _ZONES[match[3]]
        return match[3] if dates.read(f"1 Jan 2020 00:00:00 {match[3]}".encode()) else ""
    offset = match[1] or match[2]
    if offset is None:
        return "+0000"
    sign, digits = offset[0], offset[1:].replace(":", "")
    return f"{sign}{digits:0>2}00" if len(digits) <= 2 else f"{sign}{digits:0>4}"
