"""Every page shows invisible characters in a name, an address or a finding as their code. They turn nothing, and hide nothing.

The store refuses most of them in names. Here they are put into the database directly, as if they had come in other ways.
"""

import re
from collections.abc import Callable
from urllib.parse import quote

import pytest
from markupsafe import Markup
from werkzeug.datastructures import ImmutableMultiDict

from mailweir.store.web import change_log
from mailweir.store.web.accounts import Role
from tests.page import Page
from tests.page_mail import mail
from webapp import forms, unseen

BAD = "Jane\u202e\u200b\U000e0041Doe\u00ad"
CODED = r"Jane\u202e\u200b\U000e0041Doe\xad"
UNSEEN = re.compile("[\u00ad\u200b\u202a-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e0fff]")
OF_ADMINS = (
    *("/admin/contacts", "/admin/contacts/1", "/admin/contacts/1/remove", "/admin/companies", "/admin/companies/1"),
    *("/admin/companies/1/remove", "/admin/users", "/admin/users/1", "/admin/changes", "/admin/accounts"),
)
OF_USERS = (
    *("/contacts", "/contacts/1", "/companies", "/companies/1", "/activities", "/activities/1", "/todos"),
    *("/search?q=offer", "/why?q=jane%40client.example", "/threads/1"),
)


@pytest.fixture
def hostile(sqlite_page: Page) -> Page:
    """A page on which each name has invisible characters, and so have a mail's subject, Message-ID and file."""
    database, demo = sqlite_page.database, sqlite_page.demo
    sqlite_page.deliver(mail("1", f"An offer of {BAD}", X_Test="proven"))
    database.execute("UPDATE activities SET message_id = ?", (f"<{BAD}@client.example>",))
    for table in ("contacts", "companies", "users"):
        database.execute(f"UPDATE {table} SET name = ?", (BAD,))
    change_log.note(database, demo.id, "boss", "contact.added", BAD, f"{BAD}@client.example", sqlite_page.clock())
    return sqlite_page


@pytest.mark.parametrize("path", OF_ADMINS)
def test_an_admins_page_shows_what_is_unseen(hostile: Page, path: str) -> None:
    text = hostile.browser("boss", Role.ADMIN).text(path)
    assert UNSEEN.findall(text) == []


@pytest.mark.parametrize("path", OF_USERS)
def test_a_users_page_shows_what_is_unseen(hostile: Page, path: str) -> None:
    text = hostile.browser("richard").text(path)
    assert UNSEEN.findall(text) == []


def test_it_shows_as_its_code_and_the_rest_as_it_is(hostile: Page) -> None:
    boss = hostile.browser("boss", Role.ADMIN)
    assert f"<td>{CODED}</td>" in boss.text("/admin/changes")
    assert f"<h1>Remove {CODED}</h1>" in boss.text("/admin/contacts/1/remove")


def test_a_mails_own_text_stays_as_it_is(sqlite_page: Page) -> None:
    """Hebrew and Arabic mail often has marks that turn the direction, and a soft hyphen deceives nobody there."""
    one = sqlite_page.deliver(mail("1", text="\u05e9\u200fA long\u00adish <b>word"))
    assert "\u05e9\u200fA long\u00adish &lt;b&gt;word" in sqlite_page.browser("richard").text(f"/activities/{one}")


def test_texts_with_several_lines_keep_them(sqlite_page: Page) -> None:
    answer = sqlite_page.browser("richard").post("/contacts/new", {"name": "", "addresses": "a@b.example\nc@d.example"})
    assert ">a@b.example\nc@d.example</textarea>" in answer.get_data(as_text=True)


def test_what_is_no_text_and_markup_is_left_alone() -> None:
    given = [Markup("<b>\u202e</b>"), unseen.AsItIs("\u202e"), 3, None]
    assert [unseen.seen(one) for one in given] == given


def test_what_is_unseen_around_something_typed_goes(sqlite_page: Page) -> None:
    """For example, if an address is copied from a mail program."""
    browser = sqlite_page.browser("richard")
    given = "\u202a\u200b me@home.example\u202c\ufeff\n"
    assert browser.post("/integrations/contact", {"name": "\u200bAt home", "address": given}).status_code == 303
    assert "It is an address of the contact At home" in browser.text(f"/why?q={quote(given)}")


@pytest.mark.parametrize("piece", [" ", "\u200b", "a \u200b", "\x00"])
def test_a_long_field_is_read_in_linear_time(
    sqlite_page: Page, grows_linearly: Callable[[Callable[[int], object]], None], piece: str
) -> None:
    with sqlite_page.app.test_request_context(method="POST", data={"name": ""}) as context:

        def read(size: int) -> str:
            context.request.form = ImmutableMultiDict({"name": "x" + piece * (size // len(piece)) + "x"})
            return forms.text("name", 10**9)

        grows_linearly(read)
