"""The scenarios: each gives one fault again and again while mail comes in, and ends it at last.

Never judges: `verdict` does, once everything that was sent is acknowledged. Called by `run`.
"""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.imports import Imports
from tests.chaos.site import Site
from tests.integration.waiting import wait_until
from tests.stopped import standing_still

DAY_SECONDS = 86_400
POSTFIX_PROCESSES = ("smtpd", "cleanup", "qmgr", "master", "trivial-rewrite", "anvil")


@dataclass(frozen=True)
class Scenario:
    """A fault by name. act: gives the fault; prepare: before the start. short_budget: number of blows in `make test`."""

    act: Callable[[Site], None]
    databases: tuple[str, ...]
    short_budget: int
    is_kill: bool  # its budget is the long form's number of kills; otherwise a round is long, and a few are enough
    prepare: Callable[[Site], None] | None = None
    workers: int = 1
    needs_mount: bool = False
    has_page: bool = False
    allowed: tuple[int, ...] = ()  # 5xx replies that the fault may cause

    @property
    def name(self) -> str:
        """Its name."""
        return self.act.__name__


BOTH = ("sqlite", "postgresql")
ALL: list[Scenario] = []


def scenario(
    *databases: str,
    short: int = 1,
    is_kill: bool = False,
    prepare: Callable[[Site], None] | None = None,
    workers: int = 1,
    needs_mount: bool = False,
    has_page: bool = False,
) -> Callable[[Callable[[Site], None]], Callable[[Site], None]]:
    """Adds a function to ALL."""

    def add(act: Callable[[Site], None]) -> Callable[[Site], None]:
        ALL.append(Scenario(act, databases or BOTH, short, is_kill, prepare, workers, needs_mount, has_page))
        return act

    return add


@scenario(short=8, is_kill=True, workers=3)
def kill_filter_worker(site: Site) -> None:
    """kill -9 of one of the filter's three workers. Their parent starts another."""
    site.kill_again_and_again(lambda: site.filter_processes()[1])


@scenario(short=2, is_kill=True)
def kill_filter_parent(site: Site) -> None:
    """kill -9 of the filter's parent. Its workers end with it, and the supervisor starts it again."""
    site.kill_again_and_again(lambda: site.filter_processes()[0])


@scenario(short=2, is_kill=True)
def kill_lookups(site: Site) -> None:
    """kill -9 of the look-ups. Each RCPT gets a 451 until the supervisor has started them again."""
    site.kill_again_and_again(lambda: site.stack.pids("mailweir-lookups"))


@scenario(short=3, is_kill=True, has_page=True)
def kill_page(site: Site) -> None:
    """kill -9 of the page, with its worker in the middle of an import of contacts. The next worker continues there."""
    imports = Imports(site.database_url)
    while site.goes_on():
        imports.go_on()
        if site.faults % 3:  # otherwise at any time: also amid its start, or before the first part
            imports.await_progress()
        site.pause()
        for pid in site.stack.pids("mailweir-web"):
            site.kill(pid)
        imports.lapse()
    imports.finish()


@scenario(short=8, is_kill=True)
def kill_any_postfix_process(site: Site) -> None:
    """kill -9 of smtpd, cleanup, qmgr, trivial-rewrite, anvil, and now and then the master."""

    def victims() -> list[int]:
        # the master less often: its death ends all the others
        name = site.chance.choice(POSTFIX_PROCESSES)
        return site.stack.pids(name if name != "master" or site.chance.random() < 0.3 else "smtpd")

    site.kill_again_and_again(victims)


@scenario("sqlite", short=1)
def kill_smtpd_at_birth(site: Site) -> None:
    """kill -9 of each smtpd before it has served anybody. The master throttles the service for 5 s, not for 60."""
    while site.goes_on():
        for pid in site.stack.pids("smtpd"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if (throttled := site.stack.log().count("bad command startup")) > site.faults:
            site.faults = throttled
            site.progress()


@scenario(short=2, is_kill=True)
def kill_supervisor(site: Site) -> None:
    """kill -9 of `mailweir up`, ready or in the middle of its start. A new process takes the folder over."""
    while site.goes_on():
        site.pause(0.1, 1.0)
        site.stack.kill()
        site.faults += 1
        if site.faults % 4 == 3:
            site.stack.start(ready=False)
            site.pause(0.1, 1.5)
            assert site.stack.process is not None
            if site.stack.process.poll() is None:
                site.stack.kill()
                site.faults += 1
        site.stack.start()


@scenario(short=3)
def database_locked_in_bursts(site: Site) -> None:
    """Another process holds the write lock, for 0.1 to 8 s at a time."""
    bursts = (0.1, 3.0, 0.5, 8.0, 1.0)
    while site.goes_on():
        with site.locked():
            time.sleep(bursts[site.faults % len(bursts)])
        site.progress(5)


@scenario("sqlite", "postgresql")
def database_locked_for_25_s(site: Site) -> None:
    """The write lock is held for longer than the filter waits for it (20 s). The reply is 451, and then it works again by
    itself."""
    while site.goes_on():
        before = site.refused()
        with site.locked():
            time.sleep(25)
        site.progress()
        assert site.refused() > before, "nobody was put off, so the lock showed nothing"


@scenario("sqlite", prepare=Site.preload_faults)
def database_slow_by_20_s(site: Site) -> None:
    """Each fsync of the filter's takes 20 s longer. Mail waits, and is acknowledged after its commit, not before."""
    while site.goes_on():
        site.set_faults(fsync_ms=20_000)
        time.sleep(21)
        site.set_faults()
        site.faults += 1
        site.progress()
    slowest = max(message.seconds for message in site.load.messages.values())
    assert slowest > 19, f"the slowest message took {slowest:.1f} s, so nothing was slow"


@scenario("sqlite", prepare=Site.limit_pages)
def database_full_by_max_page_count(site: Site) -> None:
    """SQLite may not add another page (`max_page_count`): 451 for mail that needs a page, until the limit is lifted."""
    while site.goes_on():
        site.set_max_pages(1)  # SQLite reads this as: no more than there are
        for pid in site.filter_processes()[1]:
            os.kill(pid, signal.SIGKILL)  # each connection has its own limit
        site.wait_for_refusals(20)
        site.set_max_pages(None)
        for pid in site.filter_processes()[1]:
            os.kill(pid, signal.SIGKILL)
        site.faults += 1
        site.progress()


# An empty database takes 8 MB on PostgreSQL
SMALL_BYTES, STEP_BYTES = {"sqlite": 3_000_000, "postgresql": 14_000_000}, 4_000_000


def _kind(site: Site) -> str:
    return "postgresql" if site.cluster else "sqlite"


@scenario(prepare=lambda site: site.mount_small(SMALL_BYTES[_kind(site)]), needs_mount=True)
def database_full_by_file_system(site: Site) -> None:
    """The database is on a small file system, which fills up and is enlarged later: 451 in between, nothing else."""
    size = SMALL_BYTES[_kind(site)]
    while site.goes_on():
        site.wait_for_refusals(20, 240)
        size += STEP_BYTES
        site.grow(size)
        site.faults += 1
        site.progress()
    site.grow(1_000_000_000)


@scenario("sqlite")
def database_gone_and_back(site: Site) -> None:
    """The folder of the database is moved away, and moved back later. The filter and the look-ups die meanwhile."""
    away = site.database_dir.with_name("away")
    while site.goes_on():
        site.database_dir.rename(away)
        for pid in site.filter_processes()[1 - site.faults % 2] + site.stack.pids("mailweir-lookups"):
            os.kill(pid, signal.SIGKILL)
        site.wait_for_refusals(20)
        assert not site.database_dir.exists(), "somebody made a new database"
        away.rename(site.database_dir)
        site.faults += 1
        site.progress()


@scenario("sqlite")
def database_unreadable_and_back(site: Site) -> None:
    """The database's folder is closed to the filter and the look-ups, and opened again later. They die meanwhile."""
    while site.goes_on():
        site.database_dir.chmod(0o000)
        for pid in site.filter_processes()[1] + site.stack.pids("mailweir-lookups"):
            os.kill(pid, signal.SIGKILL)
        site.wait_for_refusals(20)
        site.database_dir.chmod(0o700)
        site.faults += 1
        site.progress()


@scenario("sqlite")
def filter_stopped(site: Site) -> None:
    """SIGSTOP to the whole filter for 25 s and until Postfix has answered 451; then SIGCONT.

    Postfix does so after milter_command_timeout (20 s), or milter_content_timeout (60 s) if all clients were past DATA.
    """
    while site.goes_on():
        before = site.refused()
        with standing_still(site.stack.pids("mailweir-milter")):
            time.sleep(25)
            wait_until(lambda so_far=before: site.refused() > so_far, "a 4xx reply", 60)  # type: ignore[misc]
        site.faults += 1
        site.progress()


@scenario(short=2, prepare=Site.preload_faults)
def clock_moved_by_a_day(site: Site) -> None:
    """The clock of the filter and the look-ups goes a day ahead, a day back, and right again."""
    while site.goes_on():
        for seconds in (DAY_SECONDS, -DAY_SECONDS):
            site.set_faults(clock_seconds=seconds)
            site.faults += 1
            site.progress(30)
        site.set_faults()
        site.progress(30)


@scenario("postgresql", short=3, is_kill=True)
def kill_database_backend(site: Site) -> None:
    """kill -9 of a server process. The postmaster ends all others and recovers."""
    assert site.cluster is not None
    cluster = site.cluster

    def victims() -> list[int]:
        cluster.revive()  # if the recovering process dies, or too many others, the server ends
        return _children(cluster.pid)

    site.kill_again_and_again(victims)
    cluster.recover()


@scenario("postgresql", short=2, is_kill=True)
def kill_database_server(site: Site) -> None:
    """kill -9 of the postmaster; it is started again after a moment."""
    _stop_again_and_again(site, signal.SIGKILL)


@scenario("postgresql", short=1)
def database_restarted(site: Site) -> None:
    """A fast shutdown and a start."""
    _stop_again_and_again(site, signal.SIGINT)


@scenario("postgresql", short=1)
def database_shut_down_at_once(site: Site) -> None:
    """An immediate shutdown, which doesn't make a checkpoint, and a start."""
    _stop_again_and_again(site, signal.SIGQUIT)


@scenario("postgresql", short=1)
def database_cut_off(site: Site) -> None:
    """The server is unreachable for a while: its socket is moved away, and its connections are ended."""
    assert site.cluster is not None
    cluster = site.cluster
    while site.goes_on():
        with cluster.cut_off():
            site.wait_for_refusals(10)
        site.faults += 1
        site.progress()


def _stop_again_and_again(site: Site, number: int) -> None:
    assert site.cluster is not None
    while site.goes_on():
        site.pause(0.2, 1.0)
        site.cluster.stop(number)
        site.faults += 1
        site.pause(0.1, 1.5)
        site.cluster.start()
        site.progress(3)


def _children(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children") as file:  # noqa: PTH123
        children = [int(child) for child in file.read().split()]
    # Without the recovering process: its death ends the postmaster, which kill_database_server covers.
    return [child for child in children if b"startup" not in _command(child)]


def _command(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b"startup"
