"""Leases: one holder at a time. A process that lost a mailbox writes nothing."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from mailweir.database_url import DatabaseUrl
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import rfc3339
from mailweir.store.gmail import gmail_connections, gmail_leases, gmail_queue
from mailweir.store.gmail.gmail_leases import LEASE_SECONDS, LONGEST_WAIT, Leased, LeaseLost
from mailweir.store.gmail.gmail_queue import Origin
from mailweir.store.people import contacts, deployments, users
from mailweir.store.people.deployments import Deployment
from tests.gmail_rows import connect, make_firm, rest, row, take

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
RUN_OUT = timedelta(seconds=LEASE_SECONDS)


@pytest.fixture
def demo(database: Database, now: datetime) -> Deployment:
    """A deployment with richard and olga."""
    return make_firm(database, now)


@pytest.fixture
def mailbox_id(database: Database, demo: Deployment, now: datetime) -> int:
    """richard's mailbox, which is due."""
    return connect(database, demo, "richard", now).id


def _ids(leased: list[Leased]) -> list[int]:
    return sorted(one.id for one in leased)


def _holds(database: Database, leased: Leased) -> bool:
    try:
        with database.transaction(alone=False):
            gmail_leases.fence(database, leased)
    except LeaseLost:
        return False
    return True


def test_what_is_due_is_leased_once(database: Database, demo: Deployment, now: datetime) -> None:
    first = connect(database, demo, "richard", now)
    second = connect(database, demo, "olga", now + SECOND)
    assert gmail_leases.lease(database, "a", now - SECOND, 9) == []
    assert _ids(gmail_leases.lease(database, "a", now, 9)) == [first.id]
    assert _ids(gmail_leases.lease(database, "b", now + SECOND, 9)) == [second.id]
    assert gmail_leases.lease(database, "c", now + SECOND, 9) == []
    assert {row(database, one.id)["lease_owner"] for one in (first, second)} == {"a", "b"}


def test_what_a_dead_process_held_is_free(database: Database, demo: Deployment, now: datetime) -> None:
    first = connect(database, demo, "richard", now)
    second = connect(database, demo, "olga", now + SECOND)
    (held,) = gmail_leases.lease(database, "dead", now, 9)
    (other,) = gmail_leases.lease(database, "b", now + SECOND, 9)
    assert gmail_leases.release(database, "dead") == 1
    assert gmail_leases.release(database, "dead") == 0
    assert _ids(gmail_leases.lease(database, "c", now + SECOND, 9)) == [first.id]
    assert not _holds(database, held)
    assert _holds(database, other)
    assert other.id == second.id


def test_those_come_first_that_wait_longest(database: Database, demo: Deployment, now: datetime) -> None:
    first = connect(database, demo, "richard", now)
    second = connect(database, demo, "olga", now - SECOND)
    assert _ids(gmail_leases.lease(database, "a", now, 1)) == [second.id]
    assert _ids(gmail_leases.lease(database, "a", now, 1)) == [first.id]


def test_a_lease_tells_all_that_a_sweep_needs(database: Database, demo: Deployment, now: datetime) -> None:
    demo = deployments.change_folding(database, "demo", plus_addresses=True, gmail_dots=None)
    made = connect(database, demo, "richard", now, inbound=False)
    connect(database, demo, "olga", now + HOUR)
    (leased,) = gmail_leases.lease(database, "a", now, 9)
    assert (leased.id, leased.epoch, leased.address) == (made.id, 1, "richard@firm.example")
    assert (leased.deployment.id, leased.deployment.name, leased.deployment.domain) == (demo.id, "demo", demo.domain)
    assert leased.deployment.folding == demo.folding
    assert (leased.user.username, leased.user.mailbox) == ("richard", "richard@firm.example")
    assert (leased.inbound, leased.outbound, leased.connected_at) == (False, True, now)
    assert (leased.swept_at, leased.failures, leased.audit_due_at) == (None, 0, now + HOUR)
    assert (leased.has_queue, leased.has_new_contacts) == (False, False)

    contacts.add(database, demo, "Jane", ["jane@client.example"], None, now)
    with database.transaction():
        gmail_queue.put(database, leased, ["a"], Origin.HISTORY, now)
        gmail_leases.move_cursor(database, leased, str(2**70))
        gmail_leases.note_listing(database, leased, now)
    gmail_leases.end(database, [rest(leased, now, failures=2, error="no answer", units=-3)])
    again = take(database, made.id, now)
    assert (again.has_queue, again.has_new_contacts) == (True, True)
    assert (again.cursor, again.list_since, again.swept_at) == (str(2**70), now, now)
    assert (again.failures, again.units, again.units_at) == (2, -3, now)
    newest = database.execute("SELECT MAX(id) FROM contact_addresses").fetchone()[0]
    with database.transaction():
        gmail_leases.note_backfilled(database, again, newest)
        (queued,) = gmail_queue.due(database, again, now, 9)
        gmail_queue.postpone(database, queued, "no answer", now + HOUR)
    gmail_leases.end(database, [rest(again, now)])
    idle = take(database, made.id, now)
    assert (idle.has_queue, idle.has_new_contacts) == (False, False)
    gmail_leases.end(database, [rest(idle, now)])
    assert take(database, made.id, now + HOUR).has_queue


def test_a_later_lease_fences_the_earlier_one_off(database: Database, mailbox_id: int, now: datetime) -> None:
    early = take(database, mailbox_id, now)
    assert _holds(database, early)
    assert gmail_leases.lease(database, "b", now + RUN_OUT - SECOND, 9) == []
    assert gmail_leases.lease_one(database, "b", now + RUN_OUT - SECOND, mailbox_id) is None
    assert _holds(database, early)
    (late,) = gmail_leases.lease(database, "b", now + RUN_OUT, 9)
    assert not _holds(database, early)
    assert _holds(database, late)


def test_a_lease_that_ran_out_holds_until_somebody_else_takes_it(
    database: Database, mailbox_id: int, now: datetime
) -> None:
    leased = take(database, mailbox_id, now)
    gmail_leases.renew(database, [leased], now + 10 * RUN_OUT)
    assert _holds(database, leased)
    assert gmail_leases.lease(database, "b", now + 11 * RUN_OUT - SECOND, 9) == []


def test_disconnecting_and_connecting_again_fence_off(
    database: Database, demo: Deployment, mailbox_id: int, now: datetime
) -> None:
    leased = take(database, mailbox_id, now)
    connect(database, demo, "richard", now)
    assert not _holds(database, leased)
    leased = take(database, mailbox_id, now)
    gmail_connections.disconnect(database, demo, "richard", now)
    assert not _holds(database, leased)
    assert not _holds(database, replace(leased, epoch=row(database, mailbox_id)["epoch"]))
    assert not _holds(database, replace(leased, id=mailbox_id + 1_000))


def test_who_lost_a_lease_changes_nothing(database: Database, mailbox_id: int, now: datetime) -> None:
    lost = take(database, mailbox_id, now)
    take(database, mailbox_id, now + RUN_OUT, "b")
    before = row(database, mailbox_id)
    gmail_leases.end(database, [rest(lost, now, failures=9, error="x")])
    gmail_leases.renew(database, [lost], now + HOUR)
    gmail_leases.need_reconnect(database, lost, "x", now + HOUR)
    assert row(database, mailbox_id) == before
    assert before["lease_owner"] == "b"


def test_an_ended_lease_leaves_how_things_stand(database: Database, mailbox_id: int, now: datetime) -> None:
    leased = take(database, mailbox_id, now)
    gmail_leases.end(database, [rest(leased, now)])
    found = row(database, mailbox_id)
    assert (found["lease_owner"], found["lease_until"], found["swept_at"]) == (None, None, rfc3339(now))
    assert found["next_sweep_at"] == rfc3339(now + 60 * SECOND)
    # an incomplete sweep doesn't change the last sweep's time
    leased = take(database, mailbox_id, now + HOUR)
    gmail_leases.end(database, [rest(leased, now + HOUR, swept_at=None, failures=1, error="no answer")])
    found = row(database, mailbox_id)
    assert (found["swept_at"], found["failures"], found["error"]) == (rfc3339(now), 1, "no answer")
    gmail_leases.end(database, [])


def test_what_needs_a_reconnect_is_leased_when_it_is_to_be_probed(
    database: Database, mailbox_id: int, now: datetime
) -> None:
    leased = take(database, mailbox_id, now)
    assert leased.is_readable
    gmail_leases.need_reconnect(database, leased, "the consent was revoked", now + 30 * HOUR)
    found = row(database, mailbox_id)
    assert (found["state"], found["error"], found["lease_owner"]) == ("reconnect", "the consent was revoked", None)
    # a readable mailbox gets a time so far ahead only from a wrong clock; this one isn't readable, and waits for its day
    assert gmail_leases.lease(database, "b", now + 29 * HOUR, 9) == []
    gmail_leases.correct_times(database, now + HOUR, 60 * SECOND, HOUR)
    assert gmail_leases.lease(database, "b", now + 29 * HOUR, 9) == []
    assert gmail_leases.seconds_to_next(database, now + 29 * HOUR) == 3600
    (again,) = gmail_leases.lease(database, "b", now + 30 * HOUR, 9)
    assert (again.is_readable, again.error) == (False, "the consent was revoked")
    with database.transaction():
        gmail_leases.note_readable(database, again)
    found = row(database, mailbox_id)
    assert (found["state"], found["error"], found["refused_since"], found["refusals"]) == ("connected", None, None, 0)


def test_a_probe_further_ahead_than_any_is_due(database: Database, mailbox_id: int, now: datetime) -> None:
    """Otherwise a clock that was a year ahead for a moment would stop a mailbox for a year."""
    gmail_leases.need_reconnect(database, take(database, mailbox_id, now), "x", now + 9_000 * HOUR)
    assert gmail_leases.seconds_to_next(database, now) == 0
    assert len(gmail_leases.lease(database, "b", now, 9)) == 1


def test_one_mailbox_is_leased_whether_it_is_due_or_not(database: Database, mailbox_id: int, now: datetime) -> None:
    leased = take(database, mailbox_id, now)
    assert gmail_leases.lease_one(database, "b", now, mailbox_id) is None
    gmail_leases.end(database, [rest(leased, now)])
    assert gmail_leases.lease(database, "b", now, 9) == []
    assert take(database, mailbox_id, now, "b").epoch == leased.epoch + 1
    assert gmail_leases.lease_one(database, "b", now, mailbox_id + 1_000) is None


def test_of_what_cannot_be_read_nothing_is_leased(
    database: Database, demo: Deployment, mailbox_id: int, now: datetime
) -> None:
    """This includes a user whose row has a time of removal, whichever program wrote it."""
    database.execute("UPDATE users SET removed_at = ? WHERE username = 'richard'", (rfc3339(now),))
    before = row(database, mailbox_id)
    assert gmail_leases.lease(database, "a", now, 9) == []
    assert gmail_leases.lease_one(database, "a", now, mailbox_id) is None
    assert gmail_leases.seconds_to_next(database, now) is None  # otherwise a waiting process would never really wait
    assert row(database, mailbox_id) == before
    database.execute("UPDATE users SET removed_at = NULL")
    gmail_connections.disconnect(database, demo, "richard", now)
    assert gmail_leases.lease(database, "a", now, 9) == []
    assert gmail_leases.lease_one(database, "a", now, mailbox_id) is None
    assert gmail_leases.seconds_to_next(database, now) is None


def test_how_long_until_the_next_is_due(database: Database, demo: Deployment, now: datetime) -> None:
    assert gmail_leases.seconds_to_next(database, now) is None
    first, second = connect(database, demo, "richard", now), connect(database, demo, "olga", now + 5 * SECOND)
    assert gmail_leases.seconds_to_next(database, now - SECOND) == 1.0
    assert gmail_leases.seconds_to_next(database, now) == 0.0
    take(database, first.id, now)
    assert gmail_leases.seconds_to_next(database, now) == 5.0
    take(database, second.id, now)
    assert gmail_leases.seconds_to_next(database, now) is None


@pytest.mark.parametrize(
    ("hours", "at_once"),
    [
        *((-1000, "rh"), (-100, "rh"), (-3, "rh"), (-2, "r"), (-1, ""), (-0.5, ""), (-0.1, "")),
        *((0, ""), (0.1, "h"), (1, "rh"), (3, "rh"), (100, "rh"), (1000, "rh")),
    ],
)
def test_a_clock_that_jumps_keeps_no_mailbox_for_long(
    database: Database, demo: Deployment, now: datetime, hours: float, at_once: str
) -> None:
    """A resting mailbox, and a mailbox that a dead process holds; both from before the jump."""
    resting, held = connect(database, demo, "richard", now), connect(database, demo, "olga", now)
    gmail_leases.end(database, [rest(take(database, resting.id, now), now, 3_600)])
    take(database, held.id, now)
    jumped = now + timedelta(hours=hours)
    expected = [one.id for letter, one in (("r", resting), ("h", held)) if letter in at_once]
    assert _ids(gmail_leases.lease(database, "b", jumped, 9)) == expected
    later = _ids(gmail_leases.lease(database, "b", jumped + LONGEST_WAIT + RUN_OUT, 9))
    assert {resting.id, held.id} <= {*expected, *later}


def test_clocks_that_differ_by_minutes_steal_no_lease(database: Database, mailbox_id: int, now: datetime) -> None:
    leased = take(database, mailbox_id, now)
    for minutes in (-50, -10, -1, 1):
        assert gmail_leases.lease(database, "b", now + timedelta(minutes=minutes), 9) == []
    assert _holds(database, leased)


@pytest.fixture
def others(database_url: DatabaseUrl) -> Iterator[list[Database]]:
    """Four more connections, each for a thread."""
    opened = [Database(database_url, busy_timeout_seconds=30) for _ in range(4)]
    yield opened
    for one in opened:
        with closing(one):
            pass


def test_many_at_once_never_hold_the_same_mailbox(
    database: Database, demo: Deployment, others: list[Database], now: datetime
) -> None:
    """Each thread leases some, fences and writes for each, ends them, and repeats. No thread meets another one's mailbox."""
    for number in range(12):
        users.add(database, demo, f"u{number}", f"u{number}@firm.example", "", now)
        connect(database, demo, f"u{number}", now)
    lock, held, wrong, seen = threading.Lock(), set[int](), list[object](), dict[int, int]()

    def sweep(own: Database, name: str) -> None:
        for turn in range(12):
            at = now + turn * SECOND
            leased = gmail_leases.lease(own, name, at, 5)
            with lock:
                wrong.extend(one.id for one in leased if one.id in held)
                held.update(one.id for one in leased)
            for one in leased:
                with own.transaction(alone=False):
                    gmail_leases.fence(own, one)
                    gmail_leases.note_message(own, one, at)
            with lock:
                held.difference_update(one.id for one in leased)
                for one in leased:
                    seen[one.id] = seen.get(one.id, 0) + 1
            gmail_leases.end(own, [rest(one, at, 0.0) for one in leased])

    with ThreadPoolExecutor(len(others)) as pool:
        for done in [pool.submit(sweep, own, f"worker-{number}") for number, own in enumerate(others)]:
            done.result(60)
    assert wrong == []
    assert len(seen) == 12
    assert {mailbox_id: row(database, mailbox_id)["epoch"] for mailbox_id in seen} == seen


def test_nobody_takes_a_mailbox_between_fence_and_commit(postgresql_url: DatabaseUrl, now: datetime) -> None:
    """This includes a mailbox whose lease has expired. On SQLite, nobody else can write then anyway."""
    with closing(Database(postgresql_url)) as mine, closing(Database(postgresql_url)) as other:
        demo = make_firm(mine, now)
        mailbox_id = connect(mine, demo, "richard", now).id
        leased = take(mine, mailbox_id, now)
        with mine.transaction(alone=False):
            gmail_leases.fence(mine, leased)
            assert gmail_leases.lease(other, "b", now + RUN_OUT, 9) == []
            assert gmail_leases.lease_one(other, "b", now + RUN_OUT, mailbox_id) is None
            gmail_leases.move_cursor(mine, leased, "9")
        assert take(other, mailbox_id, now + RUN_OUT, "b").cursor == "9"
        assert not _holds(mine, leased)
