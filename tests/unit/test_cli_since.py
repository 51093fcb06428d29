"""`--since` takes dates and times as RFC 3339 writes them, and durations before now."""

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from admin_cli.commands.activity import read_since

NOW = datetime(2026, 11, 24, 3, 12, 55, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("7d", NOW - timedelta(days=7)),
        ("24h", NOW - timedelta(hours=24)),
        ("0h", NOW),
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
        ("2026-11-20T01:02:03Z", datetime(2026, 11, 20, 1, 2, 3, tzinfo=UTC)),
        ("2026-11-20t01:02:03z", datetime(2026, 11, 20, 1, 2, 3, tzinfo=UTC)),
        ("2026-11-20T01:02:03.5+02:00", datetime(2026, 11, 19, 23, 2, 3, 500000, tzinfo=UTC)),
        ("2026-11-20 01:02:03", datetime(2026, 11, 20, 1, 2, 3, tzinfo=UTC)),
    ],
)
def test_a_time_is_read(text: str, moment: datetime) -> None:
    assert read_since(text, NOW) == moment


@pytest.mark.parametrize(
    "text",
    [
        "",
        "7",
        "d",
        "-7d",
        "7w",
        "999999999d",
        "2026-13-01",
        "2026-02-30",
        "20261120",
        "2026-W01",
        "0001-01-01T00:00:00+23:59",
        "now",
        "٧d",
    ],
)
def test_what_is_no_time_is_a_usage_error(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        read_since(text, NOW)


@given(st.text() | st.from_regex(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?)?", fullmatch=True))
def test_any_text_is_a_time_in_utc_or_a_usage_error(text: str) -> None:
    with contextlib.suppress(typer.BadParameter):
        assert read_since(text, NOW).utcoffset() == timedelta(0)
