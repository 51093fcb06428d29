"""Contacts that mail from a company's domain makes: an admin's switches, and the contacts. On both databases."""

from datetime import UTC, datetime, timedelta

import pytest

from mailweir.decision import Reason
from mailweir.directory import DeploymentRef
from mailweir.errors import BadInput
from mailweir.folding import Folding
from mailweir.store.database.connection import Database
from mailweir.store.people import auto_contacts, companies, contacts, deployments, groups, users
from mailweir.store.people.auto_contacts import MAX_PER_DAY, Made
from mailweir.store.people.deployments import Deployment
from mailweir.store.people.directory import SqlDirectory

AT = datetime(2026, 11, 29, 3, 12, 55, tzinfo=UTC)
JANE = "jane@client.example"


@pytest.fixture
def demo(database: Database) -> Deployment:
    """A deployment with a user, and with a company whose domain makes contacts."""
    made = deployments.add(database, "demo", "demo.example.net", AT)
    users.add(database, made, "richard", "richard@firm.example", "Richard Roe", AT)
    companies.add(database, made, "Client Ltd", "client.example", AT)
    companies.set_auto_contacts(database, made, "Client Ltd", AT, is_on=True)
    return made


def _ref(database: Database, name: str = "demo") -> DeploymentRef:
    domain = deployments.find(database, name).domain
    with database.reading():
        return SqlDirectory(database).deployments([domain])[domain]


def _make(database: Database, normal: str, name: str = "Jane Doe", at: datetime = AT) -> Made:
    ref = _ref(database)
    with database.transaction():
        return auto_contacts.make(database, ref, normal, name, at)


# --- switches --------------------------------------------------------------------------------------------------------


def test_the_deployment_says_whether_any_company_is_on(database: Database, demo: Deployment) -> None:
    companies.add(database, demo, "Other Ltd", "other.example", AT)
    assert _ref(database).has_auto_contacts
    companies.set_auto_contacts(database, demo, "Other Ltd", AT, is_on=True)
    companies.set_auto_contacts(database, demo, "Client Ltd", AT, is_on=False)
    assert _ref(database).has_auto_contacts
    assert not companies.set_auto_contacts(database, demo, "Other Ltd", AT, is_on=False).auto_contacts
    assert not _ref(database).has_auto_contacts
    assert not _ref(database).known_threads
    deployments.set_known_threads(database, "demo", is_on=True)
    assert _ref(database).known_threads


@pytest.mark.parametrize(
    ("domain", "words"),
    [
        (None, "has no domain"),
        ("gmail.com", "anybody may have an address at gmail.com"),
        ("mail.gmx.de", "anybody may have an address"),
        ("firm.example", "the firm's own domain"),
        ("lists.example", "the firm's own domain"),
        ("demo.example.net", "the firm's own domain"),
        ("client.example", "already adds contacts to the company Client Ltd"),
    ],
)
def test_a_domain_that_is_not_one_companys_is_refused(
    database: Database, demo: Deployment, domain: str | None, words: str
) -> None:
    groups.add(database, demo, "sales@lists.example", AT)
    companies.add(database, demo, "Other Ltd", domain, AT)
    with pytest.raises(BadInput, match=words):
        companies.set_auto_contacts(database, demo, "Other Ltd", AT, is_on=True)
    assert [one.auto_contacts for one in companies.list_all(database, demo)] == [True, False]


def test_another_firms_domain_may_be_a_client(database: Database, demo: Deployment) -> None:
    other = deployments.add(database, "other", "other.example.org", AT)
    companies.add(database, other, "Firm", "firm.example", AT)
    assert companies.set_auto_contacts(database, other, "Firm", AT, is_on=True).auto_contacts
    with database.reading():
        assert SqlDirectory(database).auto_domains_among(demo.id, ["firm.example", "client.example"]) == {
            "client.example"
        }


# --- contacts --------------------------------------------------------------------------------------------------------


def test_a_contact_of_the_company_is_made_once(database: Database, demo: Deployment) -> None:
    first, again = _make(database, JANE), _make(database, JANE, "Somebody Else")
    assert (again.contact_id, again.is_new) == (first.contact_id, False)
    (made,) = contacts.list_all(database, demo)
    assert (made.id, made.name, made.company, made.addresses) == (first.contact_id, "Jane Doe", "Client Ltd", (JANE,))
    assert (made.origin, made.created_at) == ("company_domain", AT)
    assert contacts.add(database, demo, "Joe", ["joe@home.example"], None, AT).origin == "admin"


@pytest.mark.parametrize("normal", ["jane@other.example", "jane@mail.client.example", "jane@client.example.org"])
def test_another_domain_makes_none(database: Database, demo: Deployment, normal: str) -> None:
    assert _make(database, normal) == Made(None, Reason.UNKNOWN_AUTHOR)
    assert contacts.list_all(database, demo) == []


def test_a_company_that_was_switched_off_makes_none(database: Database, demo: Deployment) -> None:
    companies.set_auto_contacts(database, demo, "Client Ltd", AT, is_on=False)
    assert _make(database, JANE) == Made(None, Reason.UNKNOWN_AUTHOR)


def test_a_user_or_group_becomes_none(database: Database, demo: Deployment) -> None:
    groups.add(database, demo, "sales@client.example", AT)
    assert _make(database, "sales@client.example") == Made(None, Reason.UNKNOWN_AUTHOR)
    assert _make(database, "richard@firm.example") == Made(None, Reason.UNKNOWN_AUTHOR)


def test_a_domain_that_became_the_firms_makes_none(database: Database, demo: Deployment) -> None:
    users.add(database, demo, "mary", "mary@client.example", "", AT)
    assert _make(database, JANE) == Made(None, Reason.COMPANY_NOT_ALONE)


@pytest.mark.parametrize("spelling", [JANE, "jane+news@client.example"])
def test_a_removed_contact_is_not_made_again(database: Database, demo: Deployment, spelling: str) -> None:
    deployments.change_folding(database, "demo", plus_addresses=True, gmail_dots=None)
    _make(database, spelling)
    demo = deployments.find(database, "demo")
    contacts.remove_address(database, demo, JANE, AT)
    assert _make(database, spelling) == Made(None, Reason.COMPANY_REMOVED)
    with database.reading():
        assert SqlDirectory(database).removed_among(demo.id, [JANE, "joe@client.example"]) == {JANE}
    # an admin can make it by hand, and then it counts
    by_hand = contacts.add(database, demo, "Jane", [JANE], None, AT)
    assert _make(database, spelling) == Made(by_hand.id)


def test_what_is_removed_is_found_by_the_folding_of_then(database: Database, demo: Deployment) -> None:
    contacts.add(database, demo, "Jane", ["jane+news@client.example"], None, AT)
    contacts.remove_address(database, demo, "jane+news@client.example", AT)
    assert _make(database, "jane+news@client.example").reason is Reason.COMPANY_REMOVED
    deployments.change_folding(database, "demo", plus_addresses=True, gmail_dots=None)
    assert _ref(database).folding == Folding(plus_addresses=True)
    assert _make(database, JANE).reason is Reason.COMPANY_REMOVED


def test_a_domain_makes_so_many_a_day(database: Database, demo: Deployment) -> None:
    for number in range(MAX_PER_DAY):
        assert _make(database, f"p{number}@client.example").contact_id
    assert _make(database, JANE) == Made(None, Reason.COMPANY_LIMIT)
    assert _make(database, "p0@client.example").contact_id
    assert _make(database, JANE, at=AT + timedelta(days=1)).contact_id
    assert len(contacts.list_all(database, demo)) == MAX_PER_DAY + 1


def test_a_colleagues_name_is_not_a_contacts(database: Database, demo: Deployment) -> None:
    _make(database, JANE, "RICHARD  roe")
    assert [one.name for one in contacts.list_all(database, demo)] == ["jane"]


def test_nothing_of_another_deployment_counts(database: Database, demo: Deployment) -> None:
    other = deployments.add(database, "other", "other.example.org", AT)
    contacts.add(database, other, "Jane", [JANE], None, AT)
    contacts.remove_address(database, other, JANE, AT)
    users.add(database, other, "jane", JANE, "Jane Doe", AT)
    made = _make(database, JANE)
    assert made.contact_id
    assert [(one.id, one.name) for one in contacts.list_all(database, demo)] == [(made.contact_id, "Jane Doe")]
    assert contacts.list_all(database, other) == []
