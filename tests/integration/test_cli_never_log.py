"""The command line for never-log rules, and their effect on a real record: hiding and erasing."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from mailweir.store.database.connection import Database
from mailweir.store.people import deployments, never_log_rules
from mailweir.store.record import hidden_by_rule, retraction
from tests import schemas

Mailweir = Any
Record = Callable[..., int]
JANE, JOE = "jane@client.example", "joe@client.example"


@pytest.fixture
def demo(mailweir: Mailweir) -> Mailweir:
    """A command line with one deployment, two users and two contacts."""
    for line in (
        "deployment add demo --domain demo.example.net",
        "user add richard --email richard@firm.example",
        "user add mary --email mary@firm.example",
        f"contact add Jane {JANE}",
        f"contact add Joe {JOE}",
    ):
        assert mailweir(*line.split()).code == 0, line
    return mailweir


def _on_record(mailweir: Mailweir, *options: str) -> list[int]:
    return [row["id"] for row in mailweir("activity", "list", "--json", *options).json]


def _count(database: Database, table: str) -> int:
    return int(database.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])


def test_rules_are_added_listed_and_removed(demo: Mailweir) -> None:
    assert "It hides no recorded mail." in demo("never-log", "add", "@Bank.Example.").out
    assert demo("never-log", "add", "Jane@Client.Example", "--user", "richard", "--json").json["pattern"] == JANE
    listed = [(row["pattern"], row["user"]) for row in demo("never-log", "list", "--json").json]
    assert listed == [("@bank.example", None), (JANE, "richard")]
    assert [row["pattern"] for row in demo("never-log", "list", "--user", "richard", "--json").json] == [JANE]
    assert demo("never-log", "remove", "@bank.example").code == 0
    assert [row["pattern"] for row in demo("never-log", "list", "--json").json] == [JANE]


def test_a_rule_that_is_there_stays_one(demo: Mailweir) -> None:
    for _ in range(2):
        assert demo("never-log", "add", "@bank.example").code == 0
    assert len(demo("never-log", "list", "--json").json) == 1


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("add nobody", "is not a mail address"),
        ("add @nobody", "is not a domain name"),
        ("add @demo.example.net", "is within the capture domain"),
        ("add x@demo.example.net", "is within the capture domain"),
        (f"add {JANE} --user bob", "unknown user 'bob'"),
        (f"remove {JANE}", "is not a never-log rule"),
        (f"add {JANE} --erase", "give --yes too"),
    ],
)
def test_what_can_be_no_rule_is_refused(demo: Mailweir, line: str, says: str) -> None:
    ran = demo("never-log", *line.split())
    assert ran.code == 1
    assert says in ran.err
    assert demo("never-log", "list", "--json").json == []


def test_what_is_there_is_shown_and_erased(demo: Mailweir, record: Record, database: Database) -> None:
    hidden, other = record("demo", "richard", JANE, number=1), record("demo", "richard", JOE, number=2)
    assert "1 activity that it hides" in demo("never-log", "add", JANE).out
    assert _on_record(demo) == [other, hidden], "nothing is erased without the option"
    ran = demo("never-log", "add", JANE, "--erase", "--yes")
    assert "Erased: 1 activity." in ran.out
    assert _on_record(demo) == [other]
    assert "ignored: never-log rule jane@client.example of demo" in demo("why", JANE).out
    tables = ("activities", "raw_messages", "sightings", "activity_users", "activity_contacts", "todos")
    assert {table: _count(database, table) for table in tables} == dict.fromkeys(tables, 1)
    assert demo("activity", "show", str(other)).code == 0


def test_a_users_rule_takes_mail_off_the_users_record(demo: Mailweir, record: Record) -> None:
    shared = record("demo", "richard", JANE, queue_id="4Xy1")
    assert record("demo", "mary", JANE, queue_id="4Xy2") == shared
    assert "of this user that others have too" in demo("never-log", "add", JANE, "--user", "richard").out
    made = demo("never-log", "add", JANE, "--user", "richard", "--erase", "--yes", "--json").json
    assert (made["on_record"], made["in_part"], made["erased"]) == (0, 1, True)
    assert _on_record(demo, "--user", "richard") == []
    assert _on_record(demo, "--user", "mary") == [shared]
    assert [row["user"] for row in demo("todo", "list", "--json").json] == ["mary"]
    assert "never-log rule jane@client.example of richard" in demo("why", "4Xy1").out
    assert "captured" in demo("why", "4Xy2").out


def test_a_users_rule_erases_what_the_user_alone_brought(demo: Mailweir, record: Record) -> None:
    record("demo", "richard", JANE)
    made = demo("never-log", "add", "@client.example", "--user", "richard", "--erase", "--yes", "--json").json
    assert (made["on_record"], made["in_part"], made["erased"]) == (1, 0, True)
    assert _on_record(demo) == []


def test_a_rule_touches_its_own_deployment_alone(demo: Mailweir, record: Record) -> None:
    for line in (
        "deployment add other --domain other.example.net",
        "user add olga --email olga@second.example --deployment other",
        f"contact add Jane {JANE} --deployment other",
    ):
        assert demo(*line.split()).code == 0, line
    ours, theirs = record("demo", "richard", JANE, number=1), record("other", "olga", JANE, number=2)
    assert demo("never-log", "add", JANE, "--deployment", "other", "--erase", "--yes").code == 0
    assert _on_record(demo, "--deployment", "demo") == [ours]
    assert _on_record(demo, "--deployment", "other") == []
    assert theirs != ours


def test_many_are_erased_in_short_transactions(
    demo: Mailweir, record: Record, database: Database, now: datetime
) -> None:
    for number in range(1, 8):
        record("demo", "richard", JANE, number=number)
    tenant = deployments.find(database, "demo")
    rule = never_log_rules.add(database, tenant, JANE, None, now)
    seen: list[tuple[int, int]] = []
    ticks = iter(range(1000))
    hidden_by_rule.erase(
        database,
        rule,
        hidden_by_rule.find(database, tenant, rule),
        lambda done, total: seen.append((done, total)),
        lambda: float(next(ticks)),
    )
    assert seen == [(number, 7) for number in range(1, 8)], "each erasing takes longer than a transaction may"
    assert _on_record(demo) == []


def test_all_that_names_an_activity_goes_with_it(database: Database) -> None:
    """On SQLite nothing else checks this: see `retraction.unchecked`."""
    naming = {
        name
        for name, table in schemas.read(database).items()
        for _, other, _ in table.foreign_keys
        if other in ("activities", "raw_messages")
    }
    assert naming == retraction.NAMING


def test_a_removed_users_rules_are_gone(demo: Mailweir) -> None:
    assert demo("never-log", "add", JANE, "--user", "richard").code == 0
    assert demo("user", "remove", "richard").code == 0
    assert demo("never-log", "list", "--json").json == []


def test_rules_follow_the_deployments_folding(demo: Mailweir) -> None:
    for pattern in ("jane+a@client.example", "jane+b@client.example"):
        assert demo("never-log", "add", pattern).code == 0
    assert demo("deployment", "set", "demo", "--plus-addresses").code == 0
    assert [row["pattern"] for row in demo("never-log", "list", "--json").json] == ["jane+a@client.example"]
    assert demo("never-log", "remove", JANE).code == 0
