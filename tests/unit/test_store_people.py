"""Deployments, users, companies and contacts: creation, removal, and refusals."""

from datetime import datetime

import pytest

from mailweir.errors import BadInput, NotFound
from mailweir.store.database.connection import Database
from mailweir.store.people import companies, contacts, deployments, users
from mailweir.store.people.deployments import Deployment
from mailweir.store.people.directory import SqlDirectory, Standing


@pytest.fixture
def demo(database: Database, now: datetime) -> Deployment:
    return deployments.add(database, "demo", "demo.example.net", now)


@pytest.fixture
def other(database: Database, now: datetime) -> Deployment:
    return deployments.add(database, "other", "other.example.net", now)


def test_a_deployment_comes_back_as_it_was_made(database: Database, demo: Deployment, now: datetime) -> None:
    assert deployments.list_all(database) == [demo]
    assert deployments.find(database, "demo") == demo
    assert (demo.log_address, demo.created_at) == ("log@demo.example.net", now)


def test_an_unknown_deployment_is_answered_with_those_there_are(database: Database, demo: Deployment) -> None:
    with pytest.raises(NotFound, match="unknown deployment 'x'; there is: demo"):
        deployments.find(database, "x")


def test_a_name_or_capture_domain_is_taken_once(database: Database, demo: Deployment, now: datetime) -> None:
    with pytest.raises(BadInput, match="there is a deployment demo already"):
        deployments.add(database, "demo", "b.example.net", now)
    with pytest.raises(BadInput, match="taken by the deployment demo"):
        deployments.add(database, "b", "DEMO.example.net.", now)
    assert deployments.list_all(database) == [demo]


def test_a_capture_domain_may_not_hold_an_address_of_a_user(
    database: Database, demo: Deployment, now: datetime
) -> None:
    users.add(database, demo, "richard", "richard@mail.example.com", "", now)
    with pytest.raises(BadInput, match=r"richard of demo has the address richard@mail\.example\.com"):
        deployments.add(database, "b", "mail.example.com", now)
    # neither a domain with the same ending nor a domain that only matches a LIKE pattern
    deployments.add(database, "b", "ail.example.com", now)
    deployments.add(database, "c", "m_il.example.com", now)


def test_a_user_is_made_with_the_addresses_to_use(database: Database, demo: Deployment, now: datetime) -> None:
    made = users.add(database, demo, "Richard", "Richard@Example.com", "Richard", now)
    assert (made.username, made.mailbox) == ("richard", "richard@example.com")
    assert (made.capture_address, made.log_address) == ("richard@demo.example.net", "log@demo.example.net")
    assert users.list_all(database, demo) == [made]
    assert SqlDirectory(database).standing("richard@demo.example.net") is Standing.USER


def test_a_further_address_is_the_users_too_until_it_is_taken_off(
    database: Database, demo: Deployment, now: datetime
) -> None:
    users.add(database, demo, "richard", "richard@example.com", "", now)
    assert users.add_address(database, demo, "richard", "A@example.com").addresses == (
        "richard@example.com",
        "a@example.com",
    )
    assert "a@example.com" in SqlDirectory(database).people_with(demo.id, ["a@example.com"]).users
    assert users.remove_address(database, demo, "richard", "a@example.com").addresses == ("richard@example.com",)
    with pytest.raises(NotFound):
        users.remove_address(database, demo, "richard", "a@example.com")
    with pytest.raises(BadInput, match="main mailbox"):
        users.remove_address(database, demo, "richard", "richard@example.com")


def test_an_address_is_one_persons_in_a_deployment(
    database: Database, demo: Deployment, other: Deployment, now: datetime
) -> None:
    users.add(database, demo, "richard", "richard@example.com", "", now)
    contacts.add(database, demo, "Purchasing", ["jane@client.example"], None, now)
    with pytest.raises(BadInput, match="already an address of the user richard"):
        contacts.add(database, demo, "X", ["x@x.example", "richard@example.com"], None, now)
    with pytest.raises(BadInput, match="already an address of the contact Purchasing"):
        users.add(database, demo, "anna", "JANE@client.example", "", now)
    with pytest.raises(BadInput, match="already an address of the contact Purchasing"):
        users.add_address(database, demo, "richard", "jane@client.example")
    with pytest.raises(BadInput, match="already an address of the contact Purchasing"):
        contacts.add(database, demo, "Y", ["jane@client.example"], None, now)
    assert [contact.name for contact in contacts.list_all(database, demo)] == ["Purchasing"], "nothing half done"
    # law 4: another tenant knows nothing of it
    users.add(database, other, "richard", "richard@example.com", "", now)
    contacts.add(database, other, "Jane", ["jane@client.example"], None, now)


def test_a_mailbox_within_a_capture_domain_would_loop(
    database: Database, demo: Deployment, other: Deployment, now: datetime
) -> None:
    users.add(database, demo, "anna", "anna@example.com", "", now)
    for mailbox in ("richard@demo.example.net", "richard@OTHER.example.net."):
        with pytest.raises(BadInput, match="would loop"):
            users.add(database, demo, "richard", mailbox, "", now)
        with pytest.raises(BadInput, match="would loop"):
            users.add_address(database, demo, "anna", mailbox)
    with pytest.raises(BadInput, match="within the capture domain"):
        contacts.add(database, demo, "X", ["x@demo.example.net"], None, now)
    contacts.add(database, demo, "X", ["x@other.example.net"], None, now)


def test_a_removed_user_frees_username_and_addresses(database: Database, demo: Deployment, now: datetime) -> None:
    users.add(database, demo, "richard", "richard@example.com", "", now)
    assert users.remove(database, demo, "RICHARD", now).username == "richard"
    assert users.list_all(database, demo) == []
    assert SqlDirectory(database).standing("richard@demo.example.net") is Standing.UNKNOWN
    assert SqlDirectory(database).people_with(demo.id, ["richard@example.com"]).users == {}
    with pytest.raises(NotFound, match="unknown user 'richard'"):
        users.remove(database, demo, "richard", now)
    users.add(database, demo, "richard", "richard@example.com", "", now)


def test_a_username_is_taken_once_in_a_deployment(
    database: Database, demo: Deployment, other: Deployment, now: datetime
) -> None:
    users.add(database, demo, "richard", "richard@example.com", "", now)
    with pytest.raises(BadInput, match="there is a user richard in demo already"):
        users.add(database, demo, "RICHARD", "b@example.com", "", now)
    users.add(database, other, "richard", "b@example.com", "", now)
    with pytest.raises(NotFound):
        users.remove(database, demo, "anna", now)


def test_a_company_is_there_once(database: Database, demo: Deployment, other: Deployment, now: datetime) -> None:
    made = companies.add(database, demo, " Client  Ltd", "Client.Example.", now)
    assert (made.name, made.domain) == ("Client Ltd", "client.example")
    with pytest.raises(BadInput, match="there is a company 'Client Ltd'"):
        companies.add(database, demo, "Client Ltd", None, now)
    with pytest.raises(BadInput, match="not a domain name"):
        companies.add(database, demo, "B", "b c", now)
    companies.add(database, other, "Client Ltd", None, now)
    assert companies.list_all(database, demo) == [made]


def test_a_contact_has_several_addresses_and_a_company(database: Database, demo: Deployment, now: datetime) -> None:
    companies.add(database, demo, "Client Ltd", None, now)
    made = contacts.add(database, demo, "Jane", ["jane@client.example", "J@x.example"], "Client Ltd", now)
    assert (made.company, made.addresses) == ("Client Ltd", ("jane@client.example", "j@x.example"))
    assert contacts.list_all(database, demo) == [made]
    with pytest.raises(NotFound, match="unknown company 'Nobody'"):
        contacts.add(database, demo, "Joe", ["joe@client.example"], "Nobody", now)
    with pytest.raises(BadInput, match=r"a@x\.example is given twice"):
        contacts.add(database, demo, "Joe", ["a@x.example", "A@X.example."], None, now)
    assert contacts.list_all(database, demo) == [made]


def test_a_contact_goes_with_the_last_address(database: Database, demo: Deployment, now: datetime) -> None:
    contacts.add(database, demo, "Jane", ["jane@client.example", "j@x.example"], None, now)
    (left,) = contacts.remove_address(database, demo, "JANE@client.example", now)
    assert left.addresses == ("j@x.example",)
    assert contacts.list_all(database, demo) == [left]
    (gone,) = contacts.remove_address(database, demo, "j@x.example", now)
    assert gone.addresses == ()
    assert contacts.list_all(database, demo) == []
    assert SqlDirectory(database).people_with(demo.id, ["j@x.example"]).contacts == {}
    with pytest.raises(NotFound):
        contacts.remove_address(database, demo, "j@x.example", now)
    contacts.add(database, demo, "Jane", ["j@x.example"], None, now)


def test_what_is_another_deployments_is_not_removed(
    database: Database, demo: Deployment, other: Deployment, now: datetime
) -> None:
    contacts.add(database, demo, "Jane", ["jane@client.example"], None, now)
    with pytest.raises(NotFound):
        contacts.remove_address(database, other, "jane@client.example", now)
    assert len(contacts.list_all(database, demo)) == 1
    assert contacts.list_all(database, other) == []
