"""`mailweir-digest`: takes recorded bodies whose author isn't examined yet, and writes their sender verdicts.

Never loses or alters raw mail, and never verifies anything in this process: `workers` does, under limits. Where DNS gives no
answer a body stays pending and is tried again, later each time. Started by `mailweir up` or systemd, as the unprivileged user.
"""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import structlog

from mailweir import backoff, daemons, log, sender_verdict, settings
from mailweir.digest.workers import Workers
from mailweir.errors import DatabaseUnavailable, DnsUnavailable, MailweirError
from mailweir.sender_auth import DkimProver
from mailweir.sender_verdict import SenderVerdict, VerdictReason
from mailweir.settings import Settings
from mailweir.store.database import versions
from mailweir.store.database.connection import Database
from mailweir.store.record import raw_messages, verdicts
from mailweir.store.record.verdicts import Waiting

PROCESS = daemons.DIGEST.name
MAX_BATCH = 50  # a transaction: few milliseconds, for the filter waits for the write lock meanwhile
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(days=1)
MAX_DEATHS = 3  # attempts, after which a body that ends its examiner counts as not proven
_NO_DNS = "dns"
_DAMAGED = "damaged"
_BUSY_SECONDS = 20.0


def main() -> None:
    """The console script. Exit 1 with one line where the settings or the database don't allow to work."""
    logger = log.configure(PROCESS)
    try:
        config = settings.load()
        database = Database(config.database_url, busy_timeout_seconds=_BUSY_SECONDS)
        versions.check(database)
    except MailweirError as error:
        sys.exit(f"{PROCESS}: {error}")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    examiner = Examiner(config)
    workers: Workers[Waiting] = Workers(config.digest.workers, examiner)
    logger.info("serving", workers=config.digest.workers)
    try:
        _serve(database, workers, config.digest.poll_seconds, logger)
    finally:
        workers.stop()
        logger.info("stopped")


def _serve(
    database: Database, workers: Workers[Waiting], poll_seconds: float, logger: structlog.stdlib.BoundLogger
) -> None:
    while True:
        try:
            if work_off(database, workers, logger, lambda: datetime.now(UTC)):
                continue
        except DatabaseUnavailable as error:
            logger.error("database unavailable", error=str(error))
            database.close()
        time.sleep(poll_seconds)


class Examiner:
    """What a child does with a body: says a packed verdict, or in one word that DNS gave no answer or that it is damaged."""

    def __init__(self, config: Settings) -> None:
        self._prover = DkimProver(config.dns, keep_answers=True)
        self._prover.load()
        self._sealers = frozenset(config.digest.trusted_sealers)

    def __call__(self, content: tuple[object, ...]) -> str:
        """content: activity's id, author, whether it came through a group, size, compressed bytes. Errors: whatever hostile mail
        brings about."""
        activity_id, author, through_group, size_bytes, content_zstd = content
        assert isinstance(activity_id, int)
        assert isinstance(author, str)
        assert isinstance(size_bytes, int)
        assert isinstance(content_zstd, bytes)
        try:
            raw = raw_messages.decompress(content_zstd, size_bytes, activity_id)
        except MailweirError:
            return _DAMAGED
        try:
            if through_group:
                return self._prover.verdict_through_group(raw, author, self._sealers).pack().decode("ascii")
            return self._prover.verdict(raw, author, self._sealers).pack().decode("ascii")
        except DnsUnavailable:
            return _NO_DNS


def work_off(
    database: Database, workers: Workers[Waiting], logger: structlog.stdlib.BoundLogger, clock: Callable[[], datetime]
) -> int:
    """Examines what is due, at most MAX_BATCH bodies, and writes what came of it; how many. Errors: DatabaseUnavailable."""
    raw_ids = verdicts.due(database, clock(), MAX_BATCH)
    if not raw_ids:
        return 0
    results = list(workers.run(_jobs(database, raw_ids)))
    now = clock()
    settled, postponed = [], []
    for waiting, word in results:
        facts = {"activity": waiting.activity_id, "raw": waiting.raw_id, "attempt": waiting.attempts + 1}
        verdict = _verdict(word)
        if verdict:
            settled.append((waiting, verdict))
            logger.info("examined", verdict=str(verdict.value), **facts, **{"reason": str(verdict.reason)})
        elif word == _DAMAGED:
            settled.append((waiting, sender_verdict.none(VerdictReason.DAMAGED)))
            logger.error("raw message is damaged in the database: restore a backup", **facts)
        elif word == _NO_DNS or waiting.attempts + 1 < MAX_DEATHS:
            postponed.append(waiting)
            logger.warning("DNS unavailable" if word == _NO_DNS else "examiner died", **facts)
        else:
            settled.append((waiting, sender_verdict.none(VerdictReason.EXAMINER_DIED)))
            logger.error("examiner died again, author not proven", **facts)
    with database.transaction():
        verdicts.lock(database, [*(waiting for waiting, _ in settled), *postponed])
        verdicts.settle(database, settled, now)
        for waiting in postponed:
            verdicts.postpone(database, waiting, now + pause_after(waiting.attempts))
    return len(raw_ids)


def _verdict(word: str) -> SenderVerdict | None:
    """What a child said, where that is a verdict."""
    try:
        return SenderVerdict.parse(word.encode("ascii", "replace"))
    except ValueError:
        return None


def pause_after(attempts: int) -> timedelta:
    """How long a body waits after so many earlier attempts: twice as long each time, up to a day."""
    return backoff.pause(attempts, FIRST_PAUSE, LONGEST_PAUSE)


def _jobs(database: Database, raw_ids: list[int]) -> Iterator[tuple[Waiting, tuple[object, ...]]]:
    """One after the other, for each may be many megabytes."""
    for raw_id in raw_ids:
        waiting = verdicts.read(database, raw_id)
        if waiting:
            about = (waiting.activity_id, waiting.author, waiting.via is not None, waiting.size_bytes)
            content = (*about, bytes(waiting.content_zstd))
            yield replace(waiting, content_zstd=b""), content
