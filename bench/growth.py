"""The cost of recording and listing as the record grows: `python -m bench.growth`.

It makes a record with few activities and a record with many. It records batches of 20 into both in turn through the filter's
code, with a commit for each batch, and reads the command line's lists. Exit 1 if the mean time of recording grows by more than
the goal. Progress goes to stderr.
"""

import argparse
import gc
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench import report
from mailweir import recording
from mailweir.database_url import DatabaseUrl
from mailweir.decision import Decision, Direction, Outcome, Reason, Route
from mailweir.directory import ContactRef, DeploymentRef
from mailweir.recording import Content, Entry
from mailweir.store.database import versions
from mailweir.store.database.batches import parts
from mailweir.store.database.connection import Database
from mailweir.store.people import deployments
from mailweir.store.people.deployments import Deployment
from mailweir.store.record import activities, todos

GOAL = 1.5
FEW = 5_000
MANY = 1_000_000
BATCH = 20
CONTACTS = 20_000
USERS = 50
_RAW_BYTES = 1_500  # of a mail of 5 kB, compressed
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_STEP = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class Record:
    """A database with its first activities in it."""

    database_url: DatabaseUrl
    activities: int


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds per message of each batch, including the commit; milliseconds of each list."""

    microseconds: list[float]
    list_milliseconds: dict[str, float]

    @property
    def mean(self) -> float:
        """The mean of all batches."""
        return statistics.fmean(self.microseconds)


def main() -> int:
    """Measures and prints; returns the exit code."""
    options = _options()
    with (
        tempfile.TemporaryDirectory(prefix="mailweir-bench-", dir="/var/tmp") as folder,
        _urls(options, folder) as urls,
    ):
        records = [_made(url, count) for url, count in zip(urls, (options.few, options.many), strict=True)]
        costs = _measure(records, options.batches)
    few, many = costs
    ratio = many.mean / few.mean
    if options.json:
        print(json.dumps(_as_json(options, records, costs, ratio), indent=2))
    else:
        _print(options, records, costs, ratio)
    return 1 if ratio > GOAL and not options.no_goal else 0


@contextmanager
def _urls(options: argparse.Namespace, folder: str) -> Iterator[list[DatabaseUrl]]:
    """Two empty databases: one for few activities, one for many."""
    if options.database == "sqlite":
        yield [Path(folder) / "few.db", Path(folder) / "many.db"]
        return
    from tests import postgresql  # the tests can start a PostgreSQL cluster

    with postgresql.running(as_on_hosts=True) as cluster:
        yield [cluster.make_database(), cluster.make_database()]


def _made(url: DatabaseUrl, count: int) -> Record:
    """A record with this many activities, over 50 users and 20,000 contacts."""
    versions.upgrade(url)
    with closing(Database(url)) as database:
        make_people(database)
        made = entries(0, count)
        if database.is_sqlite:
            database.execute("PRAGMA synchronous = off")  # while the record is made
        done = 0
        for batch in parts(made, 500):
            with database.transaction(alone=False):
                recording.record_all(database, batch)
            done += len(batch)
            if done % 100_000 == 0:
                _say(f"made {done:,} of {count:,} activities")
        if database.is_sqlite:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        else:
            database.execute("ANALYZE")
    return Record(url, count)


def make_people(database: Database) -> None:
    now = "2026-01-01T00:00:00.000000Z"
    with database.transaction():
        database.execute(
            "INSERT INTO deployments (id, name, domain, created_at) VALUES (1, 'demo', 'demo.example.net', ?)", (now,)
        )
        for number in range(1, USERS + 1):
            values = (number, f"user{number}", f"user{number}@firm.example", now)
            database.execute(
                "INSERT INTO users (id, deployment_id, username, name, mailbox, created_at) VALUES (?, 1, ?, '', ?, ?)",
                values,
            )
        for number in range(1, CONTACTS + 1):
            database.execute(
                "INSERT INTO contacts (id, deployment_id, name, created_at) VALUES (?, 1, 'Client', ?)", (number, now)
            )
            one = _address(number)
            database.execute(
                "INSERT INTO contact_addresses (deployment_id, contact_id, address, match_key) VALUES (1, ?, ?, ?)",
                (number, one, one),
            )


def _address(number: int) -> str:
    return f"contact{number:06d}@client{number % 1000:03d}.example"


def entries(start: int, count: int) -> Iterator[Entry]:
    """Captured mail, in order of time: contacts and identities in random order, as in reality."""
    chance = random.Random(start)
    deployment = DeploymentRef(1, "demo", "demo.example.net")
    for number in range(start, start + count):
        contact, user = chance.randrange(1, CONTACTS + 1), chance.randrange(1, USERS + 1)
        decision = Decision(
            deployment=deployment,
            outcome=Outcome.CAPTURED,
            reason=Reason.AUTHOR_IS_CONTACT,
            author=_address(contact),
            message_id=f"<{chance.randbytes(12).hex()}@client.example>",
            addresses=(f"user{user}@demo.example.net",),
            direction=Direction.INCOMING,
            contacts=(ContactRef(contact, _address(contact)),),
            users=(user,),
            todo_users=(user,),
            sightings=((Route.FORWARD, user),),
        )
        content = Content(
            identity=chance.randbytes(32),
            version_digest=chance.randbytes(32),
            raw_zstd=chance.randbytes(_RAW_BYTES),
            size_bytes=5_000,
            subject=f"Offer {number}",
            sent_at=_BEGIN + number * _STEP,
        )
        yield Entry(decision, f"4{number:014X}", _BEGIN + number * _STEP, content)


def _measure(records: Sequence[Record], batches: int) -> list[Cost]:
    """Alternates between the records batch by batch, so that other load on the machine affects both."""
    took: list[list[float]] = [[] for _ in records]
    opened = [Database(record.database_url) for record in records]
    prepared = [list(parts(entries(record.activities, batches * BATCH), BATCH)) for record in records]
    warm = max(1, batches // 20)
    os.sync()  # otherwise the kernel would still be writing the new record
    gc.disable()  # collecting would scan the prepared objects
    for number in range(batches):
        for database, batch, times in zip(opened, (one[number] for one in prepared), took, strict=True):
            start = time.perf_counter()
            with database.transaction(alone=False):
                recording.record_all(database, batch)
            times.append((time.perf_counter() - start) * 1e6 / BATCH)
    gc.enable()
    lists = [_lists(database, record) for database, record in zip(opened, records, strict=True)]
    for database in opened:
        database.close()
    return [Cost(times[warm:], listed) for times, listed in zip(took, lists, strict=True)]


def _lists(database: Database, record: Record) -> dict[str, float]:
    """Milliseconds of each list: the median of five."""
    deployment: Deployment = deployments.find(database, "demo")
    hour_ago = _BEGIN + record.activities * _STEP - timedelta(hours=1)
    asked: dict[str, Callable[[], object]] = {
        "newest 50": lambda: activities.select(database, deployment, activities.Filter(limit=50)),
        "a user's newest 50": lambda: activities.select(
            database, deployment, activities.Filter(user="user1", limit=50)
        ),
        "a contact's newest 50": lambda: activities.select(
            database, deployment, activities.Filter(contact=_address(1), limit=50)
        ),
        "since an hour ago": lambda: activities.select(
            database, deployment, activities.Filter(since=hour_ago, limit=50)
        ),
        "a user's to-dos": lambda: todos.select(database, deployment, "user1", with_done=False),
    }
    return {name: statistics.median(_milliseconds(question) for _ in range(5)) for name, question in asked.items()}


def _milliseconds(question: Callable[[], object]) -> float:
    start = time.perf_counter()
    question()
    return (time.perf_counter() - start) * 1e3


def _quantile(values: Sequence[float], hundredth: int) -> float:
    return statistics.quantiles(values, n=100)[hundredth - 1]


def _as_json(
    options: argparse.Namespace, records: Sequence[Record], costs: Sequence[Cost], ratio: float
) -> dict[str, object]:
    rows = [
        {
            "activities": record.activities,
            "microseconds_a_message": {
                "mean": round(cost.mean, 1),
                "median": round(statistics.median(cost.microseconds), 1),
                "p99": round(_quantile(cost.microseconds, 99), 1),
            },
            "list_milliseconds": {name: round(value, 2) for name, value in cost.list_milliseconds.items()},
        }
        for record, cost in zip(records, costs, strict=True)
    ]
    return {
        "machine": report.machine(),
        "database": options.database,
        "ratio_of_means": round(ratio, 3),
        "records": rows,
    }


def _print(options: argparse.Namespace, records: Sequence[Record], costs: Sequence[Cost], ratio: float) -> None:
    print(f"Recording in batches of {BATCH}, {datetime.now(UTC):%Y-%m-%d}, {options.database}, {report.machine()}")
    print(f"  {'':28}" + "".join(f"{record.activities:>14,}" for record in records) + "  activities")
    for name, pick in (
        ("µs a message, mean", lambda cost: cost.mean),
        ("µs a message, median", lambda cost: statistics.median(cost.microseconds)),
        ("µs a message, 99th", lambda cost: _quantile(cost.microseconds, 99)),
    ):
        print(f"  {name:28}" + "".join(f"{pick(cost):14.1f}" for cost in costs))
    for name in costs[0].list_milliseconds:
        print(f"  {f'ms, {name}':28}" + "".join(f"{cost.list_milliseconds[name]:14.2f}" for cost in costs))
    print(f"  ratio of the means {ratio:.2f} (goal: at most {GOAL})")


def _say(line: str) -> None:
    print(f"bench: {line}", file=sys.stderr, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.growth", description="The cost of recording as the record grows.")
    parser.add_argument("--few", type=int, default=FEW, help=f"activities of the small record; default {FEW:,}")
    parser.add_argument("--many", type=int, default=MANY, help=f"activities of the large record; default {MANY:,}")
    parser.add_argument("--batches", type=int, default=1_000, help=f"of {BATCH} messages; default 1,000")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite", help="default sqlite")
    parser.add_argument("--no-goal", action="store_true", help="exit 0 even where the goal is missed")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
