"""The activities that may have a label (`activity_labels`): the database itself keeps them, whichever program writes. On both."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from mailweir.reading.labels import Label, to_bits
from mailweir.store.database import batches, versions
from mailweir.store.database.connection import Database
from mailweir.store.record import retraction
from tests.people import DEMO, OTHER, MemoryDirectory

INVITATION, SIGNED = to_bits([Label.INVITATION]), to_bits([Label.SIGNED])
_READING = (
    *("raw_id", "reader_version", "state", "read_at", "subject", "snippet", "labels", "thread_keys", "problems"),
    *("remote_images", "folds", "text_zstd"),
)


def _read(database: Database, raw_id: int, labels: int) -> None:
    row = (raw_id, 1, "read", "", "", "", labels, "", "[]", 0, "[]", b"x")
    batches.insert(database, "readings", _READING, [row])


def _kept(database: Database) -> list[tuple[Any, ...]]:
    return sorted(
        map(tuple, database.execute("SELECT deployment_id, label, activity_id FROM activity_labels").fetchall())
    )


@pytest.fixture
def record(database: Database, people: MemoryDirectory) -> Database:
    """Activities 1 and 2 of one firm and 3 of another, each with two versions: 10 and 11, 20 and 21, 30 and 31."""
    people.write(database)
    activities: Sequence[tuple[object, ...]] = [
        (one, tenant, b"%d" % one, "incoming", "jane@client.example", "", "", 10 * one)
        for one, tenant in ((1, DEMO.id), (2, DEMO.id), (3, OTHER.id))
    ]
    versions_of: Sequence[tuple[object, ...]] = [
        (10 * one + other, one, b"%d" % other, 1, b"x", "") for one in (1, 2, 3) for other in (0, 1)
    ]
    columns = ("id", "deployment_id", "identity", "direction", "author", "subject", "recorded_at", "leading_raw_id")
    of_version = ("id", "activity_id", "version_digest", "size_bytes", "content_zstd", "recorded_at")
    with database.transaction():
        batches.insert(database, "activities", columns, activities)
        batches.insert(database, "raw_messages", of_version, versions_of)
    return database


def test_each_label_is_known_to_the_table(record: Database) -> None:
    """A new label needs a migration that makes the triggers again, and adds the labels that were read before."""
    _read(record, 10, to_bits(list(Label)))
    assert {label for _, label, _ in _kept(record)} == {to_bits([label]) for label in Label}


def test_what_is_read_puts_its_labels_in_whoever_writes_it(record: Database) -> None:
    _read(record, 10, INVITATION | SIGNED)
    _read(record, 20, 0)
    _read(record, 31, SIGNED)
    assert _kept(record) == [(DEMO.id, INVITATION, 1), (DEMO.id, SIGNED, 1), (OTHER.id, SIGNED, 3)]


def test_what_is_read_anew_is_put_in_once(record: Database) -> None:
    for _ in range(2):
        record.execute("DELETE FROM readings WHERE raw_id IN (10, 11)")
        _read(record, 10, SIGNED)
        _read(record, 11, SIGNED)
    assert _kept(record) == [(DEMO.id, SIGNED, 1)]


def test_two_activities_that_are_one_mail_have_the_labels_of_both(record: Database) -> None:
    _read(record, 10, INVITATION)
    _read(record, 20, SIGNED)
    with record.transaction():
        record.execute("UPDATE raw_messages SET activity_id = 2, version_digest = ? WHERE id = 10", (b"other",))
        record.execute("DELETE FROM raw_messages WHERE id = 11")
        record.execute("DELETE FROM activities WHERE id = 1")
    assert _kept(record) == [(DEMO.id, INVITATION, 2), (DEMO.id, SIGNED, 2)]


def test_what_is_taken_off_the_record_leaves_nothing(record: Database) -> None:
    _read(record, 10, INVITATION)
    _read(record, 20, INVITATION)
    with retraction.unchecked(record), record.transaction():
        for table, key in (("readings", "raw_id = 10"), ("raw_messages", "activity_id = 1"), ("activities", "id = 1")):
            record.execute(f"DELETE FROM {table} WHERE {key}")
    assert _kept(record) == [(DEMO.id, INVITATION, 2)]


_TRIGGERS = (
    ("readings_labels", "readings"),
    ("raw_messages_labels", "raw_messages"),
    ("activities_labels", "activities"),
)


def _as_before(database: Database) -> None:
    """The database without the migration's table and triggers."""
    for name, table in _TRIGGERS:
        database.execute(f"DROP TRIGGER {name}" + ("" if database.is_sqlite else f" ON {table}"))
    database.execute("DROP TABLE activity_labels")


@pytest.mark.parametrize("undone", [_as_before, lambda database: database.execute("DELETE FROM activity_labels")])
def test_what_was_read_before_the_upgrade_is_put_in(record: Database, undone: Callable[[Database], object]) -> None:
    """The second case: the migration was interrupted before it had added anything."""
    _read(record, 10, INVITATION | SIGNED)
    _read(record, 20, 0)
    _read(record, 30, SIGNED)
    kept = _kept(record)
    undone(record)
    record.execute("DELETE FROM schema_migration WHERE name = '0037_labels'")
    record.close()
    assert versions.upgrade(record.url) == ["0037_labels"]
    assert (len(kept), _kept(record)) == (3, kept)
    _read(record, 21, INVITATION)
    assert (DEMO.id, INVITATION, 2) in _kept(record), "also for mail that is read afterwards"
