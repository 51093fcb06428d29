"""Many activities that are put into threads together get the same threads as one by one."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from mailweir.reading.thread_keys import ThreadKeys, digest
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import rfc3339
from mailweir.store.record import threads
from mailweir.store.record.threads import Placing
from tests.people import MemoryDirectory

NOW = datetime(2026, 11, 24, 3, 12, 55, tzinfo=UTC)
PEOPLE = ("jane@client.example", "eve@evil.example")
SUBJECTS = ("an offer", "invoice", "")


def _add(database: Database, deployment: int, author: str, number: int) -> int:
    moment = rfc3339(NOW)
    sql = "INSERT INTO activities (deployment_id, identity, direction, author, subject, recorded_at, sender_verdict) VALUES (?, ?, 'incoming', ?, 'x', ?, 'pass') RETURNING id"  # noqa: E501
    values = (deployment, b"%d" % number, author, moment)
    activity_id = int(database.execute(sql, values).fetchone()[0])
    sql = "INSERT INTO raw_messages (activity_id, version_digest, size_bytes, content_zstd, recorded_at) VALUES (?, ?, 1, ?, ?) RETURNING id"  # noqa: E501
    raw_id = database.execute(sql, (activity_id, b"v", b"z", moment)).fetchone()[0]
    sql = "INSERT INTO activity_contacts (activity_id, contact_id, address, raw_message_id, is_bcc) VALUES (?, ?, ?, ?, 0)"
    database.execute(sql, (activity_id, {1: 1, 2: 4}[deployment], author, raw_id))
    return activity_id


def _keys(dice: random.Random) -> ThreadKeys:
    def some(most: int) -> tuple[bytes, ...]:
        return tuple(digest(f"<{dice.randrange(14)}@x.example>") or b"" for _ in range(dice.randrange(most)))

    answers, names = some(3), some(4)
    return ThreadKeys(
        own=dice.choice([None, *(digest(f"<{number}@x.example>") for number in range(14))]),
        in_reply_to=answers,
        references=names,
        base_subject=dice.choice(SUBJECTS),
        is_reply=dice.random() < 0.5,
        has_ids=bool(answers or names),
    )


def _pages(dice: random.Random, count: int) -> list[list[tuple[int, ThreadKeys, str, bool, bool]]]:
    """By page: the activity's place, its keys and author; is the author proven, and are these another version's keys? An activity
    occurs once on a page."""
    return [
        [
            (place, _keys(dice), PEOPLE[place % 2], dice.random() < 0.7, dice.random() < 0.3)
            for place in sorted(dice.sample(range(count), dice.randrange(1, count)))
        ]
        for _ in range(4)
    ]


def _outcome(database: Database, deployment: int, activity_ids: Sequence[int]) -> tuple[object, ...]:
    """The groups of activities, and the known ids, with threads in the order of creation."""
    made = database.execute("SELECT id, merged_into FROM threads WHERE deployment_id = ? ORDER BY id", (deployment,))
    rows = made.fetchall()
    number = {thread_id: at for at, (thread_id, _) in enumerate(rows)}
    place: dict[int | None, int | None] = {one: at for at, one in enumerate(activity_ids)} | {None: None}
    sql = "SELECT activity_id, thread_id, subject_digest FROM activity_threads WHERE deployment_id = ?"
    joined = {
        place[one]: (number[thread], bytes(subject))
        for one, thread, subject in database.execute(sql, (deployment,)).fetchall()
    }
    sql = (
        "SELECT id_digest, thread_id, named_by, subject_digest, held_by FROM thread_message_ids WHERE deployment_id = ?"
    )
    ids = {
        bytes(one): (number[thread], named_by, bytes(subject), place[held_by])
        for one, thread, named_by, subject, held_by in database.execute(sql, (deployment,)).fetchall()
    }
    return [number.get(survivor) for _, survivor in rows], joined, ids


@pytest.mark.parametrize("seed", range(40))
def test_together_is_as_one_after_the_other(seed: int, database: Database, people: MemoryDirectory) -> None:
    people.write(database)
    dice = random.Random(seed)
    with database.transaction():
        made = {
            deployment: [_add(database, deployment, PEOPLE[place % 2], place) for place in range(12)]
            for deployment in (1, 2)
        }
        for page in _pages(dice, 12):
            for place, keys, author, is_proven, is_other in page:
                threads.assign(
                    database, made[1][place], 1, keys, author=author, is_proven=is_proven, is_other=is_other, now=NOW
                )
            placings = [
                Placing(activity_id=made[2][place], keys=keys, author=author, is_proven=is_proven, is_other=is_other)
                for place, keys, author, is_proven, is_other in page
            ]
            found = threads.assign_all(database, 2, placings, NOW)
            assert found == {one.activity_id: threads.of(database, one.activity_id) for one in placings}
    assert _outcome(database, 1, made[1]) == _outcome(database, 2, made[2])
