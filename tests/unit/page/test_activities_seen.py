"""Lists of the record: which reader sees which part of a row (laws 4 and 13)."""

import re

import pytest

from mailweir.store.web.accounts import Role
from mailweir.visibility import Visibility
from tests.page import JANE, Page
from tests.page_mail import ANNA, RICHARD, deliver_with_hidden_copy, mail, restrict, shown

PATHS = (
    "/activities",
    "/search?q=boiler",
    "/contacts",
    "/contacts/1",
    "/contacts/new",
    "/companies",
    "/companies/1",
    "/why",
)
SECRET = "Merger talks"


@pytest.mark.parametrize("path", PATHS)
def test_operators_read_no_record(sqlite_page: Page, path: str) -> None:
    assert sqlite_page.browser("root", role=None).get(path).status_code == 404
    assert sqlite_page.browser().get(path).status_code == 303


@pytest.mark.parametrize(
    "path",
    ["/activities", "/search?q=merger", "/search?q=jane", "/contacts/1", "/companies/1", "/activities?user=anna"],
)
def test_what_is_its_participants_alone_is_in_nobody_elses_list(page: Page, path: str) -> None:
    number = page.deliver(mail("1", SECRET, "merger of the boiler works"), ANNA)
    restrict(page, number, Visibility.PARTICIPANTS)
    text = page.browser("richard").text(path)
    assert (shown(text), SECRET in text) == ([], False)
    assert shown(page.browser("anna").text(path)) == [str(number)]
    assert shown(page.browser("boss", Role.ADMIN).text(path)) == []


@pytest.mark.parametrize("form", ["months", "months.svg"])
@pytest.mark.parametrize("whose", ["/contacts/1", "/companies/1"])
def test_the_picture_counts_what_the_reader_may_know_of(page: Page, whose: str, form: str) -> None:
    restrict(page, page.deliver(mail("1", SECRET), ANNA), Visibility.PARTICIPANTS)
    page.deliver(mail("2"), ANNA)
    path = f"{whose}/{form}"
    assert "1 mail in the last 12 months" in page.browser("richard").text(path)
    assert "2 mails in the last 12 months" in page.browser("anna").text(path)


@pytest.mark.parametrize("path", ["/activities", "/search?q=jane", "/contacts/1", "/companies/1", f"/why?q={JANE}"])
def test_of_metadata_alone_no_word_of_the_mail_is_anywhere(page: Page, path: str) -> None:
    raw = mail("1", SECRET, "merger of the boiler works", List_Id="<x.client.example>")
    number = page.deliver(raw, ANNA)
    restrict(page, number, Visibility.METADATA)
    text = page.browser("richard").text(path).partition("</h1>")[2]
    text = re.sub(r"<select.*?</select>", "", text, flags=re.DOTALL)
    assert f"/activities/{number}" in text
    for word in ("Merger", "merger", "boiler works", "mailing list", "conversation"):
        assert word not in text
    assert JANE in text


def test_a_row_of_metadata_says_so(sqlite_page: Page) -> None:
    restrict(sqlite_page, sqlite_page.deliver(mail("1", SECRET), ANNA), Visibility.METADATA)
    assert "You may see only the people and the time" in sqlite_page.browser("richard").text("/activities")
    assert SECRET in sqlite_page.browser("anna").text("/activities")


def test_metadata_is_found_by_names_and_not_by_its_words(page: Page) -> None:
    number = page.deliver(mail("1", SECRET), ANNA)
    restrict(page, number, Visibility.METADATA)
    browser = page.browser("richard")
    assert shown(browser.text("/search?q=merger")) == []
    assert shown(browser.text("/search?q=jane")) == [str(number)]
    assert shown(browser.text("/activities?label=list")) == []


def _threads(page: Page, name: str) -> set[str]:
    """The conversations that the rows of an account's list link to."""
    return set(re.findall(r"/threads/\d+", page.browser(name).text("/activities")))


def test_a_row_leads_to_a_conversation_where_the_reader_sees_others_of_it(page: Page) -> None:
    first = page.deliver(mail("1", "Gaskets"), ANNA)
    page.deliver(mail("lone", "Something else"), ANNA)
    assert _threads(page, "pat") == set()
    page.deliver(mail("2", "Re: Gaskets", In_Reply_To="<1@client.example>"), RICHARD)
    assert len(_threads(page, "pat")) == len(_threads(page, "boss")) == 1
    restrict(page, first, Visibility.PARTICIPANTS)
    assert [len(_threads(page, name)) for name in ("pat", "richard", "anna")] == [0, 0, 1]


def test_a_conversation_is_what_the_reader_sees_all_of(page: Page) -> None:
    first = page.deliver(mail("1", SECRET), ANNA)
    second = page.deliver(mail("2", f"Re: {SECRET}", In_Reply_To="<1@client.example>"), RICHARD)
    restrict(page, first, Visibility.METADATA)
    (thread,) = _threads(page, "anna")
    assert _threads(page, "richard") == set()  # richard sees the second one alone
    assert shown(page.browser("richard").text(thread)) == [str(second)]
    assert shown(page.browser("anna").text(thread)) == [str(first), str(second)]
    restrict(page, second, Visibility.PARTICIPANTS)
    assert page.browser("pat").get(thread).status_code == 404
    assert page.browser("bob", deployment=page.other).get(thread).status_code == 404


@pytest.fixture
def hidden_copy(page: Page) -> int:
    """Richard's mail to jane, with joe in Bcc: a contact that only the sender may see."""
    return deliver_with_hidden_copy(page)


def _without_tags(text: str) -> str:
    return re.sub(r"<[^>]+>", "", text)


@pytest.mark.parametrize("path", ["/activities", "/search?q=boiler", "/contacts/1", "/companies/1"])
def test_bcc_is_shown_to_the_sender_alone(page: Page, hidden_copy: int, path: str) -> None:
    assert "Joe Hidden (Client Ltd) in Bcc" in _without_tags(page.browser("richard").text(path))
    text = page.browser("anna").text(path)
    assert str(hidden_copy) in shown(text)
    assert "Joe Hidden (Client Ltd)" not in _without_tags(text)
    assert "in Bcc" not in text


@pytest.mark.parametrize(
    "path", ["/activities?contact=joe@client.example", "/search?q=boiler&contact=joe@client.example", "/contacts/3"]
)
def test_bcc_puts_a_mail_into_the_contacts_list_for_the_sender_alone(page: Page, hidden_copy: int, path: str) -> None:
    assert shown(page.browser("richard").text(path)) == [str(hidden_copy)]
    assert shown(page.browser("anna").text(path)) == []


def test_deployments_are_apart(page: Page) -> None:
    """Law 4: both deployments have a user of the same name, with mail of the same client."""
    own = page.deliver(mail("1", "Of demo"), RICHARD)
    others = page.deliver(mail("1", "Of other"), "richard@other.example.org")
    bob = page.browser("bob", deployment=page.other)
    for path in ("/activities", "/search?q=boiler", "/activities?user=richard", f"/activities?contact={JANE}"):
        assert shown(page.browser("richard").text(path)) == [str(own)]
        assert shown(bob.text(path)) == [str(others)]
    for path in ("/contacts/1", "/companies/1", "/contacts/1?before=99", "/threads/1"):
        assert bob.get(path).status_code == 404
    for path in ("/activities?user=anna", "/search?q=boiler&user=anna"):
        assert bob.get(path).status_code == 400
