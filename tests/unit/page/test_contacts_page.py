"""Contacts and companies on the page: lists by name, a contact's or company's page with mail and picture, and the contact's
form."""

import re
from urllib.parse import quote
from xml.etree import ElementTree

import pytest

from mailweir.store.people import companies, contact_lists, contacts, users
from mailweir.store.record import monthly
from mailweir.store.web import change_log
from mailweir.store.web.accounts import Role
from mailweir.visibility import Visibility
from tests.page import JANE, Browser, Page
from tests.page_mail import ANNA, link, mail, restrict

HOSTILE = "<script>alert(1)</script>\"'><b>"


def names(text: str) -> list[str]:
    """The names in a list's rows."""
    return re.findall(r'<a class="subject" href="[^"]+"><bdi>([^<]*)</bdi>', text)


def _walk(browser: Browser, path: str, words: str) -> tuple[list[list[str]], str]:
    """The names on each page, reached by the link with these words; and the last page's path."""
    found: list[list[str]] = []
    for _ in range(20):
        text = browser.text(path)
        found.append(names(text))
        if not link(text, words):
            break
        path = link(text, words)
    return found, path


@pytest.fixture
def people(page: Page) -> Page:
    """The page with contacts beside jane, in random order."""
    for name, address in (
        ("zoe Zimmer", "zoe@z.example"),
        ("Anders Ek", "ek@firma.example"),
        ("Ben_Li", "100%@odd.example"),
        ("bob Jansen", "bob@client.example"),
    ):
        contacts.add(page.database, page.demo, name, [address], None, page.clock())
    contacts.add(page.database, page.other, "Jana Other", ["jana@client.example"], None, page.clock())
    return page


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("", ["Anders Ek", "Ben_Li", "bob Jansen", "Jane Doe", "zoe Zimmer"]),
        ("jan", ["bob Jansen", "Jane Doe"]),
        ("JANE", ["Jane Doe"]),
        ("jane  d", ["Jane Doe"]),
        ("zoe@", ["zoe Zimmer"]),
        ("client.ex", ["bob Jansen", "Jane Doe"]),
        ("@client.example", ["bob Jansen", "Jane Doe"]),
        ("ane", []),
        ("%", []),
        ("100%", ["Ben_Li"]),
        ("Ben_", ["Ben_Li"]),
        ("B_n", []),
        ("!", []),
        ("'; --", []),
        ("\x00", []),
    ],
)
def test_contacts_are_found_by_how_they_begin(people: Page, typed: str, wanted: list[str]) -> None:
    assert names(people.browser("richard").text(f"/contacts?q={quote(typed)}")) == wanted


def test_contacts_are_walked_there_and_back(page: Page) -> None:
    with page.database.transaction():
        for number in range(62):
            contacts.add(page.database, page.demo, "Many", [f"same{number}@many.example"], None, page.clock())
            contacts.add(
                page.database, page.demo, f"Many {number:02d}", [f"m{number}@many.example"], None, page.clock()
            )
    browser = page.browser("richard")
    there, last = _walk(browser, "/contacts?q=many", "Next")
    assert there == [["Many"] * 50, ["Many"] * 12 + [f"Many {number:02d}" for number in range(38)], there[2]]
    assert there[2] == [f"Many {number:02d}" for number in range(38, 62)]
    back, first = _walk(browser, last, "Previous")
    assert back == there[::-1]
    assert not link(browser.text(first), "Previous")


def test_a_page_of_contacts_is_beside_one_of_its_own_deployment(people: Page) -> None:
    """Law 4: the id of another deployment's contact is no place in the list."""
    theirs = contact_lists.page(people.database, people.other).contacts[0].id
    found = contact_lists.page(people.database, people.demo, after=theirs).contacts
    assert [one.name for one in found] == []


def test_a_removed_contact_is_in_no_list_and_has_its_page(page: Page) -> None:
    page.deliver()
    contacts.remove_address(page.database, page.demo, JANE, page.clock())
    browser = page.browser("richard")
    assert names(browser.text("/contacts")) == []
    assert "This contact was removed." in browser.text("/contacts/1")
    assert "An offer" in browser.text("/contacts/1")


def test_a_contacts_page_says_who_may_read_what_comes(page: Page) -> None:
    contacts.set_visibility(page.database, page.demo, JANE, Visibility.METADATA)
    text = page.browser("richard").text("/contacts/1")
    assert "only its participants may read it" in text
    assert JANE in text
    assert 'href="/companies/1"' in text


def test_the_picture_is_a_table_too(page: Page) -> None:
    page.deliver(mail("1"))
    browser = page.browser("richard")
    assert '<img class="months" src="/contacts/1/months.svg"' in browser.text("/contacts/1")
    drawn = browser.text("/contacts/1/months.svg")
    assert drawn.count("<rect ") == 1
    assert "Mail in the last 12 months: 1" in drawn
    text = browser.text("/contacts/1/months")
    assert re.findall(r'<th scope="row">(\w+ \d{4})</th><td>([1-9]\d*)</td>', text) == [("November 2026", "1")]
    assert len(re.findall(r'<th scope="row">\w+ \d{4}</th>', text)) == 12
    assert "1 mail in the last 12 months" in text


def test_the_picture_is_a_document_of_its_own_that_is_kept_nowhere(sqlite_page: Page) -> None:
    sqlite_page.deliver(mail("1"))
    browser = sqlite_page.browser("richard")
    for path in ("/contacts/1/months.svg", "/companies/1/months.svg"):
        answer = browser.get(path)
        headers = answer.headers
        assert (answer.status_code, headers["Content-Type"]) == (200, "image/svg+xml; charset=utf-8")
        assert (headers["Cache-Control"], headers["X-Content-Type-Options"]) == ("no-store", "nosniff")
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; ")
        assert "sandbox" in headers["Content-Security-Policy"]
        drawn = ElementTree.fromstring(answer.get_data())
        assert drawn.tag == "{http://www.w3.org/2000/svg}svg"
        assert sqlite_page.browser().get(path).status_code == 303
        assert sqlite_page.browser("root", role=None).get(path).status_code == 404
    for path in (
        "/contacts/999/months.svg",
        "/contacts/999/months",
        "/companies/999/months.svg",
        "/companies/999/months",
    ):
        assert browser.get(path).status_code == 404


def test_the_picture_says_where_it_counts_a_part(sqlite_page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        sqlite_page.deliver(mail(str(number)))
    monkeypatch.setattr(monthly, "LOOKED_AT", 1)
    browser = sqlite_page.browser("richard")
    for path in ("/contacts/1/months.svg", "/contacts/1/months"):
        assert "there were more than are counted here" in browser.text(path)


def test_a_company_shows_its_people_and_their_mail(page: Page) -> None:
    number = page.deliver(mail("1"))
    restrict(page, page.deliver(mail("2", "Hidden"), ANNA), Visibility.PARTICIPANTS)
    text = page.browser("richard").text("/companies/1")
    assert "Jane Doe" in text
    assert re.findall(r'class="subject" href="/activities/(\d+)"', text) == [str(number)]
    for path in ("/companies/1/months.svg", "/companies/1/months"):
        assert "1 mail in the last 12 months" in page.browser("richard").text(path)


def test_a_companys_many_people_are_paged(sqlite_page: Page) -> None:
    with sqlite_page.database.transaction():
        for number in range(30):
            address = f"p{number}@client.example"
            contacts.add(
                sqlite_page.database, sqlite_page.demo, f"P {number:02d}", [address], "Client Ltd", sqlite_page.clock()
            )
    browser = sqlite_page.browser("richard")
    first = browser.text("/companies/1")
    (path,) = re.findall(r'<a href="([^"]+)">More people</a>', first)
    both = first + browser.text(path)
    assert {f"P {number:02d}" for number in range(30)} == set(re.findall(r"<bdi>(P \d\d)</bdi>", both))


def test_companies_are_found_by_how_they_begin(page: Page) -> None:
    companies.add(page.database, page.demo, "Bolts & Co", "bolts.example", page.clock())
    companies.add(page.database, page.other, "Bolts elsewhere", None, page.clock())
    browser = page.browser("richard")
    assert names(browser.text("/companies")) == ["Bolts &amp; Co", "Client Ltd"]
    assert names(browser.text("/companies?q=co")) == ["Bolts &amp; Co"]
    assert names(browser.text("/companies?q=bolts.ex")) == ["Bolts &amp; Co"]
    assert "No company begins with that." in browser.text("/companies?q=x")


def test_companies_are_walked_there_and_back(page: Page) -> None:
    with page.database.transaction():
        for number in range(110):
            companies.add(page.database, page.demo, f"Firm {number:03d}", None, page.clock())
    browser = page.browser("richard")
    there, last = _walk(browser, "/companies?q=firm", "Next")
    assert [one for found in there for one in found] == [f"Firm {number:03d}" for number in range(110)]
    assert _walk(browser, last, "Previous")[0] == there[::-1]


def test_empty_lists_say_what_to_do(page: Page) -> None:
    contacts.remove_address(page.database, page.demo, JANE, page.clock())
    text = page.browser("richard").text("/contacts")
    assert "There are no contacts yet." in text
    assert 'href="/contacts/new"' in text


# --- the form ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "role"), [("richard", Role.USER), ("boss", Role.ADMIN)])
def test_a_user_makes_a_contact(page: Page, name: str, role: Role) -> None:
    fields = {"name": "Bo Li", "addresses": "Bo@Bolts.example\n\n bo@home.example ", "company": "client ltd"}
    browser = page.browser(name, role)
    answer = browser.post("/contacts/new", fields)
    assert answer.status_code == 303
    text = browser.text(answer.headers["Location"])
    assert "The contact is added." in text
    (made,) = [one for one in contacts.list_all(page.database, page.demo) if one.name == "Bo Li"]
    assert (made.addresses, made.company) == (("bo@bolts.example", "bo@home.example"), "Client Ltd")
    (change,) = change_log.select(page.database, page.demo.id, None, 10)
    assert (change.changed_by, change.what, change.subject) == (name, "contact.added", "Bo Li")
    page.clock.pass_by(3_600)
    assert "The contact is added." not in browser.text(f"/contacts/{made.id}?made=1")


def test_mail_of_a_contact_that_was_made_is_kept(page: Page) -> None:
    page.browser("richard").post("/contacts/new", {"name": "Bo", "addresses": "bo@bolts.example"})
    number = page.deliver(mail("1", From="bo@bolts.example"))
    assert f"/activities/{number}" in page.browser("richard").text("/activities")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": "", "addresses": "a@b.example"}, "name is empty"),
        ({"name": "Bo", "addresses": ""}, "Give the address"),
        ({"name": "Bo", "addresses": "nonsense"}, "is not a mail address"),
        ({"name": "Bo", "addresses": HOSTILE}, "is not a mail address"),
        ({"name": HOSTILE + "\u202ex", "addresses": "a@b.example"}, "control character"),
        ({"name": "Bo", "addresses": "a@b.example", "company": HOSTILE}, "no company of this name"),
        ({"name": "Bo", "addresses": JANE}, "already an address of the contact"),
        ({"name": "Bo", "addresses": "anna@firm.example"}, "already an address of the user"),
        ({"name": "Bo", "addresses": "x@demo.example.net"}, "capture domain"),
        ({"name": "Bo", "addresses": "a@b.example\na@b.example"}, "given twice"),
        ({"name": "Bo", "addresses": "\n".join(f"a{number}@b.example" for number in range(21))}, "more than 20"),
        ({"name": "x" * 201, "addresses": "a@b.example"}, "longer than 200"),
    ],
)
def test_what_cant_be_is_said_and_the_form_keeps_what_was_typed(page: Page, fields: dict[str, str], words: str) -> None:
    answer = page.browser("richard").post("/contacts/new", fields)
    text = answer.get_data(as_text=True)
    assert (answer.status_code, words in text) == (400, True)
    assert "<script>alert" not in text
    assert 'name="addresses"' in text
    assert [one.name for one in contacts.list_all(page.database, page.demo)] == ["Jane Doe"]
    assert change_log.select(page.database, page.demo.id, None, 10) == []


def test_an_address_that_is_taken_leads_to_whose_it_is(page: Page) -> None:
    text = page.browser("richard").post("/contacts/new", {"name": "Bo", "addresses": JANE}).get_data(as_text=True)
    assert 'href="/contacts/1"' in text
    assert f">{JANE}</textarea>" in text
    assert 'value="Bo"' in text


@pytest.mark.parametrize("field", ["name", "address", "company"])
def test_a_link_fills_the_form_in_and_makes_nothing(page: Page, field: str) -> None:
    text = page.browser("richard").text(f"/contacts/new?{field}={quote(HOSTILE)}")
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&#34;&#39;&gt;&lt;b&gt;" in text
    assert len(contacts.list_all(page.database, page.demo)) == 1


def test_names_are_text(page: Page) -> None:
    companies.add(page.database, page.demo, HOSTILE, None, page.clock())
    contacts.add(page.database, page.demo, HOSTILE, ["h@h.example"], HOSTILE, page.clock())
    users.set_visibility(page.database, page.demo, "anna", Visibility.METADATA)
    page.deliver(mail("1", From="h@h.example"))
    for path in ("/contacts", "/contacts/3", "/companies", "/companies/3", "/activities", "/todos", "/contacts/new"):
        text = page.browser("richard").text(path)
        assert "<script>alert" not in text
        assert "><b>" not in text


def test_another_deployments_are_not_there(page: Page) -> None:
    browser = page.browser("bob", deployment=page.other)
    assert [browser.get(path).status_code for path in ("/contacts/1", "/companies/1")] == [404, 404]
    assert [browser.get(path).status_code for path in ("/contacts/2", "/companies/2")] == [200, 200]


def test_a_long_list_has_a_bound(sqlite_page: Page) -> None:
    with sqlite_page.database.transaction():
        for number in range(60):
            addresses = [f"{'a' * 60}{number}-{other}@{'b' * 60}.example" for other in range(5)]
            name = f"{number}" + "<" * 190
            contacts.add(sqlite_page.database, sqlite_page.demo, name, addresses, None, sqlite_page.clock())
    text = sqlite_page.browser("richard").text("/contacts")
    assert len(names(text)) == 50
    assert len(text.encode()) < 60_000
