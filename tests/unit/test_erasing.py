"""Erased content is in none of SQLite's files any more, while others record. Also PostgreSQL's part."""

import hashlib
import re
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from mailweir.reading import search_entry
from mailweir.reading.search_query import parse
from mailweir.store.database import backup, batches
from mailweir.store.database.connection import Database
from mailweir.store.people import deployments
from mailweir.store.record import erasing, retraction, search, search_index
from mailweir.store.record.search import Wanted

AT = "2026-11-24T03:12:55.123456Z"
ERASED = 3_000


def secret(number: int) -> str:
    """A word that only one mail has. FTS5 omits the common beginning of neighbours in its list, so these words have none in
    common."""
    return hashlib.sha256(b"%d" % number).hexdigest()[:24]


def source(number: int) -> str:
    """Gmail's id, or Postfix's. It says nothing about the mail. It is the key of an index, of which SQLite may keep copies."""
    return f"Q{number}"


def put_mails(database: Database, numbers: range) -> None:
    """Adds mails with their secret in all stored parts."""
    of_activity = ("id", "deployment_id", "identity", "direction", "author", "subject", "recorded_at", "message_id")
    rows = [(n, 1, b"%d" % n, "incoming", f"{secret(n)}@client.example", secret(n), AT, secret(n)) for n in numbers]
    batches.insert(database, "activities", of_activity, rows)
    of_raw = ("id", "activity_id", "version_digest", "subject", "size_bytes", "content_zstd", "recorded_at")
    contents = ((secret(n) + " mail ") * (1 + n % 300) for n in numbers)
    raws = [(n, n, b"%d" % n, secret(n), 1, text.encode(), AT) for n, text in zip(numbers, contents, strict=True)]
    batches.insert(database, "raw_messages", of_raw, raws)
    database.execute("UPDATE activities SET leading_raw_id = id WHERE leading_raw_id IS NULL")
    of_sighting = ("activity_id", "route", "source_id", "raw_message_id", "seen_at")
    batches.insert(database, "sightings", of_sighting, [(n, "gmail_out", source(n), n, AT) for n in numbers])
    of_decision = (
        "deployment_id",
        "source_id",
        "decided_at",
        "outcome",
        "reason",
        "recipients",
        "author",
        "message_id",
        "activity_id",
    )
    decisions = [(1, source(n), AT, "captured", "author_is_contact", "[]", secret(n), secret(n), n) for n in numbers]
    batches.insert(database, "decisions", of_decision, decisions)
    search_index.put(database, [entry(n) for n in numbers])


def entry(number: int) -> search_entry.Entry:
    """The search entry of a mail."""
    text = f"{secret(number)} offer " + " ".join(f"word{(number * place) % 997}" for place in range(40))
    return search_entry.make(
        raw_id=number, deployment_id=1, text=text, subject=secret(number), file_names=(f"{secret(number)}.pdf",)
    )


def put_firm(database: Database) -> None:
    """A deployment."""
    columns = ("id", "name", "domain", "created_at")
    with database.transaction():
        batches.insert(database, "deployments", columns, [(1, "demo", "demo.example.net", AT)])


def delete_mails(database: Database, numbers: range) -> None:
    """Removes mails from the record, as the sync does."""
    for part in batches.parts(numbers, 50):
        with database.transaction():
            for number in part:
                assert retraction.retract(database, 1, source(number)) == number


def delete_many(database: Database, numbers: range) -> None:
    """Does the same for many mails, without a scan of whole tables for each."""
    for part in batches.parts(numbers, 50):
        with database.transaction():
            for number in part:
                erasing.forget_words(database, number)
            batches.change(database, "UPDATE activities SET leading_raw_id = NULL WHERE id IN ({})", (), part)
            for table in ("sightings", "decisions", "raw_messages"):
                batches.change(database, f"DELETE FROM {table} WHERE activity_id IN ({{}})", (), part)
            batches.change(database, "DELETE FROM activities WHERE id IN ({})", (), part)


def held_in(path: Path, numbers: range) -> int:
    """The number of secrets in a file; 0 if the file doesn't exist."""
    content = path.read_bytes() if path.exists() else b""
    runs = set(re.findall(rb"[0-9a-f]{16,}", content))
    held = {run[at : at + 16] for run in runs for at in range(len(run) - 15)}
    return sum(secret(number)[8:].encode() in held for number in numbers)


def found(database: Database, typed: str) -> list[int]:
    """The ids of the hits."""
    demo = deployments.find(database, "demo")
    return [hit.activity.id for hit in search.select(database, demo, parse(typed), Wanted(limit=50))]


class Recorder(threading.Thread):
    """A process that records meanwhile. waits: the seconds of each transaction."""

    def __init__(self, path: Path, first: int) -> None:
        super().__init__()
        self._path = path
        self._next = first
        self._is_over = threading.Event()
        self.waits: list[float] = []

    def run(self) -> None:
        """Records until `stop`."""
        with closing(Database(self._path, busy_timeout_seconds=60.0)) as database:
            while not self._is_over.wait(0.01):
                begun = time.monotonic()
                with database.transaction():
                    put_mails(database, range(self._next, self._next + 3))
                self.waits.append(time.monotonic() - begun)
                self._next += 3

    def stop(self) -> None:
        """Ends the process."""
        self._is_over.set()
        self.join()


@pytest.fixture
def recorder(sqlite_database: Database) -> Iterator[Recorder]:
    """A recorder that has begun. The record is empty."""
    put_firm(sqlite_database)
    started = Recorder(sqlite_database.path, 100_000)
    started.start()
    yield started
    started.stop()


@pytest.mark.slow  # 6,000 mails are recorded
def test_nothing_of_what_is_erased_stays_in_a_file(
    sqlite_database: Database, recorder: Recorder, tmp_path: Path
) -> None:
    erased, kept = range(1, ERASED + 1), range(ERASED + 1, 2 * ERASED + 1)
    log = sqlite_database.path.with_name("mailweir.db-wal")
    for part in batches.parts(range(1, 2 * ERASED + 1), 100):  # together, so that they share pages of all tables
        with sqlite_database.transaction():
            put_mails(sqlite_database, range(part[0], part[-1] + 1))
    assert held_in(sqlite_database.path, erased) + held_in(log, erased) >= ERASED
    delete_many(sqlite_database, erased)
    assert erasing.is_pending(sqlite_database)
    assert erasing.finish(sqlite_database)
    assert not erasing.is_pending(sqlite_database)
    assert recorder.waits, "others record meanwhile"
    recorder.stop()
    copy = tmp_path / "backup.db"
    with closing(backup.Snapshot(sqlite_database.path)) as snapshot:
        snapshot.copy(copy, lambda done, total: None)
    assert [held_in(path, erased) for path in (sqlite_database.path, log, copy)] == [0, 0, 0]
    assert held_in(copy, kept) == len(kept)
    assert found(sqlite_database, secret(kept[0])) == [kept[0]]
    assert found(sqlite_database, secret(erased[0])) == []
    sqlite_database.execute("INSERT INTO search_words (search_words) VALUES ('integrity-check')")


def test_deleted_words_stay_until_they_are_merged(sqlite_database: Database) -> None:
    """Otherwise the merging wouldn't be tested."""
    put_firm(sqlite_database)
    for number in range(1, 5):
        with sqlite_database.transaction():
            put_mails(sqlite_database, range(number, number + 1))
    delete_mails(sqlite_database, range(1, 3))
    assert erasing.truncate_log(sqlite_database)
    assert held_in(sqlite_database.path, range(1, 3)) == 2
    assert erasing.finish(sqlite_database)
    assert held_in(sqlite_database.path, range(1, 5)) == 2


def test_what_was_interrupted_is_finished_later(sqlite_database: Database) -> None:
    put_firm(sqlite_database)
    for part in batches.parts(range(1, 2_001), 100):
        with sqlite_database.transaction():
            put_mails(sqlite_database, range(part[0], part[-1] + 1))
    delete_mails(sqlite_database, range(1, 51))

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        erasing.finish(sqlite_database, interrupt)
    assert erasing.is_pending(sqlite_database)
    delete_mails(sqlite_database, range(51, 101))
    assert erasing.finish(sqlite_database)
    assert held_in(sqlite_database.path, range(1, 101)) == 0
    assert held_in(sqlite_database.path, range(101, 2_001)) == 1_900


def test_a_reader_of_earlier_pages_makes_it_wait_and_nobody_else(sqlite_database: Database) -> None:
    put_firm(sqlite_database)
    with sqlite_database.transaction():
        put_mails(sqlite_database, range(1, 3))
    with closing(Database(sqlite_database.path)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT COUNT(*) FROM activities").fetchone()
        delete_mails(sqlite_database, range(1, 2))
        assert not erasing.finish(sqlite_database)
        assert erasing.is_pending(sqlite_database)
        with sqlite_database.transaction():
            put_mails(sqlite_database, range(3, 4))
        reader.execute("COMMIT")
    assert erasing.finish(sqlite_database)
    assert held_in(sqlite_database.path, range(1, 2)) == 0


def test_both_databases_come_to_an_end_of_it(database: Database) -> None:
    put_firm(database)
    with database.transaction():
        put_mails(database, range(1, 6))
    assert erasing.finish(database), "nothing is pending"
    delete_mails(database, range(1, 4))
    assert erasing.is_pending(database)
    steps: list[int] = []
    assert erasing.finish(database, lambda done, total: steps.append(done))
    assert not erasing.is_pending(database)
    assert [found(database, secret(number)) for number in range(3, 5)] == [[], [4]]


def test_all_that_names_a_version_is_deleted_with_it(sqlite_database: Database) -> None:
    """If erasing missed a new table, that table would keep mail that was to be erased, or block the erasing."""
    tables = [
        name for (name,) in sqlite_database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    ]
    naming = {
        table
        for table in tables
        for row in sqlite_database.execute(f"PRAGMA foreign_key_list({table})").fetchall()
        if row[2] in ("activities", "raw_messages")
    }
    assert naming == retraction.NAMING


def test_whoever_deletes_overwrites(sqlite_database: Database) -> None:
    assert sqlite_database.execute("PRAGMA secure_delete").fetchone() == (1,)
