"""The directory in the database: the meaning of an address to us. Removals count at the next query."""

from collections.abc import Iterator
from datetime import datetime

import pytest

from mailweir.store.database.connection import Database
from mailweir.store.people import contacts, deployments, users
from mailweir.store.people.deployments import Deployment
from mailweir.store.people.directory import SqlDirectory, Standing


@pytest.fixture
def demo(database: Database, now: datetime) -> Deployment:
    made = deployments.add(database, "demo", "demo.example.net", now)
    users.add(database, made, "richard", "richard@firm.example", "", now)
    contacts.add(database, made, "Jane", ["jane@client.example"], None, now)
    other = deployments.add(database, "other", "other.example.org", now)
    with database.transaction():
        _put_token(database, made, 1, "abc123")
    assert other.id != made.id
    return made


def _put_token(database: Database, deployment: Deployment, user_id: int, token: str) -> None:
    database.execute(
        "INSERT INTO forwarding_confirmations (deployment_id, user_id, message_id, token, seen_at, redirects)"
        " VALUES (?, ?, ?, ?, '', 0)",
        (deployment.id, user_id, f"<{token}@google.com>", token),
    )


@pytest.fixture
def directory(database: Database, demo: Deployment) -> Iterator[SqlDirectory]:
    with database.reading():
        yield SqlDirectory(database)


@pytest.mark.parametrize(
    ("text", "standing"),
    [
        ("richard@demo.example.net", Standing.USER),
        ('<"Richard"@Demo.example.net.>', Standing.USER),
        ("@relay.example:richard@demo.example.net", Standing.USER),
        ("log@demo.example.net", Standing.LOG),
        ("LOG@demo.example.net", Standing.LOG),
        ("log@other.example.org", Standing.LOG),
        ("postmaster@demo.example.net", Standing.ROLE),
        ("Abuse@demo.example.net", Standing.ROLE),
        ("bounce+abc123@demo.example.net", Standing.BOUNCE),
        ("bounce+abc123@other.example.org", Standing.UNKNOWN),
        ("bounce+abc12@demo.example.net", Standing.UNKNOWN),
        ("bounce+@demo.example.net", Standing.UNKNOWN),
        ("bounce@demo.example.net", Standing.UNKNOWN),
        ("xbounce+abc123@demo.example.net", Standing.UNKNOWN),
        ("mary@demo.example.net", Standing.UNKNOWN),
        ("richard@other.example.org", Standing.UNKNOWN),
        ("richard+x@demo.example.net", Standing.UNKNOWN),
        ("richard@firm.example", Standing.FOREIGN),
        ("richard@sub.demo.example.net", Standing.FOREIGN),
        ("richard@xdemo.example.net", Standing.FOREIGN),
        ("richard@demo.example.net@evil.example", Standing.FOREIGN),
        ("richard%evil.example@demo.example.net", Standing.UNKNOWN),
        ("evil.example!richard@demo.example.net", Standing.UNKNOWN),
        ("postmaster", Standing.FOREIGN),
        ("", Standing.FOREIGN),
        ("<>", Standing.FOREIGN),
        ("' OR 1=1 --@demo.example.net", Standing.FOREIGN),
        ("%@demo.example.net", Standing.UNKNOWN),
        ("x" * 100_000 + "@demo.example.net", Standing.FOREIGN),
    ],
)
def test_an_address_has_one_standing(directory: SqlDirectory, text: str, standing: Standing) -> None:
    assert directory.standing(text) is standing


def test_what_is_removed_counts_at_the_next_question(
    directory: SqlDirectory, database: Database, demo: Deployment, now: datetime
) -> None:
    assert directory.people_with(demo.id, ["richard@firm.example"]).users
    users.remove(database, demo, "richard", now)
    contacts.remove_address(database, demo, "jane@client.example", now)
    assert directory.standing("richard@demo.example.net") is Standing.UNKNOWN
    assert directory.users_named(demo.id, ["richard"]) == {}
    assert directory.people_with(demo.id, ["richard@firm.example"]).users == {}
    assert directory.people_with(demo.id, ["jane@client.example"]).contacts == {}
    made = users.add(database, demo, "richard", "richard@firm.example", "", now)
    assert directory.standing("richard@demo.example.net") is Standing.USER
    assert directory.users_named(demo.id, ["richard"])["richard"].id == made.id


def test_nothing_is_asked_of_another_deployment(directory: SqlDirectory, demo: Deployment) -> None:
    assert directory.users_named(demo.id + 1, ["richard"]) == {}
    assert directory.people_with(demo.id + 1, ["richard@firm.example"]).users == {}
    assert directory.people_with(demo.id + 1, ["jane@client.example"]).contacts == {}


@pytest.mark.parametrize("count", [0, 1, 499, 500, 501, 1_001, 40_000])
def test_any_number_of_addresses_can_be_asked_for(directory: SqlDirectory, demo: Deployment, count: int) -> None:
    crowd = [f"x{number}@y.example" for number in range(count)]
    assert list(directory.people_with(demo.id, [*crowd, "jane@client.example"]).contacts) == ["jane@client.example"]
    assert directory.people_with(demo.id, crowd).contacts == {}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # SQLite's plans; PostgreSQL has the same indexes
def test_questions_of_the_main_path_use_an_index(database: Database, demo: Deployment) -> None:
    """The cost of matching doesn't grow with the number of contacts: no query reads a whole table."""
    asked: list[str] = []
    with database.reading():
        database.peewee.connection().set_trace_callback(asked.append)
        directory = SqlDirectory(database)
        directory.standing("richard@demo.example.net")
        directory.standing("bounce+abc@demo.example.net")
        directory.deployments(["demo.example.net"])
        directory.users_named(demo.id, ["richard"])
        directory.people_with(demo.id, ["richard@firm.example", "jane@client.example"])
        database.peewee.connection().set_trace_callback(None)
        plans = [row[3] for sql in asked for row in database.execute("EXPLAIN QUERY PLAN " + sql).fetchall()]
    assert len(asked) == 6
    assert [plan for plan in plans if plan.startswith("SCAN")] == []
    assert sum(plan.startswith("SEARCH") for plan in plans) >= len(asked)
