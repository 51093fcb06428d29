"""The log of changes on the page or by the command line, with authors and times. It has no secrets, and no text of a mail.

`what` is a stable key, such as `contact.added`, which the page shows in words. Called by the page, from each form that changes
something an admin would ask about, and by the command line (`admin_cli.change_notes`).
"""

from dataclasses import dataclass
from datetime import datetime

from mailweir.store.database import rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse, rfc3339

COMMAND_LINE = "command line: "  # before the login name of the person who ran a command; no account can have this name
MAX_CHARS = 500  # of a subject and of a detail; longer ones are cut


@dataclass(frozen=True, slots=True)
class Change:
    """One change. changed_by: an account's name, or COMMAND_LINE and a login's. subject: the name of the changed object. detail:
    the change, or "". Times: UTC."""

    id: int
    changed_by: str
    changed_at: datetime
    what: str
    subject: str
    detail: str


def note(
    database: Database,
    deployment_id: int | None,
    changed_by: str,
    what: str,
    subject: str,
    detail: str,
    now: datetime,
) -> None:
    """Records a change, within the caller's transaction or in its own. deployment_id: None for changes outside of deployments,
    such as an operator's account."""
    sql = "INSERT INTO change_log (deployment_id, changed_by, changed_at, what, subject, detail) VALUES (?, ?, ?, ?, ?, ?)"
    with database.transaction(alone=False):
        database.execute(sql, (deployment_id, changed_by, rfc3339(now), what, _cut(subject), _cut(detail)))


def select(database: Database, deployment_id: int | None, before: int | None, limit: int) -> list[Change]:
    """A deployment's changes, or with None those outside of deployments; the newest first. before: those with a smaller id."""
    bound = "" if before is None else "AND id < ?"
    values = () if before is None else (before,)
    columns = "SELECT id, changed_by, changed_at, what, subject, detail FROM change_log"
    if deployment_id is None:
        sql = f"{columns} WHERE deployment_id IS NULL {bound} ORDER BY id DESC LIMIT ?"
        found = database.execute(sql, (*values, limit))
    else:
        sql = f"{columns} WHERE deployment_id = ? {bound} ORDER BY id DESC LIMIT ?"
        found = database.execute(sql, (deployment_id, *values, limit))
    return [Change(**{**row, "changed_at": parse(row["changed_at"])}) for row in rows.named(found)]


def _cut(text: str) -> str:
    return text if len(text) <= MAX_CHARS else text[: MAX_CHARS - 1] + "…"
