"""The duration of lists and whole pages on a large record: `python -m bench.pages [--database postgresql] [--private 0.95]`.

Fills a record of a million activities (`--activities`) by SQL. Queries each list of 50 many times, for different users and
contacts, from the newest activity and from others. Prints the median and the 95th percentile in milliseconds, including the time
in which rows become objects, and the mean CPU time, which is more reliable while other programs run. Goal: 5 ms at the median.
Then measures whole pages, without a network. Goals: 30 ms at the median, and 60 KB. Exit 1 if a goal is missed.
"""

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench import made_record, report, whole_pages
from bench.made_record import BUSY_COMPANY, BUSY_CONTACT, COMPANIES, CONTACTS, USERS, Shape
from mailweir.reading.labels import Label
from mailweir.store.database import versions
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse
from mailweir.store.people import deployments
from mailweir.store.record import activities, decision_pages, monthly, streams, todo_lists
from mailweir.store.record.stream_filter import StreamFilter
from mailweir.store.record.visibility import Reader
from tests import postgresql

MEDIAN_GOAL = 5.0  # milliseconds
TRIES = 100
PICTURE = "12 months of"

Ask = Callable[[], object]


def main() -> int:
    """Fills a database, measures and prints; the exit code."""
    options = _options()
    with _database(options.database) as database:
        begun = time.perf_counter()
        shape = Shape(activities=options.activities, private=options.private, newest=options.newest)
        made_record.fill(database, shape)
        print(f"bench: filled in {time.perf_counter() - begun:.0f} s", file=sys.stderr, flush=True)
        private = f"{options.private:.0%} private{' (the newest)' if options.newest else ''}"
        when = f"{datetime.now(UTC):%Y-%m-%d}"
        print(
            f"Lists of 50 of {options.activities:,} activities, {private}, {when}, {options.database}, {report.machine()}"
        )
        print(f"  {'ms':40}{'median':>10}{'95th':>10}{'CPU':>10}   (goal: median {MEDIAN_GOAL:.0f})")
        used = _cpu(database)
        are_met = [_measured(name, ask, used) for name, ask in _lists(database, options.activities)]
        with tempfile.TemporaryDirectory(prefix="mailweir-bench-") as folder:
            figures = whole_pages.measure(database, options.activities, Path(folder))
    missed = not all(are_met) or any(one.is_missed for one in figures)
    return 1 if missed and not options.no_goal else 0


def _lists(database: Database, count: int) -> Iterator[tuple[str, Ask]]:
    """(a list's name, a function that queries the list once)."""
    chance = random.Random(1)
    demo = deployments.find(database, "demo")
    (newest,) = database.execute("SELECT MAX(recorded_at) FROM activities").fetchone()

    def stream(wanted: Callable[[], StreamFilter], *, deep: bool = False, operator: bool = False) -> Ask:
        def ask() -> object:
            reader = None if operator else Reader(demo.id, (chance.randint(1, USERS),))
            before = chance.randint(count // 10, count) if deep else None
            return streams.stream(database, demo, reader, wanted(), before=before)

        return ask

    yield "all, newest", stream(StreamFilter)
    yield "all, anywhere", stream(StreamFilter, deep=True)
    yield "all, newest, to an operator", stream(StreamFilter, operator=True)
    yield "a user's", stream(lambda: StreamFilter(users=(chance.randint(1, USERS),)))
    yield "a contact's", stream(lambda: StreamFilter(contacts=(chance.randint(2, CONTACTS),)))
    yield "a busy contact's", stream(lambda: StreamFilter(contacts=(BUSY_CONTACT,)))
    yield "a busy contact's, anywhere", stream(lambda: StreamFilter(contacts=(BUSY_CONTACT,)), deep=True)
    yield "a company's (40 contacts)", stream(lambda: StreamFilter(company=chance.randint(2, COMPANIES)))
    yield "a company's (800 contacts)", stream(lambda: StreamFilter(company=BUSY_COMPANY))
    yield "since an hour ago", stream(lambda: StreamFilter(since=parse(newest) - timedelta(hours=1)))
    yield "until half of the time", stream(lambda: StreamFilter(until=_middle(database, count)))
    yield "outgoing", stream(lambda: StreamFilter(direction="outgoing"))
    yield "a thread's", stream(lambda: StreamFilter(thread=chance.randint(1, count // 4)))
    yield "rare: verdict fail (0.1 %)", stream(lambda: StreamFilter(verdict="fail"))
    yield "rare: route relay (0.1 %)", stream(lambda: StreamFilter(route="relay"))
    yield "rare: an invitation (0.2 %)", stream(lambda: StreamFilter(label=Label.INVITATION))
    yield "to-dos, open", lambda: todo_lists.open_ones(database, demo, chance.randint(1, USERS))
    yield "to-dos, done", lambda: todo_lists.done_ones(database, demo, chance.randint(1, USERS))
    yield "decisions", lambda: decision_pages.page(database, demo, None)
    yield from _others(database, demo, chance, parse(newest))


def _others(
    database: Database, demo: deployments.Deployment, chance: random.Random, newest: datetime
) -> Iterator[tuple[str, Ask]]:
    def picture(contact: Callable[[], int]) -> Ask:
        def ask() -> object:
            reader = Reader(demo.id, (chance.randint(1, USERS),))
            return monthly.counts(database, demo, reader, StreamFilter(contacts=(contact(),)), newest)

        return ask

    def listed(**wanted: object) -> Ask:
        return lambda: activities.select(database, demo, activities.Filter(limit=50, **wanted))  # type: ignore[arg-type]

    yield f"{PICTURE} a contact", picture(lambda: chance.randint(2, CONTACTS))
    yield f"{PICTURE} a busy contact", picture(lambda: BUSY_CONTACT)
    yield "command line: newest", listed()
    yield "command line: a user's", listed(user="user7")
    yield "command line: a contact's", listed(contact="contact7@client.example")
    yield "command line: since an hour ago", listed(since=newest - timedelta(hours=1))


def _middle(database: Database, count: int) -> datetime:
    (text,) = database.execute("SELECT recorded_at FROM activities WHERE id = ?", (count // 2,)).fetchone()
    return parse(text)


def _measured(name: str, ask: Ask, used: Callable[[], float]) -> bool:
    """Prints a list's line; returns whether it meets its goal. The picture of months has the goal of a whole page, because the
    browser requests it on its own. used: returns milliseconds of CPU so far."""
    for _ in range(5):  # the first ones don't count
        ask()
    times = []
    before = used()
    for _ in range(TRIES):
        begun = time.perf_counter()
        ask()
        times.append((time.perf_counter() - begun) * 1e3)
    cpu = (used() - before) / TRIES
    median, p95 = statistics.median(times), statistics.quantiles(times, n=20)[18]
    is_met = median <= (whole_pages.MEDIAN_GOAL if name.startswith(PICTURE) else MEDIAN_GOAL)
    print(f"  {name:40}{median:10.2f}{p95:10.2f}{cpu:10.2f}{'' if is_met else '   missed'}", flush=True)
    return is_met


def _cpu(database: Database) -> Callable[[], float]:
    """A function that returns the milliseconds of CPU so far: of this process, and of the PostgreSQL process that serves it."""
    if database.is_sqlite:
        return lambda: time.process_time() * 1e3
    (pid,) = database.execute("SELECT pg_backend_pid()").fetchone()
    of_server = Path(f"/proc/{pid}/schedstat")
    return lambda: time.process_time() * 1e3 + int(of_server.read_text().split()[0]) / 1e6


@contextmanager
def _database(kind: str) -> Iterator[Database]:
    if kind == "sqlite":
        with tempfile.TemporaryDirectory(prefix="mailweir-bench-", dir="/var/tmp") as folder:
            path = Path(folder) / "mailweir.db"
            versions.upgrade(path)
            with closing(Database(path)) as database:
                yield database
        return
    with postgresql.running(as_on_hosts=True) as cluster:
        url = cluster.make_database()
        with closing(Database(url, busy_timeout_seconds=3600)) as database:
            yield database


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.pages", description="How long a page's lists take on a large record.")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--activities", type=int, default=1_000_000)
    parser.add_argument("--private", type=float, default=0.0, help="share of activities that only participants may see")
    parser.add_argument("--newest", action="store_true", help="the private activities are the newest ones")
    parser.add_argument("--no-goal", action="store_true", help="exit 0 even where a goal is missed")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
