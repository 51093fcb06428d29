"""A form that is saved unchanged leaves no note in the log of changes. The first form that changes something leaves one."""

from collections.abc import Callable

import pytest

from mailweir.store.people import companies, contacts, users
from mailweir.store.web import change_log
from mailweir.store.web.accounts import Role
from tests.gmail_rows import connect
from tests.page import Page

Fields = dict[str, str]


def _user(page: Page) -> str:
    return f"/admin/users/{users.find(page.database, page.demo, 'pat').id}"


def _contact(page: Page) -> str:
    return f"/admin/contacts/{contacts.list_all(page.database, page.demo)[0].id}"


def _company(page: Page) -> str:
    return f"/admin/companies/{companies.list_all(page.database, page.demo)[0].id}"


def _account(page: Page) -> str:
    return f"/admin/accounts/{page.account('anna').id}"


def _message(page: Page) -> str:
    return f"/activities/{page.deliver()}"


def _rules(page: Page) -> str:
    return "/admin/rules"


def _google(page: Page) -> str:
    connect(page.database, page.demo, "richard", page.clock())
    return "/integrations/google"


@pytest.mark.parametrize(
    ("place", "way", "fields", "noted"),
    [
        (_user, "", {"name": "Pat P.", "mailbox": "p@firm.example"}, ["user.changed"]),
        (_user, "/visibility", {"visibility": "metadata"}, ["user.visibility"]),
        (_contact, "", {"name": "Jane D.", "company": "Another"}, ["contact.changed"]),
        (_contact, "", {"name": "Jane D.", "company": ""}, ["contact.changed"]),
        (_contact, "/visibility", {"visibility": "metadata"}, ["contact.visibility"]),
        (_company, "", {"name": "Client Inc", "domain": "client.example"}, ["company.changed"]),
        (_company, "/visibility", {"visibility": "participants"}, ["company.visibility"]),
        (_company, "/auto-contacts", {}, []),
        (_account, "/role", {"role": "admin", "user": "anna"}, ["account.role"]),
        (_message, "/visibility", {"visibility": "everyone"}, ["activity.visibility"]),
        (_rules, "", {"pattern": "@bank.example", "user": ""}, ["never_log.looked", "never_log.added"]),
        (_google, "/options", {"outbound": "on"}, ["gmail.directions_set"]),
        (_google, "/retry", {}, []),
    ],
)
def test_the_same_again_isnt_noted(
    page: Page, place: Callable[[Page], str], way: str, fields: Fields, noted: list[str]
) -> None:
    path = place(page) + way
    browser = page.browser("richard", Role.ADMIN)
    for _ in range(2):
        assert browser.post(path, fields).status_code == 303
    assert [one.what for one in change_log.select(page.database, page.demo.id, None, 20)] == noted


def test_a_form_that_comes_as_it_was_shown_changes_nothing(page: Page) -> None:
    """This happens when somebody opens it and saves."""
    boss = page.browser("boss", Role.ADMIN)
    for path, fields in (
        (_user(page), {"name": "Pat", "mailbox": "pat@firm.example"}),
        (_contact(page), {"name": "Jane Doe", "company": "Client Ltd"}),
        (_company(page), {"name": "Client Ltd", "domain": ""}),
        (f"{_user(page)}/visibility", {"visibility": "everyone"}),
    ):
        assert boss.post(path, fields).status_code == 303
    assert change_log.select(page.database, page.demo.id, None, 20) == []


def test_signing_out_somebody_who_isnt_signed_in_isnt_noted(page: Page) -> None:
    boss, way = page.browser("boss", Role.ADMIN), f"{_account(page)}/sign-out"
    assert boss.post(way).status_code == 303
    assert change_log.select(page.database, page.demo.id, None, 20) == []
    page.browser("anna")
    assert [boss.post(way).status_code for _ in range(2)] == [303, 303]
    assert [one.what for one in change_log.select(page.database, page.demo.id, None, 20)] == ["account.signed_out"]


def test_boxes_of_google_that_stay_leave_the_sweep_alone(page: Page) -> None:
    path = f"{_google(page)}/options"
    epoch = "SELECT epoch FROM gmail_mailboxes"
    before = page.database.execute(epoch).fetchall()
    assert page.browser("richard").post(path, {"inbound": "on", "outbound": "on"}).status_code == 303
    assert page.database.execute(epoch).fetchall() == before
