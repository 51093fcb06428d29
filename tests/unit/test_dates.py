"""Date headers: parsed correctly, or not at all."""

from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailweir import dates
from mailweir.month_names import MONTHS

if TYPE_CHECKING:
    from tests.linear_time import GrowsLinearly
    from tests.unit.conftest import SplitHeaders

_NAIVE = st.datetimes()
MOMENT = datetime(2026, 11, 24, 3, 12, 55, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        # RFC 5322 3.3
        "Tue, 24 Nov 2026 03:12:55 +0000",
        "24 Nov 2026 03:12:55 -0000",
        "Tue, 24 Nov 2026 04:12:55 +0100 (CET)",
        "Tue, 24 Nov 2026 04:12:55 +0100 (a (b) \\) c)",
        "Tue,\r\n 24 Nov 2026\r\n\t03:12:55 GMT",
        "TUE, 24 NOV 2026 03:12:55 gmt",
        "Wed, 24 Nov 2026 03:12:55 +0000",  # it was a Tuesday
        # 4.3, and 3.2.2: comments anywhere
        "Tue, 24 Nov 26 03:12:55 GMT",
        "Tue, 24 Nov 126 03:12:55 GMT",
        "Mon, 23 Nov 2026 22:12:55 EST",
        "Mon, 23 Nov 2026 19:12:55 PST",
        "Tue, 24 Nov 2026 03:12:55 UT",
        "Tue, 24 Nov 2026 03:12:55 Z",
        "Tue (x), 24 (y) Nov 2026 04:12:55 (z) +0100",
        "Tue, 24 Nov 2026 04:12:55 +0100 (CET",
        # other forms of the zone
        "Tue, 24 Nov 2026 04:12:55 GMT+0100",
        "Tue, 24 Nov 2026 04:12:55 GMT +0100",
        "Tue, 24 Nov 2026 04:12:55 +01:00",
        "Tue, 24 Nov 2026 04:12:55 GMT+01:00",
        "Tue, 24 Nov 2026 04:12:55+0100",
        "Tue, 24 Nov 2026 04:12:55 +01",
        "Tue, 24 Nov 2026 04:12:55 +1",
        "Tue, 24 Nov 2026 04:12:55 +100",
        "Tue, 24 Nov 2026 04:12:55 UTC+1",
        "Tue, 24 Nov 2026 08:42:55 UTC +0530",
        "Tue, 24 Nov 2026 08:42:55 IST+0530",
        "Mon, 23 Nov 2026 22:12:55 -0500 EST",
        "Mon, 23 Nov 2026 22:12:55 EST -0500",
        "Tue, 24 Nov 2026 03:12:55 +0000 UTC",
        "Tue, 24 Nov 2026 04:12:55 CET",
        "Tue, 24 Nov 2026 05:12:55 CEST",
        "Tue, 24 Nov 2026 12:12:55 JST",
        "Tue, 24 Nov 2026 04:12:55 (CET)",
        "Tue, 24 Nov 2026 04:12:55 (GMT+01:00)",
        # twelve-hour clocks
        "Tue, 24 Nov 2026 03:12:55 AM +0000",
        "Mon, 23 Nov 2026 10:12:55 PM -0500",
        "Mon, 23 Nov 2026 10:12:55PM -0500",
        "Monday, November 23, 2026, 10:12:55 p.m. -0500",
        "Mon, 23 Nov 2026 22:12:55 PM -0500",
        # JavaScript, ISO 8601, asctime and similar, RFC 850, IMAP, two old mailers
        "Tue Nov 24 2026 04:12:55 GMT+0100 (CET)",
        "Tue Nov 24 2026 04:12:55 GMT+0100 (Central European Standard Time)",
        "2026-11-24T03:12:55.123Z",
        "2026-11-24T04:12:55+01:00",
        "2026-11-24 04:12:55 +0100",
        "2026-11-24 04:12:55.123456789 +0100 CET",
        "Tue Nov 24 03:12:55 UTC 2026",
        "Tue Nov 24 04:12:55 CET 2026",
        "Tue Nov 24 04:12:55 GMT+01:00 2026",
        "Tue Nov 24 04:12:55 +0100 2026",
        "Tue Nov 24 04:12:55 2026 +0100",
        "Tuesday, 24-Nov-26 03:12:55 GMT",
        "24-Nov-2026 04:12:55 +0100",
        "Tue, 24 Nov 2026 03.12.55 GMT",
        "Tue, 24 November 2026 04:12:55 +0100;",
        # names in other languages
        "Di., 24 Nov. 2026 04:12:55 +0100 (MEZ)",
        "mar., 24 nov. 2026 04:12:55 +0100",
        "terça-feira, 24 de novembro de 2026 00:12:55 -0300",
        "вт, 24 нояб. 2026 06:12:55 +0300",
        "星期二, 24 十一月 2026 11:12:55 +0800",
        "2026年11月24日 (火) 12:12:55 +0900",
        "=?utf-8?q?mar=2E=2C_24_nov=2E_2026_04=3A12=3A55_+0100?=",
    ],
)
def test_a_date_is_the_moment_that_it_names(text: str) -> None:
    assert dates.read(text.encode()) == MOMENT
    assert dates.read(f"\r\n {text}\r\n".encode().strip()) == MOMENT


def test_a_months_name_of_another_language_is_that_month() -> None:
    assert dates.read(b"wt., 24 gru 2026 04:12:55 +0100") == MOMENT.replace(month=12)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"Tue, 24 Nov 2026 03:12 GMT", "2026-11-24T03:12:00+00:00"),
        (b"Tue, 24 Nov 2026 12:05:00 AM GMT", "2026-11-24T00:05:00+00:00"),
        (b"Tue, 24 Nov 2026 12:05:00 PM GMT", "2026-11-24T12:05:00+00:00"),
        (b"Thu, 31 Dec 2026 23:59:60 +0000", "2027-01-01T00:00:00+00:00"),  # a leap second
        (b"1 Jan 00 00:00:00 GMT", "2000-01-01T00:00:00+00:00"),
        (b"1 Jan 49 00:00:00 GMT", "2049-01-01T00:00:00+00:00"),
        (b"1 Jan 50 00:00:00 GMT", "1950-01-01T00:00:00+00:00"),
        (b"1 Jan 99 00:00:00 GMT", "1999-01-01T00:00:00+00:00"),
        (b"1 Jan 099 00:00:00 GMT", "1999-01-01T00:00:00+00:00"),
        (b"1 Jan 100 00:00:00 GMT", "2000-01-01T00:00:00+00:00"),
        (b"jue ago 30 13:55:12 2007 +0200", "2007-08-30T11:55:12+00:00"),
        (b"mi\xe9., 30 ago 2007 13:55:12 +0200", "2007-08-30T11:55:12+00:00"),  # the day of the week in Latin-1
        ("Pn, 29 paź 2007 21:13:00 +0100".encode(), "2007-10-29T20:13:00+00:00"),
        ("Κυρ, 3 Μαΐ 2026 03:12:55 +0000".encode(), "2026-05-03T03:12:55+00:00"),
    ],
)
def test_other_moments(raw: bytes, expected: str) -> None:
    found = dates.read(raw)
    assert found is not None
    assert found.isoformat() == expected


@pytest.mark.parametrize(
    "raw",
    [
        # no zone, or an ambiguous one: as UTC it would be hours off
        b"Tue, 24 Nov 2026 03:12:55",
        b"Tue Nov 24 03:12:55 2026",
        b"2026-11-24T03:12:55",
        b"Tue, 24 Nov 2026 3:12:55 PM",
        b"Tue, 24 Nov 2026 03:12:55 A",
        b"Tue, 24 Nov 2026 03:12:55 J",
        b"Tue, 24 Nov 2026 03:12:55 XYZ",
        b"Tue, 24 Nov 2026 03:12:55 IST",
        b"Tue, 24 Nov 2026 03:12:55 (Mitteleuropa)",
        b"Tue, 24 Nov 2026 03:12:55 (CET) (EST)",
        b"Tue, 24 Nov 2026 03:12:55 XYZ (CET)",
        b"Tue, 24 Nov 2026 03:12:55 MET DST",
        b"Tue, 24 Nov 2026 03:12:55 Etc/GMT-1",
        b"Tue, 24 Nov 2026 03:12:55 EST+5",
        b"Tue, 24 Nov 2026 03:12:55 EST+0500",
        b"Tue, 24 Nov 2026 03:12:55 BRT+3",
        b"Tue, 24 Nov 2026 03:12:55 EST5EDT",
        b"Tue, 24 Nov 2026 03:12:55 +0100 GMT",
        b"Tue, 24 Nov 2026 03:12:55 0100",
        b"Tue, 24 Nov 2026 03:12:55 +0160",
        b"Tue, 24 Nov 2026 03:12:55 +2400",
        b"Tue, 24 Nov 2026 03:12:55 +9999999999",
        b"Tue, 12 Oct 2010 16:21:05 H0500",
        # no day, or two days
        b"11/12/2026 03:12:55 GMT",
        b"11.12.2026 03:12:55 GMT",
        b"Tue, 24 lis 2026 03:12:55 +0100",
        b"24 Foo 2026 03:12:55 GMT",
        b"Tue, 31 Feb 2026 03:12:55 +0000",
        b"Tue, 24 Nov 2026 2026 03:12:55 +0000",
        b"Tue Nov 24 2026 03:12:55 +0000 2026",
        b"Tue Nov 24 03:12:55 2026 +0000 2026",
        b"1 Jan 1 00:00:00 GMT",
        b"1 Jan 0026 00:00:00 GMT",
        b"1 Jan 1601 00:00:00 GMT",
        b"Tue, 24 Nov 99999 03:12:55 +0000",
        b"Fri, 31 Dec 9999 23:59:59 -2300",
        b"\xe1pr 24 2026 03:12:55 GMT",
        # no time
        b"Tue, 24 Nov 2026 25:12:55 +0000",
        b"Tue, 24 Nov 2026 03:60:55 +0000",
        b"Tue, 24 Nov 2026 03:12:61 +0000",
        b"Tue, 24 Nov 2026 0:12:55 PM +0000",
        b"Tue, 24 Nov 2026 15:12:55 AM +0000",
        b"Tue, 24 Nov 2026 +0000",
        b"Tue, 7 Apr 2026 10:00:t <x@client.example>",
        b"",
        b"soon",
        b"\xff\xfe\x00",
        b"(",
        b":",
        # the text after the limit could be the zone
        b"Tue, 24 Nov 2026" + b" " * dates.MAX_DATE_BYTES + b"03:12:55 +0000",
    ],
)
def test_what_names_no_moment_for_certain_is_none(raw: bytes) -> None:
    assert dates.read(raw) is None


@given(
    _NAIVE.filter(lambda moment: 1900 < moment.year < 9999),
    st.integers(-23 * 60 - 59, 23 * 60 + 59),
)
def test_plain_dates_are_read_as_the_standard_library_does(moment: datetime, minutes: int) -> None:
    there = moment.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=minutes)))
    text = format_datetime(there)
    found = dates.read(text.encode())
    assert found == there == parsedate_to_datetime(text)
    assert found is not None
    assert found.tzinfo is UTC


_FORMS = st.sampled_from(
    [
        "%a, %d %b %Y %H:%M:%S GMT{z}",
        "%a %b %d %Y %H:%M:%S GMT{z} (X Y)",
        "%Y-%m-%dT%H:%M:%S{c}",
        "%a, %d %b %Y %I:%M:%S %p {z}",
        "%a %b %d %H:%M:%S {z} %Y",
        "%a %b %d %H:%M:%S %Y {z}",
        "%d-%b-%Y %H:%M:%S {z}",
        "%A, %B %d, %Y, %I:%M:%S %p UTC{c}",
        "%a, %d %b %Y %H:%M:%S ({z})",
    ]
)


@given(
    _FORMS,
    _NAIVE.map(lambda moment: moment.replace(year=2000 + moment.year % 100, day=min(moment.day, 28))),
    st.integers(-15 * 60, 15 * 60),
)
def test_one_moment_is_one_in_every_form_and_zone(form: str, moment: datetime, minutes: int) -> None:
    there = moment.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=minutes)))
    zone = there.strftime("%z")
    assert dates.read(there.strftime(form).format(z=zone, c=f"{zone[:3]}:{zone[3:]}").encode()) == there


_SCRAPS = st.sampled_from(
    [
        *("Tue", ",", " ", "24", "Nov", "2026", "26", "126", "03:12:55", "3:12", "PM", "a.m.", "+0100", "+01:00", "-0000"),
        *("GMT", "EST", "Z", "XYZ", "(", ")", "(CET)", "\\", "T", ".", ":", "-", "/", "11", "²", "٣", "月", "年", "\ufffd"),
        *("\r\n ", "\x00", "=?utf-8?q?24?=", "9999999999", "fév", "ß", "İ"),
    ]
)  # fmt: skip


@settings(max_examples=600, deadline=None)
@given(st.one_of(st.binary(max_size=120), st.lists(_SCRAPS, max_size=14).map(lambda scraps: "".join(scraps).encode())))
def test_reading_never_raises(raw: bytes) -> None:
    found = dates.read(raw)
    assert found is None or (found.tzinfo is UTC and found.microsecond == 0)


def test_a_name_of_two_months_is_none() -> None:
    assert {"lis", "listopad", "srp", "lip"}.isdisjoint(MONTHS)
    assert (MONTHS["lipca"], MONTHS["lipnja"], MONTHS["srpna"], MONTHS["srpnja"]) == (7, 6, 8, 7)
    assert set(MONTHS.values()) == set(range(1, 13))


def test_the_corpus_dates_are_read_as_the_standard_library_does_or_not_at_all(
    corpus: list[Path], split_headers: "SplitHeaders"
) -> None:
    raws = {
        value.strip() for path in corpus for name, value in split_headers(path.read_bytes()) if name.lower() == b"date"
    }
    unread = {raw for raw in raws if dates.read(raw) is None}
    for raw in raws - unread:
        assert dates.read(raw) == parsedate_to_datetime(raw.decode("ascii", "replace")), raw
    assert len(unread) < len(raws) * 0.1, unread


@pytest.mark.parametrize(
    "scrap", [b"(", b")", b"\\", b"24 ", b"1:11 ", b"a ", b"+", b"\r\n ", b"=?utf-8?q?a?= ", b"\xff"]
)
def test_time_grows_with_the_length_only(scrap: bytes, grows_linearly: "GrowsLinearly") -> None:
    grows_linearly(lambda size: dates.without_comments((scrap * (size // len(scrap))).decode("latin-1")))
    near = scrap * (dates.MAX_DATE_BYTES // len(scrap))
    grows_linearly(
        lambda size: [dates.read(b"24 Nov 2026 03:12:55 " + near[: -30 - size % 2]) for _ in range(size // 2_000)]
    )
