"""Runs scenarios, each on a stack of its own, and prints their figures. `python -m tests.chaos.run` is the long form.

Exit 1 on any violation. A scenario that isn't possible here (no PostgreSQL, no right to mount) is reported and left out. Called
by `make chaos`, and by test_chaos.py for the short form.
"""

import argparse
import contextlib
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests import postgresql
from tests.chaos import scenarios, verdict
from tests.chaos.scenarios import Scenario
from tests.chaos.site import Site, can_mount
from tests.chaos.verdict import Figures
from tests.postgresql import Cluster

KILLS = 2000
ROUNDS = 3  # of a scenario that isn't a kill
SECONDS = 1800.0  # of one scenario
FINISH_SECONDS = 180.0


@contextlib.contextmanager
def _cluster(database: str) -> Iterator[Cluster | None]:
    if database == "sqlite":
        yield None
        return
    with postgresql.running() as started:
        yield started


def missing(scenario: Scenario, database: str) -> str:
    """The reason why the scenario isn't possible here; empty if it is."""
    if database == "postgresql" and postgresql.server_programs() is None:
        return "needs PostgreSQL's server"
    if scenario.needs_mount and not can_mount(Path(tempfile.mkdtemp(prefix="mailweir-mount-"))):
        return "needs the right to mount a file system"
    return ""


def run(scenario: Scenario, database: str, *, budget: int, seconds: float, keep: bool = False) -> Figures:
    """Runs a scenario. keep: after a violation, the stopped stack stays for inspection."""
    began = time.monotonic()
    with _cluster(database) as cluster:
        site = Site(
            budget=budget, seconds=seconds, cluster=cluster, workers=scenario.workers, has_page=scenario.has_page
        )
        try:
            if scenario.prepare:
                scenario.prepare(site)
            site.start()
            wrong = _act(scenario, site)
            site.load.finish(FINISH_SECONDS)
            messages = list(site.load.messages.values())
            found, absorbed = verdict.judge(messages, site.database_url, scenario.allowed)
            wrong += found
            wrong += [f"went out: {len(site.stack.outbox())} messages"] if site.stack.outbox() else []
            if site.faults == 0:
                wrong.append("nothing was done to it")
            if wrong and keep:
                shutil.copytree(site.stack.data_dir / "log", tempfile.mkdtemp(prefix="chaos-log-"), dirs_exist_ok=True)
        finally:
            site.load.finish(0)
            site.remove()
    if keep:
        for text, count in site.load.temporary.most_common(5):
            print(f"  {scenario.name}/{database}: {count} x {text}")
    codes = [code for message in messages for code in message.codes]
    return Figures(
        scenario.name,
        database,
        len(messages),
        len(codes),
        sum(400 <= code < 500 for code in codes),
        codes.count(0),
        site.faults,
        absorbed,
        max(message.seconds for message in messages),
        time.monotonic() - began,
        wrong,
    )


def _act(scenario: Scenario, site: Site) -> list[str]:
    try:
        scenario.act(site)
    except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001  the figures are still wanted
        traceback.print_exc()
        return [f"the scenario failed: {error}"]
    return []


def show(rows: list[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "| " + " | ".join("---" for _ in rows[0]) + " |", *lines[1:]])


def main() -> int:
    """The long form."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=KILLS, help="kills of each scenario that kills")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="rounds of each other one")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="no scenario goes on for longer")
    parser.add_argument("--at-once", type=int, default=4, help="scenarios at the same time")
    parser.add_argument("names", nargs="*", help="scenarios, as NAME or NAME/DATABASE; all where none is named")
    asked = parser.parse_args()
    if os.geteuid() != 0:
        print("chaos needs root: Postfix does", file=sys.stderr)
        return 2
    wanted = [
        (scenario, database)
        for scenario in scenarios.ALL
        for database in scenario.databases
        if not asked.names or {scenario.name, f"{scenario.name}/{database}"} & set(asked.names)
    ]
    left_out = {f"{one.name}/{database}": why for one, database in wanted if (why := missing(one, database))}
    done: list[Figures] = []

    def one(pair: tuple[Scenario, str]) -> Figures | None:
        scenario, database = pair
        if f"{scenario.name}/{database}" in left_out:
            return None
        budget = asked.kills if scenario.is_kill else asked.rounds
        try:
            figures = run(scenario, database, budget=budget, seconds=asked.seconds, keep=True)
        except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001  the others go on
            traceback.print_exc()
            figures = Figures(scenario.name, database, 0, 0, 0, 0, 0, 0, 0.0, 0.0, [f"the scenario failed: {error}"])
        print(
            show([verdict.HEADINGS, verdict.row(figures)]).splitlines()[-1], *figures.violations, sep="\n  ", flush=True
        )
        return figures

    # A scenario's daemons end with the thread that started them, so the threads stay to the end.
    with ThreadPoolExecutor(asked.at_once) as pool:
        done = [figures for figures in pool.map(one, wanted) if figures]
    print(show([verdict.HEADINGS, *map(verdict.row, done)]))
    for name, why in left_out.items():
        print(f"left out: {name}: {why}")
    return 1 if any(figures.violations for figures in done) else 0


if __name__ == "__main__":
    sys.exit(main())
