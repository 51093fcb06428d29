"""The number of a text is the same in Python and in both databases."""

from contextlib import closing

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mailweir.database_url import DatabaseUrl
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


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TEXTS)
@example(text="")
@example(text="\U0010ffff" * 40)
@example(text="jane@client.example" * 3)
def test_an_address_is_found_by_its_number(database: Database, text: str) -> None:
    column = fingerprint.address_sql("t.word", is_sqlite=database.is_sqlite)
    asked, value = fingerprint.asked_address(text, is_sqlite=database.is_sqlite)
    sql = f"SELECT {column} = {asked}, {column} < ? FROM (SELECT CAST(? AS TEXT) AS word) AS t"
    assert database.execute(sql, (value, 2**63 - 1, text)).fetchone() == (True, True)


def test_numbered_addresses_of_one_domain_have_numbers_of_their_own(database: Database) -> None:
    addresses = [f"customer{number}@shop.example" for number in range(1_000, 3_000)]
    addresses += [
        f"{first}.{last}@client.example" for first in ("anna", "christopher") for last in ("miller", "mueller")
    ]
    column = fingerprint.address_sql("t.word", is_sqlite=database.is_sqlite)
    words = " UNION ALL ".join("SELECT CAST(? AS TEXT) AS word" for _ in range(400))
    numbers = {
        number
        for start in range(0, len(addresses), 400)
        for (number,) in database.execute(
            f"SELECT {column} FROM ({words}) AS t", (addresses[start : start + 400] + [""] * 400)[:400]
        ).fetchall()
    }
    assert len(numbers) == len(addresses) + 1  # and that of ""


def test_no_address_has_no_number(database: Database) -> None:
    column = fingerprint.address_sql("t.word", is_sqlite=database.is_sqlite)
    assert database.execute(f"SELECT {column} FROM (SELECT CAST(NULL AS TEXT) AS word) AS t").fetchone()[0] is None


def test_the_numbers_of_addresses_are_those_of_existing_indexes(postgresql_url: DatabaseUrl) -> None:
    """Other numbers take a migration that makes the indexes anew. PostgreSQL's function must stay as it is, too."""
    assert fingerprint.asked_address("jane@client.example", is_sqlite=True) == ("?", 4268657352841889260)
    asked, value = fingerprint.asked_address("jane@client.example", is_sqlite=False)
    with closing(Database(postgresql_url)) as database:
        assert database.execute(f"SELECT {asked}", (value,)).fetchone() == (-4390679373391923314,)
