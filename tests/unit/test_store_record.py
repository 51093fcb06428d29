"""Activities, to-dos, decisions and raw messages as they are read back, and deletions."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from mailweir.decision import Outcome, Reason
from mailweir.errors import MailweirError, NotFound
from mailweir.store.database import batches
from mailweir.store.database.connection import Database
from mailweir.store.people import companies, contacts, deployments, users
from mailweir.store.people.deployments import Deployment
from mailweir.store.record import activities, decision_search, raw_messages, retention, todos
from mailweir.store.record.activities import Filter, Participant

Put = Callable[..., Any]
JANE = "jane@client.example"


@pytest.fixture
def demo(database: Database, now: datetime) -> Deployment:
    made = deployments.add(database, "demo", "demo.example.net", now)
    users.add(database, made, "richard", "richard@example.com", "", now)
    users.add(database, made, "anna", "anna@example.com", "", now)
    companies.add(database, made, "Client Ltd", None, now)
    contacts.add(database, made, "Jane", [JANE, "j@x.example"], "Client Ltd", now)
    contacts.add(database, made, "Joe", ["joe@client.example"], None, now)
    return made


@pytest.fixture
def other(database: Database, now: datetime) -> Deployment:
    made = deployments.add(database, "other", "other.example.net", now)
    users.add(database, made, "richard", "richard@example.com", "", now)
    contacts.add(database, made, "Jane", [JANE], None, now)
    return made


def _ids(found: list[Any]) -> list[int]:
    return [item.id for item in found]


def test_an_activity_is_read_as_it_was_recorded(
    database: Database, demo: Deployment, record: Put, now: datetime
) -> None:
    activity = activities.find(database, record("demo", "richard", JANE))
    assert activity.contacts == (Participant("Jane", JANE, "Client Ltd"),)
    assert (activity.deployment, activity.direction, activity.routes, activity.author, activity.users) == (
        ("demo", "incoming", ("forward",), JANE, ("richard",))
    )
    assert (activity.sent_at, activity.recorded_at) == (now, now + timedelta(minutes=1))
    assert (activity.message_id, activity.sender_verdict) == ("<1@client.example>", "pending")


def test_the_listing_is_newest_first_and_filtered(
    database: Database, demo: Deployment, record: Put, now: datetime
) -> None:
    first = record("demo", "richard", JANE, number=1)
    second = record("demo", "anna", "j@x.example", number=2)
    third = record("demo", "anna", "joe@client.example", number=3)
    select = activities.select
    assert _ids(select(database, demo, Filter())) == [third, second, first]
    assert _ids(select(database, demo, Filter(limit=2))) == [third, second]
    assert _ids(select(database, demo, Filter(user="ANNA"))) == [third, second]
    assert _ids(select(database, demo, Filter(contact="J@X.example"))) == [second, first], "by each of the addresses"
    assert _ids(select(database, demo, Filter(user="anna", contact=JANE))) == [second]
    assert _ids(select(database, demo, Filter(since=now + timedelta(minutes=2)))) == [third, second]
    assert _ids(select(database, demo, Filter(since=now + timedelta(minutes=2, microseconds=1)))) == [third]


def test_unknown_users_and_contacts_are_named(database: Database, demo: Deployment) -> None:
    with pytest.raises(NotFound, match="unknown user 'bob'"):
        activities.select(database, demo, Filter(user="bob"))
    with pytest.raises(NotFound, match=r"unknown contact bob@x\.example"):
        activities.select(database, demo, Filter(contact="bob@x.example"))
    with pytest.raises(NotFound, match="no activity 99"):
        activities.find(database, 99)
    with pytest.raises(NotFound):
        activities.find(database, 10**30)


def test_deployments_see_their_own_activities_only(
    database: Database, demo: Deployment, other: Deployment, record: Put
) -> None:
    ours, theirs = record("demo", "richard", JANE), record("other", "richard", JANE)
    for filtered in (Filter(), Filter(user="richard"), Filter(contact=JANE)):
        assert _ids(activities.select(database, demo, filtered)) == [ours]
        assert _ids(activities.select(database, other, filtered)) == [theirs]
    with pytest.raises(NotFound, match="in demo"):
        activities.find(database, theirs, demo)


def test_history_stays_readable_after_removals(
    database: Database, demo: Deployment, record: Put, now: datetime
) -> None:
    activity_id = record("demo", "richard", JANE)
    before = activities.find(database, activity_id)
    for address in (JANE, "j@x.example"):
        contacts.remove_address(database, demo, address, now)
    users.remove(database, demo, "richard", now)
    assert activities.find(database, activity_id) == before
    assert _ids(activities.select(database, demo, Filter(user="richard"))) == [activity_id]
    assert _ids(activities.select(database, demo, Filter(contact=JANE))) == [activity_id]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # it can be traced; both have the same statements
def test_a_listing_costs_the_same_statements_whatever_its_length(
    database: Database, demo: Deployment, record: Put
) -> None:
    def statements() -> int:
        seen: list[str] = []
        peewee_database: Any = database.peewee
        peewee_database.connection().set_trace_callback(seen.append)
        todos.select(database, demo, None, with_done=True)
        activities.select(database, demo, Filter())
        peewee_database.connection().set_trace_callback(None)
        return len(seen)

    record("demo", "richard", JANE)
    few = statements()
    for number in range(2, 30):
        record("demo", "anna", JANE, number=number)
    assert statements() == few
    assert few <= 16


def test_listings_longer_than_a_statement_takes_are_whole(
    database: Database, demo: Deployment, record: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [record("demo", "richard", JANE, number=number) for number in range(1, 8)]
    monkeypatch.setattr(batches, "MAX_ROWS", 3)
    found = activities.select(database, demo, Filter())
    assert _ids(found) == ids[::-1]
    assert all(activity.contacts and activity.users and activity.routes for activity in found)


def test_raw_messages_come_back_byte_for_byte(database: Database, demo: Deployment, record: Put) -> None:
    raw = b"Subject:  x\r\n\ty\r\n\r\n" + bytes(range(256)) * 50
    activity = activities.find(database, record("demo", "richard", JANE, raw=raw))
    record("demo", "anna", JANE, raw=b"another body", queue_id="4Xy2")
    assert raw_messages.read(database, activity) == raw
    assert raw_messages.read(database, activity, 1) == raw
    assert raw_messages.read(database, activity, 2) == b"another body"
    kept = raw_messages.versions(database, activity)
    assert [(version.number, version.size_bytes, version.leading) for version in kept] == [
        (1, len(raw), True),
        (2, 12, False),
    ]
    seen = raw_messages.sightings(database, activity)
    assert [(sighting.source_id, sighting.user, sighting.version) for sighting in seen] == [
        ("4Xy1", "richard", 1),
        ("4Xy2", "anna", 2),
    ]
    with pytest.raises(NotFound, match="no version 3: 2 are kept"):
        raw_messages.read(database, activity, 3)


@pytest.mark.parametrize("damage", [b"", b"\x28\xb5\x2f\xfd\x00", b"no zstd"])
def test_a_damaged_raw_message_is_one_line(database: Database, demo: Deployment, record: Put, damage: bytes) -> None:
    activity = activities.find(database, record("demo", "richard", JANE))
    database.execute("UPDATE raw_messages SET content_zstd = ?", (damage,))
    with pytest.raises(MailweirError, match="damaged"):
        raw_messages.read(database, activity)


def test_a_to_do_is_open_until_it_is_done(database: Database, demo: Deployment, record: Put, now: datetime) -> None:
    first, second = record("demo", "richard", JANE), record("demo", "anna", JANE, number=2)
    newest, oldest = todos.select(database, demo, None, with_done=False)
    assert (newest.activity.id, newest.user, oldest.activity.id, oldest.user) == (second, "anna", first, "richard")
    done = todos.finish(database, oldest.id, None, now)
    assert done.done_at == now
    assert todos.finish(database, oldest.id, demo, now + timedelta(days=1)) == done, "it stays as it is"
    assert todos.select(database, demo, "richard", with_done=False) == []
    assert todos.select(database, demo, "Richard", with_done=True) == [done]
    assert todos.select(database, demo, None, with_done=False) == [newest]


def test_a_removed_users_to_dos_vanish(database: Database, demo: Deployment, record: Put, now: datetime) -> None:
    record("demo", "richard", JANE)
    (todo,) = todos.select(database, demo, None, with_done=False)
    users.remove(database, demo, "richard", now)
    assert todos.select(database, demo, None, with_done=True) == []
    with pytest.raises(NotFound):
        todos.finish(database, todo.id, None, now)
    with pytest.raises(NotFound, match="unknown user"):
        todos.select(database, demo, "richard", with_done=False)


def test_to_dos_of_another_deployment_are_neither_seen_nor_done(
    database: Database, demo: Deployment, other: Deployment, record: Put, now: datetime
) -> None:
    record("other", "richard", JANE)
    (theirs,) = todos.select(database, other, None, with_done=False)
    assert todos.select(database, demo, None, with_done=True) == []
    with pytest.raises(NotFound):
        todos.finish(database, theirs.id, demo, now)
    with pytest.raises(NotFound):
        todos.finish(database, 10**30, None, now)


@pytest.mark.parametrize(
    "text",
    [
        "<1@x.example>",
        "1@x.example",
        "JANE@x.example",
        "<jane@x.example>",
        "jane@\uff58\u3002example",
        "4XyZ",
        " 4XyZ ",
    ],
)
def test_a_decision_is_found_by_message_id_author_and_queue_id(
    database: Database, demo: Deployment, ignore: Put, text: str
) -> None:
    ignore("demo")
    ignore("demo", author="b@x.example", message_id="<2@x.example>", queue_id="4XyA")
    (found,) = decision_search.find(database, text)
    assert (found.queue_id, found.deployment, found.author) == ("4XyZ", "demo", "jane@x.example")
    assert (found.recipients, found.outcome, found.reason) == (
        ("richard@demo.example.net",),
        "ignored",
        "unknown author",
    )
    assert (found.activity, found.direction) == (None, None)


def test_decisions_are_newest_first_and_of_one_deployment_if_asked(
    database: Database, demo: Deployment, other: Deployment, ignore: Put, record: Put, now: datetime
) -> None:
    ignore("demo", queue_id="1", author=JANE, at=now - timedelta(hours=1))
    ignore("other", queue_id="2", author=JANE, at=now)
    activity_id = record("demo", "richard", JANE)
    found = decision_search.find(database, JANE)
    assert [decision.queue_id for decision in found] == ["4Xy1", "2", "1"]
    assert (found[0].outcome, found[0].activity, found[0].direction) == ("captured", activity_id, "incoming")
    assert [decision.queue_id for decision in decision_search.find(database, JANE, demo)] == ["4Xy1", "1"]
    assert [decision.queue_id for decision in decision_search.find(database, JANE, limit=1)] == ["4Xy1"]
    assert decision_search.find(database, "") == []
    assert decision_search.find(database, "%") == []


def test_only_old_decisions_on_mail_that_was_not_captured_are_forgotten(
    database: Database, demo: Deployment, ignore: Put, record: Put, now: datetime
) -> None:
    record("demo", "richard", JANE)
    for number in range(7):
        ignore("demo", queue_id=f"old{number}", at=now - timedelta(days=14, seconds=1))
    ignore("demo", Reason.CONFIRMATION, outcome=Outcome.REDIRECTED, queue_id="old", at=now - timedelta(days=15))
    ignore("demo", queue_id="young", at=now - timedelta(days=14))
    assert retention.prune_decisions(database, now, 14, batch_rows=3) == 8
    assert [row[0] for row in database.execute("SELECT source_id FROM decisions ORDER BY source_id")] == [
        "4Xy1",
        "young",
    ]
    assert retention.prune_decisions(database, now + timedelta(days=999), 14) == 1
    assert retention.prune_decisions(database, now, 10**7) == 0
