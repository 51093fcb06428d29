"""Many rows in few statements: plain SQL in batches, alike on both databases. Called by the rest of the store."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from mailweir.store.database.connection import Database

MAX_ROWS = 500  # of one statement; SQLite takes 32,766 values

_Value = TypeVar("_Value")


def parts(values: Iterable[_Value], size: int | None = None) -> Iterator[list[_Value]]:
    """So many at a time; None: as many as one statement takes."""
    left = iter(values)
    while part := list(islice(left, size or MAX_ROWS)):
        yield part


def insert(
    database: Database, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], ending: str = ""
) -> list[tuple[Any, ...]]:
    """Inserts rows; what an `ending` that is RETURNING gives, in no sure order."""
    marks = f"({', '.join('?' * len(columns))})"
    found: list[tuple[Any, ...]] = []
    for part in parts(rows):
        values = [value for row in part for value in row]
        sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join([marks] * len(part))} {ending}"
        cursor = database.execute(sql, values)
        if ending.startswith("RETURNING"):  # psycopg has nothing to fetch without it, and says so
            found += cursor.fetchall()
    return found


def update(database: Database, table: str, key: str, columns: Mapping[str, str], rows: Iterable[Sequence[Any]]) -> None:
    """Changes rows, each to values of its own. columns: by name, what PostgreSQL is to take a value for (it can't tell where all
    are NULL). rows: the key, an integer, then a value for each column; a key stands once."""
    casts = ", ".join(f"{name} = CAST(new.v{at} AS {kind})" for at, (name, kind) in enumerate(columns.items()))
    named = ", ".join(f"v{at}" for at in range(len(columns)))
    marks = f"({', '.join('?' * (1 + len(columns)))})"
    for part in parts(rows):
        sql = f"WITH new (k, {named}) AS (VALUES {', '.join([marks] * len(part))}) UPDATE {table} SET {casts} FROM new"
        database.execute(f"{sql} WHERE {table}.{key} = new.k", [value for row in part for value in row])


def among(database: Database, sql: str, first: Sequence[Any], values: Collection[Any]) -> Iterator[tuple[Any, ...]]:
    """The rows of a query whose `{}` stands for the values, after the parameters `first`."""
    for part in parts(values):
        yield from database.execute(sql.replace("{}", ",".join("?" * len(part))), (*first, *part)).fetchall()


def of_ids(database: Database, sql: str, ids: Sequence[int], first: Sequence[Any] = ()) -> tuple[str, list[Any]]:
    """A query whose `IN ({})` stands for these ids, after the parameters `first`, as it is executed. Of no more ids than one
    statement takes (`MAX_ROWS`).

    PostgreSQL gets them as one value. So it plans a statement once for any number of them, and the driver makes one value.
    """
    if database.is_sqlite:
        return sql.replace("{}", ",".join("?" * len(ids))), [*first, *ids]
    return sql.replace("IN ({})", "= ANY(CAST(? AS BIGINT[]))"), [*first, f"{{{','.join(map(str, ids))}}}"]


def change(database: Database, sql: str, first: Sequence[Any], values: Collection[Any]) -> None:
    """Runs a statement whose `{}` stands for the values, after the parameters `first`."""
    for part in parts(values):
        database.execute(sql.replace("{}", ",".join("?" * len(part))), (*first, *part))
