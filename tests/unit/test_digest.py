"""The digest: which bodies wait, which one leads, what silent DNS and hostile mail bring about. On both databases."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
import structlog.testing
import zstandard

from mailweir import sender_verdict
from mailweir.digest import server
from mailweir.digest.workers import DIED, Workers
from mailweir.sender_auth import DkimProver
from mailweir.sender_verdict import SenderVerdict, Verdict, VerdictReason
from mailweir.settings import Digest, Settings
from mailweir.store.database.connection import Database
from mailweir.store.record import activities, decisions, raw_messages, retraction, verdicts
from mailweir.store.record.verdicts import Waiting

Put = Callable[..., int]
JANE = "jane@client.example"
# What a child says in place of these words of a body
VERDICTS = {
    "pass": "pass dkim client.example",
    "fail": "fail body_changed client.example",
    "none": "none no_signature",
}


@pytest.fixture
def demo(mailweir: Any, database: Database) -> Database:
    """A database that knows richard and Jane."""
    mailweir("deployment", "add", "demo", "--domain", "demo.example.net")
    mailweir("user", "add", "richard", "--email", "richard@firm.example")
    mailweir("contact", "add", "Jane", JANE)
    return database


def word(content: tuple[object, ...]) -> str:
    """Stands in for the examiner: does what the body says."""
    raw = raw_messages.decompress(content[4], content[3], 1)  # type: ignore[arg-type]
    said = raw.rpartition(b"\r\n\r\n")[2].decode().strip()
    match said.partition(" ")[0]:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "hang":
            time.sleep(600)
        case "eat":
            bytearray(2_000_000_000)
        case "raise":
            raise RuntimeError(said)
        case "chatter":
            return "x" * 10_000
    return VERDICTS.get(said.partition(" ")[0], said.partition(" ")[0])


@pytest.fixture
def workers() -> Iterator[Workers[Waiting]]:
    """Two children with a short time limit."""
    made: Workers[Waiting] = Workers(2, word, max_seconds=3.0)
    yield made
    made.stop()


@pytest.fixture
def work_off(demo: Database, workers: Workers[Waiting], now: datetime) -> Callable[..., int]:
    """One pass, at a time of the test's choice."""

    def run(after: timedelta = timedelta(hours=1)) -> int:
        return server.work_off(demo, workers, structlog.get_logger(), lambda: now + after)

    return run


def _body(said: str) -> bytes:
    return f"Subject: x\r\n\r\n{said}\r\n".encode()


def _activity(database: Database, activity_id: int) -> tuple[int, str]:
    """The number of the version that leads, from 1, and the sender verdict."""
    leading, verdict = database.execute(
        "SELECT leading_raw_id, sender_verdict FROM activities WHERE id = ?", (activity_id,)
    ).fetchone()
    raw_ids = database.execute("SELECT id FROM raw_messages WHERE activity_id = ? ORDER BY id", (activity_id,))
    return [raw_id for (raw_id,) in raw_ids.fetchall()].index(leading) + 1, verdict


def _reasons(database: Database) -> list[tuple[str | None, str | None]]:
    sql = "SELECT verdict_reason, verdict_domain FROM raw_messages ORDER BY id"
    return [(reason, domain) for reason, domain in database.execute(sql).fetchall()]


def test_the_reason_is_kept_with_the_verdict(
    demo: Database, record: Put, work_off: Callable[..., int], now: datetime
) -> None:
    for number, said in enumerate(("none", "dns", "pass", "fail")):
        activity_id = record("demo", "richard", JANE, raw=_body(said), queue_id=f"4Xy{number}")
    with structlog.testing.capture_logs() as events:
        work_off()
    kept = [("no_signature", None), (None, None), ("dkim", "client.example"), ("body_changed", "client.example")]
    assert _reasons(demo) == kept
    assert {one.get("reason") for one in events} == {"no_signature", "dkim", "body_changed", None}
    activity = activities.find(demo, activity_id)
    assert (activity.sender_verdict_reason, activity.sender_verdict_domain) == ("dkim", "client.example")
    assert [one.verdict_reason for one in raw_messages.versions(demo, activity)] == [reason for reason, _ in kept]
    (found, *_) = decisions.find(demo, "4Xy0")
    assert (found.sender_verdict, found.sender_verdict_reason) == ("pass", "dkim")


LEADS = pytest.mark.parametrize(
    ("said", "expected"),
    [
        (["pass"], (1, "pass")),
        (["none"], (1, "none")),
        (["fail"], (1, "fail")),
        (["none forged", "pass"], (2, "pass")),
        (["fail forged", "none", "pass", "pass later"], (3, "pass")),
        (["pass", "none forged"], (1, "pass")),
        (["none", "fail later"], (1, "none")),
        (["dns", "none"], (1, "pending")),
        (["dns", "pass"], (2, "pass")),
    ],
)


@LEADS
def test_law_2_the_first_proven_body_leads(
    demo: Database, record: Put, work_off: Callable[..., int], said: list[str], expected: tuple[int, str]
) -> None:
    for number, one in enumerate(said):
        activity_id = record("demo", "richard", JANE, raw=_body(one), queue_id=f"4Xy{number}")
    assert work_off() == len(said)
    assert _activity(demo, activity_id) == expected
    assert work_off() == 0


@LEADS
def test_law_2_the_first_proven_body_leads_where_they_come_one_by_one(
    demo: Database, record: Put, work_off: Callable[..., int], said: list[str], expected: tuple[int, str]
) -> None:
    for number, one in enumerate(said):
        activity_id = record("demo", "richard", JANE, raw=_body(one), queue_id=f"4Xy{number}")
        assert work_off() == 1
    assert _activity(demo, activity_id) == expected
    assert work_off() == 0


def _pass_of_a_group(content: tuple[object, ...]) -> str:
    return VERDICTS["pass" if content[2] is True else "none"]


def test_what_came_through_a_group_is_examined_as_such(demo: Database, record: Put, now: datetime) -> None:
    """Its own From says nothing of the author: his organisation's signature over it would be no proof."""
    record("demo", "richard", JANE, raw=_body("x"), queue_id="4Xy0")
    record("demo", "richard", JANE, raw=_body("y"), queue_id="4Xy1")
    demo.execute(
        "UPDATE raw_messages SET author_via = 'sales@firm.example' WHERE id = (SELECT MAX(id) FROM raw_messages)"
    )
    later, log = now + timedelta(hours=1), structlog.get_logger()
    workers: Workers[Waiting] = Workers(1, _pass_of_a_group)
    try:
        assert server.work_off(demo, workers, log, lambda: later) == 2
    finally:
        workers.stop()
    assert demo.execute("SELECT verdict FROM raw_messages ORDER BY id").fetchall() == [("none",), ("pass",)]


def test_the_examiner_knows_the_two_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = _body("x")
    asked: list[tuple[object, ...]] = []

    found = sender_verdict.none(VerdictReason.OTHER_DOMAIN, "x.example")

    def note(name: str) -> Callable[..., SenderVerdict]:
        return lambda *args: asked.append((name, *args[1:])) or found  # type: ignore[func-returns-value]

    monkeypatch.setattr(DkimProver, "verdict", note("direct"))
    monkeypatch.setattr(DkimProver, "verdict_through_group", note("group"))
    examiner = server.Examiner(Settings(data_dir=Path("/x"), digest=Digest(trusted_sealers=("Google.com.",))))
    for through_group in (False, True):
        assert examiner((1, JANE, through_group, len(raw), zstandard.compress(raw))) == "none other_domain x.example"
    assert asked == [("direct", raw, JANE, frozenset({"google.com"})), ("group", raw, JANE, frozenset({"google.com"}))]


def test_a_repeat_is_not_examined_again(demo: Database, record: Put, work_off: Callable[..., int]) -> None:
    record("demo", "richard", JANE, raw=_body("pass"))
    assert work_off() == 1
    record("demo", "richard", JANE, raw=_body("pass"), queue_id="4XyAgain")
    assert verdicts.count_pending(demo) == 0
    assert work_off() == 0


def test_without_dns_a_body_waits_longer_each_time(
    demo: Database, record: Put, work_off: Callable[..., int], now: datetime
) -> None:
    activity_id = record("demo", "richard", JANE, raw=_body("dns"))
    after = timedelta(0)
    for pause_seconds in (30, 60, 120):
        assert work_off(after) == 1
        assert _activity(demo, activity_id) == (1, "pending")
        assert work_off(after + timedelta(seconds=pause_seconds - 1)) == 0
        after += timedelta(seconds=pause_seconds)
    assert server.pause_after(1000) == timedelta(days=1)
    assert verdicts.count_pending(demo) == 1


@pytest.mark.parametrize(
    "said", ["kill", pytest.param("hang", marks=pytest.mark.slow), "eat", "raise", "chatter", "garbage"]
)
def test_hostile_mail_ends_its_examiner_and_nothing_else(
    demo: Database, record: Put, work_off: Callable[..., int], said: str
) -> None:
    hostile = record("demo", "richard", JANE, number=1, raw=_body(said))
    good = [record("demo", "richard", JANE, number=number, raw=_body("pass")) for number in (2, 3, 4)]
    assert work_off(timedelta(hours=1)) == 4
    assert [_activity(demo, one)[1] for one in good] == ["pass"] * 3
    assert _activity(demo, hostile)[1] == "pending"
    for hours in (2, 3):
        assert work_off(timedelta(hours=hours)) == 1
    assert _activity(demo, hostile)[1] == "none"
    assert _reasons(demo)[0] == ("examiner_died", None)


def test_damaged_raw_bytes_are_not_proven(demo: Database, record: Put, work_off: Callable[..., int]) -> None:
    activity_id = record("demo", "richard", JANE, raw=_body("pass"))
    with demo.transaction():
        demo.execute("UPDATE raw_messages SET content_zstd = ?", (b"no zstd",))
    for hours in (1, 2, 3):
        assert work_off(timedelta(hours=hours)) == 1
    assert _activity(demo, activity_id)[1] == "none"


def test_damaged_raw_bytes_are_told_at_once_and_as_what_they_are(
    demo: Database, record: Put, now: datetime, tmp_path: Path
) -> None:
    """Lost raw bytes are the worst that the record can have: no examiner's death, which is tried again."""
    activity_id = record("demo", "richard", JANE, raw=_body("pass"))
    with demo.transaction():
        demo.execute("UPDATE raw_messages SET content_zstd = ?", (b"no zstd",))
    workers: Workers[Waiting] = Workers(1, server.Examiner(Settings(data_dir=tmp_path)))
    try:
        with structlog.testing.capture_logs() as events:
            assert server.work_off(demo, workers, structlog.get_logger(), lambda: now + timedelta(hours=1)) == 1
    finally:
        workers.stop()
    assert _activity(demo, activity_id)[1] == "none"
    assert _reasons(demo) == [("damaged", None)]
    assert [(one["log_level"], "damaged" in one["event"]) for one in events] == [("error", True)]


def test_many_are_worked_off_in_parts(demo: Database, record: Put, work_off: Callable[..., int]) -> None:
    for number in range(1, server.MAX_BATCH + 3):
        record("demo", "richard", JANE, number=number, raw=_body("none"))
    assert verdicts.count_pending(demo) == server.MAX_BATCH + 2
    assert [work_off(timedelta(days=1)) for _ in range(3)] == [server.MAX_BATCH, 2, 0]


@pytest.mark.parametrize(
    ("sql", "used"),
    [
        (
            "SELECT raw_id FROM digest_queue WHERE stage = 'verdict' AND lane = 0 ORDER BY raw_id LIMIT 1",
            "USING PRIMARY KEY (lane=? AND stage=?)",
        ),
        (
            "SELECT raw_id FROM digest_queue WHERE stage = 'verdict' AND lane = 1 AND next_try_at <= 'x'"
            " ORDER BY next_try_at, raw_id LIMIT 1",
            "USING INDEX digest_queue_later",
        ),
    ],
)
def test_what_nobody_waits_for_costs_one_look(sqlite_database: Database, sql: str, used: str) -> None:
    (step,) = [row[-1] for row in sqlite_database.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()]
    assert used in step.replace("COVERING ", "")  # and no other step, to sort them


def test_a_new_version_waits_for_both_stages_and_a_repeat_for_none(demo: Database, record: Put) -> None:
    waiting = "SELECT raw_id, stage FROM digest_queue ORDER BY raw_id, stage"
    record("demo", "richard", JANE, raw=_body("x"))
    demo.execute("DELETE FROM digest_queue")
    record("demo", "richard", JANE, raw=_body("x"), queue_id="4XyAgain")
    assert demo.execute(waiting).fetchall() == []
    record("demo", "richard", JANE, raw=_body("y"), queue_id="4XyOther")
    raw_id = demo.execute("SELECT MAX(id) FROM raw_messages").fetchone()[0]
    assert demo.execute(waiting).fetchall() == [(raw_id, "reading"), (raw_id, "verdict")]


def test_an_id_is_never_given_again(demo: Database, record: Put) -> None:
    first = record("demo", "richard", JANE, number=1)
    raw_ids = demo.execute("SELECT id FROM raw_messages").fetchall()
    assert retraction.retract(demo, 1, "4Xy1") == first
    assert record("demo", "richard", JANE, number=2) > first
    assert demo.execute("SELECT id FROM raw_messages").fetchall() > raw_ids


def _one_or_death(content: tuple[object, ...]) -> str:
    if content[0]:
        return str(content[0])
    os.kill(os.getpid(), signal.SIGKILL)
    return "not reached"


def test_a_child_that_died_is_replaced() -> None:
    workers: Workers[int] = Workers(1, _one_or_death)
    try:
        jobs: list[tuple[int, tuple[object, ...]]] = [(n, (n % 2,)) for n in range(6)]
        assert dict(workers.run(jobs)) == {0: DIED, 1: "1", 2: DIED, 3: "1", 4: DIED, 5: "1"}
    finally:
        workers.stop()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_digest_and_filter_never_wait_for_each_other(demo: Database, record: Put, now: datetime) -> None:
    """The filter records a further copy of a message, holding its activity, while the digest settles the first one."""
    activity_id = record("demo", "richard", JANE, raw=_body("pass"))
    filter_, digest = Database(demo.url), Database(demo.url)
    try:
        (raw_id,) = verdicts.due(digest, now + timedelta(hours=1), 10)
        waiting = verdicts.read(digest, raw_id)
        assert waiting

        def settle() -> None:
            with digest.transaction():
                verdicts.lock(digest, [waiting])
                verdicts.settle(digest, [(waiting, SenderVerdict(Verdict.PASS, VerdictReason.DKIM))], now)

        thread = threading.Thread(target=settle)
        with filter_.transaction(alone=False):
            filter_.execute("UPDATE activities SET identity = identity WHERE id = ?", (activity_id,))
            thread.start()
            deadline = time.monotonic() + 20
            while not filter_.execute("SELECT COUNT(*) FROM pg_locks WHERE NOT granted").fetchone()[0]:
                assert time.monotonic() < deadline, "the digest doesn't wait for the activity"
                time.sleep(0.02)
            filter_.execute("UPDATE raw_messages SET version_digest = version_digest WHERE id = ?", (raw_id,))
        thread.join()
        assert _activity(digest, activity_id)[1] == "pass"
    finally:
        filter_.close()
        digest.close()
