"""Many rows in few statements: plain SQL in batches, the same on both databases. Called by the rest of the store."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from mailweir.store.database.connection import Database

MAX_ROWS = 500  # of one statement; SQLite takes 32,766 values

_Value = TypeVar("_Value")


def parts(values: Iterable[_Value], size: int | None = None) -> Iterator[list[_Value]]:
    """Yields the values in lists of this size; None: as many as one statement takes."""
    left = iter(values)
    while part := list(islice(left, size or MAX_ROWS)):
        yield part


def insert(
    database: Database, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], ending: str = ""
) -> list[tuple[Any, ...]]:
    """Inserts rows. If the `ending` is RETURNING, returns its rows, in no guaranteed order."""
    marks = f"({', '.join('?' * len(columns))})"
    found: list[tuple[Any, ...]] = []
    for part in parts(rows):
        values = [value for row in part for value in row]
        sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join([marks] * len(part))} {ending}"
        cursor = database.execute(sql, values)
        if ending.startswith("RETURNING"):  # without it psycopg has nothing to fetch, and raises an error
            found += cursor.fetchall()
    return found


def update(database: Database, table: str, key: str, columns: Mapping[str, str], rows: Iterable[Sequence[Any]]) -> None:
    """Updates rows, each to its own values. columns: each name with its type, which PostgreSQL can't infer if all values are
    NULL. rows: the key, an integer, then a value for each column; each key once."""
    casts = ", ".join(f"{name} = CAST(new.v{at} AS {kind})" for at, (name, kind) in enumerate(columns.items()))
    named = ", ".join(f"v{at}" for at in range(len(columns)))
    marks = f"({', '.join('?' * (1 + len(columns)))})"
    for part in parts(rows):
        sql = f"WITH new (k, {named}) AS (VALUES {', '.join([marks] * len(part))}) UPDATE {table} SET {casts} FROM new"
        database.execute(f"{sql} WHERE {table}.{key} = new.k", [value for row in part for value in row])


def among(database: Database, sql: str, first: Sequence[Any], values: Collection[Any]) -> Iterator[tuple[Any, ...]]:
    """Yields the rows of a query that has the values in place of `{}`. first: the parameters before the values."""
    for part in parts(values):
        yield from database.execute(sql.replace("{}", ",".join("?" * len(part))), (*first, *part)).fetchall()


def of_ids(database: Database, sql: str, ids: Sequence[int], first: Sequence[Any] = ()) -> tuple[str, list[Any]]:
    """The SQL and the parameters of a query that has these ids in place of `IN ({})`. first: the parameters before the ids. At
    most `MAX_ROWS` ids.

    PostgreSQL gets the ids as one value. So it plans a statement once for any number of ids, and the driver makes one value.
    """
    if database.is_sqlite:
        return sql.replace("{}", ",".join("?" * len(ids))), [*first, *ids]
    return sql.replace("IN ({})", "= ANY(CAST(? AS BIGINT[]))"), [*first, f"{{{','.join(map(str, ids))}}}"]


def change(database: Database, sql: str, first: Sequence[Any], values: Collection[Any]) -> None:
    """Runs a statement that has the values in place of `{}`. first: the parameters before the values."""
    for part in parts(values):
        database.execute(sql.replace("{}", ",".join("?" * len(part))), (*first, *part))
