"""Folding: the spellings of one person's address, in the pure part and in the store."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailweir import address
from mailweir.contact_files.rows import Row
from mailweir.directory import ContactRef
from mailweir.errors import BadInput, NotFound
from mailweir.folding import EXACT, Folding
from mailweir.store.database.connection import Database
from mailweir.store.people import contact_import, contacts, deployments, users
from mailweir.store.people.deployments import Deployment
from mailweir.store.people.directory import SqlDirectory, Standing

ALL = Folding(plus_addresses=True, gmail_dots=True)
folding = st.builds(Folding, st.booleans(), st.booleans())
addresses = st.builds(
    "{}@{}".format,
    st.text("ab.+=_-\u00e9", min_size=1, max_size=12),
    st.sampled_from(["gmail.com", "googlemail.com", "client.example"]),
)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("jane+news@client.example", "jane@client.example"),
        ("jane+a+b@client.example", "jane@client.example"),
        ("+jane@client.example", "+jane@client.example"),
        ("j.a.n.e@client.example", "j.a.n.e@client.example"),
        ("j.a.n.e+x@gmail.com", "jane@gmail.com"),
        ("j.ane@googlemail.com", "jane@gmail.com"),
        ("..@gmail.com", "..@gmail.com"),
        ('"a+b"@client.example', '"a+b"@client.example'),
        ("jane@sub.gmail.com", "jane@sub.gmail.com"),
        ("j.ane@gmail.com.evil.example", "j.ane@gmail.com.evil.example"),
    ],
)
def test_what_an_address_is_matched_by(text: str, key: str) -> None:
    assert ALL.key(text) == key
    assert EXACT.key(text) == text


def test_the_choices_are_apart() -> None:
    assert Folding(plus_addresses=True).key("j.ane+x@gmail.com") == "j.ane@gmail.com"
    assert Folding(gmail_dots=True).key("j.ane+x@gmail.com") == "jane+x@gmail.com"


@given(folding, addresses)
def test_a_key_is_its_own_key_and_keeps_the_domain(chosen: Folding, text: str) -> None:
    key = chosen.key(text)
    assert chosen.key(key) == key
    assert address.split(key)[1] in (address.split(text)[1], "gmail.com")
    assert address.split(key)[0]


@pytest.fixture
def demo(database: Database, now: datetime) -> Deployment:
    """A deployment with one user and one contact at Gmail."""
    made = deployments.add(database, "demo", "demo.example.net", now)
    users.add(database, made, "richard", "richard+firm@firm.example", "", now)
    contacts.add(database, made, "Jane", ["j.ane@gmail.com"], None, now)
    return made


def _fold(database: Database, plus: bool | None = None, dots: bool | None = None) -> Deployment:
    return deployments.change_folding(database, "demo", plus_addresses=plus, gmail_dots=dots)


def test_it_is_off_until_it_is_switched_on_and_off_again_when_it_is_switched_off(
    database: Database, demo: Deployment
) -> None:
    directory = SqlDirectory(database)
    keys = ["richard@firm.example", "jane@gmail.com"]
    assert directory.people_with(demo.id, keys) == ({}, {})
    _fold(database, plus=True)
    assert list(directory.people_with(demo.id, keys).users) == ["richard@firm.example"]
    changed = _fold(database, dots=True)
    assert (changed.plus_addresses, changed.gmail_dots) == (True, True)
    found = directory.people_with(demo.id, keys)
    assert (list(found.users), found.contacts) == (
        ["richard@firm.example"],
        {"jane@gmail.com": (ContactRef(1, "jane@gmail.com"),)},
    )
    assert deployments.find(database, "demo") == changed
    assert directory.deployments(["demo.example.net"])["demo.example.net"].folding == ALL
    _fold(database, plus=False, dots=False)
    assert directory.people_with(demo.id, keys) == ({}, {})
    assert list(directory.people_with(demo.id, ["j.ane@gmail.com"]).contacts) == ["j.ane@gmail.com"]


def test_what_is_added_later_is_folded_too_and_can_not_be_taken_twice(
    database: Database, demo: Deployment, now: datetime
) -> None:
    demo = _fold(database, plus=True, dots=True)
    contacts.add(database, demo, "Joe", ["joe+work@client.example"], None, now)
    assert list(SqlDirectory(database).people_with(demo.id, ["joe@client.example"]).contacts) == ["joe@client.example"]
    with pytest.raises(BadInput, match="already an address of the contact Joe"):
        contacts.add(database, demo, "Other", ["joe@client.example"], None, now)
    with pytest.raises(BadInput, match="already an address of the user richard"):
        users.add(database, demo, "mary", "richard@firm.example", "", now)


def test_two_users_that_would_become_one_are_told_and_nothing_is_changed(
    database: Database, demo: Deployment, now: datetime
) -> None:
    users.add(database, demo, "mary", "richard+mary@firm.example", "", now)
    with pytest.raises(BadInput, match=r"of the user richard and richard\+mary@firm.example of mary would be one"):
        _fold(database, plus=True)
    assert deployments.find(database, "demo").plus_addresses is False
    assert list(SqlDirectory(database).people_with(demo.id, ["richard+firm@firm.example"]).users) != []
    with pytest.raises(NotFound):
        deployments.change_folding(database, "nobody", plus_addresses=True, gmail_dots=None)


@pytest.mark.parametrize(
    ("recipient", "off", "on"),
    [
        ("richard+x@demo.example.net", Standing.UNKNOWN, Standing.USER),
        ("log+x@demo.example.net", Standing.UNKNOWN, Standing.LOG),
        ("postmaster+x@demo.example.net", Standing.UNKNOWN, Standing.UNKNOWN),
        ("nobody+x@demo.example.net", Standing.UNKNOWN, Standing.UNKNOWN),
        ("bounce+x@demo.example.net", Standing.UNKNOWN, Standing.UNKNOWN),
        ("richard@demo.example.net", Standing.USER, Standing.USER),
    ],
)
def test_capture_addresses_take_tags_too(
    database: Database, demo: Deployment, recipient: str, off: Standing, on: Standing
) -> None:
    assert SqlDirectory(database).standing(recipient) is off
    _fold(database, plus=True)
    assert SqlDirectory(database).standing(recipient) is on


def test_an_import_takes_two_spellings_for_one_address(database: Database, demo: Deployment, now: datetime) -> None:
    demo = _fold(database, plus=True, dots=True)

    def take(*rows: Row) -> contact_import.Imported:
        prepared = contact_import.prepare(demo, rows, None, lambda _: None)
        return contact_import.run(database, demo, prepared, now, progress=lambda _: None)

    assert take(Row(1, "Jane", ("ja.ne+x@googlemail.com",), "")).unchanged == 1
    assert take(Row(1, "Other", ("jane@gmail.com",), "")).left_out == 1
    assert take(Row(1, "Joe", ("joe+a@client.example", "joe+b@client.example"), "")).added == 1
    assert take(Row(1, "Joe", ("joe+c@client.example",), "")).unchanged == 1
    assert take(Row(1, "R", ("richard@firm.example",), "")).left_out == 1
