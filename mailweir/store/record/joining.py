"""Joins a contact's mail that a user forwarded by hand with the author's own copy, which came later (decision 0036).

They are joined if the copy's author is proven (law 8), and if the copy agrees with the forward in everything: author, subject,
minute, each letter of the text, each file. Otherwise they stay two activities, so that two mails of one minute are never joined.
The older id survives; `joined` finds it by the other id. A pair is recorded in the transaction that writes the verdict or reading
by which it was found. It is joined in a transaction of its own, so a kill in between loses nothing. In plain SQL. Called by the
digest.
"""

import json
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from mailweir import subjects
from mailweir.errors import MailweirError
from mailweir.reading import agreement
from mailweir.store.database import batches, rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse_or_none, rfc3339
from mailweir.store.record import forwarded_versions, readings, retraction, threads, verdicts

_MOST_LOOKED_AT = 50
_DAY = timedelta(hours=14, minutes=1)  # the largest difference between a zone and UTC, and a minute


class _Side(NamedTuple):
    """An activity that may be the same mail as another one. own_id, named_ids: digests, in hex, of the Message-IDs that the
    leading version has and names."""

    id: int
    deployment_id: int
    author: str
    subject: str
    sent_at: datetime | None
    leading_raw_id: int
    is_proven: bool
    versions: int
    forwards: int
    own_id: str | None
    named_ids: frozenset[str]

    @property
    def is_forward(self) -> bool:
        """Did the activity only come as a forward by hand?"""
        return self.versions == self.forwards > 0


# --- recorded ---------------------------------------------------------------------------------------------------------


def note(database: Database, activity_ids: Collection[int]) -> bool:
    """Records pairs of activities that may be one mail. Call it within the transaction that wrote verdicts or readings of these
    activities. Is there a pair?"""
    sql = (
        "SELECT a.id FROM activities a WHERE a.id IN ({}) AND a.direction = 'incoming'"
        " AND EXISTS (SELECT 1 FROM forwarded_versions f WHERE f.author = a.author)"
    )
    found = [one for (one,) in batches.among(database, sql, (), sorted(set(activity_ids)))]
    pairs = {pair for one in found for pair in _pairs(database, one)}
    new = [(max(pair), min(pair), None) for pair in sorted(pairs)]
    columns = ("old_id", "activity_id", "joined_at")
    batches.insert(database, "joined_activities", columns, new, "ON CONFLICT (old_id) DO NOTHING")
    return bool(new)


def _pairs(database: Database, activity_id: int) -> Iterator[tuple[int, int]]:
    """The pair of a forward and the author's own mail to which this activity belongs, if there is one."""
    side = _side(database, activity_id)
    if side is None or not (side.is_forward or side.is_proven):
        return
    others = _own_copies(database, side) if side.is_forward else _forwards(database, side)
    for other_id in dict.fromkeys(others):
        other = _side(database, other_id)
        if other is not None:
            forward, own = (side, other) if side.is_forward else (other, side)
            if _fit(forward, own):
                yield forward.id, own.id
                return


def _forwards(database: Database, own: _Side) -> Iterator[int]:
    """Forwards of a mail that this author sent at this time, in any zone that the forwarder may have used, or without a time."""
    if own.sent_at is None:
        return
    of_author = (
        "SELECT r.activity_id FROM forwarded_versions f JOIN raw_messages r ON r.id = f.raw_id WHERE f.author = ?"
        " AND f.sent_at >= ? AND f.sent_at < ? ORDER BY f.raw_id LIMIT ?"
    )
    bounds = rfc3339(own.sent_at - _DAY), rfc3339(own.sent_at + _DAY)
    yield from (one for (one,) in database.execute(of_author, (own.author, *bounds, _MOST_LOOKED_AT)).fetchall())
    undated = (
        "SELECT r.activity_id FROM forwarded_versions f JOIN raw_messages r ON r.id = f.raw_id WHERE f.author = ?"
        " AND f.sent_at IS NULL ORDER BY f.raw_id DESC LIMIT ?"
    )
    yield from (one for (one,) in database.execute(undated, (own.author, _MOST_LOOKED_AT)).fetchall())


def _own_copies(database: Database, forward: _Side) -> Iterator[int]:
    """Possible own copies of a forwarded mail: by the ids that the forward names, then by the minute that it states."""
    sql = "SELECT held_by FROM thread_message_ids WHERE deployment_id = ? AND held_by IS NOT NULL AND id_digest IN ({})"
    ids = [bytes.fromhex(one) for one in sorted(forward.named_ids)]
    yield from (one for (one,) in batches.among(database, sql, (forward.deployment_id,), ids))
    if forward.sent_at is None:
        return
    minute = forward.sent_at.replace(second=0, microsecond=0)
    sql = (
        "SELECT a.id FROM activity_contacts mine JOIN activity_contacts p ON p.contact_id = mine.contact_id"
        " JOIN activities a ON a.id = p.activity_id WHERE mine.activity_id = ? AND a.sent_at >= ? AND a.sent_at < ?"
        " AND a.direction = 'incoming' ORDER BY a.id LIMIT ?"
    )
    bounds = rfc3339(minute), rfc3339(minute + timedelta(minutes=1))
    yield from (one for (one,) in database.execute(sql, (forward.id, *bounds, _MOST_LOOKED_AT)).fetchall())


def _side(database: Database, activity_id: int) -> _Side | None:
    """None if the activity isn't read yet or is unreadable, if its author is unknown, or if it isn't incoming."""
    row = rows.first(
        database.execute(
            "SELECT a.id, a.deployment_id, a.author, a.subject, a.sent_at, a.leading_raw_id, a.sender_verdict, d.thread_keys,"
            " (SELECT COUNT(*) FROM raw_messages r WHERE r.activity_id = a.id) AS versions,"
            " (SELECT COUNT(*) FROM raw_messages r JOIN forwarded_versions f ON f.raw_id = r.id WHERE r.activity_id = a.id)"
            " AS forwards FROM activities a JOIN readings d ON d.raw_id = a.leading_raw_id"
            " WHERE a.id = ? AND a.direction = 'incoming' AND a.by_known_thread = 0 AND d.thread_keys <> ''",
            (activity_id,),
        )
    )
    if row is None:
        return None
    own_id, in_reply_to, references, *_ = json.loads(row["thread_keys"])
    return _Side(
        *(row["id"], row["deployment_id"], row["author"], row["subject"], parse_or_none(row["sent_at"])),
        *(row["leading_raw_id"], row["sender_verdict"] == "pass", row["versions"], row["forwards"]),
        own_id,
        frozenset([*in_reply_to, *references]),
    )


def _fit(forward: _Side, own: _Side) -> bool:
    """Could `forward` be a forward of `own`, judging by the data of both?"""
    if not forward.is_forward or own.forwards or not own.is_proven or own.sent_at is None or forward.id == own.id:
        return False
    if (forward.deployment_id, forward.author) != (own.deployment_id, own.author):
        return False
    if not subjects.same(forward.subject, own.subject):
        return False
    is_named = own.own_id is not None and own.own_id in forward.named_ids
    return forwarded_versions.may_be_same_moment(own.sent_at, forward.sent_at, is_named=is_named)


# --- joined -----------------------------------------------------------------------------------------------------------


def work_off(database: Database, now: datetime) -> int:
    """Joins the recorded pairs, each in a transaction of its own, or drops those that aren't one mail; returns how many were
    joined. Errors: DatabaseUnavailable."""
    count = 0
    sql = "SELECT old_id, activity_id FROM joined_activities WHERE joined_at IS NULL ORDER BY old_id"
    for old_id, kept_id in database.execute(sql).fetchall():
        with retraction.unchecked(database), database.transaction(alone=False):
            verdicts.lock(database, [old_id, kept_id])
            old, kept = _side(database, old_id), _side(database, kept_id)
            if old is not None and kept is not None and _are_one(database, old, kept):
                _join(database, old, kept)
                done = "UPDATE joined_activities SET joined_at = ? WHERE old_id = ?"
                database.execute(done, (rfc3339(now), old_id))
                count += 1
            else:
                database.execute("DELETE FROM joined_activities WHERE old_id = ?", (old_id,))
    return count


def _are_one(database: Database, old: _Side, kept: _Side) -> bool:
    forward, own = (old, kept) if old.is_forward else (kept, old)
    if not _fit(forward, own):
        return False
    try:
        shown, whole = readings.read(database, forward.leading_raw_id), readings.read(database, own.leading_raw_id)
    except MailweirError:  # one is damaged in the database: then there is no evidence that they agree
        return False
    if shown is None or whole is None or shown.original is None:
        return False
    return agreement.is_same_text(
        whole.text, shown.text, shown.folds, shown.original.start
    ) and agreement.have_same_files(whole.attachments, shown.attachments)


def _join(database: Database, old: _Side, kept: _Side) -> None:
    """Moves everything from the old activity to the kept one, which gets the identity, time and Message-ID of the author's own
    mail."""
    execute = database.execute
    both = (kept.id, old.id)
    own = kept if old.is_forward else old
    row = execute("SELECT identity, sent_at, message_id FROM activities WHERE id = ?", (own.id,)).fetchone()
    execute(
        "UPDATE decisions SET activity_id = ? WHERE activity_id = ? AND source_id IN"
        " (SELECT source_id FROM sightings WHERE activity_id = ?)",
        (*both, old.id),
    )
    _put_todos_together(database, old.id, kept.id)
    _settle_visibility(database, old.id, kept.id)
    threads.put_together(database, kept.deployment_id, old=old.id, kept=kept.id, own=own.id)
    execute(
        "INSERT INTO activity_users (activity_id, user_id) SELECT ?, user_id FROM activity_users WHERE activity_id = ?"
        " ON CONFLICT (activity_id, user_id) DO NOTHING",
        both,
    )
    execute("DELETE FROM activity_users WHERE activity_id = ?", (old.id,))
    execute("UPDATE activity_contacts SET activity_id = ? WHERE activity_id = ?", both)
    execute("UPDATE sightings SET activity_id = ? WHERE activity_id = ?", both)
    execute("UPDATE visibility_changes SET activity_id = ? WHERE activity_id = ?", both)
    execute("UPDATE raw_messages SET activity_id = ? WHERE activity_id = ?", both)
    execute("UPDATE joined_activities SET activity_id = ? WHERE activity_id = ? AND joined_at IS NOT NULL", both)
    execute("UPDATE activities SET leading_raw_id = NULL WHERE id = ?", (old.id,))
    execute("DELETE FROM activities WHERE id = ?", (old.id,))
    values = (bytes(row[0]), row[1], row[2], kept.id)
    execute("UPDATE activities SET identity = ?, sent_at = ?, message_id = ? WHERE id = ?", values)
    verdicts.choose_leading(database, [kept.id])


def _put_todos_together(database: Database, old_id: int, kept_id: int) -> None:
    """Gives a user one to-do, which is done if either was done. To-dos are found by the activity's users, because no index leads
    from an activity to its to-dos."""
    sql = (
        "SELECT t.id, t.user_id, t.done_at FROM activity_users u JOIN todos t ON t.user_id = u.user_id"
        " AND t.activity_id = u.activity_id WHERE u.activity_id = ?"
    )
    of_kept = {
        user_id: (todo_id, done_at) for todo_id, user_id, done_at in database.execute(sql, (kept_id,)).fetchall()
    }
    for todo_id, user_id, done_at in database.execute(sql, (old_id,)).fetchall():
        if user_id not in of_kept:
            database.execute("UPDATE todos SET activity_id = ? WHERE id = ?", (kept_id, todo_id))
            continue
        if done_at is not None and of_kept[user_id][1] is None:
            database.execute("UPDATE todos SET done_at = ? WHERE id = ?", (done_at, of_kept[user_id][0]))
        database.execute("DELETE FROM todos WHERE id = ?", (todo_id,))


def _settle_visibility(database: Database, old_id: int, kept_id: int) -> None:
    """Law 13: the stricter visibility of the two applies. A manual setting wins; of two manual settings the stricter one wins."""
    sql = "SELECT is_visibility_manual, visibility FROM activities WHERE id IN (?, ?)"
    found = [tuple(row) for row in database.execute(sql, (old_id, kept_id)).fetchall()]
    # the values' alphabetical order is from open to strict, see `Visibility`
    is_manual, visibility = max(found)
    database.execute(
        "UPDATE activities SET visibility = ?, is_visibility_manual = ? WHERE id = ?", (visibility, is_manual, kept_id)
    )
