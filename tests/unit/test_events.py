"""Reports of decided messages: a line for each, and counts that outlive a worker. A fault there is never a fault of the mail."""

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

import pytest
from prometheus_client import generate_latest
from prometheus_client.registry import CollectorRegistry

from capture_milter.counters import DECISIONS, Counters, TempfailCause
from capture_milter.events import Events
from capture_milter.group_commit import Written
from capture_milter.metrics import Collector
from mailweir.decision import Decision, Outcome, Reason
from mailweir.recording import Content, Entry, Recorded

if TYPE_CHECKING:
    from tests.people import MemoryDirectory

MakeWritten = Callable[..., Written]


@pytest.fixture
def written(people: "MemoryDirectory", now: datetime) -> MakeWritten:
    """A captured message: written(message_id="<1@x>", seconds=0.004)."""

    def make(message_id: str | None = "<1@client.example>", seconds: float = 0.004) -> Written:
        decision = Decision(
            deployment=people.tenants[0],
            addresses=("log@demo.example.net",),
            outcome=Outcome.CAPTURED,
            reason=Reason.AUTHOR_IS_CONTACT,
            author="joe@client.example",
            message_id=message_id,
        )
        entry = Entry(
            decision,
            "4Xy1",
            now,
            Content(
                identity=b"i",
                version_digest=b"d",
                raw_zstd=b"raw",
                size_bytes=1234,
                subject="a secret subject",
                sent_at=None,
            ),
        )
        return Written([entry], [Recorded(Outcome.CAPTURED, 7, reason=Reason.AUTHOR_IS_CONTACT)], seconds)

    return make


def _logged(batch: list[Written], page: Counters | None = None, *, log_decisions: bool = True) -> str:
    read_end, write_end = os.pipe()
    try:
        events = Events(page.page(0) if page else None, log_decisions=log_decisions, descriptor=write_end)
        events.committed(batch)
    finally:
        os.close(write_end)
    with os.fdopen(read_end, "rb") as stream:
        return stream.read().decode()


def test_a_decision_is_one_line_without_content(written: MakeWritten) -> None:
    line = _logged([written()])
    assert line.endswith("\n")
    assert line.partition(" ")[2] == (
        "level=info process=mailweir-milter event=captured queue_id=4Xy1 message_id=<1@client.example> deployment=demo"
        ' author=joe@client.example reason="author is a contact" activity=7 bytes=1234 commit_ms=4.0\n'
    )
    assert "secret" not in line


def test_mail_cant_forge_a_line(written: MakeWritten) -> None:
    text = _logged([written("<1@x>\nevent=captured queue_id=forged\u2028\x85"), written(None)])
    assert len(text.splitlines()) == 2
    assert all(line.startswith("timestamp=") for line in text.splitlines())


def test_a_confirmation_over_its_limit_is_told_as_what_was_written(written: MakeWritten) -> None:
    one = written()
    entry = replace(
        one.entries[0],
        content=None,
        decision=replace(one.entries[0].decision, outcome=Outcome.REDIRECTED, reason=Reason.CONFIRMATION),
    )
    counters = Counters(1)
    line = _logged(
        [Written([entry], [Recorded(Outcome.IGNORED, reason=Reason.CONFIRMATION_LIMIT)], 0.001)], page=counters
    )
    assert "event=ignored queue_id=4Xy1" in line
    assert 'reason="forwarding confirmation over its limit"' in line
    assert counters.decisions() == {(Outcome.IGNORED, Reason.CONFIRMATION_LIMIT): 1}


def test_lines_can_be_switched_off_and_counts_stay(written: MakeWritten) -> None:
    counters = Counters(1)
    assert _logged([written()], counters, log_decisions=False) == ""
    assert counters.decisions() == {(Outcome.CAPTURED, Reason.AUTHOR_IS_CONTACT): 1}


def test_a_log_that_cant_be_written_is_no_fault_of_the_mail_and_counts_go_on(written: MakeWritten) -> None:
    counters = Counters(1)
    Events(counters.page(0), log_decisions=True, descriptor=-1).committed([written()])
    assert sum(counters.decisions().values()) == 1


def _in_a_child_that_is_killed(work: Callable[[], None]) -> int:
    """Runs it in a child that is killed; returns the process id of the dead child."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    return pid


def test_counts_are_the_sum_over_workers_and_outlive_one_that_is_killed(written: MakeWritten) -> None:
    counters = Counters(2)
    counters.page(1).begin(os.getpid())
    Events(counters.page(1), log_decisions=False).committed([written()])

    def count() -> None:
        page = counters.page(0)
        page.begin(os.getpid())
        Events(page, log_decisions=False).committed([written(), written()])
        Events(page, log_decisions=False).tempfailed(TempfailCause.DNS)

    pid = _in_a_child_that_is_killed(count)
    assert counters.worker_pids() == [pid, os.getpid()]
    counters.page(0).begin(os.getpid())  # its successor
    assert counters.worker_starts() == 3
    assert counters.decisions() == {(Outcome.CAPTURED, Reason.AUTHOR_IS_CONTACT): 3}
    assert counters.tempfails()[TempfailCause.DNS] == 1
    assert counters.batch_messages()[1] == 3


def test_every_decision_has_a_place_of_its_own() -> None:
    counters = Counters(1)
    for number, pair in enumerate(DECISIONS, 1):
        counters.page(0).count_batch([pair] * number, [])
    assert counters.decisions() == {pair: number for number, pair in enumerate(DECISIONS, 1)}
    assert set(counters.tempfails().values()) == {0}


def test_prometheus_gets_counts_and_histograms(written: MakeWritten) -> None:
    counters = Counters(1)
    counters.page(0).begin(os.getpid())
    page = Events(counters.page(0), log_decisions=False)
    page.committed([written(seconds=0.004), written(seconds=0.3)])
    page.committed([written(seconds=100.0)])
    page.tempfailed(TempfailCause.DATABASE)
    text = _scrape(Collector(counters, lambda: 5))
    for line in (
        'mailweir_decisions_total{outcome="captured",reason="author is a contact"} 3.0',
        'mailweir_tempfails_total{cause="database"} 1.0',
        'mailweir_tempfails_total{cause="dns"} 0.0',
        'mailweir_commit_seconds_bucket{le="0.0025"} 0.0',
        'mailweir_commit_seconds_bucket{le="0.005"} 1.0',
        'mailweir_commit_seconds_bucket{le="0.5"} 2.0',
        'mailweir_commit_seconds_bucket{le="+Inf"} 3.0',
        "mailweir_commit_seconds_count 3.0",
        "mailweir_commit_seconds_sum 100.304",
        'mailweir_commit_batch_size_bucket{le="1.0"} 1.0',
        'mailweir_commit_batch_size_bucket{le="2.0"} 2.0',
        "mailweir_commit_batch_size_sum 3.0",
        "mailweir_digest_queue 5.0",
        "mailweir_worker_starts_total 1.0",
    ):
        assert line in text
    (memory,) = [line for line in text if line.startswith('mailweir_worker_resident_bytes{worker="0"}')]
    assert float(memory.split()[1]) > 1_000_000


def test_a_database_that_cant_be_asked_costs_its_number_only() -> None:
    text = _scrape(Collector(Counters(1), lambda: None))
    assert not any(line.startswith("mailweir_digest_queue") for line in text)
    assert 'mailweir_tempfails_total{cause="dns"} 0.0' in text


def _scrape(collector: Collector) -> list[str]:
    registry = CollectorRegistry()
    registry.register(collector)
    return generate_latest(registry).decode().splitlines()
