"""Rows as dicts by the names of their columns. After a change of a long SELECT, a position would silently mean another column.

Each column of the SELECT needs a unique name: a plain column's, or an alias by AS. Called by the rest of the store.
"""

from typing import Any

Row = dict[str, Any]


def named(cursor: Any) -> list[Row]:
    """All rows of a cursor. ValueError if two columns have one name."""
    names = [column[0] for column in cursor.description]
    if len(set(names)) < len(names):
        raise ValueError(f"two columns of a query have one name: {', '.join(names)}")
    return [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]


def first(cursor: Any) -> Row | None:
    """The first row, or None."""
    found = named(cursor)
    return found[0] if found else None
