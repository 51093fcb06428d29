"""The findings of `doctor` about the digest. On both databases."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from mailweir.health import digest
from mailweir.store.database.connection import Database
from mailweir.store.people import deployments
from mailweir.store.record import digest_queue, digest_rebuilds, readings
from tests import forwarded_mail, held_mail

Put = Callable[..., int]


@pytest.fixture
def demo(mailweir: Any, database: Database) -> Database:
    """A database that knows richard and Jane."""
    mailweir("deployment", "add", "demo", "--domain", "demo.example.net")
    mailweir("user", "add", "richard", "--email", "richard@firm.example")
    mailweir("contact", "add", "Jane", "jane@client.example")
    return database


@pytest.mark.parametrize(("minutes", "level", "key"), [(10, "ok", "digest.in_time"), (20, "wrong", "digest.late")])
def test_a_queue_that_stands_still_is_told(
    demo: Database, record: Put, now: datetime, minutes: int, level: str, key: str
) -> None:
    record("demo", "richard", "jane@client.example", number=1)
    (found,) = digest.check_queue(demo, now + timedelta(minutes=minutes))
    assert (found.level, found.key) == (level, key)


@pytest.mark.parametrize(("minutes", "key"), [(10, "digest.held_in_time"), (20, "digest.held_late")])
def test_held_mail_that_nobody_decides_is_told(demo: Database, now: datetime, minutes: int, key: str) -> None:
    held_mail.send(demo, forwarded_mail.inline("gmail en"), at=now)
    (found,) = digest.check_held(demo, now + timedelta(minutes=minutes))
    assert found.key == key


def test_an_empty_queue_is_fine(demo: Database, now: datetime) -> None:
    (found,) = digest.check_queue(demo, now)
    assert found.key == "digest.in_time"


def test_what_could_not_be_read_is_told_to_its_deployment_alone(
    demo: Database, record: Put, now: datetime, mailweir: Any
) -> None:
    mailweir("deployment", "add", "other", "--domain", "other.example.net")
    activity_id = record("demo", "richard", "jane@client.example")
    (raw_id,) = demo.execute("SELECT id FROM raw_messages").fetchone()
    with demo.transaction():
        readings.write_unreadable(demo, raw_id, "examiner_died", now)
    (found,) = digest.check_unreadable(demo, deployments.find(demo, "demo"))
    assert found.sentence == f"could not be read: activity {activity_id}"
    assert list(digest.check_unreadable(demo, deployments.find(demo, "other"))) == []


def test_law_1_raw_bytes_that_are_damaged_are_told_as_what_they_are(demo: Database, record: Put, now: datetime) -> None:
    """It would be wrong to say that they are stored, and readable after an upgrade."""
    activity_id = record("demo", "richard", "jane@client.example")
    (raw_id,) = demo.execute("SELECT id FROM raw_messages").fetchone()
    with demo.transaction():
        readings.write_unreadable(demo, raw_id, "damaged", now)
    (found,) = digest.check_unreadable(demo, deployments.find(demo, "demo"))
    assert (found.level, found.key) == ("wrong", "record.damaged")
    assert found.sentence == f"the raw bytes are damaged in the database: activity {activity_id}"


def test_what_waits_for_dns_is_not_examined(demo: Database, record: Put, now: datetime) -> None:
    record("demo", "richard", "jane@client.example")
    with demo.transaction():
        demo.execute("DELETE FROM digest_queue WHERE stage = 'reading'")
        demo.execute("UPDATE digest_queue SET lane = 1, attempts = 2")
    (found,) = digest.check_queue(demo, now)
    assert (found.level, found.key, found.facts) == ("note", "digest.without_dns", {"messages": 1})
    assert found.sentence == "the author of 1 message isn't examined yet, because DNS gave no answer"


@pytest.mark.parametrize(
    ("count", "most", "sentence"),
    [
        (1, 10_000, "1 message was read by an older version"),
        (3, 10_000, "3 messages were read by an older version"),
        (3, 2, "more than 2 messages were read by an older version"),
    ],
)
def test_what_an_older_version_read_is_told_until_it_is_read_again(
    demo: Database, record: Put, now: datetime, monkeypatch: pytest.MonkeyPatch, count: int, most: int, sentence: str
) -> None:
    monkeypatch.setattr(digest, "MOST_COUNTED", most)
    for number in range(1, count + 1):
        record("demo", "richard", "jane@client.example", number=number)
    with demo.transaction():
        for (raw_id,) in demo.execute("SELECT id FROM raw_messages").fetchall():
            readings.write_unreadable(demo, raw_id, "examiner_died", now)
    assert list(digest.check_older(demo)) == []
    demo.execute("UPDATE readings SET reader_version = reader_version - 1")
    (found,) = digest.check_older(demo)
    assert (found.level, found.key, found.sentence) == ("note", "digest.older", sentence)
    assert "mailweir digest again" in found.to_do
    with demo.transaction():
        digest_rebuilds.begin(demo, digest_queue.Stage.READING, digest_rebuilds.Which.OLDER, now)
    (found,) = digest.check_older(demo)
    assert (found.level, found.key) == ("ok", "digest.read_again")
