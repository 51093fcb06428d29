"""The number of a text is the same in Python and in both databases."""

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mailweir.store.database import fingerprint
from mailweir.store.database.connection import Database

# PostgreSQL can't store NUL or half of a surrogate pair
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TEXTS)
@example(text="")
@example(text="\U0010ffff" * 40)
def test_python_and_the_database_compute_the_same(database: Database, text: str) -> None:
    column = fingerprint.sql("t.word", is_sqlite=database.is_sqlite)
    (number,) = database.execute(f"SELECT {column} FROM (SELECT CAST(? AS TEXT) AS word) AS t", (text,)).fetchone()
    assert number == fingerprint.of(text)
    assert number < 2**63


@pytest.mark.parametrize(
    "texts",
    [
        [f"{name}@client.example" for name in ("jane", "joe", "info", "sales", "office")],
        [f"info@{domain}.example" for domain in ("client", "firm", "bank", "shop")],
        [f"<2026113004{minute:02d}.ABC{minute}@client.example>" for minute in range(10, 30)],
    ],
)
def test_texts_of_one_kind_rarely_share_a_number(texts: list[str]) -> None:
    assert len({fingerprint.of(one) for one in texts}) >= 0.9 * len(texts)


def test_null_has_no_number(database: Database) -> None:
    column = fingerprint.sql("t.word", is_sqlite=database.is_sqlite)
    assert database.execute(f"SELECT {column} FROM (SELECT CAST(NULL AS TEXT) AS word) AS t").fetchone()[0] is None


def test_the_numbers_are_those_of_existing_indexes() -> None:
    """Other numbers would need a migration that makes the indexes again."""
    numbers = [fingerprint.of(one) for one in ("jane@client.example", "<1@client.example>")]
    assert numbers == [263586928994, 25262773262]
