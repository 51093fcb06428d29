"""Law 1 in the filter: nothing is acknowledged before it is on the disk, a failure affects only its message, and no thread waits
forever."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from capture_milter import group_commit
from capture_milter.group_commit import GroupCommit
from mailweir.database_url import DatabaseUrl
from mailweir.decision import Decision, Direction, Outcome, Reason
from mailweir.errors import DatabaseUnavailable
from mailweir.recording import Content, Entry, Recorded
from mailweir.store.database.connection import Database

if TYPE_CHECKING:
    from tests.people import MemoryDirectory

ROW_ERRORS = (sqlite3.IntegrityError, psycopg.IntegrityError)
LONG_SECONDS = 20.0  # more than any of this takes


class GatedDatabase(Database):
    """Stops before each COMMIT until the gate is open. `fault` runs there, and may raise or spoil the transaction."""

    def __init__(self, database_url: DatabaseUrl, *, busy_timeout_seconds: float = 0.3) -> None:
        super().__init__(database_url, busy_timeout_seconds=busy_timeout_seconds)
        self.at_commit, self.gate = threading.Event(), threading.Event()
        self.gate.set()
        self.fault: Callable[[Database], object] = lambda _: None

    @contextmanager
    def transaction(self, *, alone: bool = True) -> Iterator[None]:
        with super().transaction(alone=alone):
            yield
            self.at_commit.set()
            assert self.gate.wait(LONG_SECONDS)
            self.fault(self)


class Caller(threading.Thread):
    """A connection's thread that commits one message's entries."""

    def __init__(
        self,
        group: GroupCommit,
        entries: list[Entry],
        timeout_seconds: float = LONG_SECONDS,
        keep_alive: Callable[[], object] = lambda: None,
    ) -> None:
        super().__init__(daemon=True)
        self._group, self._entries = group, entries
        self._timeout_seconds, self._keep_alive = timeout_seconds, keep_alive
        self.result: list[Recorded] | None = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.result = self._group.commit(
                self._entries, timeout_seconds=self._timeout_seconds, keep_alive=self._keep_alive
            )
        except Exception as error:  # noqa: BLE001  looked at by the test
            self.error = error

    def ended(self, seconds: float = LONG_SECONDS) -> bool:
        """Waits until it has ended."""
        self.join(seconds)
        return not self.is_alive()


@pytest.fixture
def knowing(database_url: DatabaseUrl, people: "MemoryDirectory") -> DatabaseUrl:
    """A database that knows the people."""
    with closing(Database(database_url)) as database:
        people.write(database)
    return database_url


@pytest.fixture
def gated(knowing: DatabaseUrl) -> Iterator[GatedDatabase]:
    """The writer's connection."""
    with closing(GatedDatabase(knowing)) as opened:
        yield opened


@pytest.fixture
def group(gated: GatedDatabase) -> GroupCommit:
    """The group commit under test."""
    return GroupCommit(lambda: gated)


MakeEntry = Callable[..., Entry]


@pytest.fixture
def entry(people: "MemoryDirectory", now: datetime) -> MakeEntry:
    """An ignored message: entry("4Xy1"). With spoiled=True, the database refuses its row."""

    def make(source_id: str, *, spoiled: bool = False) -> Entry:
        tenant = people.tenants[0]
        decision = Decision(
            deployment=tenant,
            addresses=("log@demo.example.net",),
            outcome=Outcome.IGNORED,
            reason=Reason.UNKNOWN_AUTHOR,
            author=None,
            message_id=None,
        )
        if spoiled:
            decision = replace(decision, deployment=tenant._replace(id=99))
        return Entry(decision, source_id, now)

    return make


def _written(database_url: DatabaseUrl) -> set[str]:
    """The committed messages, as another process sees them."""
    with closing(Database(database_url)) as database:
        return {row[0] for row in database.execute("SELECT source_id FROM decisions").fetchall()}


def _commit(group: GroupCommit, *entries: Entry) -> list[Recorded]:
    return group.commit(entries, timeout_seconds=LONG_SECONDS, keep_alive=lambda: None)


def _gather(gated: GatedDatabase, group: GroupCommit, callers: list[Caller]) -> Caller:
    """Starts the first caller, and the others while it waits before its COMMIT, so that they are one batch. Returns the first."""
    gated.gate.clear()
    gated.at_commit.clear()
    for number, caller in enumerate(callers):
        caller.start()
        if number == 0:
            assert gated.at_commit.wait(LONG_SECONDS)
    _until(lambda: group.waiting == len(callers) - 1)
    return callers[0]


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONG_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_law_1_what_is_committed_is_on_the_disk(
    group: GroupCommit, database_url: DatabaseUrl, entry: MakeEntry
) -> None:
    assert _commit(group, entry("4Xy1"), entry("4Xy2")) == [Recorded(Outcome.IGNORED)] * 2
    assert _written(database_url) == {"4Xy1", "4Xy2"}


def test_law_1_nothing_returns_before_the_commit(
    gated: GatedDatabase, group: GroupCommit, database_url: DatabaseUrl, entry: MakeEntry
) -> None:
    callers = [Caller(group, [entry(f"4Xy{n}")]) for n in range(4)]
    _gather(gated, group, callers)
    assert [caller.ended(0.05) for caller in callers] == [False] * 4
    assert _written(database_url) == set()
    gated.gate.set()
    assert all(caller.ended() for caller in callers)
    assert [caller.result for caller in callers] == [[Recorded(Outcome.IGNORED)]] * 4
    assert _written(database_url) == {"4Xy0", "4Xy1", "4Xy2", "4Xy3"}


def _commit_if_it_can_be(group: GroupCommit, *entries: Entry) -> list[Recorded]:
    """Commits, or does nothing if a row is refused."""
    try:
        return _commit(group, *entries)
    except ROW_ERRORS:
        return []


@pytest.mark.parametrize("max_batch", [200, 3])
def test_results_belong_to_their_message_under_many_threads(
    group: GroupCommit, database_url: DatabaseUrl, entry: MakeEntry, monkeypatch: pytest.MonkeyPatch, max_batch: int
) -> None:
    monkeypatch.setattr(group_commit, "MAX_BATCH", max_batch)
    wrong: list[str] = []

    def work(worker: int) -> None:
        for n in range(15):
            source_id = f"{worker}-{n}"
            spoiled = (worker + n) % 5 == 0
            entries = [entry(f"{source_id}-{part}") for part in range(worker % 3 + 1)]
            done = _commit_if_it_can_be(group, *entries, entry("x", spoiled=spoiled))
            is_written = f"{source_id}-0" in _written(database_url)
            expected = (worker % 3 + 2) * (not spoiled)
            wrong.extend([source_id] * ((len(done), is_written) != (expected, not spoiled)))

    threads = [threading.Thread(target=work, args=(worker,), daemon=True) for worker in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG_SECONDS)
        assert not thread.is_alive()
    assert wrong == []
    expected = {f"{w}-{n}-{part}" for w in range(20) for n in range(15) if (w + n) % 5 for part in range(w % 3 + 1)}
    assert _written(database_url) - {"x"} == expected


def test_a_message_that_can_not_be_written_fails_alone(
    gated: GatedDatabase, group: GroupCommit, database_url: DatabaseUrl, entry: MakeEntry
) -> None:
    callers = [Caller(group, [entry(f"4Xy{n}")]) for n in range(4)]
    callers.insert(2, Caller(group, [entry("half"), entry("bad", spoiled=True)]))
    _gather(gated, group, callers)
    gated.gate.set()
    assert all(caller.ended() for caller in callers)
    bad = callers.pop(2)
    assert isinstance(bad.error, ROW_ERRORS)
    assert [caller.result for caller in callers] == [[Recorded(Outcome.IGNORED)]] * 4
    assert _written(database_url) == {"4Xy0", "4Xy1", "4Xy2", "4Xy3"}  # and nothing of the half that could be written


def test_of_a_message_that_can_not_be_written_nothing_is(
    gated: GatedDatabase, group: GroupCommit, database_url: DatabaseUrl, people: "MemoryDirectory", now: datetime
) -> None:
    """Its activity can be written, but its owner can't. The activity is removed, too, and the other message of the batch
    stays."""
    good = Decision(
        deployment=people.tenants[0],
        outcome=Outcome.CAPTURED,
        reason=Reason.AUTHOR_IS_CONTACT,
        author="a@b.example",
        message_id=None,
        direction=Direction.INCOMING,
    )
    bad = replace(good, users=(1, 99))
    entries = [
        Entry(
            decision,
            f"4Xy{n}",
            now,
            Content(identity=b"%d" % n, version_digest=b"d", raw_zstd=b"raw", size_bytes=3, subject="", sent_at=None),
        )
        for n, decision in enumerate((good, bad, good))
    ]
    callers = [Caller(group, [entry]) for entry in entries]
    _gather(gated, group, callers)
    gated.gate.set()
    assert all(caller.ended() for caller in callers)
    assert [caller.error is None for caller in callers] == [True, False, True]
    assert _written(database_url) == {"4Xy0", "4Xy2"}
    with closing(Database(database_url)) as database:
        assert database.execute("SELECT identity FROM activities ORDER BY id").fetchall() == [(b"0",), (b"2",)]
        assert database.execute("SELECT COUNT(*) FROM raw_messages").fetchone() == (2,)


def _raise(error: Exception) -> Callable[[Database], object]:
    def fault(_: Database) -> None:
        raise error

    return fault


@pytest.mark.parametrize(
    "fault",
    [
        _raise(sqlite3.OperationalError("database or disk is full")),
        _raise(DatabaseUnavailable("gone")),
        # SQLite rolls back by itself on some errors; then COMMIT finds no transaction
        lambda database: database.execute("ROLLBACK"),
        lambda database: database.peewee.connection().close(),
    ],
)
def test_law_1_a_failed_commit_fails_all_and_the_next_works(
    gated: GatedDatabase,
    group: GroupCommit,
    database_url: DatabaseUrl,
    entry: MakeEntry,
    fault: Callable[[Database], object],
) -> None:
    callers = [Caller(group, [entry(f"4Xy{n}")]) for n in range(3)]
    _gather(gated, group, callers)
    gated.fault = fault
    gated.gate.set()
    assert all(caller.ended() for caller in callers)
    assert [caller.result for caller in callers] == [None] * 3
    assert all(isinstance(caller.error, Exception) for caller in callers)
    assert _written(database_url) == set()
    gated.fault = lambda _: None
    assert _commit(group, entry("4Xy9")) == [Recorded(Outcome.IGNORED)]
    assert _written(database_url) == {"4Xy9"}


@contextmanager
def _locked(database_url: DatabaseUrl) -> Iterator[None]:
    """Another process holds the required lock."""
    with closing(Database(database_url)) as other, other.transaction():
        if not other.is_sqlite:
            other.execute("LOCK TABLE decisions IN EXCLUSIVE MODE")
        yield


def test_a_locked_database_fails_all_and_the_next_works(
    group: GroupCommit, database_url: DatabaseUrl, entry: MakeEntry
) -> None:
    with _locked(database_url):
        callers = [Caller(group, [entry(f"4Xy{n}")]) for n in range(3)]
        for caller in callers:
            caller.start()
        assert all(caller.ended() for caller in callers)
        assert [type(caller.error) for caller in callers] == [DatabaseUnavailable] * 3
        assert "lock" in str(callers[0].error)
    assert _commit(group, entry("4Xy9")) == [Recorded(Outcome.IGNORED)]
    assert _written(database_url) == {"4Xy9"}


def test_a_lock_that_ends_in_time_is_waited_for(
    group: GroupCommit, database_url: DatabaseUrl, entry: MakeEntry
) -> None:
    with _locked(database_url):
        caller = Caller(group, [entry("4Xy1")])
        caller.start()
        assert not caller.ended(0.05)
    assert caller.ended()
    assert caller.result == [Recorded(Outcome.IGNORED)]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits are counted in hundredths of a second."""
    monkeypatch.setattr(group_commit, "KEEP_ALIVE_SECONDS", 0.01)


@pytest.mark.usefixtures("quick")
def test_a_slow_database_is_waited_for_as_long_as_is_said(
    gated: GatedDatabase, group: GroupCommit, database_url: DatabaseUrl, entry: MakeEntry
) -> None:
    alive: list[float] = []
    hasty = Caller(group, [entry("hasty")], 0.1, lambda: alive.append(time.monotonic()))
    callers = [Caller(group, [entry("first")]), hasty, Caller(group, [entry("patient")])]
    _gather(gated, group, callers)
    assert hasty.ended(2.0)
    assert isinstance(hasty.error, TimeoutError)
    assert len(alive) >= 5
    gated.gate.set()
    assert callers[0].ended()
    assert callers[2].ended()
    assert _written(database_url) == {"first", "patient"}
    assert _commit(group, entry("4Xy9")) == [Recorded(Outcome.IGNORED)]


@pytest.mark.usefixtures("quick")
def test_a_client_that_is_gone_while_waiting_keeps_nobody_waiting(
    gated: GatedDatabase, group: GroupCommit, database_url: DatabaseUrl, entry: MakeEntry
) -> None:
    """Postfix may hang up while a message waits for its turn. Then `progress` raises."""

    def hung_up() -> None:
        raise RuntimeError("hung up")

    gone = Caller(group, [entry("gone")], keep_alive=hung_up)
    callers = [Caller(group, [entry("first")]), gone, Caller(group, [entry("next")])]
    gated.gate.clear()
    callers[0].start()
    assert gated.at_commit.wait(LONG_SECONDS)
    for caller in callers[1:]:
        caller.start()
    assert gone.ended()
    assert str(gone.error) == "hung up"
    gated.gate.set()
    assert callers[0].ended()
    assert callers[2].ended(2.0)
    assert {"first", "next"} <= _written(database_url)


@pytest.mark.usefixtures("quick")
def test_a_client_that_is_gone_when_its_turn_comes_still_writes_for_the_others(
    gated: GatedDatabase, group: GroupCommit, database_url: DatabaseUrl, entry: MakeEntry
) -> None:
    first = Caller(group, [entry("first")])

    def hung_up_as_its_turn_came() -> None:
        _until(lambda: group.waiting == 2)
        gated.gate.set()
        assert first.ended()
        raise RuntimeError("hung up")

    gone = Caller(group, [entry("gone")], keep_alive=hung_up_as_its_turn_came)
    after = Caller(group, [entry("after")])
    gated.gate.clear()
    first.start()
    assert gated.at_commit.wait(LONG_SECONDS)
    gone.start()
    _until(lambda: group.waiting >= 1)
    after.start()
    assert after.ended(5.0)
    assert gone.ended()
    assert _written(database_url) == {"first", "gone", "after"}


def test_two_workers_write_at_once(knowing: DatabaseUrl, entry: MakeEntry) -> None:
    with closing(Database(knowing)) as one, closing(Database(knowing)) as two:
        groups = [GroupCommit(lambda: one), GroupCommit(lambda: two)]
        callers = [Caller(groups[n % 2], [entry(f"4Xy{n}")]) for n in range(60)]
        for caller in callers:
            caller.start()
        assert all(caller.ended() for caller in callers)
    assert {str(caller.error) for caller in callers} == {"None"}
    assert len(_written(knowing)) == 60


def test_who_writes_waits_for_others_only_where_messages_come_together(
    group: GroupCommit, gated: GatedDatabase, entry: MakeEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("capture_milter.group_commit.sleep", waits.append)
    _commit(group, entry("alone-1"))
    _commit(group, entry("alone-2"))
    assert waits == []
    gated.gate.clear()
    gated.at_commit.clear()
    first = Caller(group, [entry("first")])
    first.start()
    assert gated.at_commit.wait(LONG_SECONDS)
    behind = [Caller(group, [entry(f"behind-{number}")]) for number in range(3)]
    for caller in behind:
        caller.start()
    _until(lambda: group.waiting == 3)
    gated.gate.set()
    assert all(caller.ended() for caller in (first, *behind))
    assert waits == []  # the three were already waiting
    _commit(group, entry("after"))
    assert waits == [group_commit.GATHER_SECONDS]
    _commit(group, entry("alone-3"))
    assert waits == [group_commit.GATHER_SECONDS]


Begin = Callable[[GatedDatabase, Callable[[], object]], None]


def _before(gated: GatedDatabase, fault: Callable[[], object]) -> None:
    fault()


def _at_the_commit(gated: GatedDatabase, fault: Callable[[], object]) -> None:
    gated.fault = lambda _: fault()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # a server takes care of its own files
@pytest.mark.parametrize("begin", [_before, _at_the_commit])
def test_law_1_nothing_is_acknowledged_into_a_file_that_was_taken_away(
    gated: GatedDatabase, group: GroupCommit, database_url: DatabaseUrl, entry: MakeEntry, begin: Begin
) -> None:
    assert isinstance(database_url, Path)
    _commit(group, entry("4Xy1"))
    away = database_url.with_name("away")
    begin(gated, lambda: database_url.rename(away))
    with pytest.raises(DatabaseUnavailable, match=r"removed or replaced|unable to open"):
        _commit(group, entry("4Xy2"))
    gated.fault = lambda _: None
    assert not database_url.exists()  # nor was it recreated
    away.rename(database_url)
    _commit(group, entry("4Xy3"))
    assert _written(database_url) == {"4Xy1", "4Xy3"}
