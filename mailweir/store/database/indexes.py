"""Creates and drops indexes of large tables while mail is recorded. Called by steps in `migrations/` that aren't transactions.

On PostgreSQL this is done CONCURRENTLY: no writer waits. Each attempt waits for earlier transactions, for a limited time.
A half-made index of an earlier attempt is dropped, and made again. On SQLite each index is a transaction of its own: writers wait
for one index at a time.
"""

import re
import time
from collections.abc import Callable, Sequence
from typing import Any

from mailweir.store.database.lean_peewee import peewee

LOCK_TIMEOUT_SECONDS = 2
ATTEMPTS = 60
PAUSE_SECONDS = 1.0
_NAME = re.compile(r"CREATE (?:UNIQUE )?INDEX (\w+) ON ")
_LOCK_NOT_AVAILABLE, _DEADLOCK = "55P03", "40P01"
_IS_VALID = (
    "SELECT i.indisvalid FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid"
    " WHERE c.relname = %s AND c.relnamespace = CAST(current_schema() AS regnamespace)"
)


def make(db: Any, statements: Sequence[str], sleep: Callable[[float], None] = time.sleep) -> None:
    """Runs each `CREATE INDEX name ON …` whose index doesn't exist, outside of a transaction. db: peewee's database.

    peewee.OperationalError if others hold their locks through all attempts: the finished indexes stay, and the next call
    continues.
    """
    for statement in statements:
        if type(db).__name__ == "SqliteDatabase":
            db.execute_sql(statement.replace(" INDEX ", " INDEX IF NOT EXISTS ", 1))
        else:
            _make_concurrently(db, statement, sleep)


def drop(db: Any, names: Sequence[str], sleep: Callable[[float], None] = time.sleep) -> None:
    """Drops the existing indexes among these names. Errors as in `make`."""
    for name in names:
        if type(db).__name__ == "SqliteDatabase":
            db.execute_sql(f"DROP INDEX IF EXISTS {name}")
        else:
            _drop_concurrently(db, name, sleep)


def _make_concurrently(db: Any, statement: str, sleep: Callable[[float], None]) -> None:
    found = _NAME.match(statement)
    if found is None:
        raise ValueError(f"this makes no index: {statement}")
    name = found[1]

    def attempt() -> None:
        row = db.execute_sql(_IS_VALID, (name,)).fetchone()
        if row is not None and row[0]:
            return
        if row is not None:  # an attempt was interrupted: no query uses this index, and all writers maintain it
            db.execute_sql(f"DROP INDEX CONCURRENTLY {name}")
        db.execute_sql(statement.replace(" INDEX ", " INDEX CONCURRENTLY ", 1))

    try_often(db, attempt, sleep)


def _drop_concurrently(db: Any, name: str, sleep: Callable[[float], None]) -> None:
    try_often(db, lambda: db.execute_sql(f"DROP INDEX CONCURRENTLY IF EXISTS {name}"), sleep)


def try_often(db: Any, attempt: Callable[[], object], sleep: Callable[[float], None] = time.sleep) -> None:
    """On PostgreSQL: repeats an attempt until it gets its lock of a large table. Errors as in `make`.

    While an attempt waits, another statement may need the table for itself. That statement waits for the attempt, and all later
    statements wait for that statement. So each attempt waits for a limited time.
    """
    db.execute_sql(f"SET lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'")
    try:
        for left in reversed(range(ATTEMPTS)):
            try:
                attempt()
                return
            except peewee.OperationalError as error:
                if not left or _sqlstate(error) not in (_LOCK_NOT_AVAILABLE, _DEADLOCK):
                    raise
            sleep(PAUSE_SECONDS)
    finally:
        db.execute_sql("RESET lock_timeout")


def _sqlstate(error: BaseException) -> str | None:
    """PostgreSQL's code for an error. The driver's error has it, and peewee's error contains the driver's."""
    within = (error, error.__cause__, error.__context__, *error.args)
    return next((str(one.sqlstate) for one in within if getattr(one, "sqlstate", None)), None)
