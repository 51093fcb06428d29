"""A user's to-dos as a page lists them, and the actions on many at once: finish, and reopen.

Each statement has the user as a condition, so it shows or changes only the user's own to-dos, whatever ids are given. The next
page begins after the last to-do of this page, and the previous page ends before the first to-do of this page. Called by the web
page.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from mailweir.errors import BadInput, NotFound
from mailweir.sentence import said
from mailweir.store.database import batches, rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse, parse_or_none, rfc3339
from mailweir.store.people.deployments import Deployment
from mailweir.store.record import activities
from mailweir.store.record.todos import Todo
from mailweir.store.record.visibility import Reader

MAX_LIMIT = 200
MAX_AT_ONCE = batches.MAX_ROWS
_COLUMNS = "SELECT id, activity_id, created_at, done_at FROM todos"


class DonePlace(NamedTuple):
    """A place in the list of finished to-dos: the time, UTC, and the id."""

    done_at: datetime
    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPage:
    """further: the `after` of the next page; back: the `before` of the previous page. None if there is no such page."""

    todos: tuple[Todo, ...]
    further: int | None = None
    back: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DonePage:
    """further: the `before` of the next page; back: the `after` of the previous page. None if there is no such page."""

    todos: tuple[Todo, ...]
    further: DonePlace | None = None
    back: DonePlace | None = None


def open_ones(
    database: Database,
    deployment: Deployment,
    user_id: int,
    *,
    oldest_first: bool = False,
    after: int | None = None,
    before: int | None = None,
    limit: int = 50,
) -> OpenPage:
    """A user's open to-dos, the newest first, or the oldest first. after: the id of the previous page's last to-do. before: the
    id of the next page's first to-do.

    limit: 1 to MAX_LIMIT. ValueError for another limit, or if both `after` and `before` are given. NotFound if the user is
    another deployment's or removed.
    """
    if after is not None and before is not None:
        raise ValueError("a page is asked for by `after` or by `before`")
    username = _username(database, deployment, user_id)
    is_open = _Walk(database, f"{_COLUMNS} WHERE user_id = ? AND done_at IS NULL", (user_id,), "id", oldest_first)
    place = before if before is not None else after
    found, further, back = is_open.page(
        None if place is None else (_within(place),), _checked(limit), before is not None
    )
    return OpenPage(
        todos=_presented(database, deployment, user_id, username, found),
        further=further["id"] if further else None,
        back=back["id"] if back else None,
    )


def done_ones(
    database: Database,
    deployment: Deployment,
    user_id: int,
    *,
    before: DonePlace | None = None,
    after: DonePlace | None = None,
    limit: int = 50,
) -> DonePage:
    """A user's finished to-dos, the last finished first. before: the place of the previous page's last to-do. after: the place of
    the next page's first to-do.

    limit: 1 to MAX_LIMIT. ValueError for another limit, or if both `after` and `before` are given. NotFound if the user is
    another deployment's or removed.
    """
    if after is not None and before is not None:
        raise ValueError("a page is asked for by `after` or by `before`")
    username = _username(database, deployment, user_id)
    sql = f"{_COLUMNS} WHERE user_id = ? AND done_at IS NOT NULL"
    is_done = _Walk(database, sql, (user_id,), "done_at, id", oldest_first=False)
    place = after if after is not None else before
    values = None if place is None else (rfc3339(place.done_at), _within(place.id))
    found, further, back = is_done.page(values, _checked(limit), after is not None)
    return DonePage(
        todos=_presented(database, deployment, user_id, username, found),
        further=_done_place(further),
        back=_done_place(back),
    )


def _done_place(row: rows.Row | None) -> DonePlace | None:
    return DonePlace(parse(row["done_at"]), row["id"]) if row else None


class _Walk:
    """A list that is read in both directions by an index. key: the columns that define a place."""

    def __init__(self, database: Database, sql: str, values: tuple[Any, ...], key: str, oldest_first: bool) -> None:
        self._database = database
        self._sql = sql
        self._values = values
        self._key = key
        self._oldest_first = oldest_first

    def page(
        self, place: tuple[Any, ...] | None, limit: int, is_back: bool
    ) -> tuple[list[rows.Row], rows.Row | None, rows.Row | None]:
        """The rows after a place, or before it; and the rows that define the next and the previous page, None if there are
        none."""
        found = self._beyond(place, limit + 1, is_back)
        is_more, shown = len(found) > limit, found[:limit]
        if is_back:
            shown.reverse()
        if not shown:
            return [], None, None
        others = place is not None and bool(self._beyond(self._place(shown[-1 if is_back else 0]), 1, not is_back))
        further, back = (others, is_more) if is_back else (is_more, others)
        return shown, shown[-1] if further else None, shown[0] if back else None

    def _place(self, row: rows.Row) -> tuple[Any, ...]:
        return tuple(row[name] for name in self._key.split(", "))

    def _beyond(self, place: tuple[Any, ...] | None, count: int, is_back: bool) -> list[rows.Row]:
        order, beyond = ("ASC", ">") if self._oldest_first != is_back else ("DESC", "<")
        key, marks = self._key, ", ".join("?" * len(place or ()))
        further = "" if place is None else f" AND ({key}) {beyond} ({marks})"
        # Sorted by all columns of the index: PostgreSQL doesn't notice that one of them is constant.
        ending = f" ORDER BY user_id {order}, done_at {order}, id {order} LIMIT ?"
        values = (*self._values, *(place or ()), count)
        return list(rows.named(self._database.execute("".join((self._sql, further, ending)), values)))


def finish_many(
    database: Database, deployment: Deployment, user_id: int, todo_ids: Sequence[int], now: datetime
) -> list[int]:
    """Finishes the given to-dos that are the user's own and open; returns their ids, for `reopen_many`.

    BadInput for more than MAX_AT_ONCE. NotFound if the user is another deployment's or removed.
    """
    done = "UPDATE todos SET done_at = ? WHERE user_id = ? AND done_at IS NULL AND id IN ({}) RETURNING id"
    return _change(database, deployment, user_id, todo_ids, done, (rfc3339(now), user_id))


def reopen_many(database: Database, deployment: Deployment, user_id: int, todo_ids: Sequence[int]) -> list[int]:
    """Reopens the given to-dos that are the user's own and done; returns their ids. Errors as in `finish_many`."""
    undone = "UPDATE todos SET done_at = NULL WHERE user_id = ? AND done_at IS NOT NULL AND id IN ({}) RETURNING id"
    return _change(database, deployment, user_id, todo_ids, undone, (user_id,))


def of_activity(
    database: Database, deployment: Deployment, user_id: int, activity_id: int
) -> tuple[int, datetime | None] | None:
    """A user's to-do for an activity: (its id, the time when it was done, or None while it is open). None if there is no
    to-do."""
    sql = (
        "SELECT t.id, t.done_at FROM todos t JOIN users u ON u.id = t.user_id"
        " WHERE t.user_id = ? AND t.activity_id = ? AND u.deployment_id = ? AND u.removed_at IS NULL"
    )
    values = (_within(user_id), _within(activity_id), deployment.id)
    row = database.execute(sql, values).fetchone()
    return (row[0], parse_or_none(row[1])) if row else None


def _change(
    database: Database,
    deployment: Deployment,
    user_id: int,
    todo_ids: Sequence[int],
    sql: str,
    first: tuple[Any, ...],
) -> list[int]:
    if len(todo_ids) > MAX_AT_ONCE:
        raise BadInput(
            said(
                "{number} to-dos are too many at once: name at most {most}",
                number=len(todo_ids),
                most=MAX_AT_ONCE,
            )
        )
    possible = sorted({one for one in todo_ids if 0 < one < 2**63})
    with database.transaction():
        _username(database, deployment, user_id)
        return sorted(row[0] for row in batches.among(database, sql, first, possible))


def _username(database: Database, deployment: Deployment, user_id: int) -> str:
    sql = "SELECT username FROM users WHERE id = ? AND deployment_id = ? AND removed_at IS NULL"
    row = database.execute(sql, (_within(user_id), deployment.id)).fetchone()
    if row is None:
        raise NotFound(said("there is no user {user_id} in {deployment}", user_id=user_id, deployment=deployment.name))
    return str(row[0])


def _presented(
    database: Database, deployment: Deployment, user_id: int, username: str, found: Sequence[rows.Row]
) -> tuple[Todo, ...]:
    """The to-dos, each with its activity as the user may see it (law 13)."""
    wanted = list(dict.fromkeys(row["activity_id"] for row in found))
    reader = Reader(deployment.id, (user_id,))
    shown = {one.id: one for one in activities.shown_to(database, deployment, reader, wanted)}
    return tuple(
        Todo(
            id=row["id"],
            deployment=deployment.name,
            user=username,
            activity=shown[row["activity_id"]],
            created_at=parse(row["created_at"]),
            done_at=parse_or_none(row["done_at"]),
        )
        for row in found
        if row["activity_id"] in shown
    )


def _checked(limit: int) -> int:
    if not 1 <= limit <= MAX_LIMIT:
        raise ValueError(f"a page has 1 to {MAX_LIMIT} to-dos")
    return limit


def _within(number: int) -> int:
    """Clamps the number to the databases' range."""
    return min(max(number, 0), 2**63 - 1)
