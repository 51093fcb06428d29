"""The content of invitations: subject, time and place, in any zone; and faulty calendars."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailweir.reading import calendar_zones, invitation, windows_zones
from mailweir.reading.invitation import Invitation
from tests.linear_time import GrowsLinearly

BERLINS_RULES = (
    "BEGIN:VTIMEZONE",
    "TZID:{}",
    "BEGIN:STANDARD",
    "DTSTART:16010101T030000",
    "TZOFFSETFROM:+0200",
    "TZOFFSETTO:+0100",
    "RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10",
    "END:STANDARD",
    "BEGIN:DAYLIGHT",
    "DTSTART:16010101T020000",
    "TZOFFSETFROM:+0100",
    "TZOFFSETTO:+0200",
    "RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3",
    "END:DAYLIGHT",
    "END:VTIMEZONE",
)


def _calendar(*event: str, before: tuple[str, ...] = ("METHOD:REQUEST",), behind: tuple[str, ...] = ()) -> bytes:
    lines = ("BEGIN:VCALENDAR", *before, "BEGIN:VEVENT", *event, "END:VEVENT", *behind, "END:VCALENDAR", "")
    return "\r\n".join(lines).encode()


def _read(*event: str, before: tuple[str, ...] = ("METHOD:REQUEST",), behind: tuple[str, ...] = ()) -> Invitation:
    found = invitation.read(_calendar(*event, before=before, behind=behind), "")
    assert found is not None
    return found


def _at(hours: float, *parts: int) -> datetime:
    return datetime(*parts, tzinfo=timezone(timedelta(hours=hours)))  # type: ignore[misc,arg-type]


def test_all_that_is_told() -> None:
    found = _read(
        "SUMMARY;LANGUAGE=de:Angebot\\, zweite Fassung\\; kurz",
        "LOCATION:Raum 1\\nErdgeschoss",
        "DTSTART;TZID=Europe/Berlin:20260701T090000",
        "DTEND;TZID=Europe/Berlin:20260701T103000",
        "RRULE:FREQ=WEEKLY;COUNT=3",
    )
    assert found == Invitation(
        method="REQUEST",
        summary="Angebot, zweite Fassung; kurz",
        location="Raum 1 Erdgeschoss",
        starts_at=_at(2, 2026, 7, 1, 9),
        ends_at=_at(2, 2026, 7, 1, 10, 30),
        is_all_day=False,
        zone="Europe/Berlin",
        repeats=True,
    )
    assert found.starts_at is not None
    assert found.starts_at.utcoffset() == timedelta(hours=2)


# --- method -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "parameter", "expected"),
    [
        (("METHOD:REPLY",), "REQUEST", "REPLY"),
        (("method:cancel",), "", "CANCEL"),
        ((), "request", "REQUEST"),
        (("METHOD:",), "REQUEST", "REQUEST"),
        (("METHOD:<script>",), "PUBLISH", "PUBLISH"),
        ((), "", ""),
        ((), "x" * 100, ""),
    ],
)
def test_the_method_is_the_calendars_then_the_parts(before: tuple[str, ...], parameter: str, expected: str) -> None:
    found = invitation.read(_calendar("SUMMARY:An offer", before=before), parameter)
    assert found is not None
    assert found.method == expected


# --- zones ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("time", "expected", "zone"),
    [
        (":20260701T090000Z", _at(0, 2026, 7, 1, 9), "UTC"),
        (";TZID=Europe/Berlin:20260101T090000", _at(1, 2026, 1, 1, 9), "Europe/Berlin"),
        (";TZID=Europe/Berlin:20260701T090000", _at(2, 2026, 7, 1, 9), "Europe/Berlin"),
        (';TZID="W. Europe Standard Time":20260701T090000', _at(2, 2026, 7, 1, 9), "Europe/Berlin"),
        (";TZID=w. europe standard time:20260701T090000", _at(2, 2026, 7, 1, 9), "Europe/Berlin"),
        (";TZID=India Standard Time:20260701T090000", _at(5.5, 2026, 7, 1, 9), "Asia/Kolkata"),
        (";VALUE=DATE-TIME;TZID=Pacific Standard Time:20260101T090000", _at(-8, 2026, 1, 1, 9), "America/Los_Angeles"),
        (";TZID=/softwarestudio.org/Olson_20011030_5/America/New_York:20260701T0900", _at(-4, 2026, 7, 1, 9), "America/New_York"),
        (";TZID=/example.org/America/Argentina/Buenos_Aires:20260701T090000", _at(-3, 2026, 7, 1, 9), "America/Argentina/Buenos_Aires"),  # noqa: E501
        (";TZID=tzone://Microsoft/Utc:20260701T090000", _at(0, 2026, 7, 1, 9), "UTC"),
        (":20260701T090000", _at(0, 2026, 7, 1, 9), ""),
        (";TZID=Nowhere:20260701T090000", _at(0, 2026, 7, 1, 9), ""),
        (";TZID=Europe:20260701T090000", _at(0, 2026, 7, 1, 9), ""),
        (";TZID=../../etc/passwd:20260701T090000", _at(0, 2026, 7, 1, 9), ""),
        (";TZID=/etc/passwd:20260701T090000", _at(0, 2026, 7, 1, 9), ""),
        (";TZID=:20260701T090000", _at(0, 2026, 7, 1, 9), ""),
        (";TZID=Europe/Berlin:20260701T090060", _at(2, 2026, 7, 1, 9, 0, 59), "Europe/Berlin"),
    ],
)  # fmt: skip
def test_when_and_in_which_zone(time: str, expected: datetime, zone: str) -> None:
    found = _read(f"DTSTART{time}", "SUMMARY:x")
    assert (found.starts_at, found.zone) == (expected, zone)
    assert found.starts_at is not None
    assert found.starts_at.utcoffset() == expected.utcoffset()


@pytest.mark.parametrize("name", ["Our zone", "(UTC+01:00) Amsterdam, Berlin", "tzone://Microsoft/Custom"])
@pytest.mark.parametrize(
    ("wall", "hours"),
    [
        ("20260101T000000", 1),
        ("20260329T015959", 1),
        ("20260329T020000", 2),
        ("20260701T090000", 2),
        ("20261025T025959", 2),
        ("20261025T030000", 1),
        ("20261231T235959", 1),
    ],
)
def test_a_zone_of_the_senders_own_goes_by_the_rules_that_came_with_it(name: str, wall: str, hours: int) -> None:
    rules = tuple(line.format(name) for line in BERLINS_RULES)
    found = _read(f"DTSTART;TZID={name}:{wall}", before=rules)
    assert found.zone == name
    assert found.starts_at is not None
    assert found.starts_at.utcoffset() == timedelta(hours=hours)
    assert _read(f'DTSTART;TZID="{name}":{wall}', behind=rules) == _read(f"DTSTART;TZID={name}:{wall}", behind=rules)


@pytest.mark.parametrize(
    ("rule", "wall", "hours"),
    [
        ("RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU", "20260308T020000", 2),
        ("RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU", "20260308T015900", 1),
        ("RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=SU;BYMONTHDAY=8,9,10,11,12,13,14", "20260308T020000", 2),
        ("RRULE:FREQ=YEARLY;BYMONTH=3", "20260301T020000", 2),
        ("RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU;UNTIL=20200101T000000Z", "20260501T020000", 1),
        ("RDATE:20260308T020000,20270314T020000", "20260501T020000", 2),
        ("RRULE:FREQ=SECONDLY", "20260501T020000", 1),
        ("RRULE:FREQ=YEARLY;BYMONTH=99;BYDAY=9XX", "20260501T020000", 1),
        ("RRULE:FREQ=YEARLY;BYMONTH=²", "20260101T020000", 1),
    ],
)
def test_rules_as_mailers_write_them(rule: str, wall: str, hours: int) -> None:
    summer = (
        "BEGIN:DAYLIGHT",
        "DTSTART:19700301T020000",
        "TZOFFSETFROM:+0100",
        "TZOFFSETTO:+0200",
        rule,
        "END:DAYLIGHT",
    )
    winter = ("BEGIN:STANDARD", "DTSTART:19701001T020000", "TZOFFSETFROM:+0200", "TZOFFSETTO:+0100",
              "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU", "END:STANDARD")  # fmt: skip
    found = _read(f"DTSTART;TZID=Own:{wall}", before=("BEGIN:VTIMEZONE", "TZID:Own", *summer, *winter, "END:VTIMEZONE"))
    assert found.starts_at is not None
    assert found.starts_at.utcoffset() == timedelta(hours=hours)


def test_before_all_onsets_the_offset_is_the_one_before_the_first() -> None:
    rules = ("BEGIN:VTIMEZONE", "TZID:Own", "BEGIN:STANDARD", "DTSTART:20300101T000000", "TZOFFSETFROM:+0300", "TZOFFSETTO:+0400",
             "END:STANDARD", "END:VTIMEZONE")  # fmt: skip
    found = _read("DTSTART;TZID=Own:20260701T090000", before=rules)
    assert found.starts_at == _at(3, 2026, 7, 1, 9)


@pytest.mark.parametrize("name", sorted(set(windows_zones.ZONES.values())))
def test_the_zones_of_windows_are_known_here(name: str) -> None:
    assert calendar_zones.name_of(name) == name


# --- duration --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "ends_at"),
    [
        (("DTSTART:20260701T090000Z", "DURATION:PT1H30M"), _at(0, 2026, 7, 1, 10, 30)),
        (("DTSTART:20260701T090000Z", "DURATION:P1W"), _at(0, 2026, 7, 8, 9)),
        (("DTSTART:20260701T090000Z", "DURATION:P1DT15S"), _at(0, 2026, 7, 2, 9, 0, 15)),
        (("DTSTART:20260701T090000Z", "DURATION:-PT1H"), None),
        (("DTSTART:20260701T090000Z", "DURATION:P"), None),
        (("DTSTART:20260701T090000Z", "DURATION:P999999W"), None),
        (("DTSTART:20260701T090000Z", "DTEND:20260701T080000Z"), None),
        (("DTSTART:20260701T090000Z", "DTEND;TZID=Asia/Tokyo:20260701T190000"), _at(9, 2026, 7, 1, 19)),
        (("DTSTART:20260701T090000Z", "DTEND:tomorrow"), None),
        (("DTSTART:20260701T090000Z",), None),
        (("DTSTART;VALUE=DATE:20260701",), _at(0, 2026, 7, 2)),
        (("DTSTART;VALUE=DATE:20260701", "DTEND;VALUE=DATE:20260704"), _at(0, 2026, 7, 4)),
        (("DTSTART:20260701",), _at(0, 2026, 7, 2)),
    ],
)
def test_until_when(lines: tuple[str, ...], ends_at: datetime | None) -> None:
    assert _read(*lines, "SUMMARY:x").ends_at == ends_at


@pytest.mark.parametrize(
    "lines",
    [
        ("DTSTART;VALUE=DATE:20260701", "DTEND;VALUE=DATE:20260702"),
        ("DTSTART;VALUE=DATE;TZID=Europe/Berlin:20260701",),
        (
            "DTSTART;TZID=Europe/Berlin:20260701T000000",
            "DTEND;TZID=Europe/Berlin:20260702T000000",
            "X-MICROSOFT-CDO-ALLDAYEVENT:TRUE",
        ),
    ],
)
def test_a_whole_day_is_that_day_wherever_one_is(lines: tuple[str, ...]) -> None:
    found = _read(*lines)
    assert (found.is_all_day, found.zone) == (True, "")
    assert (found.starts_at, found.ends_at) == (datetime(2026, 7, 1, tzinfo=UTC), datetime(2026, 7, 2, tzinfo=UTC))


# --- as programs send it ---------------------------------------------------------------------------------------------


def test_folded_lines_even_within_a_character() -> None:
    raw = _calendar("SUMMARY:Grüße aus Köln", "DTSTART:20260701T090000Z")
    folded = raw.replace("ü".encode(), b"\xc3\r\n \xbc").replace(b"Gr", b"G\r\n\tr").replace(b"0000Z", b"00\r\n 00Z")
    assert folded != raw
    assert invitation.read(folded, "") == invitation.read(raw, "")
    assert invitation.read(raw.replace(b"\r\n", b"\n"), "") == invitation.read(raw.replace(b"\r\n", b"\r"), "")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("SUMMARY:a\\\\nb", "a\\nb"),
        ("SUMMARY:a\\Nb\\,c\\;d", "a b,c;d"),
        ("summary:a:b;c=d", "a:b;c=d"),
        ('SUMMARY;X="a:b;c":d', "d"),
        ("SUMMARY: \x1b[31m red \x07", "[31m red"),
        ("SUMMARY:" + "x" * 5_000, "x" * 998),
        ("SUMMARY:a\\", "a\\"),
    ],
)
def test_text_is_unescaped_in_one_line(line: str, expected: str) -> None:
    assert _read(line).summary == expected


def test_text_in_another_charset_is_read() -> None:
    raw = _calendar("SUMMARY:Grüße").decode().encode("cp1252")
    found = invitation.read(raw, "")
    assert found is not None
    assert found.summary == "Grüße"


def test_reminders_and_other_parts_of_an_event_are_not_the_event() -> None:
    alarm = ("BEGIN:VALARM", "SUMMARY:Remember", "DTSTART:20200101T000000Z", "BEGIN:X-Y", "END:X-Y", "END:VALARM")
    assert _read(*alarm, "SUMMARY:An offer").summary == "An offer"
    todo = ("BEGIN:VTODO", "SUMMARY:To do", "END:VTODO")
    assert _read("SUMMARY:An offer", before=todo).summary == "An offer"


def test_of_a_series_the_series_counts_and_not_the_one_that_was_moved() -> None:
    moved = (
        "BEGIN:VEVENT",
        "SUMMARY:Moved",
        "RECURRENCE-ID:20260708T090000Z",
        "DTSTART:20260709T090000Z",
        "END:VEVENT",
    )
    for found in (
        _read("SUMMARY:Series", "DTSTART:20260701T090000Z", before=moved),
        _read("SUMMARY:Series", "DTSTART:20260701T090000Z", behind=moved),
    ):
        assert found.summary == "Series"
    alone = invitation.read("\r\n".join(("BEGIN:VCALENDAR", *moved, "END:VCALENDAR")).encode(), "")
    assert alone is not None
    assert alone.summary == "Moved"


@pytest.mark.parametrize(
    "ics",
    [
        b"",
        b"no calendar",
        b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n",
        b"BEGIN:VEVENT\r\nSUMMARY:outside\r\nEND:VEVENT\r\n",
        b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
        b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART:99999999T999999\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
        b"\xff\xfe\0\0" * 100,
    ],
)
def test_what_says_nothing_is_none(ics: bytes) -> None:
    assert invitation.read(ics, "REQUEST") is None


def test_of_what_is_cut_off_the_rest_counts() -> None:
    whole = _calendar("SUMMARY:An offer", "DTSTART:20260701T090000Z", "LOCATION:Room 1")
    found = invitation.read(whole.partition(b"LOCATION")[0], "")
    assert found is not None
    assert (found.summary, found.location) == ("An offer", "")
    assert found.starts_at == _at(0, 2026, 7, 1, 9)


# --- hostile ----------------------------------------------------------------------------------------------------------

_TOKENS = [
    *("BEGIN:VCALENDAR", "BEGIN:VEVENT", "END:VEVENT", "BEGIN:VTIMEZONE", "END:VTIMEZONE", "BEGIN:STANDARD", "END:STANDARD"),
    *("DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "TZID", "TZOFFSETTO", "TZOFFSETFROM", ":", ";", "=", '"', "\r\n", "\n "),
    *("FREQ=YEARLY", "BYDAY=", "-1SU", "BYMONTH=", "99", "+0100", "+9999", "P", "T", "W", "20260701T090000", "00010101", "99991231T235959"),  # noqa: E501
    *(";TZID=Own", "TZID:Own", "²", "\x00", "\ud800"),
]  # fmt: skip


@given(st.lists(st.sampled_from(_TOKENS), max_size=60))
def test_any_calendar_is_read_or_none(tokens: list[str]) -> None:
    body = "".join(tokens).encode("utf-8", "surrogatepass")
    for ics in (body, b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:x\r\nDTSTART" + body):
        found = invitation.read(ics, "")
        moments = (getattr(found, "starts_at", None), getattr(found, "ends_at", None))
        assert all(one.astimezone(UTC) for one in moments if one)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_none(ics: bytes) -> None:
    invitation.read(ics, "")
    invitation.read(_calendar("SUMMARY:x")[:40] + ics, "")


@pytest.mark.parametrize(
    "unit",
    [b"a", b":", b";", b";a=", b';a="', b'"', b"\n ", b"\r", b"\\", b"BEGIN:X\n", b"BEGIN:VEVENT\nEND:VEVENT\n", b"DTSTART:", b"RDATE:1,",  # noqa: E501
     b"BEGIN:VTIMEZONE\nBEGIN:STANDARD\nTZOFFSETTO:+0100\nEND:STANDARD\nEND:VTIMEZONE\n", b"\xff", b"SUMMARY;x=y"],
)  # fmt: skip
def test_a_long_calendar_takes_no_time(grows_linearly: GrowsLinearly, unit: bytes) -> None:
    for before in (
        b"BEGIN:VCALENDAR\n",
        b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;",
        b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:",
    ):
        grows_linearly(lambda size, before=before: invitation.read(before + unit * (size // len(unit)), ""))  # type: ignore[misc]
