"""The targets of links in lists and on a message, conversations with a single mail, and how much of a text a row shows."""

import re

import pytest

from mailweir.store.people import contact_edits, contacts, users
from mailweir.store.record import visibility
from mailweir.visibility import Visibility
from tests.page import JANE, Page
from tests.page_mail import ANNA, LOG, RICHARD, deliver_with_hidden_copy, mail

PATHS = ("/activities", "/todos", "/search?q=boiler", "/contacts/1", "/companies/1", "/activities/1")


def _links(text: str) -> set[tuple[str, str]]:
    """(URL, words) of the links in all rows, and in the message's head."""
    found = re.findall(r'<a href="([^"]+)"><bdi>([^<]*)</bdi></a>', text)
    return {(url, words) for url, words in found if url.startswith(("/contacts/", "/companies/", "/activities?user"))}


@pytest.mark.parametrize("path", PATHS)
def test_contacts_companies_and_users_lead_to_their_pages(page: Page, path: str) -> None:
    page.deliver(mail("1"), RICHARD)
    own = {("/contacts/1", "Jane Doe"), ("/companies/1", "Client Ltd"), ("/activities?user=richard", "richard")}
    wanted = {one for one in own if one[0] != path}
    assert _links(page.browser("richard").text(path)) == wanted, "a page has no link to itself"
    assert page.browser("anna").get("/activities?user=richard").status_code == 200


def test_a_conversation_has_links_too(page: Page) -> None:
    page.deliver(mail("1"), RICHARD)
    page.deliver(mail("2", "Re: An offer", In_Reply_To="<1@client.example>"), RICHARD)
    browser = page.browser("richard")
    (thread,) = set(re.findall(r"/threads/\d+", browser.text("/activities")))
    assert ("/contacts/1", "Jane Doe") in _links(browser.text(thread))
    assert "/threads/" not in re.sub("<title>.*", "", browser.text(thread)).split("<main")[1]


def test_whoever_is_no_contact_any_more_has_no_page(page: Page) -> None:
    number = page.deliver(mail("1"), RICHARD)
    contact_edits.remove(page.database, page.demo, contacts.list_all(page.database, page.demo)[0].id, page.clock())
    for path in ("/activities", f"/activities/{number}"):
        text = page.browser("richard").text(path)
        assert "Jane Doe" in text
        assert ("/contacts/1", "Jane Doe") not in _links(text)


def test_two_who_share_an_address_lead_to_their_own_pages(page: Page) -> None:
    contacts.add(page.database, page.demo, "Purchasing", [JANE], None, page.clock(), shared=True)
    number = page.deliver(mail("1"), RICHARD)
    for path in ("/activities", f"/activities/{number}"):
        found = {url: words for url, words in _links(page.browser("richard").text(path))}
        assert (found["/contacts/1"], found["/contacts/3"]) == ("Jane Doe", "Purchasing")


def test_who_is_in_bcc_has_no_link_but_for_the_sender(page: Page) -> None:
    deliver_with_hidden_copy(page)
    assert ("/contacts/3", "Joe Hidden") in _links(page.browser("richard").text("/activities"))
    assert "/contacts/3" not in page.browser("anna").text("/activities")


def test_a_mail_that_is_alone_has_no_conversation(page: Page) -> None:
    page.deliver(mail("1"), RICHARD)
    page.deliver(mail("2", "Another"), RICHARD)
    for path in ("/activities", "/todos"):
        assert "/threads/" not in page.browser("richard").text(path)
    page.deliver(mail("3", "Re: An offer", In_Reply_To="<1@client.example>"), RICHARD)
    for path in ("/activities", "/todos", "/search?q=boiler"):
        assert page.browser("richard").text(path).count('href="/threads/') == 2


@pytest.mark.parametrize("wanted", [Visibility.METADATA, Visibility.PARTICIPANTS])
def test_what_a_reader_may_not_read_makes_no_conversation(page: Page, wanted: Visibility) -> None:
    first = page.deliver(mail("1"), ANNA)
    page.deliver(mail("2", "Re: An offer", In_Reply_To="<1@client.example>"), RICHARD)
    visibility.set_by_hand(page.database, first, wanted, "anna", page.clock())
    assert 'href="/threads/' not in page.browser("richard").text("/activities")
    assert page.browser("anna").text("/activities").count('href="/threads/') == 2


def test_the_conversation_of_a_long_thread_is_found(page: Page) -> None:
    page.deliver(mail("1"), RICHARD)
    for number in range(2, 30):
        page.deliver(mail(str(number), "Re: An offer", In_Reply_To="<1@client.example>"), RICHARD)
    assert page.browser("richard").text("/activities").count('href="/threads/') == 29


def _text(browser_text: str) -> str:
    (found,) = re.findall(r'<p class="snippet"><bdi>(.*?)</bdi></p>', browser_text)
    return str(found)


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ("The boiler costs 100.", "The boiler costs 100."),
        ("boiler " * 60, ("boiler " * 28).rstrip() + "…"),
        ("運用回議" * 60, "運用回議" * 21 + "運用…"),
        ("&<>" * 60, "&amp;&lt;&gt;" * 20 + "…"),
    ],
)
def test_a_row_ends_behind_a_word(page: Page, body: str, shown: str) -> None:
    raw = mail("1", X_Test="proven").partition(b"\r\n\r\n")[0]
    head = raw + b"\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    page.deliver(head + body.encode() + b"\r\n", RICHARD)
    assert _text(page.browser("richard").text("/activities")) == shown


def test_what_was_read_earlier_ends_behind_a_word_too(page: Page) -> None:
    page.deliver(mail("1"), RICHARD)
    earlier = ("the boiler costs " * 20)[:200]
    with page.database.transaction():
        page.database.execute("UPDATE readings SET snippet = ?", (earlier,))
    assert _text(page.browser("richard").text("/activities")).endswith("costs the boiler…")


def test_a_removed_users_mail_is_listed(page: Page) -> None:
    page.deliver(mail("1", From="anna@firm.example", To=JANE, X_Test="proven"), LOG)
    users.remove(page.database, page.demo, "anna", page.clock())
    browser = page.browser("richard")
    assert ("/activities?user=anna", "anna") in _links(browser.text("/activities"))
    assert browser.get("/activities?user=anna").status_code == 200
