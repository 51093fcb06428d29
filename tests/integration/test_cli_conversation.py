"""Conversations and the lists' data from readings, on the command line, with a digest that read the mail."""

import hashlib
import importlib
from collections.abc import Callable
from typing import Any

import pytest

from mailweir.store.database.connection import Database
from mailweir.store.people import deployments
from mailweir.store.record import activities, conversations, file_owners, readings
from mailweir.store.record.visibility import Reader

Mailweir = Any
Put = Callable[..., int]
JANE = "jane@client.example"
FILE = b"a,b\r\n"
DIGEST = hashlib.sha256(FILE).digest()


def _mail(number: int, answers: int | None = None, text: str = "We take it.", *lines: str) -> bytes:
    head = [
        f"From: Jane <{JANE}>",
        "To: richard@firm.example",
        f"Subject: {'Re: ' if answers else ''}An offer",
        f"Message-ID: <{number}@client.example>",
        *([f"In-Reply-To: <{answers}@client.example>"] if answers else []),
        *lines,
        "Content-Type: multipart/mixed; boundary=b",
        "",
        "--b",
        "",
        text,
        "--b",
        'Content-Type: text/csv; name="plan.csv"',
        "",
        "",
    ]
    return "\r\n".join(head).encode() + FILE + b"\r\n--b--\r\n"


@pytest.fixture
def demo(mailweir: Mailweir) -> Mailweir:
    """Two deployments, both of which know Jane."""
    for line in (
        "deployment add demo --domain demo.example.net",
        "deployment add other --domain other.example.net",
        "user add richard --email richard@firm.example --deployment demo",
        "user add mary --email mary@firm.example --deployment demo",
        f"contact add Jane {JANE} --deployment demo",
        "user add olga --email olga@second.example --deployment other",
        f"contact add Jane {JANE} --deployment other",
    ):
        assert mailweir(*line.split()).code == 0, line
    return mailweir


@pytest.fixture
def three(demo: Mailweir, record: Put, work_off: Callable[[], int]) -> list[int]:
    """A mail, its answer, and a mail of another conversation."""
    ids = [
        record("demo", "richard", JANE, number=1, raw=_mail(1)),
        record(
            "demo", "richard", JANE, number=2, raw=_mail(2, 1, "Send \x1b[31m\u202ethe plan."), subject="Re: An offer"
        ),
        record("demo", "richard", JANE, number=3, raw=_mail(3, None, "hi", "List-Id: <x.example>"), subject="Another"),
    ]
    work_off()
    return ids


def _listed(mailweir: Mailweir, *arguments: str) -> dict[int, dict[str, Any]]:
    return {one["id"]: one for one in mailweir("activity", "list", "--deployment", "demo", "--json", *arguments).json}


def test_a_conversation_is_shown_in_order_and_fits_a_terminal(demo: Mailweir, three: list[int]) -> None:
    found = demo("activity", "thread", str(three[1]), "--json").json
    assert [one["id"] for one in found["activities"]] == three[:2]
    assert found["thread"] == demo("activity", "show", str(three[0]), "--json").json["thread"]
    lines = demo("activity", "thread", str(three[0])).out.splitlines()
    assert lines[0] == f"Thread {found['thread']} of demo: 2 activities"
    assert max(map(len, lines)) <= 80
    assert lines[2].split() == [str(three[0]), "2026-11-24", "03:12Z", "incoming", "pending", JANE]
    assert lines[3:5] == ["    An offer", "    We take it."]
    assert lines[7] == "    Send [31m\\u202ethe plan."


def test_one_that_is_not_read_says_so(demo: Mailweir, record: Put) -> None:
    one = record("demo", "richard", JANE, raw=_mail(1))
    assert "not read yet" in demo("activity", "thread", str(one)).out
    found = demo("activity", "thread", str(one), "--json").json
    assert (found["thread"], [each["id"] for each in found["activities"]]) == (None, [one])


def test_law_4_another_deployments_conversation_is_none(demo: Mailweir, three: list[int]) -> None:
    ran = demo("activity", "thread", str(three[0]), "--deployment", "other")
    assert (ran.code, ran.out, ran.err) == (1, "", f"mailweir: there is no activity {three[0]} in other\n")
    assert demo("activity", "thread", str(three[0]), "--as", "olga").code == 1
    assert demo("activity", "thread", str(2**70)).code == 1


def test_lists_have_what_was_read(demo: Mailweir, three: list[int]) -> None:
    file = {"name": "plan.csv", "type": "text/csv", "size": len(FILE), "sha256": DIGEST.hex(), "inline": False}
    listed = _listed(demo)
    assert (listed[three[0]]["labels"], listed[three[2]]["labels"]) == ([], ["list"])
    assert listed[three[0]]["attachments"] == [file]
    assert listed[three[0]]["snippet"] == "We take it."
    assert listed[three[0]]["thread"] == listed[three[1]]["thread"] != listed[three[2]]["thread"]
    shown = demo("activity", "show", str(three[2]), "--json").json
    assert {key: shown[key] for key in listed[three[2]]} == listed[three[2]]
    (hit,) = demo("search", "plan", "--deployment", "demo", "--limit", "1", "--json").json
    assert {**hit, "snippet": ""} == {**listed[hit["id"]], "snippet": ""}


def test_the_digest_deletes_no_todo(demo: Mailweir, record: Put, work_off: Callable[[], int]) -> None:
    """Recording decides whether automatic mail makes a to-do."""
    one = record("demo", "richard", JANE, raw=_mail(1, None, "Away.", "Auto-Submitted: auto-replied"))
    work_off()
    assert _listed(demo)[one]["labels"] == ["automatic"]
    (todo,) = demo("todo", "list", "--deployment", "demo", "--json").json
    assert (todo["activity"]["id"], todo["done_at"]) == (one, None)


def test_labels_filter_a_list(
    demo: Mailweir, three: list[int], database: Database, work_off: Callable[[], int]
) -> None:
    assert list(_listed(demo, "--label", "list")) == [three[2]]
    assert list(_listed(demo, "--label", "automatic")) == []
    database.execute("UPDATE raw_messages SET header_labels = 1 WHERE activity_id = ?", (three[0],))
    assert _listed(demo)[three[0]]["labels"] == ["automatic"]
    assert demo("digest", "again", str(three[0])).code == 0
    work_off()
    assert list(_listed(demo, "--label", "automatic")) == [three[0]]
    ran = demo("activity", "list", "--deployment", "demo", "--label", "lists")
    assert ran.code == 2
    assert "'lists' is not one of 'automatic', 'list'" in ran.err


def test_law_13_metadata_has_no_content(demo: Mailweir, three: list[int]) -> None:
    demo("activity", "set", str(three[2]), "--visibility", "metadata")
    demo("activity", "set", str(three[1]), "--visibility", "metadata")
    seen = _listed(demo, "--as", "mary")[three[2]]
    nothing: dict[str, Any] = {"subject": "", "snippet": "", "labels": [], "attachments": [], "thread": None}
    assert {key: seen[key] for key in nothing} == nothing
    assert not {"plan", "Another", DIGEST.hex()} & set(str(seen).replace("'", " ").split())
    assert list(_listed(demo, "--as", "mary", "--label", "list")) == []
    assert list(_listed(demo, "--as", "richard", "--label", "list")) == [three[2]]
    of_mary = demo("activity", "thread", str(three[0]), "--as", "mary", "--json").json
    assert [one["id"] for one in of_mary["activities"]] == [three[0]]
    alone = demo("activity", "thread", str(three[1]), "--as", "mary", "--json").json
    assert (alone["thread"], [one["snippet"] for one in alone["activities"]]) == (None, [""])
    assert "may not see it" in demo("activity", "thread", str(three[1]), "--as", "mary").out
    demo("activity", "set", str(three[1]), "--visibility", "participants")
    ran = demo("activity", "thread", str(three[1]), "--as", "mary")
    assert (ran.code, ran.err) == (1, f"mailweir: there is no activity {three[1]} in demo\n")
    assert len(demo("activity", "thread", str(three[1]), "--as", "richard", "--json").json["activities"]) == 2


def test_law_13_bcc_is_the_senders_in_conversations_too(demo: Mailweir, three: list[int], database: Database) -> None:
    database.execute("UPDATE activity_contacts SET is_bcc = 1")
    tenant = deployments.find(database, "demo")
    for_mary = conversations.of(database, tenant, three[0], "mary").activities
    assert [one.contacts for one in for_mary] == [(), ()]
    assert all(one.contacts for one in conversations.of(database, tenant, three[0]).activities)
    database.execute("UPDATE activities SET author = 'mary@firm.example'")
    assert all(one.contacts for one in conversations.of(database, tenant, three[0], "mary").activities)


def test_the_same_file_is_named_as_far_as_the_reader_may_know(
    demo: Mailweir, three: list[int], record: Put, database: Database, work_off: Callable[[], int]
) -> None:
    foreign = record("other", "olga", JANE, number=9, raw=_mail(9), queue_id="4Xy9")
    work_off()
    demo("activity", "set", str(three[1]), "--visibility", "metadata")
    demo("activity", "set", str(three[2]), "--visibility", "participants")
    tenant, other = (deployments.find(database, name) for name in ("demo", "other"))
    richard, mary = (activities.reader_named(database, tenant, name) for name in ("richard", "mary"))
    olga = activities.reader_named(database, other, "olga")

    def same(of: deployments.Deployment, reader: Reader | None, limit: int = 9) -> list[int]:
        return [one for one, _ in readings.same_file(database, of.id, DIGEST, limit, reader)]

    assert same(tenant, None) == same(tenant, richard) == three[::-1]
    assert same(tenant, None, 2) == [three[2], three[1]]
    assert same(tenant, mary) == [three[0]]
    assert same(other, olga) == same(other, None) == [foreign]
    assert same(tenant, olga) == same(other, richard) == []
    shown = demo("activity", "show", str(three[0])).out
    assert f"also in activity {three[2]}, {three[1]}\n" in shown
    assert "also in" not in demo("activity", "show", str(foreign)).out


def _many(database: Database, activity_id: int, count: int = 3_000) -> None:
    """Adds so many copies of its first file."""
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i <= {count})"
    columns = "name, media_type, size_bytes, sha256, is_inline, content_id, offset_bytes, length_bytes, encoding, deployment_id"
    database.execute(
        f"INSERT INTO attachments (raw_id, number, {columns}) {numbers} SELECT f.raw_id, n.i, {columns} FROM attachments f, n"
        " WHERE f.number = 1 AND f.raw_id = (SELECT leading_raw_id FROM activities WHERE id = ?)",
        (activity_id,),
    )


def test_laws_4_and_13_copies_that_others_have_hide_none(
    demo: Mailweir, three: list[int], record: Put, database: Database, work_off: Callable[[], int]
) -> None:
    """Otherwise somebody could send a file a thousand times, to another deployment or where mary may not look, and find out what
    she sees."""
    foreign = record("other", "olga", JANE, number=9, raw=_mail(9), queue_id="4Xy9")
    work_off()
    demo("activity", "set", str(three[2]), "--visibility", "participants")
    _many(database, foreign)
    _many(database, three[2])
    tenant = deployments.find(database, "demo")
    mary = activities.reader_named(database, tenant, "mary")
    assert readings.same_file(database, tenant.id, DIGEST, 2, mary) == [(three[1], 1), (three[0], 1)]
    assert {one for one, _ in readings.same_file(database, tenant.id, DIGEST, 2)} == {three[2]}


def test_the_step_that_tells_whose_a_file_is_can_be_run_again(
    three: list[int], database: Database, work_off: Callable[[], int]
) -> None:
    tenant = deployments.find(database, "demo")
    before = readings.same_file(database, tenant.id, DIGEST, 9)
    assert [one for one, _ in before] == three[::-1]
    database.execute("UPDATE attachments SET deployment_id = NULL")
    assert readings.same_file(database, tenant.id, DIGEST, 9) == []
    step = importlib.import_module("mailweir.store.database.migrations.0033_files_of_deployments")
    for _ in range(2):
        step.up(None, database.peewee)
        assert readings.same_file(database, tenant.id, DIGEST, 9) == before


def test_files_that_the_version_before_wrote_meanwhile_are_told_whose_they_are(
    three: list[int], database: Database
) -> None:
    """The digest adds that when it starts."""
    tenant = deployments.find(database, "demo")
    before = readings.same_file(database, tenant.id, DIGEST, 9)
    assert len(before) == 3
    database.execute("UPDATE attachments SET deployment_id = NULL")
    file_owners.fill(database)
    assert readings.same_file(database, tenant.id, DIGEST, 9) == before
