"""Connected mailboxes: connected, connected again with the same cursor, disconnected with their token."""

from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

import pytest

from mailweir.database_url import Postgresql
from mailweir.errors import BadInput, NotFound
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import rfc3339
from mailweir.store.gmail import gmail_connections, gmail_leases, gmail_mailboxes, gmail_queue
from mailweir.store.gmail.gmail_leases import Leased, LeaseLost
from mailweir.store.gmail.gmail_mailboxes import State
from mailweir.store.gmail.gmail_queue import Origin
from mailweir.store.people import contacts, deployments, users
from mailweir.store.people.deployments import Deployment
from tests.gmail_rows import connect, make_firm, rest, row, take

LATER = timedelta(hours=3)


@pytest.fixture
def demo(database: Database, now: datetime) -> Deployment:
    """A deployment with richard and olga."""
    return make_firm(database, now)


def test_a_mailbox_that_is_connected_is_due_and_lists_its_first_days(
    database: Database, demo: Deployment, now: datetime
) -> None:
    contacts.add(database, demo, "Jane", ["jane@client.example", "jane@home.example"], None, now)
    newest = database.execute("SELECT MAX(id) FROM contact_addresses").fetchone()[0]
    made = connect(database, demo, "Richard", now, outbound=False, first_days=3)
    assert (made.deployment, made.username, made.address) == ("demo", "richard", "richard@firm.example")
    assert (made.inbound, made.outbound, made.state, made.error) == (True, False, State.CONNECTED, None)
    assert made.covered_since == now - timedelta(days=3)
    assert (made.waiting, made.dead, made.failures, made.swept_at) == (0, 0, 0, None)
    leased = take(database, made.id, now)
    assert (leased.cursor, leased.list_since) == (None, made.covered_since)
    assert (leased.token_sealed, leased.units_at) == (b"sealed", now)
    assert leased.backfilled_address_id == newest
    assert not leased.has_new_contacts


def test_without_first_days_nothing_is_listed(database: Database, demo: Deployment, now: datetime) -> None:
    made = connect(database, demo, "richard", now, first_days=0, token_sealed=None, cursor="77")
    leased = take(database, made.id, now)
    assert (leased.list_since, leased.covered_since, leased.token_sealed) == (None, now, None)


@pytest.mark.parametrize("address", ["olga@firm.example", "richard@gmail.com", "richard+x@firm.example", ""])
def test_nobody_elses_mailbox_is_connected(database: Database, demo: Deployment, now: datetime, address: str) -> None:
    other = deployments.add(database, "other", "other.example.org", now)
    users.add(database, other, "richard", "richard@gmail.com", "", now)
    with pytest.raises(BadInput, match="user alias richard"):
        gmail_connections.connect(
            database, demo, "richard", address, inbound=True, outbound=True, token_sealed=b"", now=now, first_days=7
        )
    with pytest.raises(NotFound, match="user list"):
        connect(database, demo, "nobody", now, "richard@firm.example")
    assert gmail_mailboxes.list_all(database, demo) == []


def test_an_alias_and_what_folds_into_one_are_the_users_own(
    database: Database, demo: Deployment, now: datetime
) -> None:
    users.add_address(database, demo, "richard", "rick@firm.example")
    assert connect(database, demo, "richard", now, "rick@firm.example").address == "rick@firm.example"
    folding = deployments.change_folding(database, "demo", plus_addresses=True, gmail_dots=None)
    assert connect(database, folding, "olga", now, "olga+g@firm.example").address == "olga+g@firm.example"


def test_connecting_again_goes_on_at_the_same_cursor(database: Database, demo: Deployment, now: datetime) -> None:
    made = connect(database, demo, "richard", now)
    leased = take(database, made.id, now)
    with database.transaction():
        gmail_leases.fence(database, leased)
        gmail_leases.move_cursor(database, leased, "77")
        gmail_leases.note_listing(database, leased, None)
        gmail_queue.put(database, leased, ["a", "b"], Origin.HISTORY, now)
    gmail_leases.end(database, [rest(leased, now, failures=4, error="no answer")])
    leased = take(database, made.id, now)
    gmail_leases.need_reconnect(database, leased, "revoked", now + LATER)
    stopped = gmail_mailboxes.find(database, demo, "richard")
    assert (stopped.state, stopped.error, stopped.failures) == (State.RECONNECT, "revoked", 0)

    again = connect(database, demo, "richard", now + LATER, token_sealed=b"new", inbound=False, first_days=90)
    assert (again.id, again.state, again.error, again.failures) == (made.id, State.CONNECTED, None, 0)
    assert (again.inbound, again.waiting, again.swept_at) == (False, 2, now)
    assert (again.connected_at, again.covered_since) == (made.connected_at, made.covered_since)
    assert again.next_sweep_at == now + LATER
    after = take(database, made.id, now + LATER)
    assert (after.cursor, after.list_since, after.token_sealed) == ("77", None, b"new")
    assert gmail_mailboxes.token_sealed(database, made.id) == b"new"


def test_connecting_again_fences_off_whoever_sweeps_with_the_old_token(
    database: Database, demo: Deployment, now: datetime
) -> None:
    made = connect(database, demo, "richard", now)
    old = take(database, made.id, now)
    connect(database, demo, "richard", now, token_sealed=b"new")
    with pytest.raises(LeaseLost), database.transaction():
        gmail_leases.fence(database, old)
    gmail_leases.need_reconnect(database, old, "revoked", now + LATER)
    assert gmail_mailboxes.find(database, demo, "richard").state is State.CONNECTED
    assert take(database, made.id, now).token_sealed == b"new"


def _before_the_first_update(database: Database, work: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets another connection work between this connection's read and its write."""
    execute_sql, left = database.peewee.execute_sql, [work]

    def execute(sql: str, *options: Any) -> Any:
        if sql.startswith("UPDATE") and left:
            left.pop()()
        return execute_sql(sql, *options)

    monkeypatch.setattr(database.peewee, "execute_sql", execute)


def test_a_sweep_that_begins_while_it_is_connected_again_is_fenced_off(
    postgresql_url: Postgresql, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only PostgreSQL runs two at the same time. Data that the sweep committed before it was fenced off stays."""
    with closing(Database(postgresql_url)) as database, closing(Database(postgresql_url)) as other:
        demo = make_firm(database, now)
        made = connect(database, demo, "richard", now)
        swept: list[Leased] = []

        def sweep_meanwhile() -> None:
            leased = take(other, made.id, now)
            with other.transaction(alone=False):
                gmail_leases.fence(other, leased)
                gmail_leases.move_cursor(other, leased, "88")
            swept.append(leased)

        _before_the_first_update(database, sweep_meanwhile, monkeypatch)
        connect(database, demo, "richard", now, token_sealed=b"new")
        with pytest.raises(LeaseLost), other.transaction(alone=False):
            gmail_leases.fence(other, swept[0])
        assert len(swept) == 1
        assert row(database, made.id)["cursor"] == "88"
        assert take(database, made.id, now).epoch > swept[0].epoch


def test_one_mailbox_a_user_and_one_user_a_mailbox(database: Database, demo: Deployment, now: datetime) -> None:
    users.add_address(database, demo, "richard", "rick@firm.example")
    connect(database, demo, "richard", now)
    with pytest.raises(BadInput, match="gmail disconnect richard"):
        connect(database, demo, "richard", now, "rick@firm.example")
    users.add_address(database, demo, "richard", "sales@firm.example")
    gmail_connections.disconnect(database, demo, "richard", now)
    connect(database, demo, "richard", now, "sales@firm.example")
    with database.transaction():  # nobody can do this any more
        database.execute("DELETE FROM user_addresses WHERE address = 'sales@firm.example'")
    users.add_address(database, demo, "olga", "sales@firm.example")
    with pytest.raises(BadInput, match="connected for richard: 'mailweir gmail disconnect richard' first"):
        connect(database, demo, "olga", now, "sales@firm.example")


def test_an_address_whose_mailbox_is_read_stays_the_users(database: Database, demo: Deployment, now: datetime) -> None:
    users.add_address(database, demo, "richard", "rick@firm.example")
    users.add_address(database, demo, "richard", "sales@firm.example")
    connect(database, demo, "richard", now, "sales@firm.example")
    with pytest.raises(BadInput, match="gmail disconnect richard"):
        users.remove_address(database, demo, "richard", "Sales@firm.example")
    users.remove_address(database, demo, "richard", "rick@firm.example")
    gmail_connections.disconnect(database, demo, "richard", now)
    assert users.remove_address(database, demo, "richard", "sales@firm.example").addresses == ("richard@firm.example",)


def test_two_deployments_may_read_one_mailbox(database: Database, demo: Deployment, now: datetime) -> None:
    other = deployments.add(database, "other", "other.example.org", now)
    users.add(database, other, "rick", "richard@firm.example", "", now)
    first = connect(database, demo, "richard", now)
    second = connect(database, other, "rick", now, "richard@firm.example")
    assert first.id != second.id
    assert [one.username for one in gmail_mailboxes.list_all(database, demo)] == ["richard"]
    assert [one.username for one in gmail_mailboxes.list_all(database, other)] == ["rick"]
    with pytest.raises(NotFound):
        gmail_mailboxes.find(database, other, "richard")


def test_disconnecting_forgets_token_and_queue(database: Database, demo: Deployment, now: datetime) -> None:
    made = connect(database, demo, "richard", now)
    leased = take(database, made.id, now)
    with database.transaction():
        gmail_leases.move_cursor(database, leased, "77")
        gmail_queue.put(database, leased, ["a"], Origin.HISTORY, now)
    assert gmail_connections.disconnect(database, demo, "Richard", now) == b"sealed"
    assert gmail_mailboxes.token_sealed(database, made.id) is None
    assert gmail_mailboxes.list_all(database, demo) == []
    assert database.execute("SELECT COUNT(*) FROM gmail_queue").fetchone() == (0,)
    with pytest.raises(NotFound, match="gmail connect richard"):
        gmail_mailboxes.find(database, demo, "richard")
    with pytest.raises(NotFound, match="gmail connect richard"):
        gmail_connections.disconnect(database, demo, "richard", now)
    # The same mailbox continues, and its old queue is covered by the new list.
    anew = connect(database, demo, "richard", now + LATER)
    assert (anew.id, anew.connected_at, anew.waiting) == (made.id, now + LATER, 0)
    again = take(database, anew.id, now + LATER)
    assert (again.cursor, again.list_since is not None, again.epoch > leased.epoch + 1) == ("77", True, True)


def test_with_its_user_a_mailbox_is_gone_too(database: Database, demo: Deployment, now: datetime) -> None:
    made = connect(database, demo, "richard", now)
    olgas = connect(database, demo, "olga", now)
    leased = take(database, made.id, now)
    with database.transaction():
        gmail_queue.put(database, leased, ["a"], Origin.HISTORY, now)
    users.remove(database, demo, "richard", now)
    with pytest.raises(LeaseLost), database.transaction():
        gmail_leases.fence(database, leased)
    left = row(database, made.id)
    assert (left["token_sealed"], left["disconnected_at"]) == (None, rfc3339(now))
    assert database.execute("SELECT COUNT(*) FROM gmail_queue").fetchone() == (0,)
    assert [one.id for one in gmail_mailboxes.list_all(database, demo)] == [olgas.id]
    # another user of the same name may have the same address
    users.add(database, demo, "richard", "richard@firm.example", "", now)
    anew = connect(database, demo, "richard", now)
    assert anew.id != made.id
    assert take(database, anew.id, now).cursor is None


def test_what_waits_and_what_was_given_up_is_counted(database: Database, demo: Deployment, now: datetime) -> None:
    made = connect(database, demo, "richard", now)
    leased = take(database, made.id, now)
    with database.transaction():
        gmail_queue.put(database, leased, ["a", "b", "c"], Origin.HISTORY, now)
        for queued in gmail_queue.due(database, leased, now, 1):
            gmail_queue.bury(database, queued, "no", now)
        gmail_leases.note_message(database, leased, now)
        gmail_leases.note_audit(database, leased, now, now + LATER, (40, 2))
    found = gmail_mailboxes.find(database, demo, "richard")
    assert (found.waiting, found.dead, found.last_message_at) == (2, 1, now)
    assert (found.audited_at, found.audit_listed, found.audit_missing) == (now, 40, 2)
    assert [found] == gmail_mailboxes.list_all(database, demo)
