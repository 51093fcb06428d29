"""To-dos: activities on users' lists until they are done. A removed user has none. Called by the command line."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mailweir.errors import NotFound
from mailweir.store import activities, models
from mailweir.store.activities import Activity
from mailweir.store.connection import Database
from mailweir.store.deployments import Deployment
from mailweir.store.moments import rfc3339


@dataclass(frozen=True, slots=True)
class Todo:
    """An activity on a user's list. user: username. Times: RFC 3339, UTC; done_at is None while it is open."""

    id: int
    deployment: str
    user: str
    activity: Activity
    created_at: str
    done_at: str | None


def select(database: Database, deployment: Deployment, user: str | None, *, with_done: bool) -> list[Todo]:
    """A deployment's to-dos, the newest first; of one user where one is named. NotFound for an unknown user."""
    with database.bound():
        query = _present().where(models.User.deployment == deployment.id)
        if user is not None:
            query = query.where(models.User.id == _user_id(deployment, user))
        if not with_done:
            query = query.where(models.Todo.done_at.is_null())
        return _plain(database, list(query.order_by(models.Todo.id.desc())))


def finish(database: Database, todo_id: int, deployment: Deployment | None, now: datetime) -> Todo:
    """Takes a to-do off the list; one that is done stays as it is. NotFound, also for a removed user's."""
    with database.bound(), database.transaction():
        query = _present().where(models.Todo.id == todo_id)
        if deployment is not None:
            query = query.where(models.User.deployment == deployment.id)
        row = query.first() if abs(todo_id) < 2**63 else None
        if row is None:
            raise NotFound(f"there is no to-do {todo_id}; 'mailweir todo list' shows those that are open")
        if row.done_at is None:
            row.done_at = rfc3339(now)
            models.Todo.update(done_at=row.done_at).where(models.Todo.id == todo_id).execute()
        return _plain(database, [row])[0]


def _present() -> Any:
    query = models.Todo.select(models.Todo, models.User.id, models.User.username).join(models.User)
    return query.where(models.User.removed_at.is_null())


def _user_id(deployment: Deployment, username: str) -> int:
    named = (models.User.deployment == deployment.id) & (models.User.username == username.lower())
    row = models.User.get_or_none(named & models.User.removed_at.is_null())
    if row is None:
        raise NotFound(f"unknown user '{username}' in {deployment.name}; 'mailweir user list' shows them")
    return int(row.id)


def _plain(database: Database, rows: list[Any]) -> list[Todo]:
    found = activities.load(database, list({row.activity_id: None for row in rows}))
    return [
        Todo(
            row.id,
            found[row.activity_id].deployment,
            row.user.username,
            found[row.activity_id],
            row.created_at,
            row.done_at,
        )
        for row in rows
    ]
