"""Pages while mail is captured, and the readers' effect on capture: `python -m bench.pages_beside [--database postgresql]`.

On a record of a million activities (`--activities`) a real mailweir-web serves eight readers, each of whom opens about one page a
second (`--pause`; `--full-throttle`: without pauses). Meanwhile this process records mail through the filter's code, batches of
20, each a commit, and uses as much additional CPU for each message as Postfix and the filter do. Spans with and without readers
alternate. It prints the median and the 95th percentile of the pages, and the median of the pairs' ratios of captured messages/s
with its interval of 95 %. Exit 1 if a page's goal is missed, or an answer wasn't a page. `--smoke` tries it on a small record.
"""

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import digest, made_record, pairs, readers, report, whole_pages
from bench.digest_beside import Capture
from bench.made_record import USERS, Shape
from bench.readers import Look, Person, Readers
from mailweir.database_url import DatabaseUrl
from mailweir.store.database import versions
from mailweir.store.database.connection import Database
from mailweir.store.people import deployments
from mailweir.store.web import accounts, sessions
from mailweir.store.web.accounts import Role
from mailweir.store.web.sessions import Means
from tests import programs
from tests.ports import free_port

MEDIAN_GOAL, P95_GOAL = 30.0, 60.0  # milliseconds
_START_SECONDS = 300.0
_OWN = 200  # a reader opens only this many of their newest activities
_SMOKE = {"activities": 3_000, "pairs": 2, "seconds": 1.0, "pause": 0.1, "no_goal": True}


def main() -> int:
    """Fills a database, measures and prints; the exit code."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="mailweir-bench-", dir="/var/tmp") as folder, ExitStack() as stack:
        url = stack.enter_context(digest.url(options.database, folder))
        people = _filled(url, options)
        port = stack.enter_context(_served(url, Path(folder), options.processes))
        pause = 0.0 if options.full_throttle else options.pause
        crowd = stack.enter_context(readers.started(port, people, options.activities, pause))
        found = _measure(url, crowd, options)
    print(json.dumps(found, indent=2) if options.json else _text(found, options))
    is_missed = found["pages"]["all"]["median"] > MEDIAN_GOAL or found["pages"]["all"]["p95"] > P95_GOAL
    return 1 if found["failed"] or (is_missed and not options.no_goal) else 0


def _filled(url: DatabaseUrl, options: argparse.Namespace) -> list[Person]:
    """Fills the record; returns the readers: different users, signed in."""
    versions.upgrade(url)
    shape = Shape(activities=options.activities, private=options.private, newest=False)
    with closing(Database(url, busy_timeout_seconds=3600)) as database:
        made_record.fill(database, shape)
        _continue_ids(database)
        whole_pages.index(database, options.activities)
        people = [_signed_in(database, number % USERS + 1) for number in range(options.readers)]
    os.sync()  # otherwise the kernel would still be writing the new record
    return people


def _continue_ids(database: Database) -> None:
    """Makes new rows get ids after those that `made_record` wrote. SQLite does that by itself."""
    if database.is_sqlite:
        return
    for table in ("activities", "raw_messages"):
        database.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT MAX(id) FROM {table}))")


def _signed_in(database: Database, user_id: int) -> Person:
    now = datetime.now(UTC)
    demo = deployments.find(database, "demo")
    account = accounts.add(database, f"reader{user_id}", now)
    accounts.give_role(database, account.id, demo, Role.USER, user_id)
    sql = f"SELECT activity_id FROM activity_users WHERE user_id = ? ORDER BY activity_id DESC LIMIT {_OWN}"
    own = tuple(row[0] for row in database.execute(sql, (user_id,)).fetchall())
    return Person(sessions.begin(database, account.id, demo.id, Means.LINK, "bench", now), own)


@contextmanager
def _served(url: DatabaseUrl, folder: Path, processes: int) -> Iterator[int]:
    """Runs a mailweir-web with this many processes on the database; yields its port."""
    port = free_port()
    settings, log = folder / "mailweir.toml", folder / "web.log"
    where = f"sqlite:{url}" if isinstance(url, Path) else str(url)
    web = f"[web]\nport = {port}\nprocesses = {processes}\n"
    settings.write_text(f'data_dir = "{folder}"\ndatabase = "{where}"\n{web}', encoding="utf-8")
    environment = os.environ | {"MAILWEIR_CONFIG": str(settings), "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", "from webapp.server import main; main()"]
    process = programs.start("mailweir-web", command, log, env=environment)
    try:
        programs.wait_until_ready(lambda: _answers(port), "mailweir-web", process, log, seconds=_START_SECONDS)
        yield port
    finally:
        process.terminate()
        try:
            process.wait(_START_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()


def _answers(port: int) -> bool:
    with closing(http.client.HTTPConnection("localhost", port, timeout=5)) as connection:
        try:
            connection.request("GET", "/sign-in")
            return connection.getresponse().status < 500
        except OSError:
            return False


def _measure(url: DatabaseUrl, crowd: Readers, options: argparse.Namespace) -> dict[str, Any]:
    looks: list[Look] = []
    ratios: list[float] = []
    read_seconds = 0.0
    with closing(Database(url)) as database:
        capture = Capture(database, options.activities, options.work_milliseconds / 1e3)
        with crowd.reading([]):  # the first ones don't count
            capture.span(options.seconds)
        for number in range(options.pairs):
            measured: dict[bool, float] = {}
            for is_read in (False, True) if number % 2 == 0 else (True, False):
                capture.prepare()
                begun = time.perf_counter()
                with crowd.reading(looks) if is_read else nullcontext():
                    measured[is_read] = capture.span(options.seconds).messages_a_second
                read_seconds += (time.perf_counter() - begun) * is_read
            ratios.append(measured[True] / measured[False])
            print(f"bench: pair {number + 1} of {options.pairs}: {ratios[-1]:.3f}", file=sys.stderr, flush=True)
    if not looks:
        sys.exit("bench: no page was opened; make the spans longer")
    pages: dict[str, list[float]] = defaultdict(list)
    for look in looks:
        pages[look.page].append(look.milliseconds)
        pages["all"].append(look.milliseconds)
    captured = pairs.interval(ratios)
    return {
        "machine": report.machine(),
        "database": options.database,
        "pairs": options.pairs,
        "captured": {"median": captured.median, "low": captured.low, "high": captured.high},
        "pages_a_second": round(len(looks) / read_seconds, 1),
        "pages": {name: _figures(times) for name, times in sorted(pages.items())},
        "failed": dict(Counter(f"{look.page}: {look.status}" for look in looks if look.status != 200)),
    }


def _figures(milliseconds: Sequence[float]) -> dict[str, float]:
    ordered = sorted(milliseconds)
    p95 = ordered[min(len(ordered) - 1, len(ordered) * 95 // 100)]
    return {"count": len(ordered), "median": round(statistics.median(ordered), 1), "p95": round(p95, 1)}


def _text(found: dict[str, Any], options: argparse.Namespace) -> str:
    captured = found["captured"]
    lines = [
        f"{options.readers} readers beside capture, {options.activities:,} activities, {datetime.now(UTC):%Y-%m-%d},"
        f" {options.database}, {options.processes} of the page's processes, {found['machine']}",
        f"  {'ms':40}{'pages':>8}{'median':>10}{'95th':>10}   (goals: {MEDIAN_GOAL:.0f} and {P95_GOAL:.0f} of all)",
        *(
            f"  {name:40}{one['count']:8}{one['median']:10.1f}{one['p95']:10.1f}"
            for name, one in found["pages"].items()
        ),
        f"  captured with readers: {captured['median']} of what is captured without ({captured['low']} to"
        f" {captured['high']}), {found['pairs']} pairs, {found['pages_a_second']} pages/s meanwhile",
    ]
    if found["failed"]:
        lines.append(f"  answers that were no page: {found['failed']}")
    return "\n".join(lines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.pages_beside", description="Pages while mail is captured.")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--activities", type=int, default=1_000_000)
    parser.add_argument(
        "--private", type=float, default=0.95, help="share of activities that only participants may see"
    )
    parser.add_argument("--readers", type=int, default=8)
    parser.add_argument("--pause", type=float, default=1.0, help="seconds between two pages of one reader")
    parser.add_argument("--processes", type=int, default=1, help="of mailweir-web")
    parser.add_argument("--full-throttle", action="store_true", help="no pause at all")
    parser.add_argument("--pairs", type=int, default=15, help="of a span without readers and one with")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each span")
    parser.add_argument(
        "--work-milliseconds",
        type=float,
        default=1.2,
        help="CPU that is used for each message, as Postfix and the filter would; 0: the database alone",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--no-goal", action="store_true", help="exit 0 even where a goal is missed")
    parser.add_argument("--smoke", action="store_true", help="a small record and short spans: does it work?")
    options = parser.parse_args()
    if options.smoke:
        vars(options).update(_SMOKE)
    return options


if __name__ == "__main__":
    sys.exit(main())
