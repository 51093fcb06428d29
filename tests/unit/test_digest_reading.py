"""The digest's readings: stored, replaced, given up, made again from the newest to the oldest. On both databases."""

import base64
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
import structlog.testing
import zstandard

from mailweir.digest import children, server, workers
from mailweir.digest.outcomes import MAX_DEATHS, Outcome, Outcomes
from mailweir.digest.server import Digest
from mailweir.digest.workers import Facts, Limits, Pool
from mailweir.errors import DatabaseUnavailable
from mailweir.reading import frame, search_query
from mailweir.reading.labels import Label
from mailweir.sender_verdict import SenderVerdict
from mailweir.settings import Settings
from mailweir.store.database.connection import Database
from mailweir.store.people import deployments
from mailweir.store.record import (
    digest_queue,
    digest_rebuilds,
    raw_messages,
    readings,
    retraction,
    search,
    threads,
    verdicts,
)
from mailweir.store.record.digest_queue import Lane, Stage
from mailweir.store.record.digest_rebuilds import Which

Put = Callable[..., int]
JANE = "jane@client.example"
MAIL = b"""From: Jane <jane@client.example>\r
To: richard@firm.example\r
Subject: An offer\r
Message-ID: <1@client.example>\r
List-Id: <x.client.example>\r
MIME-Version: 1.0\r
Content-Type: multipart/mixed; boundary=b\r
\r
--b\r
Content-Type: text/html; charset=utf-8\r
\r
<p>Good <b>day</b></p><img src="https://x.example/1.png"><script>alert(1)</script>\r
--b\r
Content-Type: text/csv; name="a.csv"\r
Content-Disposition: attachment; filename="a.csv"\r
Content-Transfer-Encoding: base64\r
\r
YSxiCg==\r
--b--\r
"""
LIMITS = Limits(data_bytes=600_000_000, cpu_seconds=5.0, wall_seconds=20.0, answer_bytes=children.MAX_READING_BYTES)


@pytest.fixture
def demo(mailweir: Any, database: Database) -> Database:
    """A database that knows richard and Jane."""
    mailweir("deployment", "add", "demo", "--domain", "demo.example.net")
    mailweir("user", "add", "richard", "--email", "richard@firm.example")
    mailweir("contact", "add", "Jane", JANE)
    return database


def _prove(about: Facts, content_zstd: bytes) -> bytes:
    raw = raw_messages.decompress(content_zstd, about["size"], about["activity"])
    return children.DONE + (b"pass dkim client.example +ids" if b"proven" in raw else b"none no_signature")


def _read(about: Facts, content_zstd: bytes) -> bytes:
    """A reader that dies on mail with certain words."""
    if b"deadly" in raw_messages.decompress(content_zstd, about["size"], about["activity"]):
        os.kill(os.getpid(), signal.SIGKILL)
    return children.read(about, content_zstd)


def _digest(database: Database, now: datetime) -> Digest:
    works: dict[Stage, workers.Work] = {Stage.VERDICT: _prove, Stage.READING: _read}
    pools: Any = {(stage, lane): Pool(1, works[stage], LIMITS) for stage in Stage for lane in Lane}
    return Digest(database, pools, structlog.get_logger(), lambda: now)


@pytest.fixture
def work_off(demo: Database, now: datetime) -> Iterator[Callable[..., int]]:
    """Does all work that is due this many hours later."""
    made: list[Digest] = []

    def run(hours: int = 1) -> int:
        made.append(_digest(demo, now + timedelta(hours=hours)))
        return made[-1].work_off()

    yield run
    for digest in made:
        digest.stop()


def _readings(database: Database) -> list[tuple[Any, ...]]:
    columns = "raw_id, reader_version, state, subject, snippet, labels, thread_keys, folds, text_zstd, html_zstd"
    found = database.execute(f"SELECT {columns} FROM readings ORDER BY raw_id").fetchall()
    return [tuple(bytes(one) if isinstance(one, memoryview) else one for one in row) for row in found]


def test_a_message_is_read_and_kept(demo: Database, record: Put, work_off: Callable[..., int], now: datetime) -> None:
    activity_id = record("demo", "richard", JANE, raw=MAIL)
    assert readings.leading(demo, activity_id) is None
    assert work_off() == 2
    found = readings.leading(demo, activity_id)
    assert found
    assert not found.is_unreadable
    assert (found.subject, found.read_at) == ("An offer", now + timedelta(hours=1))
    assert "Good" in found.text
    assert "script" not in (found.html or "script")
    assert found.remote_images == 1
    assert Label.LIST in found.labels
    (file,) = found.attachments
    assert (file.name, file.size_bytes, file.encoding) == ("a.csv", 4, "base64")
    assert readings.same_file(demo, 1, file.sha256, 9) == [(activity_id, 1)]
    assert readings.same_file(demo, 2, file.sha256, 9) == []
    assert threads.of(demo, activity_id) is not None
    assert digest_queue.waiting(demo)[1] == digest_queue.Waiting(stage=Stage.READING, new=0, later=0, ended=0)


def _found(database: Database, typed: str) -> list[int]:
    demo = deployments.find(database, "demo")
    return [hit.activity.id for hit in search.select(database, demo, search_query.parse(typed), search.Wanted(limit=9))]


@pytest.mark.parametrize("typed", ["good day", '"good day"', "offer", "jane", "client.example", "a.csv"])
def test_what_was_read_is_found(demo: Database, record: Put, work_off: Callable[..., int], typed: str) -> None:
    activity_id = record("demo", "richard", JANE, raw=MAIL)
    assert _found(demo, typed) == []
    work_off()
    assert _found(demo, typed) == [activity_id]
    assert _found(demo, f"{typed} alert") == [], "scripts aren't text"


def test_what_could_not_be_read_is_found_by_its_subject_and_people(
    demo: Database, record: Put, work_off: Callable[..., int]
) -> None:
    activity_id = record("demo", "richard", JANE, raw=MAIL + b"deadly", subject="A trap")
    for hours in range(1, MAX_DEATHS + 1):
        work_off(hours)
    assert _found(demo, "trap jane") == [activity_id]
    assert _found(demo, "day") == []


def test_a_search_finds_the_version_that_leads(demo: Database, record: Put, work_off: Callable[..., int]) -> None:
    record("demo", "richard", JANE, raw=MAIL.replace(b"day", b"forgery"))
    work_off()
    activity_id = record("demo", "richard", JANE, raw=MAIL.replace(b"day", b"proven"), queue_id="4XyB")
    assert _found(demo, "forgery") == [activity_id]
    work_off()
    assert (_found(demo, "forgery"), _found(demo, "proven")) == ([], [activity_id])


def test_what_ends_its_reader_is_kept_as_unreadable_with_its_subject(
    demo: Database, record: Put, work_off: Callable[..., int]
) -> None:
    deadly = record("demo", "richard", JANE, number=1, raw=MAIL + b"deadly", subject="A trap")
    good = record("demo", "richard", JANE, number=2, raw=MAIL)
    assert work_off() == 4
    assert readings.leading(demo, good)
    for hours in range(2, MAX_DEATHS + 1):
        assert readings.leading(demo, deadly) is None
        assert work_off(hours) == 1
    found = readings.leading(demo, deadly)
    assert found
    assert (found.is_unreadable, found.subject, found.text, found.problems) == (True, "A trap", "", ("examiner_died",))
    assert readings.unreadable(demo, 1, 10, is_damaged=False) == [deadly]
    assert work_off(99) == 0


def test_both_stages_of_a_message_are_written_together(demo: Database, record: Put, now: datetime) -> None:
    activity_ids = [record("demo", "richard", JANE, number=number, raw=_mail(f"proven{number}")) for number in (1, 2)]
    found: list[Outcome] = []
    for raw_id, activity_id in zip(digest_queue.versions(demo, activity_ids), activity_ids, strict=True):
        version = digest_queue.version(demo, raw_id)
        assert version
        for stage, work in ((Stage.READING, _read), (Stage.VERDICT, _prove)):
            entry = digest_queue.Entry(raw_id=raw_id, stage=stage, lane=Lane.NEW)
            found.append(Outcome(entry, activity_id, work(children.facts(version), version.content_zstd)))
    Outcomes(demo, structlog.get_logger(), lambda: now).write(found)
    assert demo.execute("SELECT COUNT(*) FROM digest_queue").fetchone() == (0,)
    assert (
        demo.execute("SELECT verdict, state FROM raw_messages JOIN readings ON raw_id = id").fetchall()
        == [("pass", "read")] * 2
    )
    assert None not in [threads.of(demo, one) for one in activity_ids]


def test_damaged_raw_bytes_have_no_reading(demo: Database, record: Put, now: datetime) -> None:
    activity_id = record("demo", "richard", JANE, raw=MAIL)
    demo.execute("DELETE FROM digest_queue WHERE stage = 'verdict'")
    demo.execute("UPDATE raw_messages SET content_zstd = ?", (b"no zstd",))
    pools: Any = {(Stage.READING, lane): Pool(1, children.read, LIMITS) for lane in Lane}
    with structlog.testing.capture_logs() as events:
        digest = Digest(demo, pools, structlog.get_logger(), lambda: now + timedelta(hours=1))
        assert digest.work_off() == 1
        digest.stop()
    found = readings.leading(demo, activity_id)
    assert found
    assert found.problems == ("damaged",)
    assert [one["log_level"] for one in events] == ["error"]


def test_the_version_that_leads_is_shown(demo: Database, record: Put, work_off: Callable[..., int]) -> None:
    """Its thread is the activity's, too, once there is a verdict."""
    record("demo", "richard", JANE, raw=MAIL.replace(b"day", b"forgery"))
    assert work_off() == 2
    activity_id = record("demo", "richard", JANE, raw=MAIL.replace(b"day", b"proven"), queue_id="4XyB")
    assert work_off() == 2
    found = readings.leading(demo, activity_id)
    assert found
    assert "proven" in found.text


def _mail(message_id: str, *, answers: str = "") -> bytes:
    return (
        f"From: Jane <{JANE}>\r\nSubject: {message_id}\r\nMessage-ID: <{message_id}@client.example>\r\n"
        f"In-Reply-To: {answers}\r\n\r\nproven\r\n"
    ).encode()


def test_a_verdict_that_comes_later_merges_threads_in_its_own_transaction(
    demo: Database, record: Put, work_off: Callable[..., int], now: datetime
) -> None:
    """Unproven mail joins the first thread that it names. It isn't read again once it is proven."""
    first = record("demo", "richard", JANE, number=1, raw=_mail("one"))
    second = record("demo", "richard", JANE, number=2, raw=_mail("two"))
    work_off()
    answers = "<one@client.example> <two@client.example>"
    third = record("demo", "richard", JANE, number=3, raw=_mail("three", answers=answers))
    pools: Any = {(Stage.READING, lane): Pool(1, children.read, LIMITS) for lane in Lane}
    reader = Digest(demo, pools, structlog.get_logger(), lambda: now + timedelta(hours=1))
    assert reader.work_off() == 1
    reader.stop()
    assert threads.of(demo, third) == threads.of(demo, first)
    assert threads.of(demo, second) != threads.of(demo, first)
    assert work_off() == 1
    assert {threads.of(demo, one) for one in (first, second, third)} == {threads.of(demo, first)}


def test_a_login_that_proves_what_was_read_merges_threads(
    demo: Database, record: Put, work_off: Callable[..., int]
) -> None:
    """The copy to log@ came first. The relay's own copy came later, with the same bytes."""
    first = record("demo", "richard", JANE, number=1, raw=_mail("one"))
    second = record("demo", "richard", JANE, number=2, raw=_mail("two"))
    raw = _mail("three", answers="<one@client.example> <two@client.example>").replace(b"proven", b"plain")
    third = record("demo", "richard", JANE, number=3, raw=raw)
    work_off()
    assert threads.of(demo, second) != threads.of(demo, first)
    record("demo", "richard", JANE, number=3, raw=raw, queue_id="4XyB", is_proven=True)
    assert {threads.of(demo, one) for one in (first, second, third)} == {threads.of(demo, first)}


@pytest.mark.parametrize("is_read_before", [False, True])
@pytest.mark.parametrize("is_proven_by_login", [False, True])
def test_the_thread_that_a_forged_copy_names_is_not_the_mails(
    demo: Database,
    record: Put,
    work_off: Callable[..., int],
    is_read_before: bool,
    is_proven_by_login: bool,
) -> None:
    """A recipient in Cc has the mail, too, and may deliver a copy here first. That copy leads until the mail itself is proven."""
    other = record("demo", "richard", JANE, number=1, raw=_mail("other"))
    forged = _mail("offer", answers="<other@client.example>").replace(b"proven", b"forged")
    activity_id = record("demo", "richard", JANE, number=2, raw=forged)
    work_off()
    assert threads.of(demo, activity_id) == threads.of(demo, other)
    genuine = _mail("offer")
    if_read = {True: b"pending", False: b"proven"}[is_read_before]
    record("demo", "richard", JANE, number=2, raw=genuine.replace(b"proven", if_read), queue_id="4XyB")
    work_off()
    again = {"raw": genuine.replace(b"proven", if_read), "queue_id": "4XyC", "is_proven": is_proven_by_login}
    record("demo", "richard", JANE, number=2, **again)
    work_off()
    is_genuine = not is_read_before or is_proven_by_login
    assert (threads.of(demo, activity_id) != threads.of(demo, other)) is is_genuine
    answer = record("demo", "richard", JANE, number=3, raw=_mail("answer", answers="<offer@client.example>"))
    work_off()
    assert threads.of(demo, answer) == threads.of(demo, activity_id)
    thread = threads.of(demo, activity_id)
    demo.execute("UPDATE readings SET reader_version = 0")
    digest_rebuilds.begin(demo, Stage.READING, Which.OLDER, datetime.now(UTC))
    assert work_off() >= 4
    assert threads.of(demo, activity_id) == thread


def test_a_version_that_does_not_lead_moves_nothing(demo: Database, record: Put, work_off: Callable[..., int]) -> None:
    activity_id = record("demo", "richard", JANE, number=1, raw=_mail("one"))
    answer = record("demo", "richard", JANE, number=2, raw=_mail("two", answers="<one@client.example>"))
    other = record("demo", "richard", JANE, number=3, raw=_mail("other"))
    work_off()
    before = [threads.of(demo, one) for one in (activity_id, answer, other)]
    copy = _mail("one", answers="<other@client.example>").replace(b"proven", b"forged")
    record("demo", "richard", JANE, number=1, raw=copy, queue_id="4XyB")
    work_off()
    assert [threads.of(demo, one) for one in (activity_id, answer, other)] == before


def test_twice_read_is_the_same(demo: Database, record: Put, work_off: Callable[..., int], now: datetime) -> None:
    for number in (1, 2, 3):
        record("demo", "richard", JANE, number=number, raw=MAIL)
    work_off()
    before, of_threads = _readings(demo), demo.execute("SELECT * FROM activity_threads ORDER BY activity_id").fetchall()
    digest_rebuilds.begin(demo, Stage.READING, Which.ALL, now)
    assert work_off() == 3
    assert _readings(demo) == before
    assert demo.execute("SELECT * FROM activity_threads ORDER BY activity_id").fetchall() == of_threads
    assert digest_rebuilds.going_on(demo) == []


def test_the_record_is_read_by_pages_from_the_newest_down(demo: Database, record: Put, now: datetime) -> None:
    for number in range(1, 8):
        record("demo", "richard", JANE, number=number, raw=MAIL)
    demo.execute("DELETE FROM digest_queue")
    raw_ids = [row[0] for row in demo.execute("SELECT id FROM raw_messages ORDER BY id").fetchall()]
    queued = "SELECT lane, raw_id FROM digest_queue ORDER BY raw_id"
    digest_rebuilds.begin(demo, Stage.READING, Which.OLDER, now)
    assert digest_rebuilds.step(demo, Stage.READING, 3)
    assert demo.execute(queued).fetchall() == [(1, raw_id) for raw_id in raw_ids[-3:]]
    assert [(one.left, one.queued) for one in digest_rebuilds.going_on(demo)] == [(raw_ids[-3] - 1, 3)]
    for _ in range(2):
        assert digest_rebuilds.step(demo, Stage.READING, 3)
    assert not digest_rebuilds.step(demo, Stage.READING, 3)
    assert demo.execute(queued).fetchall() == [(1, raw_id) for raw_id in raw_ids]


def test_who_asks_for_the_rest_of_the_record_does_not_take_back_all(demo: Database, record: Put, now: datetime) -> None:
    record("demo", "richard", JANE, raw=MAIL)
    for which, going_on in ((Which.OLDER, Which.OLDER), (Which.ALL, Which.ALL), (Which.OLDER, Which.ALL)):
        with demo.transaction():
            digest_rebuilds.begin(demo, Stage.READING, which, now)
        assert [one.which for one in digest_rebuilds.going_on(demo)] == [going_on]


def test_what_is_of_this_reader_is_not_read_again_and_what_waits_is_not_queued_twice(
    demo: Database, record: Put, work_off: Callable[..., int], now: datetime
) -> None:
    for number in (1, 2):
        record("demo", "richard", JANE, number=number, raw=MAIL)
    work_off()
    demo.execute("UPDATE readings SET reader_version = 0 WHERE raw_id = (SELECT MIN(raw_id) FROM readings)")
    assert readings.count_older(demo) == 1
    record("demo", "richard", JANE, number=3, raw=MAIL)
    digest_rebuilds.begin(demo, Stage.READING, Which.OLDER, now)
    assert digest_rebuilds.step(demo, Stage.READING)
    waiting = "SELECT lane, COUNT(*) FROM digest_queue WHERE stage = 'reading' GROUP BY lane ORDER BY lane"
    assert demo.execute(waiting).fetchall() == [(0, 1), (1, 1)]
    assert work_off() == 3
    assert readings.count_older(demo) == 0


def test_what_was_proven_is_not_examined_again(
    demo: Database, record: Put, work_off: Callable[..., int], now: datetime
) -> None:
    """Its key may be withdrawn by now. Unproven mail may still become proven."""
    record("demo", "richard", JANE, number=1, raw=MAIL.replace(b"day", b"proven"))
    other = record("demo", "richard", JANE, number=2, raw=MAIL.replace(b"day", b"proven, too"))
    work_off()
    demo.execute("UPDATE raw_messages SET verdict = 'none' WHERE activity_id = ?", (other,))
    digest_rebuilds.begin(demo, Stage.VERDICT, Which.ALL, now)
    assert work_off() == 1
    assert demo.execute("SELECT verdict FROM raw_messages").fetchall() == [("pass",), ("pass",)]


@pytest.mark.parametrize(
    ("before", "doubt", "said", "after"),
    [
        ("pass", None, "fail body_changed", "pass"),
        ("fail", None, "none no_signature", "fail"),
        ("fail", None, "pass dkim client.example", "pass"),
        ("none", None, "fail body_changed", "fail"),
        ("none", None, "pass dkim client.example", "pass"),
        ("none", "several", "pass dkim client.example", "none"),
        ("fail", None, "none examiner_died", "fail"),
        ("pending", None, "none examiner_died", "none"),
    ],
)
def test_a_verdict_gives_way_to_a_surer_one_alone(
    demo: Database, record: Put, now: datetime, before: str, doubt: str | None, said: str, after: str
) -> None:
    activity_id = record("demo", "richard", JANE, raw=MAIL)
    (raw_id,) = demo.execute("SELECT id FROM raw_messages").fetchone()
    demo.execute("UPDATE raw_messages SET verdict = ?, author_doubt = ?", (before, doubt))
    found = SenderVerdict.parse(said.encode())
    with demo.transaction():
        verdicts.settle(demo, [(verdicts.Examined(raw_id, activity_id), found)], now)
    assert demo.execute("SELECT verdict FROM raw_messages").fetchall() == [(after,)]


def test_what_is_off_the_record_meanwhile_leaves_nothing(demo: Database, record: Put, now: datetime) -> None:
    """A result arrives for a message that was removed from the record while a child had it."""
    record("demo", "richard", JANE, raw=MAIL)
    digest = _digest(demo, now + timedelta(hours=1))
    try:
        assert digest.turn(0.0) in (0, 1, 2)
        with demo.transaction():
            retraction.retract(demo, 1, "4Xy1")
        digest.work_off()
    finally:
        digest.stop()
    for table in ("activities", "raw_messages", "readings", "attachments", "digest_queue", "activity_threads"):
        assert demo.execute(f"SELECT COUNT(*) FROM {table}").fetchone() == (0,)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_cant_be_written_is_done_again_once_it_can(demo: Database, record: Put, now: datetime) -> None:
    """A restore, or somebody else's tool that copies the database, may hold its lock for long."""
    for number in (1, 2, 3):
        record("demo", "richard", JANE, number=number, raw=MAIL)
    with closing(Database(demo.url, busy_timeout_seconds=0.1)) as impatient:
        digest = _digest(impatient, now + timedelta(hours=1))
        with demo.transaction():
            demo.execute("UPDATE activities SET subject = 'held'")
            with pytest.raises(DatabaseUnavailable):
                digest.work_off()
            digest.forget()
        assert demo.execute("SELECT COUNT(*) FROM readings").fetchone() == (0,)
        assert digest.work_off() == 6
        digest.stop()


def test_what_was_let_go_of_waits_for_no_lease(demo: Database, record: Put, now: datetime, tmp_path: Path) -> None:
    """A database restart delays new mail no longer than that."""
    busy = tmp_path / "busy"
    busy.touch()

    def read(about: Facts, content_zstd: bytes) -> bytes:
        while busy.exists():
            time.sleep(0.01)
        return children.read(about, content_zstd)

    for number in (1, 2, 3):
        record("demo", "richard", JANE, number=number, raw=MAIL)
    pools: Any = {(Stage.READING, lane): Pool(1, read, LIMITS) for lane in Lane}
    digest = Digest(demo, pools, structlog.get_logger(), lambda: now + timedelta(hours=1))
    assert digest.turn(0.0) == 0
    digest.forget()
    busy.unlink()
    assert digest.work_off() == 3
    digest.stop()


def test_a_file_as_large_as_mail_may_be_is_read_within_the_limits(tmp_path: Path, now: datetime) -> None:
    """The file can't be compressed. This process has much in memory itself, and its child inherits that."""
    content = base64.encodebytes(random.Random(1).randbytes(26_000_000)).replace(b"\n", b"\r\n")
    raw = MAIL.replace(b"YSxiCg==\r\n", content)
    version = digest_queue.Version(
        activity_id=1, author=JANE, via=None, size_bytes=len(raw), recorded_at=now, content_zstd=zstandard.compress(raw)
    )
    pools = server.pools(Settings(data_dir=tmp_path))
    pool = pools[Stage.READING, Lane.NEW]
    try:
        entry = digest_queue.Entry(raw_id=1, stage=Stage.READING, lane=Lane.NEW)
        pool.give((entry, 1), children.facts(version), version.content_zstd)
        found: list[tuple[Any, bytes | None]] = []
        while not found:  # a part is taken at a time
            found = list(workers.wait([pool], 30.0))
    finally:
        pool.stop()
    ((_, answer),) = found
    assert answer
    assert frame.unpack(answer[1:]).attachments[0].size_bytes == 26_000_000


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_what_is_being_taken_off_the_record_is_not_queued_again(demo: Database, record: Put) -> None:
    """Its row would prevent the version's removal."""
    activity_id = record("demo", "richard", JANE, raw=MAIL)
    raw_ids = digest_queue.versions(demo, [activity_id])
    other = Database(demo.url)

    def again() -> None:
        with closing(other), other.transaction(alone=False):
            digest_queue.again(other, Stage.READING, raw_ids)

    thread = threading.Thread(target=again)
    with demo.transaction(alone=False):
        retraction.retract(demo, 1, "4Xy1")
        thread.start()
        deadline = time.monotonic() + 20
        while not demo.execute("SELECT COUNT(*) FROM pg_locks WHERE NOT granted").fetchone()[0]:
            assert time.monotonic() < deadline, "it doesn't wait"
            time.sleep(0.02)
    thread.join()
    assert demo.execute("SELECT COUNT(*) FROM digest_queue").fetchone() == (0,)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_two_hosts_never_take_the_same(demo: Database, record: Put, now: datetime) -> None:
    for number in range(1, 6):
        record("demo", "richard", JANE, number=number, raw=MAIL)
    times: Any = {"now": now + timedelta(hours=1), "until": now + timedelta(hours=2)}
    first = digest_queue.take(demo, Stage.READING, Lane.NEW, 3, **times)
    second = digest_queue.take(demo, Stage.READING, Lane.NEW, 9, **times)
    assert [len(first), len(second)] == [3, 2]
    assert not {one.raw_id for one in first} & {one.raw_id for one in second}
    digest_queue.release(demo, first)
    assert digest_queue.take(demo, Stage.READING, Lane.NEW, 9, **times) == first
    after: Any = {"now": now + timedelta(hours=3), "until": now + timedelta(hours=4)}
    assert len(digest_queue.take(demo, Stage.READING, Lane.NEW, 9, **after)) == 5
