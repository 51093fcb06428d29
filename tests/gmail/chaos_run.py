"""One run of the sync's chaos: workers are killed and stopped while mail comes in; returns the observations.

A worker is killed only if it has written since its start (its log shows its decisions, after the commit). The mail comes in at
the pace of the kills, so that most of it is recorded during them. Called by `chaos`.
"""

import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mailweir.database_url import DatabaseUrl
from tests.gmail import chaos_verdict, load_client
from tests.gmail.chaos_worker import LEASE_SECONDS
from tests.gmail.emulator import ENDS_WITH_US
from tests.gmail.load_client import LoadServer
from tests.gmail.load_mail import Mix
from tests.gmail.load_site import LoadSite
from tests.gmail.processes import SyncProcess

REPOSITORY = Path(__file__).parents[2]
LEAST_SHARE = 0.6  # share of the mail recorded before the last kill; with less, the kills prove little
PAUSES = (1.0, 4.0)  # seconds between kills
_MAILBOXES, _EXPIRING = 48, 5  # mailboxes whose history expires: only there could a list repair a loss
_MIX = Mix(contacts=200, contact_share=0.7, size=4_096)
_DELAY_MS, _FAIL = 100.0, 0.01
_SETTINGS = (
    "sweep_seconds = 2.0\naudit_hours = 0\nthreads = 12\ntimeout_seconds = 5\n"  # no audit: it could repair a loss
    "user_units_per_minute = 10000000\nproject_units_per_minute = 1000000000\nproject_units_per_day = 100000000000\n"
)
_COMMAND = (*ENDS_WITH_US, sys.executable, "-m", "tests.gmail.chaos_worker")
_KILLS_A_STOP, _BLOWS_AN_EXPIRY, _BLOWS_A_LINE = 6, 7, 10
_ALL_OF = 4  # one blow in so many kills all workers that have written
_MOST_AT_ONCE = 6  # messages for one mailbox
_BURST_PART, _BURST_SECONDS = 0.5, (0.0, 1.5)  # share of the mail that comes right before a kill, and how long before
_LEAST_STOPS = 5  # after so many stops, the fence must have refused somebody
_FEEDING_PART = 0.85  # share of the kills during which mail comes: later mail would be recorded after the last kill
_WRITES_SECONDS, _FINISH_SECONDS = 60.0, 180.0
_WROTE = b" event=decided "


@dataclass
class Figures:
    """One run's figures. wanted: messages that must be on the record; share: of the mail, decided before the last kill;
    lost_leases: sweeps that the fence refused; `raws`: messages fetched whole. invalid: why the run proves nothing, or ''."""

    database: str
    workers: int
    kills: int = 0
    stops: int = 0
    messages: int = 0
    wanted: int = 0
    share: float = 0.0
    lost_leases: int = 0
    raws: int = 0
    failed_calls: int = 0
    seconds: float = 0.0
    invalid: str = ""
    violations: list[str] = field(default_factory=list)


class Worker:
    """A worker's place; a new process replaces each killed one."""

    def __init__(self, site: LoadSite, log: Path) -> None:
        self.log = log
        self._process = SyncProcess(site.settings_file, log, _COMMAND)
        self._begun_at = 0

    @property
    def is_running(self) -> bool:
        """Hasn't the process ended by itself?"""
        return self._process.is_running

    @property
    def has_written(self) -> bool:
        """Has this process committed a decision?"""
        with self.log.open("rb") as log:
            log.seek(self._begun_at)
            return _WROTE in log.read()

    def restart(self) -> None:
        """Starts another process in its place."""
        self._begun_at = self.log.stat().st_size
        self._process.restart()

    def kill(self) -> None:
        """kill -9."""
        self._process.kill()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Stops the process in the middle of its work for the block."""
        self._process.send(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send(signal.SIGCONT)


class Run:
    """Kills, stops, and mail. kills, messages: how many there are to be; each stop adds some mail."""

    def __init__(self, site: LoadSite, server: LoadServer, figures: Figures, kills: int, messages: int) -> None:
        self.site = site
        self._server = server
        self._figures = figures
        self._kills, self._messages = kills, messages
        self._chance = random.Random(kills)
        self._put = self._fed = 0
        self._last_kill = time.monotonic()
        folder = site.settings_file.parent
        self.workers = [Worker(site, folder / f"worker-{number}.log") for number in range(figures.workers)]

    def go(self, progress: Callable[[str], None]) -> None:
        """Runs all kills. AssertionError if a worker ended by itself, or none of them writes."""
        stops = max(1, self._kills // _KILLS_A_STOP) if len(self.workers) > 1 else 0
        blows = 0
        while self._figures.kills < self._kills:
            if self._figures.stops < stops and self._figures.kills >= self._figures.stops * self._kills / stops:
                self._stop_one()
            blows += 1
            if blows % _BLOWS_AN_EXPIRY == 0:
                self._server.expire(self._chance.randrange(_EXPIRING))
            self._wait(self._chance.uniform(*PAUSES))
            self._some_that_write()
            if self._kills - self._figures.kills <= len(self.workers):
                self._wait_for_the_record()
            self._burst()
            self._wait(self._chance.uniform(*_BURST_SECONDS))
            self._kill()
            self._last_kill = time.monotonic()
            if blows % _BLOWS_A_LINE == 0 or self._figures.kills >= self._kills:
                progress(f"{self._figures.kills} kills, {self._put} messages")
        self._figures.share = chaos_verdict.decided(self.site) / self._put

    def _wait(self, seconds: float) -> None:
        """Waits while mail comes in."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 0.1))
            self._feed()

    def _feed(self) -> None:
        part = min(1.0, (time.monotonic() - self._last_kill) / sum(PAUSES))
        due = self._messages * (1 - _BURST_PART) * min(1.0, (self._figures.kills + part) / self._kills / _FEEDING_PART)
        while self._fed < due:
            self._fed += self._add(self._chance.randint(1, _MOST_AT_ONCE))

    def _wait_for_the_record(self) -> None:
        """Waits before each kill that may be the last one: on a slow machine, the workers are slow, too."""
        end = time.monotonic() + _WRITES_SECONDS
        while chaos_verdict.decided(self.site) < LEAST_SHARE * self._put and time.monotonic() < end:
            self._wait(0.5)

    def _burst(self) -> None:
        """Adds mail, so that the kill strikes amid sweeps that have just heard of some."""
        for _ in range(round(self._messages / self._kills * _BURST_PART)):
            self._add(1)

    def _add(self, count: int) -> int:
        self._server.add(self._chance.randrange(_MAILBOXES), count)
        self._put += count
        return count

    def _kill(self) -> None:
        """Kills one worker that has written, or all that have, as when a host dies."""
        writing = self._some_that_write()
        doomed = writing if self._chance.randrange(_ALL_OF) == 0 else [self._chance.choice(writing)]
        for worker in doomed:
            worker.kill()
        for worker in doomed:
            worker.restart()
        self._figures.kills += len(doomed)

    def _some_that_write(self) -> list[Worker]:
        end = time.monotonic() + _WRITES_SECONDS
        while time.monotonic() < end:
            assert all(worker.is_running for worker in self.workers), "a worker ended by itself"
            if writing := [worker for worker in self.workers if worker.has_written]:
                return writing
            self._wait(0.5)
            self._add(1)  # a worker must have something to write
        raise AssertionError(f"no worker wrote anything within {_WRITES_SECONDS:.0f} s")

    def _stop_one(self) -> None:
        """Stops a worker for longer than its lease, amid sweeps that have just heard of mail. Others take its mailboxes, with
        newer mail in them. Then it goes on."""
        worker = self._chance.choice(self._some_that_write())
        self._add_to_all()
        time.sleep(self._chance.uniform(0.3, 1.0))
        with worker.stopped():
            self._add_to_all()
            self._wait(LEASE_SECONDS + self._chance.uniform(1.0, 2.0))
        self._figures.stops += 1

    def _add_to_all(self) -> None:
        self._server.add()
        self._put += _MAILBOXES

    def finish(self) -> None:
        """Ends the faults, and waits until nothing is left to do."""
        self._server.set(fail=0)
        end = time.monotonic() + _FINISH_SECONDS
        while not chaos_verdict.is_settled(self.site, self._server) and time.monotonic() < end:
            time.sleep(0.2)


def run(
    kind: str,
    folder: Path,
    database_url: DatabaseUrl | None,
    *,
    workers: int,
    kills: int,
    messages: int,
    progress: Callable[[str], None],
    least_share: float = LEAST_SHARE,
) -> Figures:
    """One run on an empty database; None: SQLite's in the folder. least_share: see LEAST_SHARE."""
    began, figures = time.monotonic(), Figures(kind, workers)
    options = {"mailboxes": _MAILBOXES, "initial": 0, "delay_ms": _DELAY_MS, "fail": _FAIL}
    with ExitStack() as stack:
        server = stack.enter_context(load_client.running(_MIX, **options))
        site = LoadSite(server, folder, database_url, boxes=_MAILBOXES, gmail=_SETTINGS, decisions=True)
        chaos_verdict.watch_cursors(site)
        one = Run(site, server, figures, kills, messages)
        for worker in one.workers:
            stack.callback(worker.kill)
        try:
            one.go(progress)
        except AssertionError as error:
            figures.violations.append(str(error))
        one.finish()
        progress("settled")
        logs = [worker.log.read_text() for worker in one.workers]
        counts = server.counts()
        with closing(site.open()) as database:
            figures.violations += chaos_verdict.judge(database, server, logs)
        figures.messages = sum(server.put_counts().values())
        figures.wanted = sum(1 for _ in server.of_contacts())
    figures.lost_leases = sum(text.count('event="lease lost"') for text in logs)
    figures.raws, figures.failed_calls = counts["calls"].get("get.raw", 0), counts["failed"]
    figures.seconds = time.monotonic() - began
    figures.invalid = _why_invalid(figures, kills, least_share)
    return figures


def _why_invalid(figures: Figures, kills: int, least_share: float) -> str:
    if figures.kills < kills:
        return f"only {figures.kills} of {kills} kills could be made"
    if figures.share < least_share:
        return (
            f"only {figures.share:.0%} of the mail was decided on before the last kill, and {least_share:.0%} is the least:"
            " the kills have proven little"
        )
    if figures.stops >= _LEAST_STOPS and not figures.lost_leases:
        return (
            f"{figures.stops} workers stood still for longer than their leases, and none was fenced off when it went on"
        )
    return ""
