"""The cost of matching a message with few and with many contact addresses: `python -m bench.matching`.

Measures the filter's work between the headers and the decision: parsing the headers, the database queries and the decision.
Alternates between a SQLite record with 1,000 contact addresses and another with 10 million. Half of the authors are contacts, and
every message has one further contact in Cc. Exit 1 if the goal is missed.
"""

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from bench import report
from capture_milter import handling
from mailweir.decision import Outcome
from mailweir.envelope import Envelope, read_recipient
from mailweir.headers import Header
from mailweir.store.database import versions
from mailweir.store.database.connection import Database
from mailweir.store.people.directory import SqlDirectory

GOAL = 1.3
FEW = 1_000
MANY = 10_000_000
_BATCH_ROWS = 100_000
_NOW = "2026-11-24T00:00:00.000000Z"


def main() -> int:
    """Measures and prints; returns the exit code."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="mailweir-bench-") as folder:
        records = {count: _record(Path(folder) / f"{count}.db", count) for count in (FEW, options.addresses)}
        took: dict[int, list[float]] = {count: [] for count in records}
        for number in range(options.rounds):
            for count, path in records.items():
                took[count].append(_measure(path, count, options.messages, seed=number))
                _say(f"round {number + 1} of {options.rounds}: {count:,} addresses: {took[count][-1] * 1e6:.0f} µs")
    ratio = statistics.median(many / few for few, many in zip(took[FEW], took[options.addresses], strict=True))
    microseconds = {str(count): round(statistics.median(times) * 1e6, 1) for count, times in took.items()}
    if options.json:
        print(
            json.dumps({"machine": report.machine(), "microseconds_a_message": microseconds, "ratio": round(ratio, 3)})
        )
    else:
        print(f"Matching a message, {datetime.now(UTC):%Y-%m-%d}, {report.machine()}")
        for count, time_each in microseconds.items():
            print(f"  {int(count):>12,} contact addresses: {time_each:6.1f} µs")
        print(f"  ratio {ratio:.2f} (goal: at most {GOAL})")
    return 1 if ratio > GOAL and not options.no_goal else 0


def _record(path: Path, count: int) -> Path:
    """A record with this many contacts of one address each."""
    versions.upgrade(path)
    with closing(Database(path)) as database:
        with database.transaction():
            database.execute(
                "INSERT INTO deployments (id, name, domain, created_at) VALUES (1, 'demo', 'demo.example.net', ?)",
                (_NOW,),
            )
            database.execute(
                "INSERT INTO users (id, deployment_id, username, name, mailbox, created_at)"
                " VALUES (1, 1, 'richard', '', 'richard@firm.example', ?)",
                (_NOW,),
            )
        for start in range(0, count, _BATCH_ROWS):
            numbers = range(start, min(count, start + _BATCH_ROWS))
            with database.transaction():
                connection = database.peewee.connection()
                connection.executemany(
                    "INSERT INTO contacts (id, deployment_id, name, created_at) VALUES (?, 1, 'Client', ?)",
                    ((number + 1, _NOW) for number in numbers),
                )
                connection.executemany(
                    "INSERT INTO contact_addresses (deployment_id, contact_id, address, match_key) VALUES (1, ?, ?, ?)",
                    ((number + 1, _address(number), _address(number)) for number in numbers),
                )
            if start % (_BATCH_ROWS * 10) == 0 and count > _BATCH_ROWS:
                _say(f"made {start:,} of {count:,} contact addresses")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


def _address(number: int) -> str:
    return f"contact{number:09d}@client{number % 1000:03d}.example"


def _messages(count: int, addresses: int, seed: int) -> Iterator[tuple[Envelope, list[Header]]]:
    chance = random.Random(seed)
    recipients = (read_recipient("<richard@demo.example.net>"),)
    received_at = datetime(2026, 11, 24, tzinfo=UTC)
    for number in range(count):
        author = _address(chance.randrange(addresses)) if number % 2 else f"stranger{number}@elsewhere.example"
        headers = [
            (b"Received", b" from mail.client.example by mx.demo.example.net; Tue, 24 Nov 2026 03:12:55 +0000"),
            (b"From", f" Client <{author}>".encode()),
            (b"To", b" richard@firm.example"),
            (b"Cc", f" {_address(chance.randrange(addresses))}".encode()),
            (b"Subject", b" An offer"),
            (b"Date", b" Tue, 24 Nov 2026 03:12:55 +0000"),
            (b"Message-ID", b" <%d@client.example>" % number),
        ]
        yield (
            Envelope(sender=author, recipients=recipients, login=None, client="192.0.2.1", received_at=received_at),
            headers,
        )


def _measure(path: Path, addresses: int, messages: int, seed: int) -> float:
    """Seconds per message."""
    prepared = list(_messages(messages, addresses, seed))
    captured = 0
    with closing(Database(path)) as database, database.reading():
        directory = SqlDirectory(database)
        for envelope, headers in prepared[: messages // 10]:  # warm-up
            handling.plan(envelope, headers, directory)
        start = time.perf_counter()
        for envelope, headers in prepared:
            (decision,) = handling.plan(envelope, headers, directory).decisions
            captured += decision.outcome is Outcome.CAPTURED
        seconds = time.perf_counter() - start
    if captured != messages // 2:
        raise SystemExit(f"bench: {captured} of {messages} messages matched instead of half of them")
    return seconds / messages


def _say(line: str) -> None:
    print(f"bench: {line}", file=sys.stderr, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.matching", description="The cost of matching a message.")
    parser.add_argument("--addresses", type=int, default=MANY, help=f"addresses of the large record; default {MANY:,}")
    parser.add_argument("--messages", type=int, default=20_000, help="in each round; default 20,000")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-goal", action="store_true", help="exit 0 even where the goal is missed")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
