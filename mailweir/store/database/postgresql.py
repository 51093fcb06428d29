"""PostgreSQL as a back end, for several hosts that share a record: its connection, and which of its errors mean an outage.

Needs psycopg 3 (`mailweir[postgresql]`). A connection that the server has closed is noticed before its next use. So once the
server is back, no message is put off because of an old connection. Called by `connection`.
"""

import select
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any

from mailweir.database_url import Postgresql as DatabaseUrl
from mailweir.errors import SettingsError
from mailweir.store.database import lean_peewee, silence
from mailweir.store.database.lean_peewee import peewee

CONNECT_TIMEOUT_SECONDS = 5
# A vanished host doesn't answer: the kernel gives the connection up after this time, not after two hours.
SILENCE_TIMEOUT_SECONDS = 20
STATEMENT_TIMEOUT_SECONDS = 60.0
_LIMIT_EXCEEDED = (
    "54"  # SQLSTATE class: a row too large for an index, which psycopg counts among the operational errors
)
_WRITERS_KEY = 7_305_806  # of the advisory lock that serialises transactions (`serialise`)


class Postgresql:
    """One connection to a server."""

    def __init__(
        self,
        database_url: DatabaseUrl,
        busy_timeout_seconds: float,
        *,
        durable: bool,
        patience_seconds: float | None = None,
    ) -> None:
        try:
            lean_peewee.load_driver()
            import psycopg
        except ImportError as error:
            raise SettingsError("PostgreSQL needs psycopg: install 'mailweir[postgresql]'") from error
        self._url = database_url
        self._patience_seconds = patience_seconds
        self._raw_cursor = psycopg.RawCursor
        self._in_transaction = psycopg.pq.TransactionStatus.INTRANS
        self._outages = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.InternalError)
        options = {
            "lock_timeout": f"{int(busy_timeout_seconds * 1000)}ms",
            "statement_timeout": f"{max(busy_timeout_seconds, STATEMENT_TIMEOUT_SECONDS):.0f}s",
            "synchronous_commit": "on" if durable else "off",  # law 1: on the disk, whatever the server's default is
            "idle_in_transaction_session_timeout": "60s",
            "timezone": "UTC",
        }
        self.peewee = peewee.PostgresqlDatabase(
            database_url.url,
            prefer_psycopg3=True,
            thread_safe=False,
            autoconnect=False,
            encoding="utf8",
            password=database_url.password(),
            application_name="mailweir",
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            tcp_user_timeout=SILENCE_TIMEOUT_SECONDS * 1000,
            keepalives_idle=SILENCE_TIMEOUT_SECONDS,
            options=" ".join(f"-c {name}={value}" for name, value in options.items()),
        )
        self.begin: tuple[str, ...] = ()
        self.serialise: str | None = f"SELECT pg_advisory_xact_lock({_WRITERS_KEY})"

    def connect(self) -> None:
        """Opens a connection."""
        self.peewee.connect()
        if self._patience_seconds is not None:
            silence.notice(self.peewee.connection(), self._url, self._patience_seconds)  # type: ignore[no-untyped-call]

    def is_stale(self) -> bool:
        """Has the server hung up? An idle connection has nothing to read except its end."""
        connection: Any = self.peewee.connection()  # type: ignore[no-untyped-call]
        if connection.closed:
            return True
        poll = select.poll()
        poll.register(connection.fileno(), select.POLLIN)
        return bool(poll.poll(0))

    def refuse_lost_transaction(self) -> None:
        """Called before a commit; raises an error if there is no intact transaction. PostgreSQL would answer COMMIT with a silent
        rollback if the transaction has failed, and with a warning if there is none."""
        connection: Any = self.peewee.connection()  # type: ignore[no-untyped-call]
        if connection.info.transaction_status != self._in_transaction:
            raise peewee.OperationalError("the transaction was lost before it could be committed")

    def writes(self) -> int:
        """0 as long as the transaction has changed nothing."""
        return int(self.executor()("SELECT pg_current_xact_id_if_assigned() IS NOT NULL").fetchone()[0])

    def executor(self) -> Callable[..., Any]:
        """An `execute` that takes `?` for a parameter."""
        connection: Any = self.peewee.connection()  # type: ignore[no-untyped-call]
        raw_cursor = self._raw_cursor

        def execute(sql: str, parameters: Sequence[Any] = ()) -> Any:
            return raw_cursor(connection).execute(numbered(sql), parameters)

        return execute

    def together(self) -> AbstractContextManager[object]:
        """Pipeline mode of PostgreSQL's protocol: five round trips for a batch of messages instead of ten."""
        connection: Any = self.peewee.connection()  # type: ignore[no-untyped-call]
        pipeline: AbstractContextManager[object] = connection.pipeline()
        return pipeline

    def is_outage(self, error: BaseException) -> bool:
        """Is it a failure of the server (gone, full, a deadlock, read only), and not an invalid row?"""
        if (getattr(error, "sqlstate", None) or "").startswith(_LIMIT_EXCEEDED):
            return False
        outages = (peewee.OperationalError, peewee.InterfaceError, peewee.InternalError, *self._outages)
        return isinstance(error, outages)


@lru_cache(maxsize=1024)
def numbered(sql: str) -> str:
    """The SQL with `$1`, `$2`, … instead of `?`: psycopg then has nothing to parse. None of our statements has a literal `?`."""
    first, *others = sql.split("?")
    return first + "".join(f"${number}{text}" for number, text in enumerate(others, 1))
