"""Distinguishes a hanging PostgreSQL from a working one: a hanging server accepts no other connection either.

A stopped server process keeps its connections, and libpq waits forever: the kernel still acknowledges packets, so no network
time-out helps. A long statement on a working server isn't interrupted. Called by `postgresql`, for the page.
"""

import time
from collections.abc import Callable, Generator
from typing import Any

from mailweir.database_url import Postgresql as DatabaseUrl
from mailweir.store.database.lean_peewee import peewee

ANSWER_SECONDS = 3  # time limit for a new connection
# A working server has ended every statement by then (`postgresql.STATEMENT_TIMEOUT_SECONDS`).
LONGEST_SECONDS = 75.0


def notice(connection: Any, database_url: DatabaseUrl, patience_seconds: float) -> None:
    """Makes this psycopg connection give up and close if the server hangs: peewee.OperationalError. Each time the server was
    silent for this long, another connection probes it."""
    plain = connection.wait

    def wait(generator: Any, *arguments: Any, **options: Any) -> Any:
        silence = _Silence(database_url, patience_seconds)
        return plain(_watched(generator, silence.is_dead, connection), *arguments, **options)

    connection.wait = wait


class _Silence:
    """One period of waiting."""

    def __init__(self, database_url: DatabaseUrl, patience_seconds: float) -> None:
        self._database_url = database_url
        self._patience_seconds = patience_seconds
        self._begun_at = self._asked_at = time.monotonic()

    def is_dead(self) -> bool:
        """Does the server hang: it was silent for `LONGEST_SECONDS`, or for the patience and doesn't answer a new connection?"""
        now = time.monotonic()
        if now - self._begun_at >= LONGEST_SECONDS:
            return True
        if now - self._asked_at < self._patience_seconds:
            return False
        found = _hangs(self._database_url)
        self._asked_at = time.monotonic()
        return found


def _hangs(database_url: DatabaseUrl) -> bool:
    """Is a new connection neither accepted nor refused?"""
    import psycopg

    begun_at = time.monotonic()
    try:
        psycopg.connect(
            database_url.url,
            password=database_url.password(),
            connect_timeout=ANSWER_SECONDS,
            application_name="mailweir",
        ).close()
    except psycopg.Error:
        return time.monotonic() - begun_at >= ANSWER_SECONDS - 0.5  # a refusal is an answer
    return False


def _watched(generator: Any, is_dead: Callable[[], bool], connection: Any) -> Generator[Any, Any, Any]:
    """psycopg's generator, which ends with an error if the server is dead. psycopg sends it an empty result whenever nothing came
    for a tenth of a second."""
    try:
        wanted = next(generator)
        while True:
            ready = yield wanted
            if not ready and is_dead():
                connection.pgconn.finish()  # otherwise a rollback would wait for the server, too
                raise peewee.OperationalError("the server hangs")
            wanted = generator.send(ready)
    except StopIteration as end:
        return end.value
