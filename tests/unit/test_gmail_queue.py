"""The queue of a mailbox: each message once, the urgent ones first, and none is lost in it."""

import threading
from collections.abc import Callable, Collection
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailweir import recording
from mailweir.database_url import Postgresql
from mailweir.decision import Decision, Outcome, Reason
from mailweir.directory import DeploymentRef
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import rfc3339
from mailweir.store.gmail import gmail_leases, gmail_queue, gmail_waiting
from mailweir.store.gmail.gmail_leases import LONGEST_WAIT, Leased
from mailweir.store.gmail.gmail_queue import Origin, Queued
from mailweir.store.people import deployments, users
from mailweir.store.people.deployments import Deployment
from tests.conftest import Record
from tests.gmail_rows import connect, make_firm, rest, row, take

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
MANY = [f"{number:x}" for number in range(1, 1_051)]
Fetch = Callable[[], list[str]]


@pytest.fixture
def demo(database: Database, now: datetime) -> Deployment:
    """A deployment with richard and olga."""
    return make_firm(database, now)


@pytest.fixture
def leased(database: Database, demo: Deployment, now: datetime) -> Leased:
    """richard's mailbox, leased."""
    return take(database, connect(database, demo, "richard", now).id, now)


@pytest.fixture
def olgas(database: Database, demo: Deployment, now: datetime) -> Leased:
    """olga's likewise."""
    return take(database, connect(database, demo, "olga", now).id, now)


def _put(database: Database, leased: Leased, ids: Collection[str], origin: Origin, now: datetime) -> int:
    with database.transaction(alone=False):
        gmail_leases.fence(database, leased)
        return gmail_queue.put(database, leased, ids, origin, now)


def _waiting(database: Database, leased: Leased, now: datetime, limit: int = 9_999) -> list[str]:
    return [one.message_id for one in gmail_queue.due(database, leased, now, limit)]


def _fail(database: Database, queued: Queued, now: datetime, *, until: datetime | None = None) -> None:
    with database.transaction(alone=False):
        if until:
            gmail_queue.postpone(database, queued, "no answer", until)
        else:
            gmail_queue.bury(database, queued, "no answer", now)


def test_each_message_is_queued_once(database: Database, leased: Leased, now: datetime) -> None:
    assert _put(database, leased, ["a", "b", "a"], Origin.HISTORY, now) == 2
    # also if the same time occurs twice: a page of the same answer, or a stopped clock
    assert _put(database, leased, ["b", "c"], Origin.HISTORY, now) == 1
    assert _put(database, leased, ["c", "b", "a"], Origin.HISTORY, now + SECOND) == 0
    assert _put(database, leased, [], Origin.HISTORY, now) == 0
    assert _waiting(database, leased, now) == ["a", "b", "c"]


def test_more_than_one_statement_takes(database: Database, leased: Leased, now: datetime) -> None:
    assert _put(database, leased, MANY[:700], Origin.LISTED, now) == 700
    assert _put(database, leased, iter(MANY), Origin.LISTED, now) == 350  # type: ignore[arg-type]
    assert _waiting(database, leased, now) == MANY
    assert len(_waiting(database, leased, now, 51)) == 51
    assert gmail_queue.unknown(database, leased, [*MANY, "new", *MANY]) == ["new"]
    found = gmail_queue.due(database, leased, now, 9_999)
    with database.transaction():
        gmail_queue.done(database, [one.id for one in found[:-1]])
        gmail_queue.done(database, [])
    assert _waiting(database, leased, now) == MANY[-1:]


def test_mailboxes_are_apart(database: Database, leased: Leased, olgas: Leased, now: datetime) -> None:
    """Two mailboxes may have messages with the same id."""
    assert _put(database, leased, ["a"], Origin.HISTORY, now) == 1
    assert _put(database, olgas, ["a"], Origin.HISTORY, now) == 1
    (mine,) = gmail_queue.due(database, leased, now, 9)
    with database.transaction():
        gmail_queue.done(database, [mine.id])
    assert (_waiting(database, leased, now), _waiting(database, olgas, now)) == ([], ["a"])
    assert gmail_queue.unknown(database, leased, ["a"]) == ["a"]


def test_live_mail_goes_before_what_can_wait(database: Database, leased: Leased, now: datetime) -> None:
    for ids, origin in (("bf", "backfill"), ("au", "audit"), ("ls", "listed"), ("hi", "history")):
        _put(database, leased, list(ids), Origin(origin), now)
    assert "".join(_waiting(database, leased, now)) == "hiaulsbf"
    found = gmail_queue.due(database, leased, now, 99, 1)
    assert "".join(one.message_id for one in found) == "hiauls"
    assert [one.origin for one in found[::2]] == [Origin.HISTORY, Origin.AUDIT, Origin.LISTED]
    assert [one.message_id for one in gmail_queue.due(database, leased, now, 99, 0)] == ["h", "i"]


def test_what_waits_for_something_less_urgent_moves_forward(database: Database, leased: Leased, now: datetime) -> None:
    """From then on it is live mail. If a search found a message before history reported it, it still makes a to-do."""
    _put(database, leased, ["a", "b", "c"], Origin.BACKFILL, now)
    assert _put(database, leased, ["c"], Origin.LISTED, now) == 0
    assert _put(database, leased, ["b"], Origin.HISTORY, now) == 0
    assert _put(database, leased, ["b", "c"], Origin.BACKFILL, now) == 0
    assert _put(database, leased, ["b"], Origin.AUDIT, now) == 0
    found = gmail_queue.due(database, leased, now, 9)
    assert [(one.message_id, one.origin) for one in found] == [
        ("b", Origin.HISTORY),
        ("c", Origin.LISTED),
        ("a", Origin.BACKFILL),
    ]


def test_what_failed_waits_its_time(database: Database, leased: Leased, now: datetime) -> None:
    _put(database, leased, ["a", "b"], Origin.HISTORY, now)
    first = gmail_queue.due(database, leased, now, 9)[0]
    assert (first.attempts, first.origin) == (0, Origin.HISTORY)
    _fail(database, first, now, until=now + HOUR)
    assert _waiting(database, leased, now + HOUR - SECOND) == ["b"]
    again = gmail_queue.due(database, leased, now + HOUR, 9)[0]
    assert (again.message_id, again.attempts) == ("a", 1)
    # a time from before the clock was set back, further ahead than any wait
    assert _waiting(database, leased, now + HOUR - LONGEST_WAIT) == []
    assert _waiting(database, leased, now + HOUR - LONGEST_WAIT - SECOND) == ["a"]


def test_a_dead_letter_is_shown_and_stays_dead(
    database: Database, leased: Leased, olgas: Leased, now: datetime
) -> None:
    _put(database, leased, ["a", "b", "c"], Origin.BACKFILL, now)
    a, b, _ = gmail_queue.due(database, leased, now, 9)
    _fail(database, a, now, until=now)
    _fail(database, a, now + SECOND)
    _fail(database, b, now + 2 * SECOND)
    assert _waiting(database, leased, now + HOUR) == ["c"]
    assert _put(database, leased, ["a", "b"], Origin.HISTORY, now + HOUR) == 0
    assert _waiting(database, leased, now + HOUR) == ["c"]
    assert gmail_queue.unknown(database, leased, ["a", "b"]) == []
    latest, first = gmail_waiting.dead_letters(database, leased.id)
    assert (latest.message_id, first.message_id, first.origin) == ("b", "a", "backfill")
    assert (first.attempts, first.error, first.queued_at, first.dead_at) == (
        2,
        "no answer",
        now,
        now + SECOND,
    )
    assert gmail_waiting.dead_letters(database, olgas.id) == []


def test_the_dead_are_revived(database: Database, leased: Leased, olgas: Leased, now: datetime) -> None:
    for one in (leased, olgas):
        _put(database, one, ["a", "b", "c"], Origin.HISTORY, now)
        for queued in gmail_queue.due(database, one, now, 2):
            _fail(database, queued, now)
    _fail(database, gmail_queue.due(database, leased, now, 1)[0], now, until=now + HOUR)
    gmail_leases.end(database, [rest(leased, now, 3_600), rest(olgas, now, 3_600)])
    later = now + 60 * SECOND
    assert gmail_waiting.revive(database, leased.id, later) == 2
    assert gmail_waiting.revive(database, leased.id, later) == 0
    found = gmail_queue.due(database, leased, later, 9)
    assert [(one.message_id, one.attempts) for one in found] == [("a", 0), ("b", 0)]
    assert row(database, leased.id)["next_sweep_at"] == rfc3339(later)
    assert len(gmail_waiting.dead_letters(database, olgas.id)) == 2
    assert row(database, olgas.id)["next_sweep_at"] == rfc3339(now + HOUR)
    # a due one isn't postponed
    gmail_waiting.revive(database, leased.id, later + HOUR)
    assert row(database, leased.id)["next_sweep_at"] == rfc3339(later)


def test_reviving_waits_for_a_sweep_and_the_sweep_not_for_it(postgresql_url: Postgresql, now: datetime) -> None:
    """Each locks the mailbox first. Otherwise each would hold a lock that the other wants, and PostgreSQL would end one of
    them."""
    with closing(Database(postgresql_url)) as mine, closing(Database(postgresql_url)) as other:
        mailbox_id = connect(mine, make_firm(mine, now), "richard", now).id
        leased = take(mine, mailbox_id, now)
        _put(mine, leased, ["a"], Origin.HISTORY, now)
        _fail(mine, gmail_queue.due(mine, leased, now, 1)[0], now)
        gmail_leases.end(mine, [rest(leased, now)])  # so that it isn't due, and `revive` has a time to change
        revived: list[int] = []
        thread = threading.Thread(target=lambda: revived.append(gmail_waiting.revive(other, mailbox_id, now)))
        with mine.transaction(alone=False):
            gmail_leases.fence(mine, leased)
            thread.start()
            thread.join(0.5)
            gmail_queue.put(mine, leased, ["a", "b"], Origin.HISTORY, now)
        thread.join(10)
        assert revived == [1]
        assert _waiting(mine, leased, now) == ["a", "b"]


def _decide(database: Database, leased: Leased, message_id: str, now: datetime, activity_id: int | None = None) -> None:
    """Adds the sync's rows for a message: on the record if it has an activity, otherwise ignored."""
    decision = Decision(
        deployment=leased.deployment,
        outcome=Outcome.IGNORED,
        reason=Reason.UNKNOWN_AUTHOR,
        author="x@stranger.example",
        message_id=f"<{message_id}@x>",
    )
    source_id = gmail_queue.source_id(leased, message_id)
    with database.transaction():
        recording.record(database, recording.Entry(decision, source_id, now))
        if activity_id is not None:
            database.execute(
                "UPDATE decisions SET outcome = 'captured', activity_id = ? WHERE source_id = ?",
                (activity_id, source_id),
            )


def test_what_was_decided_or_waits_is_known(database: Database, leased: Leased, olgas: Leased, now: datetime) -> None:
    _decide(database, leased, "ignored", now)
    _put(database, leased, ["waits", "dead"], Origin.HISTORY, now)
    _fail(database, gmail_queue.due(database, leased, now, 9)[1], now)
    ids = ["new2", "ignored", "waits", "dead", "new1"]
    assert gmail_queue.unknown(database, leased, ids) == ["new2", "new1"]
    assert gmail_queue.unknown(database, leased, ids, recorded_only=True) == ["new2", "ignored", "new1"]
    assert gmail_queue.unknown(database, leased, ids, or_waiting=True) == ["new2", "waits", "dead", "new1"]
    assert gmail_queue.unknown(database, leased, []) == []
    # another mailbox's decisions and queue don't count for this mailbox's messages
    assert gmail_queue.unknown(database, olgas, ids) == ids


def test_what_is_on_the_record_is_known_in_any_case(
    database: Database, demo: Deployment, leased: Leased, now: datetime, record: Record
) -> None:
    from mailweir.store.people import contacts

    contacts.add(database, demo, "Jane", ["jane@client.example"], None, now)
    _decide(database, leased, "recorded", now, record("demo", "richard", "jane@client.example"))
    for recorded_only in (False, True):
        assert gmail_queue.unknown(database, leased, ["recorded"], recorded_only=recorded_only) == []


def test_another_deployments_decisions_do_not_count(
    database: Database, demo: Deployment, leased: Leased, now: datetime
) -> None:
    """This holds for any name of their source: a queue id that looks like an id of Gmail's, or restored rows."""
    other = deployments.add(database, "other", "other.example.org", now)
    users.add(database, other, "rick", "richard@firm.example", "", now)
    theirs = take(database, connect(database, other, "rick", now, "richard@firm.example").id, now)
    _decide(database, theirs, "a", now)
    decision = Decision(
        deployment=DeploymentRef(other.id, other.name, other.domain),
        outcome=Outcome.IGNORED,
        reason=Reason.UNKNOWN_AUTHOR,
        author=None,
        message_id=None,
    )
    with database.transaction():
        recording.record(database, recording.Entry(decision, gmail_queue.source_id(leased, "a"), now))
    assert gmail_queue.unknown(database, leased, ["a"]) == ["a"]
    assert gmail_queue.unknown(database, leased, ["a"], recorded_only=True) == ["a"]


def test_what_was_ignored_can_be_decided_anew(database: Database, leased: Leased, olgas: Leased, now: datetime) -> None:
    for one in (leased, olgas):
        _decide(database, one, "a", now)
        _decide(database, one, "b", now)
    with database.transaction():
        gmail_queue.forget_ignored(database, leased, "a")
    assert gmail_queue.unknown(database, leased, ["a", "b"]) == ["a"]
    assert gmail_queue.unknown(database, olgas, ["a", "b"]) == []


def test_nothing_is_half_queued(database: Database, leased: Leased, now: datetime) -> None:
    """The cursor moves in the same transaction."""

    def killed() -> None:
        with database.transaction():
            gmail_queue.put(database, leased, MANY, Origin.HISTORY, now)
            gmail_leases.move_cursor(database, leased, "9")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        killed()
    assert _waiting(database, leased, now) == []
    assert row(database, leased.id)["cursor"] is None


@pytest.fixture
def sqlite_leased(sqlite_url: Path, now: datetime) -> tuple[Database, Leased]:
    opened = Database(sqlite_url)
    return opened, take(opened, connect(opened, make_firm(opened, now), "richard", now).id, now)


_ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["put", "done", "postpone", "bury", "revive"]), st.integers(0, 5), st.sampled_from(Origin)
    ),
    max_size=20,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_ACTIONS)
def test_whatever_is_done_a_message_is_settled_or_in_the_queue(
    sqlite_leased: tuple[Database, Leased], now: datetime, actions: list[tuple[str, int, Origin]]
) -> None:
    database, leased = sqlite_leased
    with closing(database):
        database.execute("DELETE FROM gmail_queue")
        expected = _Expected(set(), set())
        for action, number, origin in actions:
            _act(database, leased, now, expected, action, number, origin)
            assert set(_waiting(database, leased, now + HOUR)) == expected.waiting
            assert {one.message_id for one in gmail_waiting.dead_letters(database, leased.id)} == expected.dead


@dataclass
class _Expected:
    """The messages that must be in the queue, and the given-up ones."""

    waiting: set[str]
    dead: set[str]


def _act(
    database: Database, leased: Leased, now: datetime, expected: _Expected, action: str, number: int, origin: Origin
) -> None:
    """Does one step in the database and in the expected state."""
    found = gmail_queue.due(database, leased, now + HOUR, 9)
    if action == "put":
        ids = {f"{number}", f"{number + 1}"}
        assert _put(database, leased, sorted(ids), origin, now) == len(ids - expected.waiting - expected.dead)
        expected.waiting |= ids - expected.dead
    elif action == "revive":
        assert gmail_waiting.revive(database, leased.id, now) == len(expected.dead)
        expected.waiting, expected.dead = expected.waiting | expected.dead, set()
    elif found:
        one = found[number % len(found)]
        if action == "postpone":
            _fail(database, one, now, until=now + HOUR)
            return
        expected.waiting.discard(one.message_id)
        if action == "bury":
            _fail(database, one, now)
            expected.dead.add(one.message_id)
        else:
            with database.transaction():
                gmail_queue.done(database, [one.id])
