"""The digest's queries take no longer on a larger record, because it holds the write lock meanwhile."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import structlog

from mailweir import settings
from mailweir.digest import children, server
from mailweir.digest.outcomes import Outcome, Outcomes
from mailweir.digest.server import Digest
from mailweir.digest.workers import Facts
from mailweir.store.database.connection import Database
from mailweir.store.record import digest_queue, readings
from mailweir.store.record.digest_queue import Entry, Lane, Stage

JANE = "jane@client.example"
LARGE = {"activities", "raw_messages", "readings", "attachments", "decisions", "sightings", "activity_contacts",
         "activity_users", "activity_threads", "thread_message_ids", "threads", "digest_queue", "search_texts", "contacts",
         "a", "r", "d", "f", "g", "t", "q", "p", "c", "part", "mine", "other"}  # fmt: skip  # and their aliases


def _mail(number: int, text: str = "Good day") -> bytes:
    return (
        f"From: {JANE}\r\nTo: richard@firm.example\r\nSubject: Re: An offer\r\nMessage-ID: <{number}@client.example>\r\n"
        f"In-Reply-To: <{number // 2}@client.example>\r\n\r\n{text} {number}\r\n"
    ).encode()


def _answer(stage: Stage, about: Facts, content_zstd: bytes) -> bytes:
    return children.read(about, content_zstd) if stage is Stage.READING else children.DONE + b"pass dkim client.example"


def _scans(database: Database, asked: set[str]) -> list[tuple[str, str]]:
    """Steps that read a whole large table, with the statement."""
    plans = [
        (row[3], sql)
        for sql in sorted(asked)
        if sql.startswith(("SELECT", "WITH", "UPDATE", "DELETE", "INSERT INTO readings"))
        for row in database.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()
    ]
    return [one for one in plans if one[0].startswith("SCAN") and one[0].split()[1] in LARGE]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_nothing_that_the_digest_writes_reads_a_whole_table(
    mailweir: Any, database: Database, record: Callable[..., int], now: datetime
) -> None:
    mailweir("deployment", "add", "demo", "--domain", "demo.example.net")
    mailweir("user", "add", "richard", "--email", "richard@firm.example")
    mailweir("contact", "add", "Jane", JANE)
    activity_ids = [record("demo", "richard", JANE, number=number, raw=_mail(number)) for number in range(1, 5)]
    record("demo", "richard", JANE, number=1, raw=_mail(1, "another version"), queue_id="4XyB")
    found: list[Outcome] = []
    for raw_id in digest_queue.versions(database, activity_ids):
        version = digest_queue.version(database, raw_id)
        assert version
        for stage in Stage:
            entry = Entry(raw_id=raw_id, stage=stage, lane=Lane.NEW)
            answer = _answer(stage, children.facts(version), version.content_zstd)
            found.append(Outcome(entry, version.activity_id, answer))
    asked: set[str] = set()
    database.peewee.connection().set_trace_callback(asked.add)
    Outcomes(database, structlog.get_logger(), lambda: now).write(found)
    digest = Digest(database, server.pools(settings.load()), structlog.get_logger(), lambda: now + timedelta(hours=1))
    assert digest.work_off() == 0
    digest.stop()
    readings.unreadable(database, 1, 9, is_damaged=False)
    database.peewee.connection().set_trace_callback(None)
    assert database.execute("SELECT COUNT(*) FROM activity_threads").fetchone() == (4,)
    assert len(asked) > 20
    assert _scans(database, asked) == []
