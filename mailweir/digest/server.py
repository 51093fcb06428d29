"""`mailweir-digest`: takes recorded mail that isn't examined or read yet, and writes its sender verdict and its reading.

Never loses or alters raw mail, and never verifies or reads mail in this process: the children of `workers` do, under limits. If
DNS gives no answer, the verdict stays pending, and the examination is repeated after growing pauses. Each stage has children of
its own, and so has each lane: new mail doesn't wait for retries and repeated work. Capture has priority over the digest. Started
by `mailweir up` or systemd, as the unprivileged user.
"""

import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from mailweir import daemons, heap, log, settings
from mailweir.digest import children, workers
from mailweir.digest.held import HeldDesk, HeldHand
from mailweir.digest.outcomes import Outcome, Outcomes
from mailweir.digest.workers import Limits, Pool, Work
from mailweir.errors import DatabaseUnavailable, MailweirError
from mailweir.settings import Settings
from mailweir.store.database import batches, versions
from mailweir.store.database.connection import Database
from mailweir.store.record import digest_queue, digest_rebuilds, file_owners
from mailweir.store.record.digest_queue import Entry, Lane, Stage

PROCESS = daemons.DIGEST.name
LEASE = timedelta(minutes=2)  # longer than the work in hand takes; after it, another host takes over a dead host's work
_TAKEN_AT_ONCE = 128
_SMALL_BYTES = 64_000  # of mail that is fetched from the database many at a time
MAX_TOGETHER = 50  # results in a transaction: a few milliseconds, because the filter waits for the write lock meanwhile
_MAX_TOGETHER_POSTGRESQL = 100  # it has no such lock, and a statement costs more there
_TOGETHER_SECONDS = 0.1  # results within this time share a transaction, unless nothing else is in hand
_GATHER_SECONDS = 0.01  # shorter than the children need for their work
_BUSY_SECONDS = 20.0
_CPU_SECONDS = 5.0
_HELD_BYTES = 600_000_000
_VERDICT_BYTES, _READING_BYTES = 530_000_000, 230_000_000  # of memory, beside some 70 MB that this process has
# For one mail, even on a busy machine. After two mails that use it up, ordinary mail is still done within 30 seconds.
_WALL_SECONDS = {Lane.NEW: 12.0, Lane.LATER: 60.0}
_WALL_SECONDS_A_MEGABYTE = 1.5
_WALL_BEYOND_DNS_SECONDS = 7.5
_NICENESS = {Lane.NEW: 10, Lane.LATER: 15}  # capture has priority

Desk = tuple[Stage, Lane]
Hand = tuple[Entry, int]  # and the activity's id
Pools = Mapping[Desk, Pool[Hand]]


def main() -> None:
    """The console script. Exit 1 with one line if the settings or the database prevent its work."""
    logger = log.configure(PROCESS)
    try:
        config = settings.load()
        database = connect(config)
        versions.check(database)
        file_owners.fill(database)
    except MailweirError as error:
        sys.exit(f"{PROCESS}: {error}")
    is_over = threading.Event()

    def end(*_: object) -> None:
        is_over.set()
        sys.exit(0)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    digest = make(config, database, logger, lambda: datetime.now(UTC))
    heap.freeze()
    logger.info("serving", workers=config.digest.workers)
    try:
        _serve(digest, config.digest.poll_seconds, logger, is_over)
    finally:
        database.close()  # a signal may have come during a query; a new connection gives back the work in hand
        digest.stop()
        logger.info("stopped")


def connect(config: Settings) -> Database:
    """The digest's connection. A result and its completion mark are written in one transaction, so a power failure undoes both,
    and the work is repeated. So commits don't wait for the disk; otherwise the filter would have to wait with them."""
    return Database(config.database_url, busy_timeout_seconds=_BUSY_SECONDS, durable=False)


def _serve(
    digest: "Digest", poll_seconds: float, logger: structlog.stdlib.BoundLogger, is_over: threading.Event
) -> None:
    """Serves until a signal. If it comes during a query, SystemExit may be lost: the rollback fails, and its error replaces
    SystemExit. So the loop checks is_over."""
    while not is_over.is_set():
        try:
            digest.turn(poll_seconds)
        except DatabaseUnavailable as error:
            if is_over.is_set():
                return
            logger.error("database unavailable", error=str(error))
            digest.forget()
            time.sleep(poll_seconds)


def make(
    config: Settings, database: Database, logger: structlog.stdlib.BoundLogger, clock: Callable[[], datetime]
) -> "Digest":
    """A digest with all its stages."""
    examiner = children.Examiner(config)
    limits = Limits(
        data_bytes=_HELD_BYTES,
        cpu_seconds=2 * _CPU_SECONDS,
        wall_seconds=_WALL_SECONDS[Lane.LATER],
        answer_bytes=children.MAX_HELD_BYTES,
    )
    pool: Pool[HeldHand] = Pool(1, children.HeldExaminer(examiner), limits)
    erase_after = timedelta(seconds=config.digest.held_erase_seconds)
    held = HeldDesk(database, pool, logger, clock, erase_after)
    return Digest(database, pools(config, examiner), logger, clock, held)


def pools(config: Settings, examiner: children.Examiner | None = None) -> Pools:
    """The children of each stage and lane."""
    works: dict[Stage, Work] = {Stage.VERDICT: examiner or children.Examiner(config), Stage.READING: children.read}
    answers = {Stage.VERDICT: children.MAX_VERDICT_BYTES, Stage.READING: children.MAX_READING_BYTES}
    memory = {Stage.VERDICT: _VERDICT_BYTES, Stage.READING: _READING_BYTES}
    made: dict[Desk, Pool[Hand]] = {}
    for stage in Stage:
        for lane in Lane:
            limits = Limits(
                data_bytes=memory[stage],
                cpu_seconds=_CPU_SECONDS,
                wall_seconds=_wall_seconds(stage, lane, config),
                answer_bytes=answers[stage],
                niceness=_NICENESS[lane],
                wall_seconds_a_megabyte=_WALL_SECONDS_A_MEGABYTE,
            )
            made[stage, lane] = Pool(config.digest.workers if lane is Lane.NEW else 1, works[stage], limits)
    return made


def _wall_seconds(stage: Stage, lane: Lane, config: Settings) -> float:
    if stage is Stage.READING:
        return _WALL_SECONDS[lane]
    return max(_WALL_SECONDS[lane], config.dns.timeout_seconds + _WALL_BEYOND_DNS_SECONDS)


@dataclass(slots=True)
class _Desk:
    """The work taken from the queue. waiting: entries that have no child yet; in_hand: all entries taken, these included.
    versions: those of waiting entries, if they are small. next_look: when to look at the queue again. is_rebuilding: more of the
    record may have to be done again."""

    pool: Pool[Hand]
    waiting: deque[Entry] = field(default_factory=deque)
    versions: dict[int, digest_queue.Version] = field(default_factory=dict)
    in_hand: dict[int, Entry] = field(default_factory=dict)
    next_look: float = 0.0
    is_rebuilding: bool = False


class Digest:
    """The queue, the children, and the written results. For one thread."""

    def __init__(
        self,
        database: Database,
        pools: Pools,
        logger: structlog.stdlib.BoundLogger,
        clock: Callable[[], datetime],
        held: HeldDesk | None = None,
    ) -> None:
        self._database = database
        self._held = held
        self._together = MAX_TOGETHER if database.is_sqlite else _MAX_TOGETHER_POSTGRESQL
        self._desks = {key: _Desk(pool) for key, pool in pools.items()}
        self._left: list[Entry] = []  # released, but still leased
        self._outcomes = Outcomes(database, logger, clock)
        self._logger = logger
        self._clock = clock

    def turn(self, poll_seconds: float) -> int:
        """Gives out due work, and writes finished work; returns how many are finished. Waits at most poll_seconds. Errors:
        DatabaseUnavailable."""
        self._give_out(poll_seconds)
        if self._is_idle():
            time.sleep(self._pause(poll_seconds))
            return 0
        return self._write(self._collect(self._pause(poll_seconds)))

    def work_off(self) -> int:
        """Does all due work; returns how many. Errors: DatabaseUnavailable."""
        done = 0
        for desk in self._desks.values():
            desk.next_look = 0.0
        if self._held:
            self._held.look_at_once()
        while True:
            self._give_out(0.0)
            if not self._is_idle():
                done += self._write(self._collect(60.0))
            elif not any(desk.is_rebuilding for desk in self._desks.values()):
                return done

    def forget(self) -> None:
        """Releases everything unwritten: the queue still has it. Its leases are given back once the database is reachable."""
        self._left += self._all_in_hand()
        for desk in self._desks.values():
            desk.pool.stop()
            desk.waiting.clear()
            desk.versions.clear()
            desk.in_hand.clear()
            desk.next_look = 0.0
        if self._held:
            self._held.forget()
        self._database.close()

    def stop(self) -> None:
        """Ends the children, and gives back their work."""
        self._left += self._all_in_hand()
        for desk in self._desks.values():
            desk.pool.stop()
        try:
            if self._held:
                self._held.stop()
            self._give_back()
        except DatabaseUnavailable as error:
            self._logger.warning("what was in hand is done once its lease is over", error=str(error))

    def _all_in_hand(self) -> list[Entry]:
        return [entry for desk in self._desks.values() for entry in desk.in_hand.values()]

    def _give_back(self) -> None:
        if self._left:
            digest_queue.release(self._database, self._left)
            self._left = []

    def _pause(self, poll_seconds: float) -> float:
        """How long to wait for answers before the next look at a queue. A desk without room doesn't count: it needs an answer
        first."""
        looks = [desk.next_look - time.monotonic() for desk in self._desks.values() if desk.pool.has_room]
        if self._held and self._held.pool.has_room:
            looks.append(self._held.next_look - time.monotonic())
        return max(0.0, min(looks, default=poll_seconds))

    def _is_idle(self) -> bool:
        return all(desk.pool.is_idle for desk in self._desks.values()) and (
            self._held is None or self._held.pool.is_idle
        )

    def _give_out(self, poll_seconds: float) -> None:
        self._give_back()
        if self._held:
            self._held.sweep()
            self._held.give_out(poll_seconds)
        for (stage, lane), desk in self._desks.items():
            while desk.pool.has_room:
                if not desk.waiting and not self._take(stage, lane, desk, poll_seconds):
                    break
                entry = desk.waiting.popleft()
                version = desk.versions.pop(entry.raw_id, None) or digest_queue.version(self._database, entry.raw_id)
                if version is None:
                    digest_queue.done(self._database, stage, entry.raw_id)
                    del desk.in_hand[entry.raw_id]
                    continue
                desk.pool.give((entry, version.activity_id), children.facts(version), version.content_zstd)

    def _take(self, stage: Stage, lane: Lane, desk: _Desk, poll_seconds: float) -> bool:
        """Is there something to do? An empty queue is checked again after a pause."""
        if time.monotonic() < desk.next_look:
            return False
        now = self._clock()
        found = digest_queue.take(
            self._database, stage, lane, _TAKEN_AT_ONCE, now=now, until=now + LEASE, without=desk.in_hand
        )
        desk.waiting.extend(found)
        desk.versions = digest_queue.small_versions(self._database, [one.raw_id for one in found], _SMALL_BYTES)
        desk.in_hand.update((one.raw_id, one) for one in found)
        if not found and lane is Lane.LATER and not desk.in_hand:
            desk.is_rebuilding = digest_rebuilds.step(self._database, stage)
        if not found and (desk.in_hand or not desk.is_rebuilding):
            desk.next_look = time.monotonic() + poll_seconds
        return bool(found)

    def _collect(self, timeout_seconds: float) -> list[Outcome]:
        """The finished work, after a wait for the first; results shortly after it are included."""
        found = self._answers(timeout_seconds)
        end = time.monotonic() + _TOGETHER_SECONDS
        while 0 < len(found) < self._together and not self._is_idle():
            left = end - time.monotonic()
            if left <= 0:
                break
            # The children still have work; waking this process for each single answer would cost more.
            time.sleep(min(left, _GATHER_SECONDS))
            found += self._answers(0.0)
        return found

    def _answers(self, timeout_seconds: float) -> list[Outcome]:
        """The children's answers in this time. Answers for held mail go to its desk."""
        pools: list[Pool[Any]] = [desk.pool for desk in self._desks.values()]
        if self._held:
            pools.append(self._held.pool)
        found: list[Outcome] = []
        for hand, answer in workers.wait(pools, timeout_seconds):
            if isinstance(hand, HeldHand):
                assert self._held is not None
                self._held.answered(hand, answer)
            else:
                entry, activity_id = hand
                found.append(Outcome(entry, activity_id, answer))
        return found

    def _write(self, found: list[Outcome]) -> int:
        count = self._held.write() if self._held else 0
        for part in batches.parts(found, self._together):
            self._outcomes.write(part)
        for outcome in found:
            desk = self._desks[outcome.entry.stage, outcome.entry.lane]
            desk.in_hand.pop(outcome.entry.raw_id, None)
            if desk.is_rebuilding and not desk.in_hand:
                desk.next_look = 0.0  # the next page
        return count + len(found)
