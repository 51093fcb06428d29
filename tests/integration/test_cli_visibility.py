"""Visibility on the command line, on a real database: decided at recording, set by hand, and applied to readers."""

from collections.abc import Callable
from typing import Any

import pytest

from mailweir.store.database.connection import Database
from mailweir.store.people import deployments
from mailweir.store.record import activities, visibility
from mailweir.store.record.visibility import Access, Reader
from mailweir.visibility import Visibility

Mailweir = Any
Record = Callable[..., int]
JANE = "jane@client.example"


@pytest.fixture
def demo(mailweir: Mailweir) -> Mailweir:
    """A command line with one deployment, two users, and a contact of a company."""
    for line in (
        "deployment add demo --domain demo.example.net",
        "user add richard --email richard@firm.example",
        "user add mary --email mary@firm.example",
        "company add Client",
        f"contact add Jane {JANE} --company Client",
    ):
        assert mailweir(*line.split()).code == 0, line
    return mailweir


def _shown(mailweir: Mailweir, *options: str) -> list[tuple[int, str]]:
    return [(row["id"], row["subject"]) for row in mailweir("activity", "list", "--json", *options).json]


def _visibility(mailweir: Mailweir, activity_id: int) -> str:
    return str(mailweir("activity", "show", str(activity_id), "--json").json["visibility"])


def test_mail_is_everybodys_at_first(demo: Mailweir, record: Record) -> None:
    one = record("demo", "richard", JANE)
    assert _visibility(demo, one) == "everyone"
    assert _shown(demo, "--as", "mary") == [(one, "An offer")]


@pytest.mark.parametrize(
    "line",
    [
        "user set richard --visibility",
        f"contact set {JANE} --visibility",
        "company set Client --visibility",
    ],
)
@pytest.mark.parametrize(
    ("wanted", "of_others"), [("participants", []), ("metadata", [""]), ("everyone", ["An offer"])]
)
def test_mail_gets_what_its_people_have(
    demo: Mailweir, record: Record, line: str, wanted: str, of_others: list[str]
) -> None:
    before = record("demo", "richard", JANE, number=1)
    assert demo(*line.split(), wanted).code == 0
    one = record("demo", "richard", JANE, number=2)
    assert _visibility(demo, before) == "everyone", "recorded mail stays unchanged"
    assert _visibility(demo, one) == wanted
    assert _shown(demo, "--as", "richard") == [(one, "An offer"), (before, "An offer")]
    assert [subject for _, subject in _shown(demo, "--as", "mary")] == [*of_others, "An offer"]
    assert _shown(demo) == [(one, "An offer"), (before, "An offer")], "the operator's"


def test_a_private_word_in_any_version_makes_it_private(demo: Mailweir, record: Record) -> None:
    assert demo("deployment", "set", "demo", "--private-words", "Private, streng vertraulich").code == 0
    one = record("demo", "richard", JANE)
    assert _visibility(demo, one) == "everyone"
    assert record("demo", "mary", JANE, raw=b"2", queue_id="4Xy2", subject="Re: [PRIVATE] An offer") == one
    assert _visibility(demo, one) == "participants"
    assert demo("deployment", "set", "demo", "--private-words", "").code == 0
    assert _visibility(demo, record("demo", "richard", JANE, number=3, subject="private")) == "everyone"


def test_the_strictest_counts_and_is_never_loosened(demo: Mailweir, record: Record) -> None:
    assert demo("contact", "set", JANE, "--visibility", "participants").code == 0
    assert demo("user", "set", "richard", "--visibility", "metadata").code == 0
    one = record("demo", "richard", JANE)
    assert _visibility(demo, one) == "participants"
    assert demo("contact", "set", JANE, "--visibility", "everyone").code == 0
    assert record("demo", "mary", JANE, queue_id="4Xy2", raw=b"2") == one
    assert _visibility(demo, one) == "participants"


def test_a_setting_by_hand_wins_and_is_logged(demo: Mailweir, record: Record, database: Database) -> None:
    assert demo("contact", "set", JANE, "--visibility", "participants").code == 0
    one = record("demo", "richard", JANE)
    changed = demo("activity", "set", str(one), "--visibility", "everyone", "--json").json
    assert changed["visibility"] == "everyone"
    record("demo", "mary", JANE, queue_id="4Xy2", raw=b"2")
    assert _visibility(demo, one) == "everyone"
    (logged,) = visibility.changes(database, one)
    assert (logged.visibility_before, logged.visibility, logged.changed_by) == ("participants", "everyone", "operator")


def test_another_deployments_activity_isnt_set_or_seen(demo: Mailweir, record: Record, database: Database) -> None:
    for line in (
        "deployment add other --domain other.example.net",
        "user add olga --email olga@second.example --deployment other",
    ):
        assert demo(*line.split()).code == 0, line
    one = record("demo", "richard", JANE)
    ran = demo("activity", "set", str(one), "--visibility", "participants", "--deployment", "other")
    assert (ran.code, _visibility(demo, one)) == (1, "everyone")
    assert _shown(demo, "--as", "olga", "--deployment", "other") == []
    olga = activities.reader_named(database, deployments.find(database, "other"), "olga")
    assert visibility.access(database, olga, [one]) == {}


def test_a_readers_access_by_visibility_and_part(demo: Mailweir, record: Record, database: Database) -> None:
    wanted = list(Visibility)
    ids = [record("demo", "richard", JANE, number=number) for number, _ in enumerate(wanted, 1)]
    for one, found in zip(ids, wanted, strict=True):
        assert demo("activity", "set", str(one), "--visibility", found).code == 0
    tenant = deployments.find(database, "demo")
    richard, mary = (activities.reader_named(database, tenant, name) for name in ("richard", "mary"))
    assert visibility.access(database, richard, ids) == dict.fromkeys(ids, Access.WHOLE)
    assert visibility.access(database, mary, ids) == {ids[0]: Access.WHOLE, ids[1]: Access.METADATA}
    assert visibility.listed(database, richard) == ids[::-1]
    assert visibility.listed(database, mary) == [ids[1], ids[0]]
    assert visibility.listed(database, mary, limit=1) == [ids[1]]
    assert visibility.listed(database, mary, whole_only=True) == [ids[0]]
    assert visibility.listed(database, richard, whole_only=True, limit=2) == [ids[2], ids[1]]
    assert visibility.listed(database, Reader(tenant.id, (999,)), " AND a.id < ?", (ids[1],)) == [ids[0]]
