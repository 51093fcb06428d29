"""Conversations in the record: which mail joins which conversation, which mail may merge two, and the remains of an id."""

import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from mailweir.reading.thread_keys import ThreadKeys, digest
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import rfc3339
from mailweir.store.record import threads
from tests.people import MemoryDirectory

NOW = datetime(2026, 11, 24, 3, 12, 55, tzinfo=UTC)
JANE, EVE = "jane@client.example", "eve@evil.example"


class Record:
    """Activities of one deployment, and the ids that they name."""

    def __init__(self, database: Database, people: MemoryDirectory) -> None:
        self.database = database
        people.write(database)

    def add(self, own: str = "", *, answers: tuple[str, ...] = (), names: tuple[str, ...] = (), subject: str = "an offer",
            author: str = JANE, proven: bool = True, deployment: int = 1, days: int = 0, contact: int = 1,
            sent_days: int | None = None, sent: str | None = None) -> tuple[int, int]:  # fmt: skip
        """Adds an activity with its thread; returns (activity, thread)."""
        moment = rfc3339(NOW + timedelta(days=days))
        sent = sent if sent_days is None else rfc3339(NOW + timedelta(days=sent_days))
        with self.database.transaction():
            sql = "INSERT INTO activities (deployment_id, identity, direction, author, subject, recorded_at, sender_verdict,"
            sql += " sent_at) VALUES (?, ?, 'incoming', ?, ?, ?, ?, ?) RETURNING id"
            count = self.database.execute("SELECT COUNT(*) FROM activities").fetchone()[0]
            values = (deployment, b"%d" % count, author, subject, moment, "pass" if proven else "none", sent)
            activity_id = int(self.database.execute(sql, values).fetchone()[0])
            sql = "INSERT INTO raw_messages (activity_id, version_digest, size_bytes, content_zstd, recorded_at) VALUES (?, ?, 1, ?, ?)"  # noqa: E501
            raw_id = self.database.execute(f"{sql} RETURNING id", (activity_id, b"v", b"z", moment)).fetchone()[0]
            sql = "INSERT INTO activity_contacts (activity_id, contact_id, address, raw_message_id, is_bcc) VALUES (?, ?, ?, ?, 0)"  # noqa: E501
            self.database.execute(sql, (activity_id, contact, author, raw_id))
        return activity_id, self.again(activity_id, own, answers=answers, names=names, subject=subject, author=author,
                                       proven=proven, deployment=deployment, days=days)  # fmt: skip

    def again(self, activity_id: int, own: str = "", *, answers: tuple[str, ...] = (), names: tuple[str, ...] = (),
              subject: str = "an offer", author: str = JANE, proven: bool = True, deployment: int = 1, days: int = 0) -> int:  # fmt: skip  # noqa: E501
        """Assigns its thread once more, and returns it."""
        digests = [tuple(found for one in ids if (found := digest(f"<{one}@x.example>"))) for ids in (answers, names)]
        keys = ThreadKeys(
            own=digest(f"<{own}@x.example>") if own else None, in_reply_to=digests[0], references=digests[1],
            base_subject=subject, is_reply=bool(answers or names) or not own, has_ids=bool(answers or names),
        )  # fmt: skip
        with self.database.transaction():
            return threads.assign(
                self.database,
                activity_id,
                deployment,
                keys,
                author=author,
                is_proven=proven,
                now=NOW + timedelta(days=days),
            )


@pytest.fixture
def record(database: Database, people: MemoryDirectory) -> Record:
    """An empty record."""
    return Record(database, people)


def test_an_answer_joins_what_it_answers_whatever_its_subject(record: Record) -> None:
    _, thread = record.add("one")
    assert record.add("two", answers=("one",), subject="another")[1] == thread
    assert record.add("three", names=("one",))[1] == thread
    assert record.add("four")[1] != thread


def test_an_answer_may_come_first(record: Record) -> None:
    _, thread = record.add("two", answers=("one",))
    assert record.add("one", subject="another")[1] == thread


def test_references_count_with_the_same_subject_alone(record: Record) -> None:
    _, thread = record.add("one")
    assert record.add("two", names=("one",), subject="a new matter")[1] != thread
    first = record.add("b", names=("a",), subject="a new matter")[1]
    assert record.add("a", subject="the old matter")[1] != first


def test_an_id_that_another_message_has_joins_nobody(record: Record) -> None:
    _, thread = record.add("same")
    assert record.add("same", subject="invoice 2")[1] != thread


def test_deployments_know_nothing_of_each_other(record: Record) -> None:
    _, thread = record.add("one")
    assert record.add("two", answers=("one",), deployment=2, contact=4)[1] != thread


def test_a_proven_author_who_takes_part_in_both_merges_them_and_the_older_goes_on(record: Record) -> None:
    one, older = record.add("one")
    two, newer = record.add("two", subject="another")
    three, merged = record.add("three", answers=("two", "one"))
    assert (older < newer, merged) == (True, older)
    assert threads.current(record.database, newer) == older
    assert threads.activities(record.database, 1, newer) == [one, two, three]
    assert record.again(two, "two", subject="another") == older


@pytest.mark.parametrize(("author", "proven"), [(JANE, False), (EVE, True), (EVE, False)])
def test_a_forged_mail_that_names_two_joins_the_first_and_merges_none(
    record: Record, author: str, proven: bool
) -> None:
    _, older = record.add("one")
    _, newer = record.add("two", subject="another")
    activity_id, thread = record.add("three", answers=("two", "one"), author=author, proven=proven)
    assert thread == older
    assert threads.current(record.database, newer) == newer
    assert activity_id in threads.activities(record.database, 1, older)


def test_a_verdict_that_proves_it_later_merges_then(record: Record) -> None:
    _, older = record.add("one")
    _, newer = record.add("two", subject="another")
    activity_id, _ = record.add("three", answers=("two", "one"), proven=False)
    record.database.execute("UPDATE activities SET sender_verdict = 'pass' WHERE id = ?", (activity_id,))
    assert record.again(activity_id, "three", answers=("two", "one")) == older
    assert threads.current(record.database, newer) == older


def test_who_joined_one_of_them_by_that_mail_alone_merges_none_later_either(record: Record) -> None:
    _, older = record.add("one")
    _, newer = record.add("two", subject="another", author=EVE)
    activity_id, _ = record.add("three", answers=("two", "one"), author=EVE)
    assert record.again(activity_id, "three", answers=("two", "one"), author=EVE) == older
    assert threads.current(record.database, newer) == newer


def test_aliases_are_flat(record: Record) -> None:
    ids = [record.add(name, subject=name)[1] for name in "abc"]
    record.add("d", answers=("b", "c"))
    record.add("e", answers=("a", "c"))
    assert [threads.current(record.database, one) for one in ids] == [ids[0]] * 3


def test_asking_again_changes_nothing(record: Record) -> None:
    activity_id, thread = record.add("one", answers=("zero",))
    assert record.again(activity_id, "one", answers=("zero",)) == thread


def test_by_subject_where_there_are_no_ids_the_same_contact_and_a_week(record: Record) -> None:
    _, thread = record.add("one")
    assert record.add(days=7)[1] == thread
    assert record.add(days=30)[1] != thread
    assert record.add(contact=2)[1] != thread


def test_by_subject_it_is_the_time_that_it_was_sent_at_that_counts(record: Record) -> None:
    """A mailbox's mail of years is recorded within an hour, and recorded mail may be read long after it came."""
    _, old = record.add("one", days=-800)
    _, new = record.add("two", days=0)
    record.database.execute("UPDATE activities SET sent_at = recorded_at, recorded_at = '2026-11-24T04:00:00.000000Z'")
    assert record.add(sent_days=-795, days=1)[1] == old
    assert record.add(days=3)[1] == new
    assert record.add(sent_days=-900, days=1)[1] not in (old, new)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00.000000Z", "9999-12-31T23:59:59.000000Z"])
def test_by_subject_any_date_will_do(record: Record, text: str) -> None:
    _, thread = record.add("one")
    assert record.add(sent=text)[1] != thread


def test_an_erased_activitys_thread_is_never_given_again(record: Record) -> None:
    activity_id, thread = record.add("one")
    with record.database.transaction():
        threads.release(record.database, activity_id)
        record.database.execute("DELETE FROM activity_threads WHERE activity_id = ?", (activity_id,))
    assert threads.activities(record.database, 1, thread) == []
    assert record.add("other", answers=("one",))[1] > thread


def test_four_writers_that_merge_at_random_leave_one_thread_and_lose_no_alias(record: Record) -> None:
    names = [f"m{number}" for number in range(24)]
    made = [record.add(name, subject=name) for name in names]

    def write(seed: int) -> None:
        dice = random.Random(seed)
        with closing(Database(record.database.url)) as own:
            for _ in range(40):
                place = dice.randrange(len(names))
                links = tuple(
                    digest(f"<{name}@x.example>") or b"" for name in dice.sample(names, 3) if name != names[place]
                )
                keys = ThreadKeys(
                    own=digest(f"<{names[place]}@x.example>"), in_reply_to=links, references=(),
                    base_subject=names[place], is_reply=True, has_ids=True,
                )  # fmt: skip
                with own.transaction(alone=False):
                    threads.assign(own, made[place][0], 1, keys, author=JANE, is_proven=True, now=NOW)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    first = made[0][1]
    assert {threads.current(record.database, thread) for _, thread in made} == {first}
    assert threads.activities(record.database, 1, first) == sorted(activity for activity, _ in made)
    of_ids = record.database.execute("SELECT DISTINCT thread_id FROM thread_message_ids").fetchall()
    assert of_ids == [(first,)]
