"""Which thread an activity is in once another version leads it, or its author comes to be proven.

In the caller's transaction, which holds the activity, and the one that changes what leads it. In plain SQL. Called by the digest,
and by `recording`, where a login proves what was on the record before.
"""

import json
from collections.abc import Sequence
from datetime import datetime

from mailweir.reading.thread_keys import ThreadKeys
from mailweir.store.database.connection import Database
from mailweir.store.record import threads, verdicts
from mailweir.store.record.verdicts import Led


def join_threads(database: Database, led: Sequence[Led], now: datetime) -> None:
    """Puts these activities into the threads that their leading versions name; nothing where that isn't read yet.

    Those of a deployment together: its threads are held until the end.
    """
    others = {one.activity_id for one in led if one.is_other}
    for deployment_id, activity_id, author, verdict in verdicts.authors(database, [one.activity_id for one in led]):
        keys = keys_of_leading(database, activity_id)
        if keys is None:
            continue
        threads.assign(
            database,
            activity_id,
            deployment_id,
            keys,
            author=author,
            is_proven=verdict == "pass",
            is_other=activity_id in others and _differs(database, activity_id),
            now=now,
        )


def keys_of_leading(database: Database, activity_id: int) -> ThreadKeys | None:
    """What its leading version says of an activity's thread; None where that isn't read."""
    sql = "SELECT d.thread_keys FROM readings d JOIN activities a ON a.leading_raw_id = d.raw_id WHERE a.id = ?"
    row = database.execute(sql, (activity_id,)).fetchone()
    return _keys(row[0]) if row and row[0] else None


def _differs(database: Database, activity_id: int) -> bool:
    """Do its versions, as far as they are read, say different things of its thread?"""
    sql = (
        "SELECT COUNT(DISTINCT d.thread_keys) FROM readings d JOIN raw_messages r ON r.id = d.raw_id"
        " WHERE r.activity_id = ? AND d.thread_keys <> ''"
    )
    (count,) = database.execute(sql, (activity_id,)).fetchone()
    return int(count) > 1


def packed_keys(keys: ThreadKeys) -> str:
    """Keys as `readings.thread_keys` holds them."""
    return json.dumps(
        [
            keys.own.hex() if keys.own else None,
            [one.hex() for one in keys.in_reply_to],
            [one.hex() for one in keys.references],
            keys.base_subject,
            keys.is_reply,
            keys.has_ids,
        ]
    )


def _keys(text: str) -> ThreadKeys:
    own, in_reply_to, references, base_subject, is_reply, has_ids = json.loads(text)
    return ThreadKeys(
        own=bytes.fromhex(own) if own else None,
        in_reply_to=tuple(map(bytes.fromhex, in_reply_to)),
        references=tuple(map(bytes.fromhex, references)),
        base_subject=base_subject,
        is_reply=is_reply,
        has_ids=has_ids,
    )
