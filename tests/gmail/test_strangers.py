"""Mail of unknown people at a company, and of unknown addresses in known threads, in synced mailboxes."""

import pytest

from mailweir.store.people import companies, contacts, deployments
from mailweir.store.record import todos
from tests.gmail.calls import Kind
from tests.gmail.seen_twice import decisions
from tests.gmail.world import JANE, STRANGER, World, mail
from tests.held_mail import deciding

NEW, OTHER = "new@client.example", "other@client.example"
RICHARD = "richard@firm.example"
PROVEN, NOTHING = "X-Test: proven", "X-Test: nothing"


def _switched_on(world: World) -> None:
    companies.add(world.database, world.demo, "Client Ltd", "client.example", world.at)
    companies.set_auto_contacts(world.database, world.demo, "Client Ltd", world.at, is_on=True)


def _decide(world: World) -> None:
    with deciding(world.database, lambda: world.at) as digest:
        digest.work_off()


def _made(world: World) -> list[tuple[str, ...]]:
    return [one.addresses for one in contacts.list_all(world.database, world.demo) if one.origin == "company_domain"]


def test_a_proven_author_of_the_domain_becomes_a_contact(world: World) -> None:
    _switched_on(world)
    box = world.connect()
    world.settle()
    world.later(minutes=1)
    box.insert(mail("one", NEW, RICHARD, PROVEN), at=world.at)
    box.insert(mail("two", OTHER, RICHARD, NOTHING), at=world.at)
    box.insert(mail("three", STRANGER, RICHARD, PROVEN), at=world.at)
    world.settle()
    assert (world.record(), _made(world)) == ([], [])
    _decide(world)
    assert _made(world) == [(NEW,)]
    (found,) = world.record()
    assert (found.subject, found.routes, found.users, found.direction) == (
        "one",
        ("gmail_in",),
        ("richard",),
        "incoming",
    )
    assert sorted(decisions(world)) == [
        ("captured", "author is a contact"),
        ("ignored", "author of a company's domain who isn't proven"),
        ("ignored", "unknown author"),
    ]
    assert len(todos.select(world.database, world.demo, None, with_done=True)) == 1


def test_what_the_mailbox_sent_makes_contacts_without_a_signature(world: World) -> None:
    _switched_on(world)
    box = world.connect()
    world.settle()
    world.later(minutes=1)
    box.insert(mail("sent", RICHARD, f"New Person <{NEW}>"), labels=["SENT"], at=world.at)
    world.settle()
    _decide(world)
    (found,) = world.record()
    assert (found.direction, found.routes, [one.name for one in found.contacts]) == (
        "outgoing",
        ("gmail_out",),
        ["New Person"],
    )


def test_what_came_before_the_domain_was_switched_on_is_searched_for(world: World) -> None:
    box = world.connect()
    world.settle()
    world.later(minutes=1)
    box.insert(mail("early too", NEW, RICHARD, NOTHING), at=world.at)
    box.insert(mail("early", NEW, RICHARD, PROVEN), at=world.at)
    world.settle()
    assert set(decisions(world)) == {("ignored", "unknown author")}
    world.later(minutes=1)
    _switched_on(world)
    world.settle()
    _decide(world)
    # The contact's address is searched for, as if an admin had added it. That finds unproven mail, too.
    world.later(minutes=1)
    world.settle()
    assert sorted(world.subjects()) == ["early", "early too"]
    assert todos.select(world.database, world.demo, None, with_done=True) == []
    sql = "SELECT 1 FROM auto_contact_switches s JOIN gmail_mailboxes m ON s.id > m.backfilled_switch_id"
    assert world.database.execute(sql).fetchone() is None


def test_mail_that_isnt_held_is_never_downloaded(world: World) -> None:
    _switched_on(world)
    deployments.set_known_threads(world.database, "demo", is_on=True)
    box = world.connect()
    world.settle()
    world.later(minutes=1)
    box.insert(mail("stranger", STRANGER, RICHARD, "In-Reply-To: <else@mail.example>"), at=world.at)
    box.insert(mail("program", "no-reply@client.example", RICHARD, PROVEN), at=world.at)
    box.insert(mail("below", "new@mail.client.example", RICHARD, PROVEN), at=world.at)
    before = world.gmail.calls.counts(box.address)[Kind.GET_RAW]
    world.settle()
    assert world.gmail.calls.counts(box.address)[Kind.GET_RAW] == before


@pytest.mark.parametrize(
    ("user", "marked"), [("richard", {"begins": False, "answers": True}), ("mary", {"begins": False})]
)
def test_an_answer_in_a_thread_of_the_user_is_recorded(world: World, user: str, marked: dict[str, bool]) -> None:
    deployments.set_known_threads(world.database, "demo", is_on=True)
    boxes = {name: world.connect(name) for name in ("richard", "mary")}
    world.settle("richard")
    world.settle("mary")
    world.later(minutes=1)
    boxes["richard"].insert(mail("begins", JANE, RICHARD), at=world.at)
    world.settle("richard")
    _decide(world)
    world.later(minutes=1)
    answer = mail("answers", STRANGER, f"{user}@firm.example", "In-Reply-To: <begins@mail.example>")
    boxes[user].insert(answer, at=world.at)
    world.settle(user)
    _decide(world)
    assert {one.subject: one.known_thread for one in world.record()} == marked
