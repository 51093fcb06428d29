"""Statements that use an index, whatever plan PostgreSQL would choose. SQLite needs no settings for that.

PostgreSQL would read a whole table if it expects a step to read a large part of it. For a range that looks long, it would also
start other processes, although the step ends after a few ids; starting them alone takes 20 ms. Called by `walking`, `id_ranges`,
`monthly`, `decision_search`, `decision_pages`, `forwarded_days`, `user_routes` and `overview`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from mailweir.store.database.connection import Database

_OFF = ("enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin", "jit")
# A look-up in an index in memory costs as much as reading some 20 neighbouring entries; PostgreSQL's defaults assume 200. Each
# statement gets its own plan, because the best plan depends on the lengths of the ranges.
_TO_MERGE = {
    "enable_mergejoin": "on",
    "random_page_cost": "0.1",
    "plan_cache_mode": "force_custom_plan",
}
_BY_INDEX = {**dict.fromkeys(_OFF, "off"), "max_parallel_workers_per_gather": "0"}
_MERGING = {**_BY_INDEX, **_TO_MERGE}
# `true`: only until the transaction ends
_SET = "SELECT " + ", ".join(f"set_config('{name}', '{value}', true)" for name, value in _BY_INDEX.items())
_SET_TO_MERGE = "SELECT " + ", ".join(f"set_config('{name}', '{value}', true)" for name, value in _MERGING.items())


@contextmanager
def all_of_these(database: Database) -> Iterator[None]:
    """Makes each statement of the block use an index; the block is one transaction on PostgreSQL."""
    if database.is_sqlite:
        yield
        return
    with database.transaction(alone=False):
        database.execute(_SET)
        yield


def rows(database: Database, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """All rows of one statement. It travels with the settings, and the server runs both in one transaction.
    DatabaseUnavailable."""
    if database.is_sqlite:
        return list(database.execute(sql, parameters).fetchall())
    with database.at_once():
        database.execute(_SET)
        cursor = database.execute(sql, parameters)
    return list(cursor.fetchall())


def merged_rows(database: Database, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """As `rows`, for ranges that are compared with each other: PostgreSQL reads them side by side, or looks up each entry of one
    in the other, whichever costs less. DatabaseUnavailable."""
    if database.is_sqlite:
        return list(database.execute(sql, parameters).fetchall())
    with database.at_once():
        database.execute(_SET_TO_MERGE)
        cursor = database.execute(sql, parameters)
    return list(cursor.fetchall())
