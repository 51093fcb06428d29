"""One connection to the database, SQLite's or PostgreSQL's, and its transactions.

A `Database` belongs to one thread at a time and is opened after a fork, never before. Reads see the last commit, so the next
message is matched with a contact that a command has just added. Called by every process that reads or records.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

from mailweir.database_url import DatabaseUrl
from mailweir.errors import DatabaseUnavailable
from mailweir.sentence import said
from mailweir.store.database import models
from mailweir.store.database.sqlite import Sqlite

BUSY_TIMEOUT_SECONDS = 5.0


class _Backend(Protocol):
    """The differences between SQLite and PostgreSQL. begin: arguments of peewee's `atomic`. serialise: the SQL that makes
    writers wait for each other, or None."""

    peewee: Any
    begin: tuple[str, ...]
    serialise: str | None

    def connect(self) -> None: ...
    def is_stale(self) -> bool: ...
    def refuse_lost_transaction(self) -> None: ...
    def executor(self) -> Callable[..., Any]: ...
    def writes(self) -> int: ...
    def together(self) -> AbstractContextManager[object]: ...
    def is_outage(self, error: BaseException) -> bool: ...


class Database:
    """A connection, opened at first use. SQL has `?` for a parameter.

    durable: a commit is on the disk when it returns. If False, a power failure shortly afterwards may undo a commit, but always
    as a whole: use it for work that is then repeated. Other connections' commits stay durable. patience_seconds: a server that is
    silent for this long, and accepts no other connection either, counts as unavailable. None: waits for a hanging server, for
    callers that have time. Errors: DatabaseUnavailable if the database can't be opened, is locked for longer than the time-out,
    is full or gone.
    """

    def __init__(
        self,
        database_url: DatabaseUrl,
        *,
        busy_timeout_seconds: float = BUSY_TIMEOUT_SECONDS,
        create: bool = False,
        durable: bool = True,
        patience_seconds: float | None = None,
    ) -> None:
        self.url = database_url
        self._backend = _backend(
            database_url, busy_timeout_seconds, create=create, durable=durable, patience_seconds=patience_seconds
        )
        self.peewee = self._backend.peewee
        self.before_commit: Callable[[], None] | None = None  # called at the end of each transaction that wrote
        self._is_asking_at_once = False

    @property
    def path(self) -> Path:
        """SQLite's file."""
        assert isinstance(self.url, Path)
        return self.url

    @property
    def is_sqlite(self) -> bool:
        """Is it SQLite (otherwise PostgreSQL)?"""
        return isinstance(self.url, Path)

    def open(self) -> None:
        """Connects if it isn't connected, the server has hung up, or the file has been replaced."""
        if self.peewee.is_closed():
            with self._translated():
                self._backend.connect()
        elif not (self._is_asking_at_once or self.peewee.in_transaction()) and self._backend.is_stale():
            self.close()
            with self._translated():
                self._backend.connect()

    def close(self) -> None:
        """Disconnects if it is connected."""
        if not self.peewee.is_closed():
            self.peewee.close()

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """Runs one statement; the cursor returns plain tuples."""
        self.open()
        with self._translated():
            return self.fast_execute()(sql, parameters)

    def fast_execute(self) -> Callable[..., Any]:
        """The driver's own `execute`, for the path of every message: a third of the time of `execute`.

        Use it within `transaction` or `reading`, which open the connection and translate the errors.
        """
        return self._backend.executor()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """A block for several reads with `fast_execute`."""
        with self._translated():
            self.open()
            yield

    @contextmanager
    def bound(self) -> Iterator[None]:
        """Makes the models of `store/` use this connection, in this thread."""
        self.open()
        with self._translated(), models.bound_to(self.peewee):
            yield

    @contextmanager
    def transaction(self, *, alone: bool = True) -> Iterator[None]:
        """A transaction that writes. alone: no other such transaction runs meanwhile, so that earlier look-ups stay valid.

        On SQLite every transaction that writes is alone. On PostgreSQL mail is recorded with `alone=False`, so that many hosts
        record at once.
        """
        self.open()
        is_outermost = self.before_commit is not None and not self.peewee.in_transaction()
        with self._translated(), self.peewee.atomic(*self._backend.begin):
            if alone and self._backend.serialise:
                self.fast_execute()(self._backend.serialise)
            written = self._backend.writes() if is_outermost else 0
            yield
            if is_outermost and self.before_commit is not None and self._backend.writes() != written:
                self.before_commit()
            self._backend.refuse_lost_transaction()

    def together(self) -> AbstractContextManager[object]:
        """Within a transaction: statements whose results nobody reads are sent together with the next statement.

        A statement's error may be raised at a later one, or at the end of the block. Row counts of changes aren't available.
        """
        return self._backend.together()

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Several reads by `execute`: all are sent before the first answer is awaited. Fetch the rows after the block."""
        self.open()
        # `is_stale` would take an answer that has arrived for the end of the connection
        before, self._is_asking_at_once = self._is_asking_at_once, True
        try:
            with self._translated(), self._backend.together():
                yield
        finally:
            self._is_asking_at_once = before

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A part of a transaction that can fail alone."""
        execute = self.fast_execute()
        execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            execute("ROLLBACK TO part")
            raise
        finally:
            execute("RELEASE part")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if not self._backend.is_outage(error):
                raise
            raise DatabaseUnavailable(
                said("database {url}: {error}", url=self.url, error=" ".join(str(error).split()))
            ) from error


def _backend(
    database_url: DatabaseUrl,
    busy_timeout_seconds: float,
    *,
    create: bool,
    durable: bool,
    patience_seconds: float | None,
) -> _Backend:
    if isinstance(database_url, Path):
        return Sqlite(database_url, busy_timeout_seconds, create=create, durable=durable)
    # Imported when needed: psycopg takes 27 MB and 0.14 s.
    from mailweir.store.database.postgresql import Postgresql

    return Postgresql(database_url, busy_timeout_seconds, durable=durable, patience_seconds=patience_seconds)
