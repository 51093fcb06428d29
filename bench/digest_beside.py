"""The digest's effect on the speed of capture beside it: `python -m bench.digest_beside`.

A process records mail through the filter's code, batches of 20, each a commit, and uses as much additional CPU for each message
as Postfix and the filter do. On the same database, the digest with its own children works off a queue of 20,000 messages, or
waits, in short alternating spans. The bench prints the median of the pairs' ratios of messages/s with its interval of 95 % (by
ranks), and the longest batch and the 99th percentile. Exit 1 if the whole interval is below the goal. `pages_beside` uses
`Capture`, too.
"""

import argparse
import gc
import json
import logging
import mmap
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import structlog

from admin_cli.demo import signing
from admin_cli.demo.signing import SigningKey
from bench import digest, growth, pairs, report
from mailweir import recording
from mailweir.database_url import DatabaseUrl
from mailweir.digest import server
from mailweir.digest.server import Digest
from mailweir.settings import Settings
from mailweir.store.database import versions
from mailweir.store.database.batches import parts
from mailweir.store.database.connection import Database
from tests.moody_zone import MoodyZoneServer

GOAL = 0.95  # captures beside the working digest, as a ratio to those beside the waiting one
_QUEUED = 20_000
_PAIRS, _SECONDS = 20, 2.0
_PREPARED = 2_000  # messages made in one go, before a span begins
_LEFT_BATCHES = 600  # more than a span records
_SIGNED = 300


def main() -> int:
    """Measures and prints; the exit code."""
    options = _options()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    key = SigningKey.generate()
    zone = {(signing.key_name("sel", "client.example"), "TXT"): [key.record]}
    with tempfile.TemporaryDirectory(prefix="mailweir-bench-", dir="/var/tmp") as folder, MoodyZoneServer(zone) as dns:
        settings = Settings.model_validate({"data_dir": folder, "dns": {"nameserver": "127.0.0.1", "port": dns.port}})
        with digest.url(options.database, folder) as url:
            found = _measure(url, settings, key, options)
    print(json.dumps(found, indent=2) if options.json else _text(found))
    return 1 if found["captured"]["high"] < GOAL and not options.no_goal else 0


def _measure(url: DatabaseUrl, settings: Settings, key: SigningKey, options: argparse.Namespace) -> dict[str, Any]:
    versions.upgrade(url)
    with closing(Database(url)) as database:
        growth.make_people(database)
        texts = [digest.signed(entry, number, key) for number, entry in enumerate(growth.entries(0, _SIGNED))]
        for batch in parts(_signed(0, options.queued, texts), 500):
            with database.transaction(alone=False):
                recording.record_all(database, batch)
    with _digest_beside(url, settings) as switch, closing(Database(url)) as database:
        made = partial(_signed, texts=texts)
        capture = Capture(database, options.queued, options.work_milliseconds / 1e3, made)
        spans: list[tuple[Span, Span]] = []
        waiting_before = _waiting(database)
        for number in range(options.pairs):
            measured: dict[bool, Span] = {}
            for is_on in (False, True) if number % 2 == 0 else (True, False):
                switch(is_on)
                measured[is_on] = capture.span(options.seconds)
            switch(False)
            spans.append((measured[False], measured[True]))
            ratio = measured[True].messages_a_second / measured[False].messages_a_second
            print(f"bench: pair {number + 1} of {options.pairs}: {ratio:.3f}", file=sys.stderr, flush=True)
        done = waiting_before + capture.recorded * 2 - _waiting(database)
        found = pairs.interval([with_it.messages_a_second / without.messages_a_second for without, with_it in spans])
    without, with_it = ([one for pair in spans for one in pair[at].batch_seconds] for at in (0, 1))
    return {
        "machine": report.machine(),
        "pairs": options.pairs,
        "captured": {"median": found.median, "low": found.low, "high": found.high},
        "without": _figures(without),
        "with": _figures(with_it),
        "done_a_second": round(done / (options.pairs * options.seconds)),
    }


def _signed(start: int, count: int, texts: Sequence[recording.Entry]) -> Iterator[recording.Entry]:
    """Captured mail that can be read and examined. texts: a few signed mails, whose contents are repeated, because signing
    takes far longer than everything else."""
    for number, entry in enumerate(growth.entries(start, count)):
        like = texts[number % len(texts)]
        assert entry.content
        assert like.content
        kept = replace(entry.content, raw_zstd=like.content.raw_zstd, size_bytes=like.content.size_bytes)
        yield replace(
            like, content=kept, decision=replace(entry.decision, author=like.decision.author), source_id=entry.source_id
        )


class Span:
    """The speed of one span: the seconds of each batch, and messages/s."""

    def __init__(self, batch_seconds: list[float], seconds: float) -> None:
        self.batch_seconds = batch_seconds
        self.messages_a_second = len(batch_seconds) * growth.BATCH / seconds


class Capture:
    """Records new messages, as the filter does. first: the first message's number; work_seconds: additional CPU for each message;
    made: creates messages, given the first number and a count."""

    def __init__(
        self,
        database: Database,
        first: int,
        work_seconds: float,
        made: Callable[[int, int], Iterator[recording.Entry]] = growth.entries,
    ) -> None:
        self._database = database
        self._work_seconds = work_seconds
        self._made = made
        self._numbers = iter(range(first, 10**9, _PREPARED))
        self._left: list[list[recording.Entry]] = []
        self.recorded = 0

    def prepare(self) -> None:
        """Makes messages until there are enough for a span."""
        while len(self._left) < _LEFT_BATCHES:
            number = next(self._numbers)
            self._left += list(parts(self._made(number, _PREPARED), growth.BATCH))
        gc.collect()

    def span(self, seconds: float) -> Span:
        """Records for this long."""
        taken: list[float] = []
        self.prepare()
        time.sleep(0.2)  # time for the digest to begin, or to finish its current work
        began = at = time.perf_counter()
        while at - began < seconds:
            batch = self._left.pop()
            with self._database.transaction(alone=False):
                recording.record_all(self._database, batch)
            taken.append(time.perf_counter() - at)
            until = time.process_time() + self._work_seconds * growth.BATCH
            while time.process_time() < until:
                pass
            at = time.perf_counter()
        self.recorded += len(taken) * growth.BATCH
        return Span(taken, at - began)


@contextmanager
def _digest_beside(url: DatabaseUrl, settings: Settings) -> Iterator[Callable[[bool], None]]:
    """Starts a digest process; yields a function that switches it on (it works off the queue) and off (it waits)."""
    shared = mmap.mmap(-1, 1)
    pid = os.fork()
    if pid == 0:
        try:
            _work(url, settings, shared)
        finally:
            os._exit(1)

    def switch(is_on: bool) -> None:
        shared[0] = is_on

    try:
        yield switch
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _work(url: DatabaseUrl, settings: Settings, shared: mmap.mmap) -> None:
    database = Database(url, busy_timeout_seconds=20.0, durable=False)
    beside = Digest(database, server.pools(settings), structlog.get_logger(), lambda: datetime.now(UTC))
    while True:
        if shared[0]:
            beside.turn(0.05)
        else:
            time.sleep(0.01)


def _waiting(database: Database) -> int:
    return int(database.execute("SELECT COUNT(*) FROM digest_queue").fetchone()[0])


def _figures(batch_seconds: Sequence[float]) -> dict[str, float]:
    ordered = sorted(batch_seconds)
    return {
        "batch_median_milliseconds": round(statistics.median(ordered) * 1e3, 2),
        "batch_p99_milliseconds": round(ordered[len(ordered) * 99 // 100] * 1e3, 2),
        "batch_longest_milliseconds": round(ordered[-1] * 1e3, 2),
    }


def _text(found: dict[str, Any]) -> str:
    captured, without, with_it = found["captured"], found["without"], found["with"]
    return (
        f"captured beside the digest: {captured['median']} of what is captured without it ({captured['low']} to"
        f" {captured['high']}; goal: {GOAL}), {found['pairs']} pairs. A batch of {growth.BATCH}, without and with: median"
        f" {without['batch_median_milliseconds']} and {with_it['batch_median_milliseconds']} ms, 99th percentile"
        f" {without['batch_p99_milliseconds']} and {with_it['batch_p99_milliseconds']} ms, longest"
        f" {without['batch_longest_milliseconds']} and {with_it['batch_longest_milliseconds']} ms. The digest did"
        f" {found['done_a_second']} stages a second meanwhile"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="How much the digest slows capture that goes on beside it.")
    parser.add_argument("--queued", type=int, default=_QUEUED)
    parser.add_argument("--pairs", type=int, default=_PAIRS)
    parser.add_argument(
        "--work-milliseconds",
        type=float,
        default=1.2,
        help="CPU that is used for each message, as Postfix and the filter would; 0: the database alone",
    )
    parser.add_argument("--seconds", type=float, default=_SECONDS, help="of each half of a pair")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--no-goal", action="store_true", help="exit 0 however slow it is")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
