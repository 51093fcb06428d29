"""History and lists in unusual forms: expired, in pages, in a circle, refused. None of them makes the sync skip mail."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gmail import faults, google_errors
from tests.gmail.calls import Kind
from tests.gmail.faults import Fault
from tests.gmail.google_errors import api_error
from tests.gmail.server import GmailServer
from tests.gmail.view import answer_json
from tests.gmail.world import STRANGER, World, cursor, mail, seconds_until

FIRST_PAUSE = 30.0


@pytest.fixture
def small(gmail: GmailServer, tmp_path: Path) -> Iterator[World]:
    """A world on SQLite alone, with short time-outs: Gmail has a second to answer."""
    made = World(gmail, tmp_path, None, "timeout_seconds = 1\n")
    yield made
    made.close()


def test_without_get_profile_the_newest_message_says_where_history_stands(small: World, gmail: GmailServer) -> None:
    gmail.faults.add(Fault("no getProfile", google_errors.not_found()), kind=Kind.PROFILE)
    richard, mary = small.connect("richard"), small.connect("mary")
    richard.insert(mail("there"), at=small.at)
    small.settle("richard")
    small.settle("mary")  # an empty mailbox
    for box in (richard, mary):
        box.insert(mail(f"new {box.address}", to=box.address), at=small.at)
    small.later(minutes=1)
    small.settle("richard")
    small.settle("mary")
    assert sorted(small.subjects()) == ["new mary@firm.example", "new richard@firm.example", "there"]


def test_history_that_expires_between_two_pages_loses_nothing(world: World, gmail: GmailServer) -> None:
    box = world.connect()
    world.settle()
    for number in range(7):
        box.insert(mail(f"m{number}"), at=world.at)
    gmail.view.page_limit = 2
    seed = next(seed for seed in range(100) if (dice := random.Random(seed)).random() > 0.5 > dice.random())
    armed = gmail.faults.add(
        faults.history_expired(), user=box.address, kind=Kind.HISTORY, times=1, probability=0.5, seed=seed
    )
    world.sweep()
    assert armed.hits == 1
    assert len(gmail.calls.of(box.address, Kind.HISTORY)) >= 2
    box.insert(mail("after"), at=world.at)
    world.later(minutes=1)
    world.settle()
    assert sorted(world.subjects()) == ["after", *(f"m{number}" for number in range(7))]


def test_an_expired_history_with_an_outage_before_the_list_is_whole(world: World, gmail: GmailServer) -> None:
    box = world.connect()
    world.settle()
    for number in range(5):
        box.insert(mail(f"m{number}"), at=world.at)
    gmail.expire_history(box)
    with world.database.transaction():
        world.database.execute("UPDATE gmail_mailboxes SET cursor = '1'")
    for kind in (Kind.PROFILE, Kind.LIST):
        gmail.faults.add(faults.hang_up(), user=box.address, kind=kind, times=1)
        world.sweep()
        world.later(minutes=2)
    world.settle()
    assert sorted(world.subjects()) == [f"m{number}" for number in range(5)]


def test_a_page_with_nothing_but_the_next_one(small: World, gmail: GmailServer) -> None:
    box = small.connect()
    box.insert(mail("old"), at=small.at)
    gmail.faults.add(faults.bare_page(), user=box.address, kind={Kind.HISTORY, Kind.LIST})
    small.settle()
    box.insert(mail("new"), at=small.at)
    small.later(minutes=1)
    small.settle()
    assert small.subjects() == ["old", "new"]


@pytest.mark.parametrize(
    ("kind", "begin", "page"),
    [
        (Kind.HISTORY, World.settle, lambda number: {"historyId": "9"}),
        (Kind.LIST, lambda small: None, lambda number: {"messages": [{"id": number}]}),
    ],
    ids=["history", "list"],
)
def test_pages_that_go_round_in_a_circle_are_no_answer(
    small: World,
    gmail: GmailServer,
    kind: Kind,
    begin: Callable[[World], object],
    page: Callable[[str], dict[str, Any]],
) -> None:
    box = small.connect()
    begin(small)
    found = page(box.insert(mail("there"), at=small.at))
    circle = [
        gmail.faults.add(
            Fault("page", answer_json({**found, "nextPageToken": token})), user=box.address, kind=kind, times=2
        )
        for token in ("a", "b")
    ]
    circle.append(gmail.faults.add(Fault("page", answer_json({**found, "nextPageToken": "a"})), kind=kind))
    before = len(gmail.calls.of(box.address, kind))
    assert seconds_until(small.sweep(), small) == FIRST_PAUSE
    assert len(gmail.calls.of(box.address, kind)) - before <= 4
    assert "same page" in (small.state().error or "")
    for armed in circle:
        armed.lift()
    small.later(minutes=1)
    small.settle()
    assert (small.subjects(), small.state().error) == (["there"], None)


def test_history_ids_beyond_64_bits_are_kept_to_the_last_digit(world: World, gmail: GmailServer) -> None:
    first, second = "18446744073709551617123", "18446744073709551617129"
    box = world.connect()
    profile = answer_json({"emailAddress": box.address, "historyId": first})
    gmail.faults.add(Fault("profile", profile), user=box.address, kind=Kind.PROFILE)
    gmail.faults.add(Fault("history", answer_json({"historyId": first})), user=box.address, kind=Kind.HISTORY, times=1)
    gmail.faults.add(Fault("history", answer_json({"historyId": second})), user=box.address, kind=Kind.HISTORY)
    world.settle()
    assert cursor(world) == first
    world.later(minutes=1)
    world.settle()
    assert cursor(world) == second
    assert [f"startHistoryId={first}" in call.query for call in gmail.calls.of(box.address, Kind.HISTORY)] == [
        True,
        True,
    ]


def test_what_comes_while_history_is_paged_is_asked_for_again(small: World, gmail: GmailServer) -> None:
    """A later page may name a newer historyId, but not include the events before it."""
    box = small.connect()
    small.settle()
    ids = [box.insert(mail(f"m{number}"), at=small.at) for number in range(3)]
    real = box.history_id

    def page(message_id: str, stands_at: str, **more: str) -> Fault:
        record = {"messagesAdded": [{"message": {"id": message_id, "labelIds": ["INBOX"]}}]}
        return Fault("page", answer_json({"history": [record], "historyId": stands_at, **more}))

    before = str(int(real) - 1)
    for fault in (page(ids[0], before, nextPageToken="t"), page(ids[1], real)):
        gmail.faults.add(fault, user=box.address, kind=Kind.HISTORY, times=1)
    small.sweep()
    assert cursor(small) == before
    small.later(minutes=1)
    small.settle()
    assert sorted(small.subjects()) == ["m0", "m1", "m2"]


def test_an_audit_that_can_not_list_holds_no_new_mail_up(small: World, gmail: GmailServer) -> None:
    box = small.connect()
    small.settle()
    outage = gmail.faults.add(faults.server_error(), user=box.address, kind=Kind.LIST)
    for number in range(3):
        small.later(hours=2)  # the audit is due
        box.insert(mail(f"m{number}"), at=small.at)
        small.settle()
        assert seconds_until(small.sweep(), small) <= 60
        assert len(small.record()) == number + 1
    assert (outage.hits, small.state().audited_at, small.state().failures) == (3, None, 0)
    outage.lift()
    small.later(hours=2)
    small.settle()
    assert (small.state().audit_listed, small.state().audit_missing) == (3, 0)


def test_an_address_that_gmail_refuses_to_search_for_holds_no_other_up(small: World, gmail: GmailServer) -> None:
    from mailweir.store.people import contacts

    box = small.connect()
    small.settle()
    for number in range(3):
        box.insert(mail(f"m{number}", f"new{number}@late.example"), at=small.at)
    box.insert(mail("a stranger's", STRANGER), at=small.at)
    small.settle()
    for number in range(3):
        contacts.add(small.database, small.demo, f"New {number}", [f"new{number}@late.example"], None, small.at)
    # Requests for all three together, and then for the first one alone, are refused.
    refused = Fault("refused", api_error(400, "Invalid query", "invalidArgument"))
    gmail.faults.add(refused, user=box.address, kind=Kind.LIST, times=2)
    small.later(minutes=1)
    small.settle()
    assert sorted(small.subjects()) == ["m1", "m2"]
    assert (small.state().failures, small.state().error) == (0, None)


@pytest.mark.parametrize("odd", ["a}b@odd.example", "{a@odd.example", "a|b@odd.example", "-a@odd.example"])
def test_an_address_that_means_something_in_a_search_is_found_and_hides_no_other(small: World, odd: str) -> None:
    from mailweir.store.people import contacts

    box = small.connect()
    small.settle()
    senders = ["new0@late.example", odd, "new1@late.example"]
    for number, sender in enumerate(senders):
        box.insert(mail(f"m{number}", sender), at=small.at)
    box.insert(mail("a stranger's", STRANGER), at=small.at)
    small.settle()
    for number, sender in enumerate(senders):
        contacts.add(small.database, small.demo, f"New {number}", [sender], None, small.at)
    small.later(minutes=1)
    small.settle()
    assert sorted(small.subjects()) == ["m0", "m1", "m2"]
    assert (small.state().failures, small.state().error) == (0, None)
