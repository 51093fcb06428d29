"""The short form of the chaos of the sync: a few kills, and a worker that is stopped for longer than its lease, on each database.
`make chaos-gmail` is the long form."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.gmail import chaos
from tests.gmail.chaos_run import Figures
from tests.postgresql import Cluster

KILLS, MESSAGES, WORKERS = 3, 150, 2
LEAST_SHARE = 0.35  # with few kills, a pause of half a minute is a large part of the run
DATABASES = ("sqlite", "postgresql")

Running = dict[str, "Future[Figures]"]


@pytest.fixture(scope="module")
def running(cluster: Cluster) -> Iterator[Running]:
    """Both runs at the same time: they wait more than they work."""
    with ThreadPoolExecutor(len(DATABASES)) as pool:
        yield {
            name: pool.submit(
                chaos.run,
                name,
                cluster if name == "postgresql" else None,
                workers=WORKERS,
                kills=KILLS,
                messages=MESSAGES,
                least_share=LEAST_SHARE,
            )
            for name in DATABASES
        }


@pytest.mark.parametrize("name", DATABASES)
def test_kills_and_a_worker_that_stood_still_lose_and_double_nothing(running: Running, name: str) -> None:
    figures = running[name].result()
    print(chaos.show([chaos.HEADINGS, chaos.row(figures)]))
    assert figures.violations == []
    assert not figures.invalid
    assert figures.kills >= KILLS
    assert figures.stops == 1
