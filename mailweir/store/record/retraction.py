"""Removes mail from the record: scheduled mail that was cancelled and is a draft again, and mail that a never-log rule hides.

Mail that another route has seen, too, stays. Called by the sync, within its transaction, and by `hidden_by_rule`; `erasing`
removes it from the files afterwards.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from mailweir.store.database.connection import Database
from mailweir.store.record import erasing, threads

# A to-do's user also has the activity in `activity_users`, which is indexed; so to-dos are found without reading a whole table.
_TODOS = (
    "DELETE FROM todos WHERE activity_id = ? AND user_id IN (SELECT user_id FROM activity_users WHERE activity_id = ?)"
)
# Tables whose rows refer to an activity, except to-dos and decisions; tables to which others refer come last.
OF_ACTIVITY = (
    "activity_threads",
    "activity_users",
    "activity_contacts",
    "sightings",
    "visibility_changes",
    "raw_messages",
)

_OF_VERSION = ("digest_queue", "attachments", "readings", "forwarded_versions")

# Tables whose rows refer to an activity or a version.
NAMING = frozenset({"todos", "decisions", "thread_message_ids", "search_texts", *_OF_VERSION, *OF_ACTIVITY})


class Because(NamedTuple):
    """Why mail isn't on the record: a reason of `decision`, and the rule in the form of `decisions.rule`."""

    reason: str
    rule: str


def rule_text(pattern: str, username: str | None) -> str:
    """A never-log rule in a decision's form."""
    return json.dumps([pattern, username])


def ends_examination(database: Database, deployment_id: int, source_id: str) -> bool:
    """Are all verdicts on this source's activity settled? If not, settles them as `none`; call this function and `retract` again
    later.

    The digest may be examining a version just now, and its result for a deleted version would have no activity.
    """
    pending = (
        "UPDATE raw_messages SET verdict = 'none' WHERE verdict = 'pending' AND activity_id IN"
        " (SELECT activity_id FROM decisions WHERE source_id = ? AND deployment_id = ?)"
    )
    return not database.fast_execute()(pending, (source_id, deployment_id)).rowcount


def end_examinations(database: Database, activity_ids: Sequence[int]) -> None:
    """Settles the pending verdicts on these activities as `none`. Call it within a transaction of its own, before `erase`."""
    marks = ",".join("?" * len(activity_ids))
    database.fast_execute()(
        f"UPDATE raw_messages SET verdict = 'none' WHERE verdict = 'pending' AND activity_id IN ({marks})",
        tuple(activity_ids),
    )


def retract(database: Database, deployment_id: int, source_id: str) -> int | None:
    """Removes this source from the record; returns the activity's id if nothing of it is left, otherwise None."""
    execute = database.fast_execute()
    row = execute(
        "SELECT activity_id FROM decisions WHERE source_id = ? AND deployment_id = ?", (source_id, deployment_id)
    ).fetchone()
    if row is None or row[0] is None:
        return None
    activity_id = int(row[0])
    execute("DELETE FROM decisions WHERE source_id = ? AND deployment_id = ?", (source_id, deployment_id))
    execute("DELETE FROM sightings WHERE activity_id = ? AND source_id = ?", (activity_id, source_id))
    if execute("SELECT 1 FROM sightings WHERE activity_id = ? LIMIT 1", (activity_id,)).fetchone():
        return None
    execute("DELETE FROM decisions WHERE activity_id = ?", (activity_id,))
    _forget(database, activity_id)
    return activity_id


def _forget(database: Database, activity_id: int) -> None:
    """Deletes all rows of an activity, except the decisions."""
    execute = database.fast_execute()
    if not database.is_sqlite:  # prevents the digest from queueing one of its versions again meanwhile
        execute("SELECT id FROM raw_messages WHERE activity_id = ? ORDER BY id FOR UPDATE", (activity_id,))
    erasing.forget_words(database, activity_id)  # before any other change may move a row, which leaves a copy behind
    threads.release(database, activity_id)
    execute("UPDATE activities SET leading_raw_id = NULL WHERE id = ?", (activity_id,))
    execute(_TODOS, (activity_id, activity_id))
    versions = "SELECT id FROM raw_messages WHERE activity_id = ?"
    execute(f"DELETE FROM digest_queue WHERE raw_id IN ({versions})", (activity_id,))
    execute(f"DELETE FROM attachments WHERE raw_id IN ({versions})", (activity_id,))
    execute(f"DELETE FROM readings WHERE raw_id IN ({versions})", (activity_id,))
    execute(f"DELETE FROM forwarded_versions WHERE raw_id IN ({versions})", (activity_id,))
    execute("DELETE FROM joined_activities WHERE activity_id = ? OR old_id = ?", (activity_id, activity_id))
    for table in OF_ACTIVITY:
        execute(f"DELETE FROM {table} WHERE activity_id = ?", (activity_id,))
    execute("DELETE FROM activities WHERE id = ?", (activity_id,))


# --- mail that a never-log rule hides, each within a transaction, under `unchecked` -----------------------------------


@contextmanager
def unchecked(database: Database) -> Iterator[None]:
    """Within this block, SQLite doesn't check whether other rows refer to deleted rows: there are no indexes for that, and
    reading whole tables would delay the filter. A test makes sure that all references are deleted before."""
    if not database.is_sqlite:
        yield
        return
    database.execute("PRAGMA foreign_keys = 0")
    try:
        yield
    finally:
        database.execute("PRAGMA foreign_keys = 1")


def erase(database: Database, activity_id: int, because: Because) -> None:
    """Removes an activity from the record with everything stored for it."""
    execute = _locked(database, activity_id)
    _ignore(execute, activity_id, "SELECT source_id FROM sightings WHERE activity_id = ?", (activity_id,), because)
    _forget(database, activity_id)


def take_off(database: Database, activity_id: int, user_id: int, because: Because) -> None:
    """Removes an activity from a user's record, with the user's own sightings. Others keep it."""
    execute = _locked(database, activity_id)
    alone = (
        "SELECT s.source_id FROM sightings s WHERE s.activity_id = ? AND NOT EXISTS (SELECT 1 FROM sightings o"
        " WHERE o.activity_id = s.activity_id AND o.source_id = s.source_id AND COALESCE(o.user_id, 0) <> ?)"
    )
    _ignore(execute, activity_id, alone, (activity_id, user_id), because)
    own = (activity_id, user_id)
    execute("DELETE FROM todos WHERE activity_id = ? AND user_id = ?", own)
    execute("DELETE FROM sightings WHERE activity_id = ? AND user_id = ?", own)
    execute("DELETE FROM activity_users WHERE activity_id = ? AND user_id = ?", own)


def leave_out(database: Database, activity_id: int, addresses: Sequence[str]) -> None:
    """Removes an activity from the record of the contacts with these addresses."""
    marks = ",".join("?" * len(addresses))
    _locked(database, activity_id)(
        f"DELETE FROM activity_contacts WHERE activity_id = ? AND address IN ({marks})", (activity_id, *addresses)
    )


def _locked(database: Database, activity_id: int) -> Callable[..., Any]:
    """Locks the activity first, as the recording of mail does."""
    execute = database.fast_execute()
    if not database.is_sqlite:
        execute("SELECT id FROM activities WHERE id = ? FOR UPDATE", (activity_id,))
    return execute


def _ignore(
    execute: Callable[..., Any], activity_id: int, sources: str, values: tuple[int, ...], because: Because
) -> None:
    execute(
        "UPDATE decisions SET outcome = 'ignored', reason = ?, rule = ?, activity_id = NULL"
        f" WHERE source_id IN ({sources}) AND activity_id = ?",
        (because.reason, because.rule, *values, activity_id),
    )
