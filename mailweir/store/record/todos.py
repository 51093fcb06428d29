"""To-dos: activities on users' lists until they are done. A removed user has none. Called by the command line."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from mailweir.errors import NotFound
from mailweir.sentence import said
from mailweir.store.database import rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse, parse_or_none, rfc3339
from mailweir.store.people.deployments import Deployment
from mailweir.store.record import activities
from mailweir.store.record.activities import Activity


@dataclass(frozen=True, slots=True)
class Todo:
    """An activity on a user's list. user: username. Times: UTC; done_at is None while it is open."""

    id: int
    deployment: str
    user: str
    activity: Activity
    created_at: datetime
    done_at: datetime | None


def select(database: Database, deployment: Deployment, user: str | None, *, with_done: bool) -> list[Todo]:
    """A deployment's to-dos, the newest first; of one user, if named. NotFound for an unknown user."""
    condition, values = "users.deployment_id = ?", [deployment.id]
    if user is not None:
        condition += " AND users.id = ?"
        values.append(_user_id(database, deployment, user))
    if not with_done:
        condition += " AND todos.done_at IS NULL"
    return _present(database, condition, values)


def finish(database: Database, todo_id: int, deployment: Deployment | None, now: datetime) -> Todo:
    """Finishes a to-do; a finished one stays unchanged. NotFound, also for a removed user's to-do."""
    condition, values = "todos.id = ?", [todo_id]
    if deployment is not None:
        condition += " AND users.deployment_id = ?"
        values.append(deployment.id)
    with database.transaction():
        found = _present(database, condition, values) if abs(todo_id) < 2**63 else []
        if not found:
            raise NotFound(
                said("there is no to-do {todo_id}; 'mailweir todo list' shows those that are open", todo_id=todo_id)
            )
        if found[0].done_at is not None:
            return found[0]
        database.execute("UPDATE todos SET done_at = ? WHERE id = ?", (rfc3339(now), todo_id))
        return replace(found[0], done_at=now)


def _user_id(database: Database, deployment: Deployment, username: str) -> int:
    sql = "SELECT id FROM users WHERE deployment_id = ? AND username = ? AND removed_at IS NULL"
    row = database.execute(sql, (deployment.id, username.lower())).fetchone()
    if row is None:
        raise NotFound(
            said(
                "unknown user '{username}' in {deployment}; 'mailweir user list' shows them",
                username=username,
                deployment=deployment.name,
            )
        )
    return int(row[0])


def _present(database: Database, condition: str, values: Sequence[int]) -> list[Todo]:
    """The to-dos of users who aren't removed, the newest first."""
    sql = (
        "SELECT todos.id, todos.activity_id, users.username, todos.created_at, todos.done_at FROM todos"
        f" JOIN users ON users.id = todos.user_id WHERE users.removed_at IS NULL AND {condition} ORDER BY todos.id DESC"
    )
    listed = rows.named(database.execute(sql, values))
    found = activities.load(database, list({row["activity_id"]: None for row in listed}))
    return [
        Todo(
            id=row["id"],
            deployment=found[row["activity_id"]].deployment,
            user=row["username"],
            activity=found[row["activity_id"]],
            created_at=parse(row["created_at"]),
            done_at=parse_or_none(row["done_at"]),
        )
        for row in listed
        if row["activity_id"] in found
    ]
