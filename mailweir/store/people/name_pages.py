"""A page of a list that is ordered by name: the rows after or before a shown row. Never writes.

Uses the index of names, so the database doesn't count, sort or skip rows. Called by `contact_lists` and `company_lists`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from mailweir.store.database import rows
from mailweir.store.database.connection import Database
from mailweir.store.database.rows import Row

MAX_LIMIT = 200


class Place(NamedTuple):
    """A place in the list: the name in lower case, as the database makes it, and the id."""

    name: str
    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NamePage:
    """rows: by name. after, before: the ids for the next requests, None if there are no more."""

    rows: list[Row]
    after: int | None = None
    before: int | None = None


def read(
    database: Database,
    begin: str,
    condition: str,
    values: Sequence[Any],
    *,
    beside: Place | None,
    is_back: bool,
    limit: int,
) -> NamePage:
    """A page of rows that fulfil the condition. begin: the SELECT up to WHERE; its table is `c`. beside: the last shown row, or
    with is_back the first shown one; None for the first page. limit: 1 to MAX_LIMIT, else ValueError. DatabaseUnavailable."""
    if not 1 <= limit <= MAX_LIMIT:
        raise ValueError(f"a page has 1 to {MAX_LIMIT} rows")
    order, beyond = ("DESC", "<") if is_back else ("ASC", ">")
    place, of_place = "", []
    if beside is not None:
        # The first condition limits the index scan on both databases.
        place = f" AND LOWER(c.name) {beyond}= ? AND (LOWER(c.name), c.id) {beyond} (?, ?)"
        of_place = [beside.name, *beside]
    sql = f"{begin} WHERE {condition}{place} ORDER BY LOWER(c.name) {order}, c.id {order} LIMIT ?"
    found = rows.named(database.execute(sql, (*values, *of_place, limit + 1)))
    shown = found[:limit][::-1] if is_back else found[:limit]
    is_more = len(found) > limit
    return NamePage(
        rows=shown,
        after=shown[-1]["id"] if shown and (is_more or is_back) else None,
        before=shown[0]["id"] if shown and (is_more if is_back else beside is not None) else None,
    )


def within(number: int) -> int:
    """The number, clamped to the databases' range of ids."""
    return min(max(number, 0), 2**63 - 1)
