"""The digest: waiting bodies, leading bodies, the effects of silent DNS and of hostile mail. On both databases."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
import structlog.testing
import zstandard

from mailweir import sender_verdict
from mailweir.digest import children, outcomes, server, workers
from mailweir.digest.outcomes import MAX_DEATHS
from mailweir.digest.server import Digest
from mailweir.digest.workers import Facts, Limits, Pool
from mailweir.errors import MailweirError
from mailweir.sender_auth import DkimProver
from mailweir.sender_verdict import SenderVerdict, Verdict, VerdictReason
from mailweir.settings import Digest as DigestSettings
from mailweir.settings import Settings
from mailweir.store.database.connection import Database
from mailweir.store.record import activities, decision_search, digest_queue, raw_messages, retraction, verdicts
from mailweir.store.record.digest_queue import Lane, Stage
from mailweir.store.record.verdicts import Examined

Put = Callable[..., int]
JANE = "jane@client.example"
# A child's answer to these words in a body.
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


def word(about: Facts, content_zstd: bytes) -> bytes:
    """Replaces the examiner: does what the body says."""
    try:
        raw = raw_messages.decompress(content_zstd, about["size"], about["activity"])
    except MailweirError:
        return children.DAMAGED
    said = raw.rpartition(b"\r\n\r\n")[2].decode().strip()
    match said.partition(" ")[0]:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "hang":
            time.sleep(600)
        case "spin":
            while True:
                pass
        case "eat":
            bytearray(2_000_000_000)
        case "raise":
            raise RuntimeError(said)
        case "chatter":
            return b"x" * 10_000
        case "dns":
            return children.NO_DNS
    return children.DONE + VERDICTS.get(said.partition(" ")[0], said).encode()


def _limits(**changes: float) -> Limits:
    usual = Limits(data_bytes=600_000_000, cpu_seconds=1.0, wall_seconds=3.0, answer_bytes=children.MAX_VERDICT_BYTES)
    return replace(usual, **changes)  # type: ignore[arg-type]


def _pools(verdict: workers.Work = word, **changes: float) -> server.Pools:
    """Pools for the stage `verdict` alone."""
    lanes = {Lane.NEW: 2, Lane.LATER: 1}
    return {(Stage.VERDICT, lane): Pool(count, verdict, _limits(**changes)) for lane, count in lanes.items()}


@pytest.fixture
def work_off(demo: Database, now: datetime) -> Iterator[Callable[..., int]]:
    """Does all work that is due at a time of the test's choice."""
    times = [now]
    digest = Digest(demo, _pools(), structlog.get_logger(), lambda: times[-1])

    def run(after: timedelta = timedelta(hours=1)) -> int:
        times.append(now + after)
        return digest.work_off()

    yield run
    digest.stop()


def _body(said: str) -> bytes:
    return f"Subject: x\r\n\r\n{said}\r\n".encode()


def _activity(database: Database, activity_id: int) -> tuple[int, str]:
    """The number of the leading version, from 1, and the sender verdict."""
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
    (found, *_) = decision_search.find(demo, "4Xy0")
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


def _pass_of_a_group(about: Facts, content_zstd: bytes) -> bytes:
    return children.DONE + VERDICTS["pass" if about["via_group"] is True else "none"].encode()


def test_a_digest_whose_children_have_all_they_take_waits_for_them(demo: Database, record: Put, now: datetime) -> None:
    """Otherwise it would look at the queue without end, and keep a processor busy."""
    for number in range(1, 71):
        record("demo", "richard", JANE, number=number, raw=_body("hang"))
    wall_seconds = 3.0
    digest = Digest(demo, _pools(wall_seconds=wall_seconds), structlog.get_logger(), lambda: now + timedelta(hours=1))
    began = time.process_time()
    try:
        # Mails behind a slow one go to the other child. Then one child is out of time, or both are.
        assert digest.turn(30.0) + digest.turn(30.0) >= 1
    finally:
        digest.stop()
    assert time.process_time() - began < wall_seconds / 2


def test_two_hostile_mails_at_once_hardly_delay_others(demo: Database, record: Put, now: datetime) -> None:
    hostile = [record("demo", "richard", JANE, number=number, raw=_body("spin")) for number in (1, 2)]
    for number in range(3, 33):
        record("demo", "richard", JANE, number=number, raw=_body("pass"))
    digest = Digest(demo, _pools(wall_seconds=2.0), structlog.get_logger(), lambda: now + timedelta(hours=1))
    began = time.monotonic()
    proven = "SELECT COUNT(*) FROM raw_messages WHERE verdict = 'pass'"
    try:
        while demo.execute(proven).fetchone() != (30,):
            digest.turn(0.05)
            assert time.monotonic() - began < 15
    finally:
        digest.stop()
    assert {_activity(demo, one)[1] for one in hostile} == {"pending"}


def test_what_came_through_a_group_is_examined_as_such(demo: Database, record: Put, now: datetime) -> None:
    """The group's From says nothing about the author, so a signature of the author's organisation over it would be no proof."""
    record("demo", "richard", JANE, raw=_body("x"), queue_id="4Xy0")
    record("demo", "richard", JANE, raw=_body("y"), queue_id="4Xy1")
    demo.execute(
        "UPDATE raw_messages SET author_via = 'sales@firm.example' WHERE id = (SELECT MAX(id) FROM raw_messages)"
    )
    digest = Digest(demo, _pools(_pass_of_a_group), structlog.get_logger(), lambda: now + timedelta(hours=1))
    assert digest.work_off() == 2
    digest.stop()
    assert demo.execute("SELECT verdict FROM raw_messages ORDER BY id").fetchall() == [("none",), ("pass",)]


def test_the_examiner_knows_the_two_questions(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    raw = _body("x")
    asked: list[tuple[object, ...]] = []

    found = sender_verdict.none(VerdictReason.OTHER_DOMAIN, "x.example")

    def note(name: str) -> Callable[..., SenderVerdict]:
        return lambda *args: asked.append((name, *args[1:])) or found  # type: ignore[func-returns-value]

    monkeypatch.setattr(DkimProver, "verdict", note("direct"))
    monkeypatch.setattr(DkimProver, "verdict_through_group", note("group"))
    config = Settings(data_dir=Path("/x"), digest=DigestSettings(trusted_sealers=("Google.com.",)))
    examiner = children.Examiner(config)
    for via in (None, "sales@firm.example"):
        version = digest_queue.Version(
            activity_id=1,
            author=JANE,
            via=via,
            size_bytes=len(raw),
            recorded_at=now,
            content_zstd=zstandard.compress(raw),
        )
        assert examiner(children.facts(version), version.content_zstd) == b"+none other_domain x.example"
    sealers = frozenset({"google.com"})
    assert asked == [("direct", raw, JANE, sealers, now), ("group", raw, JANE, sealers, now)]


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
    assert outcomes.pause_after(1000) == timedelta(days=1)
    assert verdicts.count_pending(demo) == 1


@pytest.mark.parametrize("reason", ["key_missing", "key_unusable"])
def test_law_11_a_key_that_is_not_there_is_asked_for_again(
    demo: Database, record: Put, now: datetime, tmp_path: Path, reason: str
) -> None:
    """DNS may give a wrong answer for a moment. The author isn't proven meanwhile."""
    answer = tmp_path / "answer"
    times = [now]
    pools = _pools(lambda *_: children.DONE + answer.read_bytes())
    digest = Digest(demo, pools, structlog.get_logger(), lambda: times[-1])
    activity_id = record("demo", "richard", JANE, raw=_body("x"))
    missing = f"none {reason} client.example"
    for hours, said, done, verdict in (
        (0.1, missing, 1, "none"),
        (1.0, missing, 0, "none"),
        (1.2, missing, 1, "none"),
        (2.3, "pass dkim client.example", 0, "none"),
        (2.5, "pass dkim client.example", 1, "pass"),
        (99.0, missing, 0, "pass"),
    ):
        answer.write_text(said)
        times.append(now + timedelta(hours=hours))
        assert (hours, digest.work_off(), _activity(demo, activity_id)) == (hours, done, (1, verdict))
    digest.stop()
    assert demo.execute(_COUNTS).fetchall() == []


def test_law_11_a_key_that_is_never_there_is_not_asked_for_for_ever(demo: Database, record: Put, now: datetime) -> None:
    times = [now]
    pools = _pools(lambda *_: children.DONE + b"none key_missing client.example")
    digest = Digest(demo, pools, structlog.get_logger(), lambda: times[-1])
    activity_id = record("demo", "richard", JANE, raw=_body("x"))
    done = []
    for hours in range(100):
        times.append(now + timedelta(hours=hours, minutes=6))
        done.append(digest.work_off())
        assert verdicts.count_pending(demo) == 0
    digest.stop()
    assert 5 < sum(done) < 10
    assert _activity(demo, activity_id) == (1, "none")
    assert demo.execute(_COUNTS).fetchall() == []


def test_what_waits_for_tomorrow_is_done_at_once_when_an_admin_says_so(
    demo: Database, record: Put, work_off: Callable[..., int]
) -> None:
    """The admin asks for it once DNS works again."""
    activity_id = record("demo", "richard", JANE, raw=_body("dns"))
    demo.execute("DELETE FROM digest_queue WHERE stage = 'reading'")
    demo.execute("UPDATE digest_queue SET attempts = 20")
    assert work_off(timedelta(hours=1)) == 1
    assert work_off(timedelta(hours=2)) == 0
    with demo.transaction():
        digest_queue.again(demo, Stage.VERDICT, digest_queue.versions(demo, [activity_id]))
    assert work_off(timedelta(hours=2)) == 1


_COUNTS = "SELECT lane, attempts, deaths FROM digest_queue WHERE stage = 'verdict'"


@pytest.mark.parametrize(
    "said", ["kill", pytest.param("hang", marks=pytest.mark.slow), "spin", "eat", "raise", "chatter", "garbage"]
)
def test_hostile_mail_ends_its_examiner_and_nothing_else(
    demo: Database, record: Put, work_off: Callable[..., int], said: str
) -> None:
    hostile = record("demo", "richard", JANE, number=1, raw=_body(said))
    good = [record("demo", "richard", JANE, number=number, raw=_body("pass")) for number in (2, 3, 4)]
    assert work_off(timedelta(hours=1)) == 4
    assert [_activity(demo, one)[1] for one in good] == ["pass"] * 3
    assert _activity(demo, hostile)[1] == "pending"
    for deaths in range(1, MAX_DEATHS):
        assert demo.execute(_COUNTS).fetchall() == [(1, 0, deaths)]
        assert work_off(timedelta(hours=1 + deaths)) == 1
    assert demo.execute(_COUNTS).fetchall() == []
    assert _activity(demo, hostile)[1] == "none"
    assert _reasons(demo)[0] == ("examiner_died", None)


def test_damaged_raw_bytes_are_told_at_once_and_as_what_they_are(
    demo: Database, record: Put, now: datetime, tmp_path: Path
) -> None:
    """Lost raw bytes are the worst damage to the record. An examiner's death is tried again; damaged bytes aren't."""
    activity_id = record("demo", "richard", JANE, raw=_body("pass"))
    with demo.transaction():
        demo.execute("UPDATE raw_messages SET content_zstd = ?", (b"no zstd",))
    pools = _pools(children.Examiner(Settings(data_dir=tmp_path)))
    with structlog.testing.capture_logs() as events:
        digest = Digest(demo, pools, structlog.get_logger(), lambda: now + timedelta(hours=1))
        assert digest.work_off() == 1
        digest.stop()
    assert _activity(demo, activity_id)[1] == "none"
    assert _reasons(demo) == [("damaged", None)]
    assert [(one["log_level"], "damaged" in one["event"]) for one in events] == [("error", True)]


def test_many_are_worked_off(demo: Database, record: Put, work_off: Callable[..., int]) -> None:
    count = 2 * server.MAX_TOGETHER + 5
    for number in range(1, count + 1):
        record("demo", "richard", JANE, number=number, raw=_body("none"))
    assert verdicts.count_pending(demo) == count
    assert [work_off(timedelta(days=1)) for _ in range(2)] == [count, 0]


@pytest.mark.parametrize(
    ("sql", "used"),
    [
        (
            "SELECT raw_id FROM digest_queue WHERE stage = 'verdict' AND lane = 0 AND next_try_at <= 'x' ORDER BY raw_id LIMIT 1",
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
    assert used in step.replace("COVERING ", "")  # and no other step that sorts


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


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_digest_and_filter_never_wait_for_each_other(demo: Database, record: Put, now: datetime) -> None:
    """The filter records a further copy of a message, and holds its activity. Meanwhile the digest settles the first copy."""
    activity_id = record("demo", "richard", JANE, raw=_body("pass"))
    filter_, digest = Database(demo.url), Database(demo.url)
    try:
        (raw_id,) = digest.execute("SELECT id FROM raw_messages").fetchone()
        found = SenderVerdict(Verdict.PASS, VerdictReason.DKIM)

        def settle() -> None:
            with digest.transaction():
                verdicts.lock(digest, [activity_id])
                verdicts.settle(digest, [(Examined(raw_id, activity_id), found)], now)

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
