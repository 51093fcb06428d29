"""Chaos for the sync of Gmail: kill -9 and SIGSTOP of workers, thousands of messages. `make chaos-gmail`.

    python -m tests.gmail.chaos --kills 100 --messages 3000 --database both

Each database runs with several workers, SQLite also with one. It ends with a table, and with exit code 1 on any violation, or if
the run proves nothing (too little was recorded while workers were killed).
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from mailweir.database_url import DatabaseUrl
from tests import postgresql
from tests.gmail import chaos_run
from tests.gmail.chaos_run import Figures
from tests.postgresql import Cluster

HEADINGS = (
    "database", "workers", "kills", "stops", "messages", "with contacts", "before the last kill", "fetched again",
    "failed calls", "leases lost", "s", "violations",
)  # fmt: skip
SCENARIOS = (("sqlite", 1), ("sqlite", 2), ("postgresql", 3))


def row(figures: Figures) -> tuple[str, ...]:
    """The figures as text, in the order of HEADINGS."""
    counts = (figures.workers, figures.kills, figures.stops, figures.messages, figures.wanted)
    more = (figures.raws - figures.wanted, figures.failed_calls, figures.lost_leases, round(figures.seconds))
    found = len(figures.violations)
    return figures.database, *map(str, counts), f"{figures.share:.0%}", *map(str, more), str(found)


def run(
    database: str,
    cluster: Cluster | None,
    *,
    workers: int,
    kills: int,
    messages: int,
    least_share: float = chaos_run.LEAST_SHARE,
) -> Figures:
    """One scenario, on an empty database of its own."""
    database_url: DatabaseUrl | None = cluster.make_database() if cluster else None

    def progress(line: str) -> None:
        print(f"chaos: {database}, {workers} workers: {line}", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory(prefix="mailweir-chaos-") as folder:
        return chaos_run.run(
            database,
            Path(folder),
            database_url,
            workers=workers,
            kills=kills,
            messages=messages,
            progress=progress,
            least_share=least_share,
        )


def _all(options: argparse.Namespace) -> Iterator[Figures]:
    wanted = [one for one in SCENARIOS if options.database in (one[0], "both")]
    with ExitStack() as stack:
        for database, workers in wanted:
            cluster = stack.enter_context(postgresql.running()) if database == "postgresql" else None
            yield run(database, cluster, workers=workers, kills=options.kills, messages=options.messages)


def show(rows: list[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "| " + " | ".join("---" for _ in rows[0]) + " |", *lines[1:]])


def main() -> int:
    """Runs and prints; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.gmail.chaos", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=100, help="of each scenario")
    parser.add_argument("--messages", type=int, default=3_000, help="of each scenario, about")
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    options = parser.parse_args()
    done: list[Figures] = []
    for figures in _all(options):
        done.append(figures)
        for line in (*figures.violations, *([f"the run is invalid: {figures.invalid}"] if figures.invalid else [])):
            print(f"{figures.database}, {figures.workers} workers: {line}", flush=True)
    print(show([HEADINGS, *map(row, done)]))
    return 1 if any(figures.violations or figures.invalid for figures in done) else 0


if __name__ == "__main__":
    sys.exit(main())
