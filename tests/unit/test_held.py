"""Held mail on both databases: it waits with its decision, is decided once, and is erased (law 3)."""

import hashlib
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from capture_milter import handling
from mailweir import recording
from mailweir.digest.server import Digest
from mailweir.settings import Digest as HoldLimits
from mailweir.store.database.connection import Database
from mailweir.store.record import forwarded_versions, held
from tests import held_mail, schemas
from tests.held_mail import Clock, send

if TYPE_CHECKING:
    from tests.people import MemoryDirectory


INLINE = (
    b"From: Richard <richard@firm.example>\r\nTo: log@demo.example.net\r\nSubject: Fwd: An offer\r\n"
    b"Date: Tue, 24 Nov 2026 03:00:00 +0000\r\nMessage-ID: <f1@firm.example>\r\nX-Test: %s\r\n\r\n"
    b"please look\r\n\r\n---------- Forwarded message ---------\r\nFrom: Jane <%s>\r\n"
    b"Date: Mon, 23 Nov 2026 at 10:00\r\nSubject: An offer\r\nTo: Richard <richard@firm.example>\r\n\r\nWe offer.\r\n"
)
PROVEN = INLINE % (b"proven", b"jane@client.example")


@pytest.fixture(name="database")
def database_that_knows_people(database: Database, people: "MemoryDirectory") -> Database:
    """A database that knows the people."""
    people.write(database)
    return database


def _held(database: Database) -> list[tuple[str, int]]:
    return [
        tuple(row) for row in database.execute("SELECT state, size_bytes FROM held_messages ORDER BY id").fetchall()
    ]


def _count(database: Database, table: str) -> int:
    return int(database.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])


def test_a_forward_waits_with_its_decision(database: Database, clock: Clock) -> None:
    send(database, PROVEN, at=clock.at)
    assert held_mail.decision(database) == ("ignored", "held forward", None)
    assert _held(database) == [("waits", len(PROVEN))]
    assert _count(database, "activities") == _count(database, "todos") == _count(database, "raw_messages") == 0


def test_what_is_proven_becomes_the_clients_mail(database: Database, clock: Clock, held_digest: Digest) -> None:
    send(database, PROVEN, at=clock.at)
    held_digest.work_off()
    outcome, reason, activity_id = held_mail.decision(database)
    assert (outcome, reason) == ("captured", "forwarded by a user")
    sql = "SELECT id, direction, author, subject, sender_verdict FROM activities"
    assert [tuple(row) for row in database.execute(sql).fetchall()] == [
        (activity_id, "incoming", "jane@client.example", "An offer", "none")
    ]
    assert _count(database, "todos") == 1


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (INLINE % (b"forged", b"jane@client.example"), "forwarded by nobody who is proven"),
        (INLINE % (b"nothing", b"jane@client.example"), "forwarded by nobody who is proven"),
        (INLINE % (b"proven", b"stranger@else.example"), "forward of nobody who is known"),
        (INLINE % (b"proven", b"mary@firm.example"), "forward of a colleague's mail"),
        (PROVEN.partition(b"----------")[0].replace(b"Fwd: ", b""), "no contact"),
    ],
)
def test_what_isnt_a_proven_forward_of_a_client_is_erased(
    database: Database, clock: Clock, held_digest: Digest, raw: bytes, reason: str
) -> None:
    send(database, raw, at=clock.at)
    held_digest.work_off()
    assert held_mail.decision(database) == ("ignored", reason, None)
    assert [state for state, _ in _held(database)] == ["against"]
    clock.pass_by(61)
    held_digest.work_off()
    assert _held(database) == []
    assert _count(database, "activities") == _count(database, "raw_messages") == 0


def test_what_is_never_read_is_erased_after_a_day(database: Database, clock: Clock, held_digest: Digest) -> None:
    send(database, INLINE % (b"dns", b"jane@client.example"), at=clock.at)
    held_digest.work_off()
    assert held_mail.decision(database)[1] == "held forward"
    clock.pass_by(24 * 3600 - 1)
    held.erase_expired(database, clock.at)
    assert _held(database)[0][0] == "waits"
    clock.pass_by(2)
    held.erase_expired(database, clock.at)
    assert _held(database) == []
    assert held_mail.decision(database) == ("ignored", "held mail that was never read", None)


def test_what_ends_its_child_three_times_is_ignored(database: Database, clock: Clock, held_digest: Digest) -> None:
    send(database, INLINE % (b"kill", b"jane@client.example"), at=clock.at)
    for _ in range(3):
        held_digest.work_off()
        clock.pass_by(3600)
    assert held_mail.decision(database) == ("ignored", "held mail that was never read", None)


def test_what_is_beyond_the_limits_is_ignored(database: Database, clock: Clock) -> None:
    limits = HoldLimits(held_author_bytes=2 * len(PROVEN), held_deployment_bytes=3 * len(PROVEN))
    of_rick = PROVEN.replace(b"richard@firm", b"rick@firm")
    mails = [("1", PROVEN), ("2", PROVEN), ("3", PROVEN), ("4", of_rick[: len(PROVEN)]), ("5", of_rick[: len(PROVEN)])]
    for queue_id, raw in mails:
        send(database, raw, queue_id, at=clock.at, limits=limits)
    reasons = [held_mail.decision(database, queue_id)[1] for queue_id, _ in mails]
    too_much = "more mail than may be held"
    assert reasons == ["held forward", "held forward", too_much, "held forward", too_much]
    assert len(_held(database)) == 3


def test_a_repeat_of_a_decided_source_is_nothing(database: Database, clock: Clock, held_digest: Digest) -> None:
    send(database, PROVEN, at=clock.at)
    held_digest.work_off()
    send(database, PROVEN, at=clock.at)
    held_digest.work_off()
    assert _count(database, "activities") == _count(database, "decisions") == _count(database, "sightings") == 1
    clock.pass_by(timedelta(days=2).total_seconds())
    held_digest.work_off()
    assert _held(database) == []


def test_a_repeat_of_a_source_that_was_decided_against_is_nothing(
    database: Database, clock: Clock, held_digest: Digest
) -> None:
    raw = INLINE % (b"forged", b"jane@client.example")
    send(database, raw, at=clock.at)
    held_digest.work_off()
    clock.pass_by(61)
    held_digest.work_off()
    send(database, raw, at=clock.at)
    assert _held(database) == []


# --- laws 1 and 2: broken off at any moment --------------------------------------------------------------------------


class _Killed(BaseException):
    """Stands for a signal that ends the process."""


STEPS = (
    (recording, "record_all"),
    (forwarded_versions, "note"),
    (held, "captured"),
)


@pytest.mark.parametrize(("module", "name"), STEPS, ids=[name for _, name in STEPS])
@pytest.mark.parametrize("does_it_first", [(), (True,)], ids=["before", "after"])
def test_a_digest_that_is_killed_leaves_it_held_or_decided(
    database: Database,
    clock: Clock,
    held_digest: Digest,
    monkeypatch: pytest.MonkeyPatch,
    module: ModuleType,
    name: str,
    does_it_first: tuple[bool, ...],
) -> None:
    send(database, PROVEN, at=clock.at)
    real = getattr(module, name)

    def die(*_: Any, **__: Any) -> None:
        raise _Killed

    def killed(*args: Any, **kwargs: Any) -> None:
        for step in (*(real for _ in does_it_first), die):
            step(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(module, name, killed)
        with pytest.raises(_Killed):
            held_digest.work_off()
    assert held_mail.decision(database) == ("ignored", "held forward", None)
    assert [state for state, _ in _held(database)] == ["waits"]
    assert _count(database, "activities") == _count(database, "sightings") == _count(database, "todos") == 0
    held_digest.forget()
    clock.pass_by(600)
    held_digest.work_off()
    assert held_mail.decision(database)[:2] == ("captured", "forwarded by a user")
    assert _count(database, "activities") == _count(database, "sightings") == _count(database, "todos") == 1


def test_two_digests_decide_it_once(database: Database, clock: Clock, held_digest: Digest) -> None:
    """The other digest was working on it when its lease expired."""
    send(database, PROVEN, at=clock.at)
    (taken,) = held.take(database, 5, now=clock.at, until=clock.at)
    clock.pass_by(1)
    held_digest.work_off()
    with database.transaction():
        assert held.find(database, taken.id, for_update=True) is None
    assert held.content(database, taken.id) is None


# --- law 3: in no other place, and erased from the files -------------------------------------------------------------


def test_held_mail_is_nowhere_else(database: Database, clock: Clock, mailweir: Any) -> None:
    send(database, PROVEN, at=clock.at)
    tables = [name for name in schemas.read(database) if name not in ("held_messages", "decisions", *KNOWN_BEFORE)]
    assert {name: _count(database, name) for name in tables if _count(database, name)} == {}
    assert mailweir("activity", "list", "--deployment", "demo", "--json").json == []
    assert mailweir("todo", "list", "--user", "richard", "--deployment", "demo", "--json").json == []
    assert mailweir("search", "offer", "--deployment", "demo", "--json").json == []


KNOWN_BEFORE = {
    *(
        "deployments",
        "users",
        "user_addresses",
        "contacts",
        "contact_addresses",
        "schema_additions",
        "schema_migration",
        "search_words_data",
    ),
    *("search_words_config", "search_words_idx", "search_words_docsize", "search_words", "sqlite_sequence"),
}


def test_what_was_erased_is_in_none_of_sqlites_files(sqlite_database: Database, people: "MemoryDirectory") -> None:
    people.write(sqlite_database)
    at = datetime(2026, 11, 24, 3, tzinfo=UTC)
    words = [f"{number:03}-{hashlib.sha256(b'%d' % number).hexdigest()[:20]}" for number in range(200)]
    for number, word in enumerate(words):
        text = (word + "\r\n").encode() * (1 + number % 40 * number)
        raw = PROVEN.replace(b"please look", text).replace(b"Subject: Fwd", f"Subject: {word}".encode(), 1)
        plan, assembly = held_mail.plan_of(sqlite_database, raw, at=at)
        (entry,) = handling.entries(plan, assembly, f"4Xy{number}")
        assert entry.hold
        entry = replace(entry, hold=replace(entry.hold, content_zstd=text))  # uncompressed, so that the test finds it
        with sqlite_database.transaction():
            recording.record(sqlite_database, entry)
    assert _in_files(sqlite_database, words) == 200
    half, later = at + timedelta(hours=24, seconds=-1), at + timedelta(hours=25)
    assert held.erase_expired(sqlite_database, half) == (0, True)
    sqlite_database.execute("UPDATE held_messages SET expires_at = '2027' WHERE id % 2 = 0")
    assert held.erase_expired(sqlite_database, later) == (100, True)
    assert _in_files(sqlite_database, words) == 100
    assert held.erase_expired(sqlite_database, datetime(2028, 1, 1, tzinfo=UTC))[1]
    assert _in_files(sqlite_database, words) == 0
    assert _held(sqlite_database) == []


def _in_files(database: Database, words: Sequence[str]) -> int:
    """The number of words that are in the database's files."""
    files = [path.read_bytes() for path in database.path.parent.glob(database.path.name + "*")]
    return sum(any(word.encode() in content for content in files) for word in words)


def test_a_reader_that_is_in_the_way_only_puts_it_off(sqlite_database: Database, people: "MemoryDirectory") -> None:
    people.write(sqlite_database)
    send(sqlite_database, PROVEN, at=datetime(2026, 11, 24, 3, tzinfo=UTC))
    later = datetime(2026, 11, 26, 3, tzinfo=UTC)
    with closing(sqlite3.connect(sqlite_database.path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT COUNT(*) FROM held_messages").fetchone()
        assert held.erase_expired(sqlite_database, later) == (1, False)
        assert [state for state, _ in _held(sqlite_database)] == ["blank"]
    assert held.erase_expired(sqlite_database, later) == (0, True)
    assert _held(sqlite_database) == []
