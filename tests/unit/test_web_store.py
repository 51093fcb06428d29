"""The page's rows of sign-in: which of them expire, which are deleted, and what counts once."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta

import pytest

from mailweir.errors import NotFound
from mailweir.store.database.connection import Database
from mailweir.store.people import deployments, users
from mailweir.store.people.deployments import Deployment
from mailweir.store.web import accounts, attempts, credentials, enrolment, links, retention, sessions, states
from mailweir.store.web.accounts import Account, Role
from mailweir.store.web.sessions import Means
from mailweir.store.web.states import Kind

TABLES = ("web_sessions", "web_links", "web_states", "web_attempts", "reader_log")


@pytest.fixture
def demo(database: Database, now: datetime) -> Deployment:
    """A deployment with a user richard."""
    made = deployments.add(database, "demo", "demo.example.net", now)
    users.add(database, made, "richard", "richard@firm.example", "", now)
    return made


@pytest.fixture
def richard(database: Database, demo: Deployment, now: datetime) -> Account:
    """richard's account."""
    return enrolment.user(database, demo, "richard", now, is_admin=False)


def _count(database: Database, table: str) -> int:
    return int(database.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])


def _fill(database: Database, account: Account, demo: Deployment, at: datetime) -> None:
    """Adds a row to each table, made at this time."""
    with database.transaction():
        sessions.begin(database, account.id, None, Means.LINK, "", at)
        for number in range(5):
            sql = (
                "INSERT INTO reader_log (deployment_id, account_id, activity_id, what, hour, read_at)"
                " VALUES (?, ?, ?, 'text', ?, ?)"
            )
            moment = at.isoformat(timespec="microseconds").replace("+00:00", "Z")
            database.execute(sql, (demo.id, account.id, number, moment[:13], moment))
    links.make(database, account.id, None, at)
    states.make(database, Kind.OPENID, "b", {}, at)
    attempts.begin(database, attempts.key("richard"), at)


def test_what_is_over_is_forgotten_and_the_rest_stays(
    database: Database, demo: Deployment, richard: Account, now: datetime
) -> None:
    _fill(database, richard, demo, now)
    retention.prune(database, now + timedelta(minutes=5), 365, batch_rows=2)
    assert [_count(database, table) for table in TABLES] == [1, 1, 1, 1, 5]
    retention.prune(database, now + timedelta(minutes=11), 365, batch_rows=2)
    assert [_count(database, table) for table in TABLES] == [1, 0, 0, 1, 5]
    retention.prune(database, now + timedelta(days=2), 1, batch_rows=2)
    assert [_count(database, table) for table in TABLES] == [0, 0, 0, 0, 0]
    retention.prune(database, now, 10**7)


def test_a_restored_backup_has_no_sessions(
    database: Database, demo: Deployment, richard: Account, now: datetime
) -> None:
    _fill(database, richard, demo, now)
    retention.end_all(database)
    assert [_count(database, table) for table in TABLES] == [0, 0, 0, 1, 5]


def test_a_state_is_taken_once_by_its_own_browser(database: Database, now: datetime) -> None:
    content = {"provider": "x", "to": "/ü"}
    state = states.make(database, Kind.OPENID, "browser", content, now)
    assert states.take(database, Kind.OPENID, "another", state, now) is None
    assert states.take(database, Kind.GMAIL, "browser", state, now) is None
    assert states.take(database, Kind.OPENID, "", state, now) is None
    assert states.take(database, Kind.OPENID, "browser", state, now) == content
    assert states.take(database, Kind.OPENID, "browser", state, now) is None
    late = states.make(database, Kind.OPENID, "browser", content, now)
    assert states.take(database, Kind.OPENID, "browser", late, now + states.LASTS) is None


def test_tries_at_once_are_counted_one_by_one(database: Database, now: datetime) -> None:
    """Otherwise a thousand at the same moment would all be checked."""
    counted = attempts.key("richard")

    def begin(_: int) -> bool:
        with closing(Database(database.url)) as own:
            return attempts.begin(own, counted, now) is None

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(begin, range(12))) == 3


def test_a_try_after_a_day_is_a_first_one(database: Database, now: datetime) -> None:
    counted = attempts.key("richard")
    for number in range(9):
        attempts.begin(database, counted, now + timedelta(minutes=number))
    assert attempts.begin(database, counted, now + timedelta(minutes=8, seconds=1)) is not None
    for _ in range(3):
        assert attempts.begin(database, counted, now + timedelta(days=2)) is None


def test_no_name_is_kept_of_a_try(database: Database, now: datetime) -> None:
    """People type passwords into the wrong field."""
    attempts.begin(database, attempts.key("correct horse"), now)
    assert "horse" not in str(database.execute("SELECT * FROM web_attempts").fetchall())


def test_a_password_that_changed_meanwhile_begins_no_session(
    database: Database, richard: Account, now: datetime
) -> None:
    credentials.set_password(database, richard.id, "one")
    found = credentials.password_of(database, "richard")
    assert found is not None
    credentials.set_password(database, richard.id, "two")
    with pytest.raises(NotFound):
        credentials.begin_session(database, richard.id, Means.PASSWORD, "", None, now, digest=found.digest)
    assert sessions.of_account(database, richard.id, now) == []


def test_an_account_that_was_removed_meanwhile_begins_none(database: Database, richard: Account, now: datetime) -> None:
    accounts.remove(database, richard.id, now)
    with pytest.raises(NotFound):
        credentials.begin_session(database, richard.id, Means.OPENID, "", None, now)


def test_a_new_password_spends_links_and_keeps_one_session(database: Database, richard: Account, now: datetime) -> None:
    with database.transaction():
        tokens = [sessions.begin(database, richard.id, None, Means.LINK, "", now) for _ in range(3)]
    link = links.make(database, richard.id, None, now)
    kept = sessions.find(database, tokens[1], now)
    assert kept is not None
    credentials.set_password(database, richard.id, "x", keep=kept.id)
    assert [sessions.find(database, token, now) is not None for token in tokens] == [False, True, False]
    assert links.whose(database, link, now) is None


def test_a_removed_user_takes_what_the_account_may_do(
    database: Database, demo: Deployment, richard: Account, now: datetime
) -> None:
    other = deployments.add(database, "other", "other.example.org", now)
    accounts.give_role(database, richard.id, demo, Role.ADMIN, richard.memberships[0].user_id)
    accounts.give_role(database, richard.id, other, Role.ADMIN, None)
    with database.transaction():
        token = sessions.begin(database, richard.id, None, Means.LINK, "", now)
    link = links.make(database, richard.id, None, now)
    users.remove(database, demo, "richard", now)
    assert sessions.find(database, token, now) is None
    assert links.whose(database, link, now) is None
    assert [one.deployment for one in accounts.find(database, richard.id).memberships] == ["other"]


def test_an_operator_who_is_a_user_stays_an_operator(database: Database, demo: Deployment, now: datetime) -> None:
    made = accounts.add(database, "root", now, is_operator=True)
    (user,) = users.list_all(database, demo)
    accounts.give_role(database, made.id, demo, Role.USER, user.id)
    users.remove(database, demo, "richard", now)
    found = accounts.find(database, made.id)
    assert (found.is_operator, found.memberships) == (True, ())


def test_a_user_who_comes_again_under_the_same_name_is_somebody_else(
    database: Database, demo: Deployment, richard: Account, now: datetime
) -> None:
    users.remove(database, demo, "richard", now)
    users.add(database, demo, "richard", "another@firm.example", "", now)
    again = enrolment.user(database, demo, "richard", now, is_admin=False)
    assert (again.id != richard.id, again.name, again.email) == (True, "richard", "another@firm.example")
