"""Updates the thread of an activity after another version has become its leading one, or its author has been proven.

In the caller's transaction, which has locked the activity, and also changes its leading version. In plain SQL. Called by the
digest, and by `recording`, if a login proves earlier recorded mail.
"""

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter

from mailweir.reading.thread_keys import ThreadKeys
from mailweir.store.database import batches
from mailweir.store.database.connection import Database
from mailweir.store.record import threads, verdicts
from mailweir.store.record.threads import Placing
from mailweir.store.record.verdicts import Led


def join_threads(database: Database, led: Sequence[Led], now: datetime) -> None:
    """Puts these activities into the threads that their leading versions name; skips unread ones.

    The activities of a deployment are handled together, because its threads are locked until the end of the transaction.
    """
    placings = _placings(database, led)
    for deployment_id, those in groupby(placings, key=itemgetter(0)):
        threads.assign_all(database, deployment_id, [one for _, one in those], now)


def _placings(database: Database, led: Sequence[Led]) -> list[tuple[int, Placing]]:
    """The activities to be put into threads, each with its deployment, sorted by deployment."""
    keys_of = _keys_of_leading(database, list(dict.fromkeys(one.activity_id for one in led)))
    others = {one.activity_id for one in led if one.is_other} & keys_of.keys()
    differing = _differing(database, threads.of_all(database, others))
    return [
        (
            deployment_id,
            Placing(
                activity_id=activity_id,
                keys=keys_of[activity_id],
                author=author,
                is_proven=bool(names_are_proven),
                is_other=activity_id in differing,
            ),
        )
        for deployment_id, activity_id, author, names_are_proven in verdicts.authors(database, keys_of)
    ]


def _keys_of_leading(database: Database, activity_ids: Collection[int]) -> dict[int, ThreadKeys]:
    """The thread keys of activities' leading versions, by activity, if read."""
    # no JOIN: without statistics, PostgreSQL would read all readings
    sql = (
        "SELECT a.id, (SELECT d.thread_keys FROM readings d WHERE d.raw_id = a.leading_raw_id) FROM activities a"
        " WHERE a.id IN ({})"
    )
    return {activity_id: _keys(text) for activity_id, text in batches.among(database, sql, (), activity_ids) if text}


def _differing(database: Database, activity_ids: Collection[int]) -> set[int]:
    """The activities whose versions, as far as they are read, have different thread keys."""
    sql = (
        "SELECT r.activity_id FROM readings d JOIN raw_messages r ON r.id = d.raw_id WHERE d.thread_keys <> ''"
        " AND r.activity_id IN ({}) GROUP BY r.activity_id HAVING COUNT(DISTINCT d.thread_keys) > 1"
    )
    return {activity_id for (activity_id,) in batches.among(database, sql, (), activity_ids)}


def packed_keys(keys: ThreadKeys) -> str:
    """Keys in the form of `readings.thread_keys`."""
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
