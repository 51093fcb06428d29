"""Many rows in few statements: plain SQL in batches, alike on both databases.

Called by `contacts`, `contact_changes` and `contact_import`.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from mailweir.store.connection import Database

MAX_ROWS = 500  # of one statement; SQLite takes 32,766 values


def insert(
    database: Database, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], ending: str = ""
) -> list[tuple[Any, ...]]:
    """Inserts rows; what an `ending` that is RETURNING gives, in no sure order."""
    marks = f"({', '.join('?' * len(columns))})"
    found: list[tuple[Any, ...]] = []
    left = iter(rows)
    while part := list(islice(left, MAX_ROWS)):
        values = [value for row in part for value in row]
        sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join([marks] * len(part))} {ending}"
        cursor = database.execute(sql, values)
        if ending.startswith("RETURNING"):  # psycopg has nothing to fetch without it, and says so
            found += cursor.fetchall()
    return found


def among(database: Database, sql: str, first: Sequence[Any], values: Collection[Any]) -> Iterator[tuple[Any, ...]]:
    """The rows of a query whose `{}` stands for the values, after the parameters `first`."""
    left = iter(values)
    while part := list(islice(left, MAX_ROWS)):
        yield from database.execute(sql.replace("{}", ",".join("?" * len(part))), (*first, *part)).fetchall()


def change(database: Database, sql: str, first: Sequence[Any], values: Collection[Any]) -> None:
    """Runs a statement whose `{}` stands for the values, after the parameters `first`."""
    left = iter(values)
    while part := list(islice(left, MAX_ROWS)):
        database.execute(sql.replace("{}", ",".join("?" * len(part))), (*first, *part))
