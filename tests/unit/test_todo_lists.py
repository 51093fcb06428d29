"""A user's to-dos in pages, many of them finished at once and reopened: only the user's own."""

from datetime import datetime, timedelta

import pytest

from mailweir.errors import BadInput, NotFound
from mailweir.store.database.connection import Database
from mailweir.store.people import contacts, deployments, users
from mailweir.store.people.deployments import Deployment
from mailweir.store.record import todo_lists
from mailweir.store.record.todo_lists import DonePlace
from tests.conftest import Record

JANE = "jane@client.example"


@pytest.fixture
def demo(database: Database, record: Record, now: datetime) -> Deployment:
    """richard (1) has the to-dos of seven mails, anna (2) of two; another firm's richard (3) has one."""
    made = deployments.add(database, "demo", "demo.example.net", now)
    other = deployments.add(database, "other", "other.example.net", now)
    users.add(database, made, "richard", "richard@example.com", "", now)
    users.add(database, made, "anna", "anna@example.com", "", now)
    users.add(database, other, "richard", "richard@else.example", "", now)
    for tenant in (made, other):
        contacts.add(database, tenant, "Jane", [JANE], None, now)
    for number in range(1, 8):
        record("demo", "richard", JANE, number=number)
    for number in (8, 9):
        record("demo", "anna", JANE, number=number)
    record("other", "richard", JANE, number=10)
    return made


def _open(database: Database, demo: Deployment, user_id: int, *, oldest_first: bool = False) -> list[int]:
    """The ids on all pages."""
    page = todo_lists.open_ones(database, demo, user_id, oldest_first=oldest_first, limit=3)
    found = [one.id for one in page.todos]
    while page.further is not None:
        page = todo_lists.open_ones(database, demo, user_id, oldest_first=oldest_first, after=page.further, limit=3)
        found += [one.id for one in page.todos]
    return found


def _done(database: Database, demo: Deployment, user_id: int, limit: int = 2) -> list[int]:
    page = todo_lists.done_ones(database, demo, user_id, limit=limit)
    found = [one.id for one in page.todos]
    while page.further is not None:
        page = todo_lists.done_ones(database, demo, user_id, before=page.further, limit=limit)
        found += [one.id for one in page.todos]
    return found


def test_open_ones_by_page(database: Database, demo: Deployment) -> None:
    assert _open(database, demo, 1, oldest_first=True) == [1, 2, 3, 4, 5, 6, 7]
    assert _open(database, demo, 1) == [7, 6, 5, 4, 3, 2, 1]
    assert _open(database, demo, 2) == [9, 8]
    (first, *_) = todo_lists.open_ones(database, demo, 1).todos
    assert (first.user, first.deployment, first.activity.author, first.done_at) == ("richard", "demo", JANE, None)


def test_many_are_done_at_once_and_undone(database: Database, demo: Deployment, now: datetime) -> None:
    assert todo_lists.finish_many(database, demo, 1, [3, 5, 3], now) == [3, 5]
    assert todo_lists.finish_many(database, demo, 1, [5, 6], now + timedelta(hours=1)) == [6]
    assert _open(database, demo, 1) == [7, 4, 2, 1]
    assert _done(database, demo, 1) == [6, 5, 3], "the last finished comes first; at the same time, by id"
    assert todo_lists.reopen_many(database, demo, 1, [5, 7]) == [5]
    assert (_open(database, demo, 1), _done(database, demo, 1)) == ([7, 5, 4, 2, 1], [6, 3])


def test_done_at_one_moment_are_in_pages_once(database: Database, demo: Deployment, now: datetime) -> None:
    todo_lists.finish_many(database, demo, 1, range(1, 8), now)
    assert _done(database, demo, 1, limit=3) == [7, 6, 5, 4, 3, 2, 1]


def test_nobody_changes_anothers(database: Database, demo: Deployment, now: datetime) -> None:
    assert todo_lists.finish_many(database, demo, 1, [8, 9, 10, -1, 0, 10**30], now) == []
    todo_lists.finish_many(database, demo, 2, [8], now)
    assert todo_lists.reopen_many(database, demo, 1, [8]) == []
    assert _done(database, demo, 2) == [8]
    assert database.execute("SELECT id FROM todos WHERE done_at IS NOT NULL").fetchall() == [(8,)]


@pytest.mark.parametrize("user_id", [3, 99, 0, 10**30])
def test_another_deployments_user_is_unknown(database: Database, demo: Deployment, user_id: int, now: datetime) -> None:
    for attempt in (
        lambda: todo_lists.open_ones(database, demo, user_id),
        lambda: todo_lists.done_ones(database, demo, user_id),
        lambda: todo_lists.finish_many(database, demo, user_id, [10], now),
        lambda: todo_lists.reopen_many(database, demo, user_id, [10]),
    ):
        with pytest.raises(NotFound, match=f"there is no user {user_id} in demo"):
            attempt()
    assert database.execute("SELECT id FROM todos WHERE done_at IS NOT NULL").fetchall() == []


def test_a_removed_user_has_none(database: Database, demo: Deployment, now: datetime) -> None:
    users.remove(database, demo, "anna", now)
    with pytest.raises(NotFound):
        todo_lists.open_ones(database, demo, 2)


def test_what_is_too_much_or_too_large_is_refused(database: Database, demo: Deployment, now: datetime) -> None:
    with pytest.raises(BadInput, match="501 to-dos are too many at once: name at most 500"):
        todo_lists.finish_many(database, demo, 1, range(501), now)
    for limit in (0, 201):
        with pytest.raises(ValueError, match="1 to 200"):
            todo_lists.open_ones(database, demo, 1, limit=limit)
        with pytest.raises(ValueError, match="1 to 200"):
            todo_lists.done_ones(database, demo, 1, limit=limit)


def test_a_place_of_any_size_is_taken(database: Database, demo: Deployment, now: datetime) -> None:
    todo_lists.finish_many(database, demo, 1, [1], now)
    assert todo_lists.open_ones(database, demo, 1, after=-1).todos == ()
    assert len(todo_lists.open_ones(database, demo, 1, after=10**30).todos) == 6
    assert len(todo_lists.done_ones(database, demo, 1, before=DonePlace(now, 10**30)).todos) == 1
    assert todo_lists.done_ones(database, demo, 1, before=DonePlace(now, -1)).todos == ()
