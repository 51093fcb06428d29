"""The short form of chaos: every scenario with a few blows, several at a time, since most of them wait.

`make chaos` is the long form.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.chaos import run, scenarios, verdict
from tests.chaos.scenarios import Scenario
from tests.chaos.site import Site
from tests.chaos.verdict import Figures
from tests.integration.conftest import require_root_and_postfix
from tests.needs import lacks

AT_ONCE = 6
SECONDS = 40.0
LYING_TRIES = 3  # it lies about one message at a time, and about none if the lock is released just then
# On PostgreSQL: its own scenarios, and a common one.
SHORT = [
    (scenario, database)
    for scenario in scenarios.ALL
    for database in scenario.databases
    if database == "sqlite" or len(scenario.databases) == 1 or scenario.act is scenarios.kill_filter_worker
]
# The long ones first, so that the short ones run beside them
LONG = (scenarios.database_slow_by_20_s, scenarios.filter_stopped, scenarios.database_locked_for_25_s)

Running = dict[tuple[str, str], "Future[Figures]"]


@pytest.fixture(scope="module")
def running(request: pytest.FixtureRequest) -> Iterator[Running]:
    """All scenarios that this run asks for, started."""
    require_root_and_postfix()
    mine = [item for item in request.session.items if item.path == request.path]
    asked = {spec.params["pair"] for item in mine if (spec := getattr(item, "callspec", None))}
    first = sorted(asked, key=lambda pair: (pair[0].act not in LONG, SHORT.index(pair)))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {
            (one.name, database): pool.submit(run.run, one, database, budget=one.short_budget, seconds=SECONDS)
            for one, database in first
            if not run.missing(one, database)
        }


@pytest.mark.slow
@pytest.mark.parametrize("pair", SHORT, ids=lambda pair: f"{pair[0].name}-{pair[1]}")
def test_law_1_and_law_2_hold_through(running: Running, pair: tuple[Scenario, str]) -> None:
    scenario, database = pair
    (scenario.name, database) in running or lacks(run.missing(scenario, database))
    figures = running[scenario.name, database].result()
    print(run.show([verdict.HEADINGS, verdict.row(figures)]))
    assert figures.violations == [], scenario.act.__doc__


def test_a_filter_that_acknowledges_without_a_commit_is_noticed() -> None:
    require_root_and_postfix()

    def prepare(site: Site) -> None:
        site.replace_filter("lying_filter.py")

    # The look-ups continue to read, so mail comes in. The filter acknowledges mail that it can't write.
    lying = Scenario(scenarios.database_locked_for_25_s, ("sqlite",), 1, False, prepare)
    tries = (run.run(lying, "sqlite", budget=1, seconds=SECONDS).violations for _ in range(LYING_TRIES))
    # one try that shows it is enough
    assert any(line.startswith("acknowledged without a decision") for violations in tries for line in violations)
