"""The quota as Google counts it: no minute exceeds the limit, and the sync uses the available quota. With a test clock."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from gmail_sync.budget import OverBudget, Project
from gmail_sync.job_factory import JobFactory
from gmail_sync.scheduler import BEAT_SECONDS, Scheduler
from mailweir.store.gmail import gmail_leases
from mailweir.store.people import contacts, users
from tests.gmail.calls import Kind
from tests.gmail.quota import Quota
from tests.gmail.server import GmailServer, Mailbox
from tests.gmail.world import STRANGER, World, mail

BOXES = tuple(f"box{number:02}" for number in range(8))
LATE = "new@late.example"


class Process:
    """A scheduler without its threads: it beats, and sweeps one mailbox after the other."""

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self._name = name
        self._beaten_at = world.at - timedelta(days=1)

        def clock() -> float:
            return world.at.timestamp()

        self._scheduler = Scheduler(world.services, JobFactory(world.services, clock), name, clock)

    def turn(self) -> None:
        """One lease of a due mailbox, if any."""
        world = self._world
        if world.at >= self._beaten_at + timedelta(seconds=BEAT_SECONDS):
            self._scheduler.beat()
            self._beaten_at = world.at
        for leased in gmail_leases.lease(world.database, self._name, world.at, 1):
            rest = self._scheduler.sweep(leased)
            if rest:
                gmail_leases.end(world.database, [rest])


@contextmanager
def world_of(gmail: GmailServer, folder: Path, *, user: int, project: int) -> Iterator[World]:
    """A world with small limits, in units a minute, which the server's observer also uses, and with the world's clock."""
    extra = f"user_units_per_minute = {user}\nproject_units_per_minute = {project}\n"
    made = World(gmail, folder, None, extra)
    gmail.quota.user_per_minute, gmail.quota.project_per_minute = user, project
    gmail.quota.clock = lambda: made.at.timestamp()
    yield made
    made.close()


def fill(box: Mailbox, world: World, count: int, author: str = "jane@client.example") -> None:
    """Adds so much mail at once."""
    for number in range(count):
        box.insert(mail(f"{box.address} {author} {number}", author, box.address), at=world.at)


def run(world: World, processes: list[Process], seconds: int) -> None:
    """Advances time in steps of half a second."""
    for _ in range(2 * seconds):
        for process in processes:
            process.turn()
        world.later(seconds=0.5)


@pytest.mark.parametrize("limit", [100, 400])
def test_a_users_limit_is_never_passed_and_well_used(gmail: GmailServer, tmp_path: Path, limit: int) -> None:
    with world_of(gmail, tmp_path, user=limit, project=100_000) as world:
        box = world.connect()
        fill(box, world, 60)
        run(world, [Process(world, "one")], 240)
        assert gmail.quota.passed == []
        assert 0 < world.state().waiting < 60
        assert gmail.quota.units(box.address) > 0.5 * 4 * limit  # a large part of a small limit is held back
        assert len(world.record()) > 0.8 * gmail.quota.units(box.address) / 42


def test_live_mail_goes_before_what_can_wait(gmail: GmailServer, tmp_path: Path) -> None:
    with world_of(gmail, tmp_path, user=600, project=100_000) as world:
        box = world.connect()
        process = Process(world, "one")
        fill(box, world, 40, LATE)
        run(world, [process], 150)  # read while LATE is still a stranger
        contacts.add(world.database, world.demo, "New", [LATE], None, world.at)
        run(world, [process], 70)
        assert 0 < len(world.record()) < 40  # the backfill is under way
        for number in range(5):
            box.insert(mail(f"live {number}"), at=world.at)
            run(world, [process], 61)
            assert f"live {number}" in world.subjects()
        assert gmail.quota.passed == []
        run(world, [process], 240)
        assert len(world.record()) == 45


def test_the_projects_limit_is_shared_by_two_processes(gmail: GmailServer, tmp_path: Path) -> None:
    """The second process begins after the first one has used a whole share for a while, and ends before it."""
    with world_of(gmail, tmp_path, user=1_000, project=600) as world:
        for name in BOXES:
            users.add(world.database, world.demo, name, f"{name}@firm.example", "", world.at)
            box = world.connect(name)
            fill(box, world, 9)
            fill(box, world, 3, STRANGER)
        one, two = Process(world, "one"), Process(world, "two")
        run(world, [one], 31)
        run(world, [one, two], 60)
        run(world, [two], 100)
        assert gmail.quota.passed == []
        assert gmail.quota.units() > 0.5 * 600 * 191 / 60


def _beat(project: Project, step: int, workers: int) -> None:
    """Beats at steps of tenths of a second since its first beat."""
    if step % (BEAT_SECONDS * 10) == 0:
        project.share_out(workers, 0, BEAT_SECONDS)


def test_two_greedy_processes_never_pass_the_projects_limit() -> None:
    """Both use as much as they may, at each moment, whenever the second one begins between two beats of the first."""
    for joins_at in range(20, 31):
        now = 0.0
        quota = Quota(lambda: now)  # noqa: B023  used within this iteration
        quota.user_per_minute = quota.project_per_minute = 1_200
        projects = [Project(1_200, 10**9, lambda: now) for _ in range(2)]  # noqa: B023
        for step in range(1_200):
            now = step / 10
            running = projects[: 1 + (now >= joins_at)]
            for number, project in enumerate(running):
                _beat(project, step - number * joins_at * 10, len(running))
                with suppress(OverBudget):
                    while True:
                        project.take(2)
                        quota.charge("all", Kind.HISTORY)
        assert quota.passed == []
        assert quota.units() > 1_200 * 0.75 * 2


def test_one_that_dies_again_and_again_gets_its_share_and_no_more() -> None:
    """It uses as much as it may, whenever it is killed. It begins with an empty bucket, and not with a wait."""
    for lives_seconds in (1, 3, 8, 15):
        now = 0.0
        quota = Quota(lambda: now)  # noqa: B023  used within this iteration
        quota.user_per_minute = quota.project_per_minute = 1_200
        for born in range(0, 1_200, lives_seconds * 10):
            now = born / 10
            project = Project(1_200, 10**9, lambda: now)  # noqa: B023
            project.share_out(1, 0, BEAT_SECONDS, follows=born > 0)
            for step in range(born, min(born + lives_seconds * 10, 1_200)):
                now = step / 10
                with suppress(OverBudget):
                    while True:
                        project.take(2)
                        quota.charge("all", Kind.HISTORY)
        assert quota.passed == []
        assert quota.units() > 1_200 * 0.7 * 2


def test_a_days_limit_stops_all_and_the_next_day_goes_on(gmail: GmailServer, tmp_path: Path) -> None:
    extra = "project_units_per_day = 1000\n"
    world = World(gmail, tmp_path, None, extra)
    world.at = world.at.replace(hour=12)
    box = world.connect()
    fill(box, world, 40)
    process = Process(world, "one")
    run(world, [process], 60)
    used = gmail.quota.units()
    assert 900 < used <= 1000
    assert world.state().dead == 0
    run(world, [process], 60)
    assert gmail.quota.units() == used
    world.at = (world.at + timedelta(days=1)).replace(hour=9)
    process = Process(world, "another")
    run(world, [process], 60)
    assert len(world.record()) > used // 42
    swept_at = world.state().swept_at
    assert swept_at
    assert swept_at > world.at - timedelta(hours=1)
    world.close()


def test_a_list_that_needs_more_than_there_is_at_once_comes_to_its_end(gmail: GmailServer, tmp_path: Path) -> None:
    """Such a list used to restart each time, also if one call in many failed."""
    gmail.view.page_limit = 2
    with world_of(gmail, tmp_path, user=100, project=100_000) as world:
        box = world.connect()
        names = [f"m{number:02}" for number in range(26)]
        for number, name in enumerate(names):
            box.insert(mail(name), at=world.at - timedelta(hours=6 * number))
        for _ in range(120):
            world.later(minutes=1)
            world.sweep()
        assert sorted(world.subjects()) == names


def test_a_history_that_needs_more_than_there_is_at_once_comes_to_its_end(gmail: GmailServer, tmp_path: Path) -> None:
    gmail.view.page_limit = 2
    with world_of(gmail, tmp_path, user=100, project=100_000) as world:
        box = world.connect()
        world.sweep()
        world.later(minutes=2)
        world.sweep()
        names = sorted(f"m{number}" for number in range(60))
        for number, name in enumerate(names):
            box.insert(mail(name), at=world.at - timedelta(hours=2 * number))
        for _ in range(140):
            world.later(minutes=1)
            world.sweep()
        assert sorted(world.subjects()) == names
        assert world.state().error is None


@pytest.fixture
def narrow(gmail: GmailServer, tmp_path: Path) -> World:
    """400 units a minute: a full bucket is enough for two messages."""
    return World(gmail, tmp_path, None, "user_units_per_minute = 400\n")


def _settle_until(world: World, is_done: Callable[[], bool]) -> None:
    """Sweeps every twelve seconds, for eight minutes."""
    for _ in range(40):
        world.settle()
        if is_done():
            return
        world.later(seconds=12)


def test_more_mail_than_quota_gets_through(narrow: World, gmail: GmailServer) -> None:
    box = narrow.connect()
    for number in range(10):
        box.insert(mail(f"m{number}"), at=narrow.at)
    _settle_until(narrow, lambda: len(narrow.record()) == 10)
    assert len(narrow.record()) == 10
    counts = gmail.calls.counts(box.address)
    assert counts[Kind.GET_RAW] == 10
    assert counts[Kind.GET_METADATA] == 10
    narrow.close()
