"""Times are text in the tables and aware datetimes outside of `store/`; rows are read by the names of their columns."""

import importlib
import inspect
import pkgutil
import re
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailweir import store
from mailweir.store.database import moments, rows
from mailweir.store.database.connection import Database

_MOMENTS = st.datetimes(timezones=st.just(UTC))


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (datetime(2026, 11, 24, 3, 12, 55, 7, tzinfo=UTC), "2026-11-24T03:12:55.000007Z"),
        (datetime(2026, 11, 24, tzinfo=UTC), "2026-11-24T00:00:00.000000Z"),
        (datetime(2026, 11, 24, 1, tzinfo=timezone(timedelta(hours=2))), "2026-11-23T23:00:00.000000Z"),
        (datetime(2026, 11, 24, 1, tzinfo=timezone(timedelta(0))), "2026-11-24T01:00:00.000000Z"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00.000000Z"),
    ],
)
def test_a_time_is_text(moment: datetime, expected: str) -> None:
    assert moments.rfc3339(moment) == moments.rfc3339_or_none(moment) == expected
    assert moments.parse(expected) == moments.parse_or_none(expected) == moment
    assert moments.parse(expected).tzinfo is UTC


@given(_MOMENTS, _MOMENTS)
def test_the_text_sorts_as_the_times_do_and_loses_nothing(one: datetime, other: datetime) -> None:
    assert (moments.rfc3339(one) < moments.rfc3339(other)) == (one < other)
    assert moments.parse(moments.rfc3339(one)) == one


def test_null_is_none() -> None:
    assert moments.rfc3339_or_none(None) is None
    assert moments.parse_or_none(None) is None


@pytest.mark.parametrize("text", ["", "now", "2026-11-24", "2026-11-24T03:12:55", "2026-11-24T03:12:55+02:00"])
def test_other_text_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=r"UTC|isoformat"):
        moments.parse(text)


def _rows_of_the_store() -> Iterator[tuple[str, Any]]:
    """Each dataclass and named tuple of a module of `store/`, except peewee's models."""
    for found in pkgutil.walk_packages(store.__path__, f"{store.__name__}."):
        if ".migrations" in found.name or found.name.endswith(".models"):
            continue
        module = importlib.import_module(found.name)
        for name, kind in inspect.getmembers(module, inspect.isclass):
            if kind.__module__ == module.__name__ and (
                hasattr(kind, "__dataclass_fields__") or hasattr(kind, "_fields")
            ):
                yield f"{module.__name__}.{name}", kind


_NAME_OF_A_TIME = re.compile(r"(?:.+_)?(?:at|since|until|time|hour|now)")


def _times(thing: Any) -> list[tuple[str, Any]]:
    """The times of a row or a function, by name, with their types."""
    return [(name, hint) for name, hint in get_type_hints(thing).items() if _NAME_OF_A_TIME.fullmatch(name)]


def test_no_time_leaves_the_store_as_text() -> None:
    times = [(f"{name}.{field}", hint) for name, kind in _rows_of_the_store() for field, hint in _times(kind)]
    assert [one for one in times if one[1] not in (datetime, datetime | None)] == []
    assert len(times) > 40, "the test finds them"


def _functions_of_the_store() -> Iterator[tuple[str, Any]]:
    """Each public function and method."""
    for found in pkgutil.walk_packages(store.__path__, f"{store.__name__}."):
        if ".migrations" in found.name or found.name.endswith(".models"):
            continue
        module = importlib.import_module(found.name)
        classes = [kind for _, kind in inspect.getmembers(module, inspect.isclass) if kind.__module__ == found.name]
        for holder in (module, *classes):
            for name, function in inspect.getmembers(holder, inspect.isfunction):
                if not name.startswith("_") and function.__module__ == found.name:
                    yield f"{found.name}.{function.__qualname__}", function


def test_no_time_comes_into_the_store_as_text() -> None:
    times = [(f"{name}({one})", hint) for name, function in _functions_of_the_store() for one, hint in _times(function)]
    assert [one for one in times if one[1] not in (datetime, datetime | None)] == []
    assert len(times) > 40, "the test finds them"


def test_the_text_of_a_time_is_read_in_one_place() -> None:
    files = [file for folder in store.__path__ for file in Path(folder).rglob("*.py")]
    assert [file.name for file in files if "fromisoformat" in file.read_text()] == ["moments.py"]


# --- rows -------------------------------------------------------------------------------------------------------------


def test_rows_go_by_the_names_of_their_columns(database: Database) -> None:
    sql = "SELECT d.id, d.name AS deployment, u.username FROM (SELECT 7 AS id, 'demo' AS name) d"
    sql += " LEFT JOIN (SELECT 7 AS id, 'richard' AS username) u ON u.id = d.id"
    assert rows.named(database.execute(sql)) == [{"id": 7, "deployment": "demo", "username": "richard"}]
    assert rows.first(database.execute(sql)) == {"id": 7, "deployment": "demo", "username": "richard"}
    assert rows.first(database.execute(f"{sql} WHERE d.id = 8")) is None


def test_two_columns_of_one_name_are_an_error() -> None:
    with pytest.raises(ValueError, match="one name: id, id"):
        rows.named(sqlite3.connect(":memory:").execute("SELECT 1 AS id, 2 AS id"))
