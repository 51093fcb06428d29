"""The admin's pages on users, contacts and companies: their changes, their refusals, and the log entries."""

from typing import Any

import pytest

from mailweir.store.database.moments import rfc3339
from mailweir.store.gmail import gmail_connections, gmail_mailboxes, gmail_revocations
from mailweir.store.people import companies, company_edits, contact_edits, contacts, users
from mailweir.store.people.contacts import Contact
from mailweir.store.people.users import User
from mailweir.store.web import change_log
from mailweir.store.web.accounts import Role
from tests.page import JANE, Browser, Page


@pytest.fixture
def boss(page: Page) -> Browser:
    """An admin of `demo` who isn't a user, on each database."""
    return page.browser("boss", Role.ADMIN)


@pytest.fixture
def quick_boss(sqlite_page: Page) -> Browser:
    """The same on SQLite."""
    return sqlite_page.browser("boss", Role.ADMIN)


def _noted(page: Page) -> list[tuple[str, str, str]]:
    found = change_log.select(page.database, page.demo.id, None, 20)
    return [(one.what, one.subject, one.changed_by) for one in found]


def _user(page: Page, name: str = "pat") -> User:
    (found,) = [one for one in users.list_all(page.database, page.demo) if one.username == name]
    return found


def _jane(page: Page) -> Contact:
    (found,) = contacts.list_all(page.database, page.demo)
    return found


# --- access ----------------------------------------------------------------------------------------------------------

PATHS = (
    "/admin",
    "/admin/users",
    "/admin/groups",
    "/admin/contacts",
    "/admin/contacts/import",
    "/admin/companies",
    "/admin/rules",
    "/admin/visibility",
    "/admin/jobs",
    "/admin/changes",
)


@pytest.mark.parametrize("path", PATHS)
def test_admins_and_operators_open_it_and_nobody_else(sqlite_page: Page, path: str) -> None:
    page = sqlite_page
    admin, operator, user = page.browser("boss", Role.ADMIN), page.browser("root", role=None), page.browser("richard")
    assert [one.get(path).status_code for one in (admin, operator, user, page.browser())] == [200, 200, 404, 303]


def test_ids_of_another_deployment_arent_there(page: Page, boss: Browser) -> None:
    theirs = {
        "users": [one.id for one in users.list_all(page.database, page.other)],
        "contacts": [one.id for one in contacts.list_all(page.database, page.other)],
        "companies": [one.id for one in companies.list_all(page.database, page.other)],
    }
    for noun, ids in theirs.items():
        for path in [f"/admin/{noun}/{one}" for one in (*ids, 0, 2**63, 10**30)]:
            assert boss.get(path).status_code == 404, path
            assert boss.get(f"{path}/remove").status_code == 404, path
            assert boss.post(f"{path}/remove", {"typed": "richard"}).status_code == 404, path
            assert boss.post(f"{path}/visibility", {"visibility": "everyone"}).status_code == 404, path
    assert len(users.list_all(page.database, page.other)) == 2
    assert len(contacts.list_all(page.database, page.other)) == 1


# --- users ------------------------------------------------------------------------------------------------------------


def test_a_user_is_added_changed_and_noted(page: Page, boss: Browser) -> None:
    answer = boss.post("/admin/users", {"username": "Kim", "mailbox": "kim@firm.example", "name": "Kim Lee"})
    kim = _user(page, "kim")
    assert answer.headers["Location"] == f"/admin/users/{kim.id}?done=added"
    way = f"/admin/users/{kim.id}"
    assert boss.post(f"{way}/addresses", {"address": "k.lee@firm.example"}).status_code == 303
    assert boss.post(f"{way}/visibility", {"visibility": "metadata"}).status_code == 303
    assert _user(page, "kim").addresses == ("kim@firm.example", "k.lee@firm.example")
    assert boss.post(f"{way}/addresses/remove", {"address": "k.lee@firm.example"}).status_code == 303
    assert (_user(page, "kim").addresses, _user(page, "kim").visibility) == (("kim@firm.example",), "metadata")
    assert [what for what, subject, by in _noted(page) if (subject, by) == ("kim", "boss")] == [
        "user.address_removed",
        "user.visibility",
        "user.address_added",
        "user.added",
    ]
    assert "added an address to the user" in boss.text("/admin/changes")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"username": "richard", "mailbox": "r@firm.example"}, "there is a user richard in demo already"),
        ({"username": "log", "mailbox": "r@firm.example"}, "is reserved"),
        ({"username": "kim", "mailbox": "no address"}, "is not a mail address"),
        ({"username": "kim", "mailbox": "kim@demo.example.net"}, "mail to it would loop"),
        ({"username": "kim", "mailbox": "jane@client.example"}, "already an address of the contact Jane Doe"),
        ({}, "be a username"),
    ],
)
def test_a_user_that_cant_be_is_refused_and_the_fields_are_kept(
    sqlite_page: Page, quick_boss: Browser, fields: dict[str, str], reason: str
) -> None:
    answer = quick_boss.post("/admin/users", fields)
    shown = answer.get_data(as_text=True)
    assert (answer.status_code, reason in shown) == (400, True), shown
    assert f'value="{fields.get("mailbox", "")}"' in shown
    assert (len(users.list_all(sqlite_page.database, sqlite_page.demo)), _noted(sqlite_page)) == (3, [])


def test_a_user_gets_another_name_and_mailbox(page: Page, boss: Browser) -> None:
    way = f"/admin/users/{_user(page).id}"
    sent = {"name": " Pat  Moss ", "mailbox": "P.Moss@firm.example"}
    assert boss.post(way, sent).headers["Location"] == f"{way}?done=saved"
    changed = _user(page)
    assert (changed.name, changed.mailbox, changed.username) == ("Pat Moss", "p.moss@firm.example", "pat")
    assert changed.addresses == ("p.moss@firm.example", "pat@firm.example"), "the earlier mailbox stays an own address"
    assert _noted(page) == [("user.changed", "pat", "boss")]
    assert "Pat, pat@firm.example → Pat Moss, p.moss@firm.example" in boss.text("/admin/changes")
    assert boss.post(way, {"name": "", "mailbox": "pat@firm.example"}).status_code == 303, (
        "one of the user's own addresses"
    )
    assert (_user(page).name, _user(page).mailbox) == ("", "pat@firm.example")
    assert boss.post(f"{way}/addresses/remove", {"address": "p.moss@firm.example"}).status_code == 303
    assert _user(page).addresses == ("pat@firm.example",)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"name": "Pat", "mailbox": ""}, "is not a mail address"),
        ({"name": "Pat", "mailbox": "anna@firm.example"}, "already an address of the user anna"),
        ({"name": "Pat", "mailbox": "jane@client.example"}, "already an address of the contact Jane Doe"),
        ({"name": "Pat", "mailbox": "x@other.example.org"}, "mail to it would loop"),
        ({"name": "P" * 201, "mailbox": "new@firm.example"}, "longer than 200 characters"),
    ],
)
def test_a_change_of_a_user_that_cant_be_changes_nothing(
    sqlite_page: Page, quick_boss: Browser, fields: dict[str, str], reason: str
) -> None:
    before = _user(sqlite_page)
    answer = quick_boss.post(f"/admin/users/{before.id}", fields)
    shown = answer.get_data(as_text=True)
    assert (answer.status_code, reason in shown) == (400, True), shown
    assert f'value="{fields["mailbox"]}"' in shown
    assert (_user(sqlite_page), _noted(sqlite_page)) == (before, [])


def test_a_removal_says_what_ends_and_wants_the_username_typed(page: Page, boss: Browser) -> None:
    pat = _user(page)
    page.account("pat")
    shown = boss.text(f"/admin/users/{pat.id}/remove")
    assert "Mail to pat@demo.example.net is refused." in shown
    assert "Anybody who is signed in as pat is signed out." in shown
    assert boss.post(f"/admin/users/{pat.id}/remove", {"typed": "anna"}).status_code == 400
    assert boss.post(f"/admin/users/{pat.id}/remove").status_code == 400
    assert _user(page).id == pat.id
    assert boss.post(f"/admin/users/{pat.id}/remove", {"typed": "PAT"}).status_code == 303
    assert [one.username for one in users.list_all(page.database, page.demo)] == ["anna", "richard"]
    assert _noted(page) == [("user.removed", "pat", "boss")]


@pytest.mark.parametrize("sealed", [b"sealed", None])
def test_the_consent_of_a_removed_user_goes_back_to_google(page: Page, boss: Browser, sealed: bytes | None) -> None:
    """A mailbox of a service account has no consent."""
    pat, now = _user(page), page.clock()
    options: dict[str, Any] = {"inbound": True, "outbound": True, "now": now, "first_days": 7}
    gmail_connections.connect(page.database, page.demo, "pat", "pat@firm.example", token_sealed=sealed, **options)
    shown = boss.text(f"/admin/users/{pat.id}/remove")
    assert "The Gmail of pat@firm.example is no longer read." in shown
    assert ("The consent is given back to Google" in shown) == (sealed is not None)
    assert boss.post(f"/admin/users/{pat.id}/remove", {"typed": "pat"}).status_code == 303
    asked = gmail_revocations.of_user(page.database, pat.id)
    assert len(asked) == (sealed is not None)
    assert gmail_mailboxes.list_all(page.database, page.demo) == []


def test_an_audit_is_asked_of_a_mailbox_that_is_there(page: Page, boss: Browser) -> None:
    way = f"/admin/users/{_user(page).id}"
    assert boss.post(f"{way}/audit").status_code == 404
    gmail_connections.connect(
        page.database,
        page.demo,
        "pat",
        "pat@firm.example",
        inbound=True,
        outbound=True,
        token_sealed=b"sealed",
        now=page.clock(),
        first_days=7,
    )
    assert "pat@firm.example is connected." in boss.text(way)
    page.clock.pass_by(60)
    assert boss.post(f"{way}/audit").status_code == 303
    sql = "SELECT audit_due_at, next_sweep_at FROM gmail_mailboxes"
    assert page.database.execute(sql).fetchall() == [(rfc3339(page.clock()),) * 2]
    assert _noted(page) == [("gmail.audit_asked", "pat", "boss")]


# --- contacts ---------------------------------------------------------------------------------------------------------


def test_a_contact_is_added_with_a_company_that_is_made(page: Page, boss: Browser) -> None:
    fields = {"name": "Kim Lee", "addresses": "kim@new.example\r\nk.lee@new.example", "company": "New Ltd"}
    assert boss.post("/admin/contacts", fields).status_code == 303
    (kim,) = contact_edits.page(page.database, page.demo, "kim", None, 5)
    assert (kim.addresses, kim.company) == (("kim@new.example", "k.lee@new.example"), "New Ltd")
    assert _noted(page) == [("contact.added", "Kim Lee", "boss")]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"name": "Kim", "addresses": JANE, "company": "New Ltd"}, "already an address of the contact Jane Doe"),
        ({"name": "Kim", "addresses": "richard@firm.example"}, "already an address of the user richard"),
        ({"name": "Kim", "addresses": ""}, "1 to 100 mail addresses"),
        ({"name": "Kim", "addresses": " ".join(f"k{one}@new.example" for one in range(101))}, "1 to 100"),
        ({"name": "Ki\u202em", "addresses": "kim@new.example"}, "control character"),
        ({"name": "", "addresses": "kim@new.example"}, "name is empty"),
    ],
)
def test_a_contact_that_cant_be_is_refused_and_its_company_isnt_made(
    sqlite_page: Page, quick_boss: Browser, fields: dict[str, str], reason: str
) -> None:
    answer = quick_boss.post("/admin/contacts", fields)
    shown = answer.get_data(as_text=True)
    assert (answer.status_code, reason in shown) == (400, True), shown
    assert [one.name for one in companies.list_all(sqlite_page.database, sqlite_page.demo)] == ["Client Ltd"]
    assert (len(contacts.list_all(sqlite_page.database, sqlite_page.demo)), _noted(sqlite_page)) == (1, [])


def test_a_contact_is_changed_and_noted(page: Page, boss: Browser) -> None:
    way = f"/admin/contacts/{_jane(page).id}"
    assert boss.post(way, {"name": "Jane Roe", "company": ""}).status_code == 303
    assert boss.post(f"{way}/addresses", {"address": "j.roe@client.example"}).status_code == 303
    assert boss.post(f"{way}/visibility", {"visibility": "participants"}).status_code == 303
    assert boss.post(f"{way}/addresses/remove", {"address": JANE}).status_code == 303
    jane = _jane(page)
    assert (jane.name, jane.company, jane.addresses) == ("Jane Roe", None, ("j.roe@client.example",))
    assert jane.visibility == "participants"
    assert [what for what, _, _ in _noted(page)] == [
        "contact.address_removed",
        "contact.visibility",
        "contact.address_added",
        "contact.changed",
    ]


def test_the_last_address_and_anothers_stay(page: Page, boss: Browser) -> None:
    way = f"/admin/contacts/{_jane(page).id}"
    refused = boss.post(f"{way}/addresses/remove", {"address": JANE})
    assert (refused.status_code, "remove the contact instead" in refused.get_data(as_text=True)) == (400, True)
    assert boss.post(f"{way}/addresses/remove", {"address": "richard@firm.example"}).status_code == 404
    assert boss.post(f"{way}/visibility", {"visibility": "nobody"}).status_code == 400
    assert _jane(page).addresses == (JANE,)


def test_a_shared_address_needs_a_tick_and_another_name(page: Page, boss: Browser) -> None:
    fields = {"name": "Purchasing", "addresses": JANE}
    assert boss.post("/admin/contacts", fields).status_code == 400
    assert boss.post("/admin/contacts", {**fields, "shared": "on"}).status_code == 303
    (other,) = contact_edits.page(page.database, page.demo, "purch", None, 5)
    assert boss.post(f"/admin/contacts/{other.id}", {"name": "JANE DOE", "company": ""}).status_code == 400
    assert boss.post(f"/admin/contacts/{other.id}/remove").status_code == 303
    assert _jane(page).addresses == (JANE,), "the other contact keeps the shared address"


def test_a_removed_contact_is_gone_and_mail_makes_none_of_it(page: Page, boss: Browser) -> None:
    jane = _jane(page)
    assert JANE in boss.text(f"/admin/contacts/{jane.id}/remove")
    assert boss.post(f"/admin/contacts/{jane.id}/remove").status_code == 303
    assert contacts.list_all(page.database, page.demo) == []
    assert boss.get(f"/admin/contacts/{jane.id}").status_code == 404
    sql = "SELECT address FROM removed_addresses WHERE deployment_id = ?"
    assert page.database.execute(sql, (page.demo.id,)).fetchall() == [(JANE,)]


def test_contacts_are_found_by_name_and_address_and_paged_by_key(page: Page, boss: Browser) -> None:
    for number in range(60):
        contacts.add(page.database, page.demo, f"Per%son {number}", [f"p{number}@big.example"], None, page.clock())
    first = boss.text("/admin/contacts")
    assert ("Per%son 59" in first, "Per%son 10<" in first, "Jane Doe" in first) == (True, True, False)
    way = first.partition('href="/admin/contacts?before=')[2].partition('"')[0]
    second = boss.text(f"/admin/contacts?before={way}")
    assert ("Per%son 9<" in second, "Jane Doe" in second, "Per%son 10<" in second) == (True, True, False)
    for words, expected in (
        ("JANE", 1),
        ("r%s", 50),
        ("p1@big.example", 1),
        ("client.example", 1),
        ("else.example", 0),
    ):
        found = contact_edits.page(page.database, page.demo, words, None, 50)
        assert len(found) == expected, words
    assert "No contact has that" in boss.text("/admin/contacts?words=%25%25")


def test_hostile_names_are_shown_as_text(sqlite_page: Page, quick_boss: Browser) -> None:
    bad = "<script>alert(1)</script>\"'"
    contacts.add(sqlite_page.database, sqlite_page.demo, bad, ["x@bad.example"], None, sqlite_page.clock())
    companies.add(sqlite_page.database, sqlite_page.demo, bad, None, sqlite_page.clock())
    for path in ("/admin/contacts", "/admin/companies", f"/admin/contacts?words={bad}"):
        assert "<script>alert" not in quick_boss.text(path)
    for path, fields in (
        ("/admin/users", {"username": bad, "mailbox": bad}),
        ("/admin/contacts", {"name": "Kim", "addresses": bad, "company": bad}),
        ("/admin/rules", {"pattern": bad}),
    ):
        answer = quick_boss.post(path, fields)
        assert (answer.status_code, "<script>alert" in answer.get_data(as_text=True)) == (400, False), path


# --- companies --------------------------------------------------------------------------------------------------------


def test_a_company_is_added_changed_and_noted(page: Page, boss: Browser) -> None:
    assert boss.post("/admin/companies", {"name": "New Ltd", "domain": "New.Example"}).status_code == 303
    (new,) = company_edits.page(page.database, page.demo, "new.ex", None, 5)
    way = f"/admin/companies/{new.id}"
    assert boss.post(f"{way}/auto-contacts", {"is_on": "on"}).status_code == 303
    assert boss.post(way, {"name": "New Ltd", "domain": ""}).status_code == 400, "mail from the domain adds contacts"
    assert boss.post(f"{way}/auto-contacts").status_code == 303
    assert boss.post(way, {"name": "Newer Ltd", "domain": ""}).status_code == 303
    assert boss.post(way, {"name": "Client Ltd", "domain": ""}).status_code == 400
    assert boss.post(f"{way}/visibility", {"visibility": "metadata"}).status_code == 303
    after = company_edits.find(page.database, page.demo, new.id)
    assert (after.name, after.domain, after.visibility, after.auto_contacts) == ("Newer Ltd", None, "metadata", False)
    assert [what for what, _, _ in _noted(page)] == [
        "company.visibility",
        "company.changed",
        "company.auto_contacts",
        "company.auto_contacts",
        "company.added",
    ]


@pytest.mark.parametrize(("domain", "reason"), [("", "has no domain"), ("gmail.com", "anybody may have an address")])
def test_contacts_arent_made_by_a_domain_that_isnt_the_companys(
    sqlite_page: Page, quick_boss: Browser, domain: str, reason: str
) -> None:
    made = companies.add(sqlite_page.database, sqlite_page.demo, "New Ltd", domain or None, sqlite_page.clock())
    refused = quick_boss.post(f"/admin/companies/{made.id}/auto-contacts", {"is_on": "on"})
    assert (refused.status_code, reason in refused.get_data(as_text=True)) == (400, True)


def test_the_contacts_of_a_removed_company_stay(page: Page, boss: Browser) -> None:
    (client,) = companies.list_all(page.database, page.demo)
    assert "1 contact works for it" in boss.text(f"/admin/companies/{client.id}/remove")
    assert boss.post(f"/admin/companies/{client.id}/remove").status_code == 303
    assert companies.list_all(page.database, page.demo) == []
    assert _jane(page).company is None
    assert [one.company for one in contacts.list_all(page.database, page.other)] == ["Client Ltd"]


def test_an_admins_page_and_the_readers_lead_to_each_other(page: Page) -> None:
    page.account("richard", Role.ADMIN)
    browser = page.browser("richard")
    company = companies.list_all(page.database, page.demo)[0].id
    for noun, number in (("contacts", _jane(page).id), ("companies", company)):
        assert f'href="/{noun}/{number}"' in browser.text(f"/admin/{noun}/{number}")
        assert f'href="/admin/{noun}/{number}"' in browser.text(f"/{noun}/{number}")
        assert f"/admin/{noun}" not in page.browser("anna").text(f"/{noun}/{number}")
    assert 'href="/activities?user=pat"' in browser.text(f"/admin/users/{_user(page).id}")
