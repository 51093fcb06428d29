"""The longest values of a message fit into every index of the record, on both databases."""

import random
import string
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from mailweir import headers, matching, recording
from mailweir.arrivals import sort_recipients
from mailweir.decision import Decision, Outcome, Reason
from mailweir.envelope import read_recipient
from mailweir.recording import Content, Entry
from mailweir.store.database.connection import Database

if TYPE_CHECKING:
    from tests.people import MemoryDirectory

LETTERS = string.ascii_lowercase + string.digits


def some(chance: random.Random, count: int) -> str:
    """So many letters, which no database can store in fewer bytes."""
    return "".join(chance.choices(LETTERS, k=count))


@pytest.fixture
def longest(database: Database, people: "MemoryDirectory") -> Decision:
    """A decision on captured mail with the longest values that are read from mail. The database knows the people."""
    people.write(database)
    chance = random.Random(1)
    domain = ".".join(some(chance, 60) for _ in range(4))
    (arrival,) = sort_recipients([read_recipient("richard@demo.example.net")], people).arrivals
    decision = matching.decide(arrival, headers.look([(b"From", b"jane@client.example")]), people)
    assert decision.outcome is Outcome.CAPTURED
    return replace(
        decision,
        author=f"{some(chance, 64)}@{domain}",
        message_id=f"<{some(chance, headers.MAX_MESSAGE_ID_BYTES - 2)}>",
        addresses=tuple(f"{some(chance, 60)}@{domain}" for _ in range(1_000)),
        named=tuple(f"{some(chance, 64)}@{domain}" for _ in range(50)),
    )


@pytest.fixture
def captured(longest: Decision, now: datetime) -> Entry:
    """A captured mail with them."""
    subject = some(random.Random(2), headers.MAX_SUBJECT_CHARS)
    content = Content(
        identity=b"identity", version_digest=b"version", raw_zstd=b"raw", size_bytes=3, subject=subject, sent_at=None
    )
    return Entry(longest, "Q1", now, content)


@pytest.fixture
def ignored(longest: Decision, now: datetime) -> Entry:
    """The same from an unknown author."""
    unknown = replace(longest, reason=Reason.UNKNOWN_AUTHOR, direction=None, contacts=(), users=())
    traces = random.Random(3).randbytes(50 * 12)
    return Entry(replace(unknown, outcome=Outcome.IGNORED), "Q1", now, traces=traces)


@pytest.mark.parametrize("name", ["captured", "ignored"])
def test_the_longest_values_fit_into_every_index(
    database: Database, request: pytest.FixtureRequest, name: str, longest: Decision
) -> None:
    """PostgreSQL refuses a row whose index entry has over 2,700 bytes: such mail would never be recorded."""
    entry = request.getfixturevalue(name)
    with database.transaction():
        recording.record_all(database, [entry])
    sql = "SELECT author, message_id, LENGTH(recipients) > 100000 FROM decisions"
    assert database.execute(sql).fetchall() == [(longest.author, longest.message_id, True)]
