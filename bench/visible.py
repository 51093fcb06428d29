"""How long a reader's list takes on a large record, most of it private: by the union of two ranges, and by one OR beside it.

    python -m bench.visible [--database sqlite|postgresql] [--activities 1000000] [--private 0.95]

Prints medians in milliseconds for the newest 50, with the index `activities_open` and without, for a reader who takes part in
much and for one who takes part in hardly anything. The record is made up by SQL, with rows of a usual size and no raw messages.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from mailweir.store.database import versions
from mailweir.store.database.connection import Database
from mailweir.store.record import visibility
from mailweir.store.record.visibility import Reader

_USERS = 100
_TRIES = 15
_NOW = "2026-11-24T03:12:55.000000Z"
_BUSY, _IDLE = 1, 2  # user 2 takes part in one activity in ten thousand, the first ones
_OR = (
    "SELECT a.id FROM activities a WHERE a.deployment_id = 1 AND (a.visibility <> 'participants' OR EXISTS"
    " (SELECT 1 FROM activity_users p WHERE p.activity_id = a.id AND p.user_id = ?)) ORDER BY a.id DESC LIMIT 50"
)


@contextmanager
def _database(kind: str) -> Iterator[Database]:
    if kind == "sqlite":
        with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
            path = Path(folder) / "mailweir.db"
            versions.upgrade(path)
            with closing(Database(path)) as database:
                yield database
        return
    from tests import postgresql  # the tests know how to make a cluster

    with postgresql.running(as_on_hosts=True) as cluster:
        url = cluster.make_database()
        versions.upgrade(url)
        with closing(Database(url, busy_timeout_seconds=600)) as database:
            yield database


def _fill(database: Database, count: int, private: float) -> None:
    """The newest are private, as where a word or a company was set of late: the worst for whoever sees little."""
    blob = "CAST('i' || n AS BLOB)" if database.is_sqlite else "CAST('i' || n AS BYTEA)"
    numbers = "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)"
    private_from = int(count * (1 - private))
    with database.transaction():
        database.execute(
            f"INSERT INTO deployments (id, name, domain, created_at) VALUES (1, 'd', 'd.example', '{_NOW}')"
        )
        for number in range(1, _USERS + 1):
            database.execute(
                "INSERT INTO users (id, deployment_id, username, name, mailbox, created_at) VALUES (?, 1, ?, '', ?, ?)",
                (number, f"u{number}", f"u{number}@x.example", _NOW),
            )
        database.execute(
            f"{numbers} INSERT INTO activities (id, deployment_id, identity, direction, author, subject, recorded_at, visibility)"
            f" SELECT n, 1, {blob}, 'incoming', 'jane@client.example', 'An offer of a usual length, number ' || n, '{_NOW}',"
            " CASE WHEN n > ? THEN 'participants' ELSE 'everyone' END FROM numbers",
            (count, private_from),
        )
        # user 2 has the first rows alone; the others share the rest evenly
        database.execute(
            f"{numbers} INSERT INTO activity_users (activity_id, user_id)"
            f" SELECT n, CASE WHEN n < ? THEN {_IDLE} WHEN n % {_USERS} = {_IDLE} THEN {_BUSY} ELSE n % {_USERS} + 1 END"
            " FROM numbers",
            (count, count // 10_000),
        )
        database.execute(
            f"UPDATE activity_users SET user_id = {_BUSY} WHERE user_id = {_IDLE} AND activity_id >= ?",
            (count // 10_000,),
        )
    database.execute("ANALYZE")


def _median_ms(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(_TRIES):
        began = time.perf_counter()
        work()
        taken.append(1000 * (time.perf_counter() - began))
        if sum(taken) > 20_000:
            break
    return statistics.median(taken)


def _by_or(database: Database, user: int) -> None:
    database.execute(_OR, (user,)).fetchall()


def _say(database: Database, what: str) -> None:
    for name, user in (("takes part in much", _BUSY), ("takes part in little", _IDLE)):
        reader = Reader(1, (user,))
        united = _median_ms(partial(visibility.listed, database, reader, limit=50))
        by_or = _median_ms(partial(_by_or, database, user))
        print(f"{what:<28} {name:<22} united {united:9.2f} ms   OR {by_or:9.2f} ms", flush=True)


def main() -> None:
    """Fills a database, and measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--activities", type=int, default=1_000_000)
    parser.add_argument("--private", type=float, default=0.95)
    given = parser.parse_args()
    with _database(given.database) as database:
        _fill(database, given.activities, given.private)
        print(f"{given.database}: {given.activities:,} activities, {given.private:.0%} private", flush=True)
        _say(database, "as it is")
        database.execute("DROP INDEX activities_open")
        _say(database, "without activities_open")


if __name__ == "__main__":
    main()
