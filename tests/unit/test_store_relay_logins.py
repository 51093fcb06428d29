"""Logins of the relay in the database: creation, rotation, end; owners of a sender; counts."""

from datetime import datetime, timedelta

import pytest
from argon2 import PasswordHasher

from mailweir import passwords
from mailweir.errors import BadInput, NotFound
from mailweir.store.database.connection import Database
from mailweir.store.people import deployments, relay_logins, users
from mailweir.store.people.deployments import Deployment
from mailweir.store.people.relay_logins import UseRow

LOGIN = "richard@demo.example.net"


@pytest.fixture
def demo(database: Database, now: datetime) -> Deployment:
    """A deployment with richard and olga."""
    made = deployments.add(database, "demo", "demo.example.net", now)
    users.add(database, made, "richard", "richard@firm.example", "", now)
    users.add(database, made, "olga", "olga@firm.example", "", now)
    return made


def test_a_login_from_connect_to_disconnect(database: Database, demo: Deployment, now: datetime) -> None:
    assert relay_logins.proof(database, LOGIN) is None
    made = relay_logins.connect(database, demo, "Richard", "first", now)
    assert (made.login, made.username) == (LOGIN, "richard")
    assert relay_logins.proof(database, LOGIN) == (LOGIN, "first")
    with pytest.raises(BadInput, match="rotate"):
        relay_logins.connect(database, demo, "richard", "x", now)
    relay_logins.rotate(database, demo, "richard", "second", now)
    assert relay_logins.proof(database, LOGIN) == (LOGIN, "second")
    relay_logins.disconnect(database, demo, "richard", now)
    assert relay_logins.proof(database, LOGIN) is None
    with pytest.raises(NotFound, match="connect richard"):
        relay_logins.rotate(database, demo, "richard", "x", now)
    relay_logins.connect(database, demo, "richard", "third", now)
    assert relay_logins.proof(database, LOGIN) == (LOGIN, "third")


@pytest.mark.parametrize(
    "login", ["", "richard", "nobody@demo.example.net", "richard@other.example", "a\0@b", "' or 1"]
)
def test_nobody_else_logs_in(database: Database, demo: Deployment, now: datetime, login: str) -> None:
    relay_logins.connect(database, demo, "richard", "first", now)
    assert relay_logins.proof(database, login) is None


def test_a_removed_user_logs_in_no_more(database: Database, demo: Deployment, now: datetime) -> None:
    relay_logins.connect(database, demo, "richard", "first", now)
    users.remove(database, demo, "richard", now)
    assert relay_logins.proof(database, LOGIN) is None
    users.add(database, demo, "richard", "another@firm.example", "", now)
    assert relay_logins.proof(database, LOGIN) is None  # another user of the same name


def test_who_owns_a_sender(database: Database, demo: Deployment, now: datetime) -> None:
    assert relay_logins.owners(database, "richard@firm.example") == []  # not connected
    relay_logins.connect(database, demo, "richard", "x", now)
    users.add_address(database, demo, "richard", "r.smith@firm.example")
    for sender in ("richard@firm.example", "R.Smith@Firm.Example."):
        assert relay_logins.owners(database, sender) == [LOGIN]
    for sender in ("", "olga@firm.example", "richard+x@firm.example", LOGIN, "@firm.example", "richard"):
        assert relay_logins.owners(database, sender) == []


def test_an_address_of_two_deployments_has_two_owners(database: Database, demo: Deployment, now: datetime) -> None:
    b = deployments.add(database, "b", "b.example.org", now)
    users.add(database, b, "rick", "richard@firm.example", "", now)
    relay_logins.connect(database, demo, "richard", "x", now)
    relay_logins.connect(database, b, "rick", "x", now)
    assert sorted(relay_logins.owners(database, "richard@firm.example")) == [
        "richard@demo.example.net",
        "rick@b.example.org",
    ]


def test_uses_add_up_within_an_hour(database: Database, demo: Deployment, now: datetime) -> None:
    relay_logins.connect(database, demo, "richard", "x", now)
    with database.reading():
        holder = relay_logins.holder(database, LOGIN)
    assert holder
    assert holder.user.username == "richard"
    assert not holder.suspended
    rows = [UseRow(holder.id, now, 1, 3, 0), UseRow(holder.id, now, 1, 2, 0)]
    for _ in range(2):
        with database.transaction():
            relay_logins.put_uses(database, rows, now)
    with database.reading():
        assert relay_logins.use(database, holder.id, now) == (4, 10, 0)
        assert relay_logins.use(database, holder.id, now + timedelta(hours=1)) == (0, 0, 0)
    (listed,) = relay_logins.list_all(database, demo, now)
    assert (listed.messages, listed.recipients) == (4, 10)


def test_old_counts_are_forgotten(database: Database, demo: Deployment, now: datetime) -> None:
    relay_logins.connect(database, demo, "richard", "x", now)
    with database.reading():
        holder = relay_logins.holder(database, LOGIN)
    assert holder
    old = now - timedelta(days=2)
    with database.transaction():
        relay_logins.put_uses(database, [UseRow(holder.id, at, 1, 1, 0) for at in (old, now)], now)
    for days, left in ((10**9, 2), (3, 2), (1, 1)):
        relay_logins.prune_uses(database, now, days)
        assert database.execute("SELECT COUNT(*) FROM relay_uses").fetchone() == (left,)


def test_a_suspended_login_is_let_in_again_by_a_new_password(
    database: Database, demo: Deployment, now: datetime
) -> None:
    relay_logins.connect(database, demo, "richard", "first", now)
    with database.reading():
        holder = relay_logins.holder(database, LOGIN)
    assert holder
    with database.transaction():
        relay_logins.put_uses(database, [UseRow(holder.id, now, 0, 0, 1, "too much")], now)
    assert relay_logins.proof(database, LOGIN) is None
    assert [one[0] for one in relay_logins.suspended(database, demo)] == ["richard"]
    relay_logins.rotate(database, demo, "richard", "second", now)
    assert relay_logins.proof(database, LOGIN) == (LOGIN, "second")
    assert relay_logins.suspended(database, demo) == []
    with database.reading():
        assert relay_logins.use(database, holder.id, now) == (0, 0, 0)


def test_passwords_are_long_and_differ() -> None:
    made = {passwords.generate() for _ in range(200)}
    assert len(made) == 200
    assert {len(one) for one in made} == {32}
    assert len(set("".join(made))) == 32  # 5 bits in a character: 160


def test_a_hash_is_argon2id_with_8_mib_and_one_pass() -> None:
    digest = passwords.digest("secret")
    assert digest.startswith("{ARGON2ID}$argon2id$v=19$m=8192,t=1,p=1$")
    assert PasswordHasher().verify(digest.removeprefix("{ARGON2ID}"), "secret")
