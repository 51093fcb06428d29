"""How many messages a second the digest examines and reads, from database to database: `python -m bench.digest`.

Records signed mail of 4 kB (text beside HTML, a quote, a small file) by the filter's code; the key is in the benchmark's own DNS
server. Then the digest does both stages for all of it, with its own children. Prints messages a second, the CPU of the digest, of
its children and of PostgreSQL's process for each message, how long transactions hold the write lock, and the growth of the
database. Exit 1 if the goal is missed.
"""

import argparse
import base64
import hashlib
import json
import logging
import os
import resource
import statistics
import struct
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from admin_cli.demo import signing
from admin_cli.demo.signing import SigningKey
from bench import growth, report
from mailweir import content, heap, recording
from mailweir.database_url import DatabaseUrl
from mailweir.digest import server
from mailweir.digest.server import Digest
from mailweir.settings import Settings
from mailweir.store.database import health, versions
from mailweir.store.database.batches import parts
from mailweir.store.database.connection import Database
from tests.moody_zone import MoodyZoneServer

GOAL = 1_000  # messages a second
_MESSAGES = 5_000
_SELECTOR, _DOMAIN = "sel", "client.example"
_WORDS = "The quick brown fox jumps over the lazy dog, as it always has done. "
_FILE = base64.encodebytes(b"1,an offer\n" * 60).replace(b"\n", b"\r\n").decode()


def main() -> int:
    """Measures and prints; the exit code."""
    options = _options()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    key = SigningKey.generate()
    zone = {(signing.key_name(_SELECTOR, _DOMAIN), "TXT"): [key.record]}
    with tempfile.TemporaryDirectory(prefix="mailweir-bench-", dir="/var/tmp") as folder, MoodyZoneServer(zone) as dns:
        settings = Settings.model_validate({"data_dir": folder, "dns": {"nameserver": "127.0.0.1", "port": dns.port}})
        with url(options.database, folder) as at:
            found = _measure(at, settings, key, options.messages)
    print(json.dumps(found, indent=2) if options.json else _text(found))
    return 1 if found["messages_a_second"] < GOAL and not options.no_goal else 0


@contextmanager
def url(kind: str, folder: str) -> Iterator[DatabaseUrl]:
    if kind == "sqlite":
        yield Path(folder) / "mailweir.db"
        return
    from tests import postgresql  # the tests can make a cluster

    with postgresql.running(as_on_hosts=True) as cluster:
        yield cluster.make_database()


def _measure(url: DatabaseUrl, settings: Settings, key: SigningKey, count: int) -> dict[str, Any]:
    versions.upgrade(url)
    with closing(Database(url, durable=False)) as database:  # as the digest opens it
        growth.make_people(database)
        entries = (signed(entry, number, key) for number, entry in enumerate(growth.entries(0, count)))
        for batch in parts(entries, 500):
            with database.transaction(alone=False):
                recording.record_all(database, batch)
        bytes_before = _size_bytes(database)
        os.sync()
        digest = Digest(database, server.pools(settings), structlog.get_logger(), lambda: datetime.now(UTC))
        held = _held_seconds(database)
        server_seconds = _server_seconds(database)
        heap.freeze()  # as the digest does
        own, wall = time.process_time(), time.perf_counter()
        done = digest.work_off()
        seconds, own_seconds = time.perf_counter() - wall, time.process_time() - own
        server_seconds = _server_seconds(database) - server_seconds
        digest.stop()
        of_children = resource.getrusage(resource.RUSAGE_CHILDREN)
        childrens_seconds = of_children.ru_utime + of_children.ru_stime
        processor_seconds = own_seconds + childrens_seconds + server_seconds
        (proven,) = database.execute("SELECT COUNT(*) FROM raw_messages WHERE verdict = 'pass'").fetchone()
        (read,) = database.execute("SELECT COUNT(*) FROM readings WHERE state = 'read'").fetchone()
        assert (done, proven, read) == (2 * count, count, count), (done, proven, read)
        return {
            "machine": report.machine(),
            "messages": count,
            "messages_a_second": round(count / seconds),
            "own_cpu_milliseconds": round(own_seconds / count * 1e3, 3),
            "childrens_cpu_milliseconds": round(childrens_seconds / count * 1e3, 3),
            "servers_cpu_milliseconds": round(server_seconds / count * 1e3, 3),
            "processor_messages_a_second": round(2 * count / processor_seconds),
            "transactions": len(held),
            "transaction_median_milliseconds": round(statistics.median(held) * 1e3, 1),
            "transaction_p99_milliseconds": round(sorted(held)[len(held) * 99 // 100] * 1e3, 1),
            "transaction_longest_milliseconds": round(max(held) * 1e3, 1),
            "growth_bytes": round((_size_bytes(database) - bytes_before) / count),
        }


def _held_seconds(database: Database) -> list[float]:
    """A list that gets the seconds for which each later transaction holds the write lock. On SQLite the filter waits for it.

    If SQLite's log is long enough, a commit also copies the log into the database. It has given the lock back before, so other
    connections can write meanwhile. Here the copy is made separately after such a commit, so that its time isn't counted.
    """
    held: list[float] = []
    transaction = database.transaction
    pages = _checkpoint_separately(database) if database.is_sqlite else 0

    @contextmanager
    def timed(*, alone: bool = True) -> Iterator[None]:
        began = 0.0
        with transaction(alone=alone):
            began = time.perf_counter()
            yield
        held.append(time.perf_counter() - began)
        if database.is_sqlite and _pages_of_log(database) >= pages:
            database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    database.transaction = timed  # type: ignore[method-assign]
    return held


def _checkpoint_separately(database: Database) -> int:
    """Switches SQLite's own checkpoints off, and returns the length of the log at which they happen, in pages."""
    (pages,) = database.execute("PRAGMA wal_autocheckpoint").fetchone()
    database.execute("PRAGMA wal_autocheckpoint = 0").fetchall()
    return int(pages)


def _pages_of_log(database: Database) -> int:
    """The length of SQLite's log, from the header of its index (sqlite.org/walformat.html, section 2.1: mxFrame)."""
    with Path(f"{database.url}-shm").open("rb") as index:
        return int(struct.unpack_from("=I", index.read(20), 16)[0])


def _server_seconds(database: Database) -> float:
    """The CPU seconds so far of the PostgreSQL process that serves this connection; 0 on SQLite. PostgreSQL's other processes
    (checkpoints, its log) aren't counted."""
    if database.is_sqlite:
        return 0.0
    (pid,) = database.execute("SELECT pg_backend_pid()").fetchone()
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _size_bytes(database: Database) -> int:
    """The database's size, after SQLite's write-ahead log was emptied."""
    if database.is_sqlite:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return health.size_bytes(database)


def signed(entry: recording.Entry, number: int, key: SigningKey) -> recording.Entry:
    """A captured mail with unique bytes, by an author whose organisation signed it."""
    assert entry.content
    author = f"contact@{_DOMAIN}"
    text = f"Dear Richard,\r\n\r\nnumber {number}. {_WORDS * 8}\r\n\r\nOn Mon, 23 Nov 2026, Richard wrote:\r\n> {_WORDS}\r\n"
    html = f"<html><body><p>Dear Richard,</p><p>number {number}. {_WORDS * 8}</p><blockquote>{_WORDS * 12}</blockquote>"
    raw = (
        f"From: Jane <{author}>\r\nTo: Richard <richard@firm.example>\r\nSubject: Offer {number}\r\n"
        f"Message-ID: <{number}@{_DOMAIN}>\r\nIn-Reply-To: <{number // 3}@firm.example>\r\n"
        "Date: Tue, 24 Nov 2026 03:12:55 +0000\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n"
        "--a\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n"
        f"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
        f"--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n{html}\r\n--b--\r\n"
        f"--a\r\nContent-Type: text/csv; name=a.csv\r\nContent-Transfer-Encoding: base64\r\n\r\n{_FILE}\r\n--a--\r\n"
    ).encode()
    raw = signing.sign(raw, key, selector=_SELECTOR, domain=_DOMAIN)
    kept = replace(
        entry.content,
        version_digest=hashlib.sha256(raw).digest(),
        raw_zstd=content.compress(raw),
        size_bytes=len(raw),
    )
    return replace(entry, content=kept, decision=replace(entry.decision, author=author), seen_at=datetime.now(UTC))


def _text(found: dict[str, Any]) -> str:
    return (
        f"{found['messages_a_second']:,} messages/s (goal: {GOAL:,}); CPU for each: {found['own_cpu_milliseconds']} ms of the"
        f" digest, {found['childrens_cpu_milliseconds']} ms of its children, {found['servers_cpu_milliseconds']} ms of"
        f" PostgreSQL's process, which is {found['processor_messages_a_second']:,} messages/s of two processors' time;"
        f" {found['transactions']:,} transactions: median {found['transaction_median_milliseconds']} ms, 99th percentile"
        f" {found['transaction_p99_milliseconds']} ms, longest {found['transaction_longest_milliseconds']} ms; the database"
        f" grows by {found['growth_bytes']:,} bytes for each"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="How many messages a second the digest examines and reads.")
    parser.add_argument("--messages", type=int, default=_MESSAGES)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--no-goal", action="store_true", help="exit 0 however slow it is")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
