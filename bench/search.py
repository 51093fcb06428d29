"""The cost of searching as the record grows, and the cost of the index: `python -m bench.search`.

Makes a record of invented words, which are as frequent as the words of a language, in twenty deployments. One deployment has half
of the mail. The digest's code indexes the record, and the code of `mailweir search` requests the newest 50 of each kind of query.
Exit 1 if a goal is missed. Progress goes to stderr.
"""

import argparse
import itertools
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench import report
from mailweir.database_url import DatabaseUrl
from mailweir.reading import search_entry, search_query
from mailweir.reading.search_entry import Entry
from mailweir.store.database import batches, versions
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import rfc3339
from mailweir.store.people import deployments
from mailweir.store.record import search, search_index
from tests import postgresql

MEDIAN_GOAL, P99_GOAL = 50.0, 300.0  # milliseconds
PUT_GOAL = 50.0  # milliseconds of a transaction that indexes 50 messages
MANY = 200_000
QUERIES = 200  # of each kind
TENANTS = 20
_WORDS = 140  # of a message: 870 bytes of text
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_STEP = timedelta(seconds=20)
_SYLLABLES = [first + then for first in "bcdfghjklmnprstvwz" for then in ("a", "e", "i", "o", "u", "ar", "en", "is")]


@dataclass(frozen=True, slots=True)
class Found:
    """of_kinds: the milliseconds of each query, by kind. puts: the milliseconds of each transaction of 50 messages.
    bytes_a_message: the index's size for each message, including its stored words."""

    of_kinds: dict[str, list[float]]
    puts: list[float]
    bytes_a_message: float


class Language:
    """Invented words, the most frequent first, with frequencies by Zipf's law."""

    def __init__(self, size: int) -> None:
        chance = random.Random(1)
        made: dict[str, None] = {}
        while len(made) < size:
            made["".join(chance.choices(_SYLLABLES, k=chance.choice((2, 2, 3, 3, 4))))] = None
        self.words = list(made)
        self._weights = list(itertools.accumulate(1 / (rank + 3) for rank in range(size)))

    def text(self, chance: random.Random) -> list[str]:
        """The words of one message."""
        return chance.choices(self.words, cum_weights=self._weights, k=_WORDS)


def main() -> int:
    """Measures and prints; returns the exit code."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="mailweir-bench-", dir="/var/tmp") as folder, _url(options, folder) as url:
        versions.upgrade(url)
        with closing(Database(url)) as database:
            language = Language(100_000)
            puts = _make(database, language, options.many)
            size = _index_bytes(database) / options.many
            found = Found(_ask(database, language), puts, size)
    if options.json:
        print(json.dumps(_as_json(options, found), indent=2))
    else:
        _print(options, found)
    return 1 if _missed(found) and not options.no_goal else 0


@contextmanager
def _url(options: argparse.Namespace, folder: str) -> Iterator[DatabaseUrl]:
    if options.database == "sqlite":
        yield Path(folder) / "search.db"
        return
    with postgresql.running(as_on_hosts=True) as cluster:
        yield cluster.make_database()


def _make(database: Database, language: Language, count: int) -> list[float]:
    """Makes the record; returns the milliseconds of its last transactions, which index 50 messages each."""
    _make_people(database)
    chance = random.Random(2)
    if database.is_sqlite:
        database.execute("PRAGMA synchronous = off")  # while the record is made
    took: list[float] = []
    for start in range(1, count + 1, 50):
        numbers = range(start, min(start + 50, count + 1))
        tenants = [1 if chance.random() < 0.5 else chance.randrange(2, TENANTS + 1) for _ in numbers]
        with database.transaction(alone=False):
            _put_mail(database, numbers, tenants)
        entries = [_entry(one, tenant, language, chance) for one, tenant in zip(numbers, tenants, strict=True)]
        begun = time.perf_counter()
        with database.transaction(alone=False):
            search_index.put(database, entries)
        took.append((time.perf_counter() - begun) * 1e3)
        if (numbers[-1] % 50_000) == 0:
            _say(f"made {numbers[-1]:,} of {count:,} messages")
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)" if database.is_sqlite else "ANALYZE")
    return took


def _make_people(database: Database) -> None:
    now = rfc3339(_BEGIN)
    rows = [(number, f"tenant{number}", f"tenant{number}.example.net", now) for number in range(1, TENANTS + 1)]
    with database.transaction():
        batches.insert(database, "deployments", ("id", "name", "domain", "created_at"), rows)


def _put_mail(database: Database, numbers: range, tenants: list[int]) -> None:
    columns = ("id", "deployment_id", "identity", "direction", "author", "subject", "recorded_at", "leading_raw_id")
    rows = [
        (
            one,
            tenant,
            b"%d" % one,
            "incoming",
            "jane@client.example",
            f"Offer {one}",
            rfc3339(_BEGIN + one * _STEP),
            one,
        )
        for one, tenant in zip(numbers, tenants, strict=True)
    ]
    batches.insert(database, "activities", columns, rows)
    raws = [(one, one, b"%d" % one, 5_000, b"x" * 500, rfc3339(_BEGIN + one * _STEP)) for one in numbers]
    of_raw = ("id", "activity_id", "version_digest", "size_bytes", "content_zstd", "recorded_at")
    batches.insert(database, "raw_messages", of_raw, raws)


def _entry(number: int, tenant: int, language: Language, chance: random.Random) -> Entry:
    text = language.text(chance)
    if tenant != 1:
        text[number % _WORDS] = "elsewhere"  # a common word that the large deployment doesn't have
    return search_entry.make(
        raw_id=number,
        deployment_id=tenant,
        text=" ".join(text),
        subject=f"Offer {number}",
        names=("Jane Doe", "jane@client.example"),
        file_names=("offer.pdf",) if number % 5 == 0 else (),
    )


def _index_bytes(database: Database) -> int:
    if database.is_sqlite:
        sql = "SELECT SUM(pgsize) FROM dbstat WHERE name LIKE 'search_%'"
    else:
        sql = "SELECT pg_total_relation_size('search_texts')"
    return int(database.execute(sql).fetchone()[0])


def _ask(database: Database, language: Language) -> dict[str, list[float]]:
    chance, words = random.Random(3), language.words
    phrases = [" ".join(language.text(chance)[:2]) for _ in range(QUERIES)]
    kinds = {
        "a rare word": [chance.choice(words[20_000:]) for _ in range(QUERIES)],
        "a common word": [chance.choice(words[:50]) for _ in range(QUERIES)],
        "two words": [" ".join(chance.sample(words[50:5_000], 2)) for _ in range(QUERIES)],
        "a phrase": [f'"{phrase}"' for phrase in phrases],
        "a prefix": [f"{chance.choice(words)[: chance.choice((3, 4, 5))]}*" for _ in range(QUERIES)],
        "an address": ["jane@client.example"] * QUERIES,
        "another tenant's word": ["elsewhere"] * QUERIES,
        "a number": [f"offer {chance.randrange(1, 10**6)}" for _ in range(QUERIES)],
    }
    tenant = deployments.find(database, "tenant1")
    wanted = search.Wanted(limit=50)
    took: dict[str, list[float]] = {}
    for kind, typed in kinds.items():
        took[kind] = []
        for one in typed:
            begun = time.perf_counter()
            search.select(database, tenant, search_query.parse(one), wanted)
            took[kind].append((time.perf_counter() - begun) * 1e3)
    return took


def _quantile(values: list[float], hundredth: int) -> float:
    return statistics.quantiles(values, n=100)[hundredth - 1]


def _missed(found: Found) -> bool:
    return any(
        statistics.median(values) > MEDIAN_GOAL or _quantile(values, 99) > P99_GOAL
        for values in found.of_kinds.values()
    )


def _as_json(options: argparse.Namespace, found: Found) -> dict[str, object]:
    return {
        "machine": report.machine(),
        "database": options.database,
        "messages": options.many,
        "milliseconds": {
            kind: {"median": round(statistics.median(values), 2), "p99": round(_quantile(values, 99), 2)}
            for kind, values in found.of_kinds.items()
        },
        "put_milliseconds": {
            "median": round(statistics.median(found.puts), 2),
            "p99": round(_quantile(found.puts, 99), 2),
            "worst": round(max(found.puts), 2),
        },
        "index_bytes_a_message": round(found.bytes_a_message),
    }


def _print(options: argparse.Namespace, found: Found) -> None:
    print(f"Search in {options.many:,} messages, {datetime.now(UTC):%Y-%m-%d}, {options.database}, {report.machine()}")
    print(f"  {'ms, the newest 50 of':28}{'median':>10}{'99th':>10}   (goals: {MEDIAN_GOAL:.0f}, {P99_GOAL:.0f})")
    for kind, values in found.of_kinds.items():
        print(f"  {kind:28}{statistics.median(values):10.2f}{_quantile(values, 99):10.2f}")
    print(
        f"  indexing 50 messages, ms: median {statistics.median(found.puts):.1f}, 99th {_quantile(found.puts, 99):.1f},"
        f" worst {max(found.puts):.1f} (goal: {PUT_GOAL:.0f})"
    )
    print(f"  index: {found.bytes_a_message:.0f} bytes a message")


def _say(line: str) -> None:
    print(f"bench: {line}", file=sys.stderr, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.search", description="The cost of searching as the record grows.")
    parser.add_argument("--many", type=int, default=MANY, help=f"messages on the record; default {MANY:,}")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite", help="default sqlite")
    parser.add_argument("--no-goal", action="store_true", help="exit 0 even where a goal is missed")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
