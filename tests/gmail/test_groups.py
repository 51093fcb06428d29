"""Mail through a group of the firm's with its own address in From: in the mailbox, by forwarding, and before the group was
added."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from mailweir.errors import BadInput
from mailweir.store.people import contacts, groups, users
from mailweir.store.record import activities, todos
from mailweir.store.record.activities import Filter
from tests.gmail.seen_twice import by_filter, kept
from tests.gmail.world import JANE, STRANGER, World, mail

SALES = "sales@firm.example"


def through_group(subject: str, author: str = JANE) -> bytes:
    """A mail as a Google group rewrites it."""
    direct = mail(subject, author, SALES)
    lines = f"From: 'Jane' via Sales <{SALES}>\r\nX-Original-Sender: {author}\r\nX-Original-From: Jane <{author}>\r\n"
    lines += f"Reply-To: Jane <{author}>\r\nList-ID: <sales.firm.example>\r\nPrecedence: list\r\n"
    head = f"From: {author}\r\n".encode()
    assert direct.count(head) == 1
    return direct.replace(head, lines.encode()).replace(
        f"Subject: {subject}".encode(), f"Subject: [Sales] {subject}".encode()
    )


@pytest.mark.parametrize(
    "in_turn",
    [lambda sync, other: (sync(), other()), lambda sync, other: (other(), sync())],
    ids=["sync first", "sync last"],
)
def test_a_groups_mail_is_the_contacts_once(
    world: World, in_turn: Callable[[Callable[[], None], Callable[[], None]], object]
) -> None:
    """It comes by sync and by forwarding, and the contact also sent a copy to the user directly."""
    groups.add(world.database, world.demo, SALES, world.at)
    box = world.connect("richard")
    world.settle()
    world.later(seconds=5)

    def by_others() -> None:
        by_filter(world, b"X-Forwarded-To: x\r\n" + through_group("offer"), "mary@demo.example.net", "4Xy1")
        by_filter(world, mail("offer", JANE, SALES), "richard@demo.example.net", "4Xy2")

    def by_sync() -> None:
        box.insert(through_group("offer"), at=world.at)
        world.settle()

    in_turn(by_sync, by_others)
    (one,) = world.record()
    assert (one.author, one.direction, one.users) == (JANE, "incoming", ("mary", "richard"))
    assert one.routes == ("forward", "gmail_in")
    assert one.via == SALES, "the version that leads"
    assert len(kept(world)) == 2
    listed = todos.select(world.database, world.demo, None, with_done=True)
    assert sorted(todo.user for todo in listed) == ["mary", "richard"]


def test_what_came_before_the_group_was_told_is_found_then(world: World) -> None:
    box = world.connect("richard")
    world.settle()
    world.later(minutes=1)
    box.insert(through_group("early"), at=world.at)
    box.insert(through_group("a stranger's", STRANGER), at=world.at)
    world.settle()
    assert world.record() == []
    rows = world.database.execute("SELECT reason, author, named FROM decisions ORDER BY id").fetchall()
    assert [row[0] for row in rows] == ["unknown group with a known original author", "unknown author"]
    assert [row[1:] for row in rows] == [(SALES, f'["{SALES}", "{JANE}"]'), (SALES, f'["{SALES}", "{STRANGER}"]')]

    groups.add(world.database, world.demo, SALES, world.at)
    world.later(minutes=2)
    world.settle()
    (one,) = world.record()
    assert (one.author, one.via, one.subject) == (JANE, SALES, "[Sales] early")
    assert todos.select(world.database, world.demo, None, with_done=True) == []
    # once: the next sweeps don't search again
    world.later(minutes=2)
    world.settle()
    assert len(world.record()) == 1


def test_a_group_that_is_taken_off_is_nobody_again(world: World) -> None:
    groups.add(world.database, world.demo, SALES, world.at)
    groups.remove(world.database, world.demo, SALES)
    box = world.connect("richard")
    world.settle()
    box.insert(through_group("late"), at=world.at + timedelta(seconds=5))
    world.settle()
    assert world.record() == []


def test_no_address_is_a_groups_and_somebodys(world: World) -> None:
    groups.add(world.database, world.demo, SALES, world.at)
    for taken in (SALES, JANE, "richard@firm.example"):
        with pytest.raises(BadInput, match="already"):
            groups.add(world.database, world.demo, taken, world.at)
    for shared in (False, True):
        with pytest.raises(BadInput, match="already a group of demo; 'mailweir group remove"):
            contacts.add(world.database, world.demo, "Sales", [SALES], None, world.at, shared=shared)
    with pytest.raises(BadInput, match="already a group of demo"):
        users.add_address(world.database, world.demo, "richard", SALES)
    assert [one.address for one in groups.list_all(world.database, world.demo)] == [SALES]
    assert activities.select(world.database, world.demo, Filter()) == []
