"""Only its author may see a mail's Bcc: no list, count, picture, filter, search or answer shows it to others.

The hidden recipient works for a company of its own, because the company's pages could reveal it, too. On each database.
"""

import re

import pytest

from mailweir.store.people import companies, contacts
from mailweir.store.web.accounts import Role
from tests.held_mail import send
from tests.page import JANE, Browser, Page
from tests.page_mail import LOG, mail, shown

JOE = "joe@hidden.example"


@pytest.fixture
def sent(page: Page) -> int:
    """A mail of richard's to jane, with joe in Bcc. It is read afterwards, so that the index could include joe, too."""
    database, demo, now = page.database, page.demo, page.clock()
    companies.add(database, demo, "Hidden Co", None, now)
    joe = contacts.add(database, demo, "Joe Hidden", [JOE], "Hidden Co", now)
    raw = mail("hidden", "Okapi", From="richard@firm.example", To=JANE, X_Test="proven")
    (recorded,) = send(database, raw, "4Hidden", recipients=LOG, at=now)
    assert recorded.activity_id is not None
    sql = (
        "INSERT INTO activity_contacts (activity_id, contact_id, address, raw_message_id, is_bcc)"
        " SELECT activity_id, ?, ?, raw_message_id, 1 FROM activity_contacts WHERE activity_id = ?"
    )
    database.execute(sql, (joe.id, JOE, recorded.activity_id))
    page.read()
    return recorded.activity_id


def _others(page: Page) -> tuple[Browser, ...]:
    """A colleague, an admin who isn't a user, and a guest."""
    return page.browser("anna"), page.browser("boss", Role.ADMIN), page.browser("guest")


def _paths(page: Page) -> tuple[str, ...]:
    ids = {row[0]: row[1] for row in page.database.execute("SELECT name, id FROM companies").fetchall()}
    (joe,) = page.database.execute("SELECT id FROM contacts WHERE name = 'Joe Hidden'").fetchone()
    return (
        *("/activities?contact=joe%40hidden.example", "/activities?company=Hidden+Co", "/search?q=joe"),
        *("/search?q=hidden.example", "/search?q=okapi&contact=joe%40hidden.example", ),
        *(f"/companies/{ids['Hidden Co']}", f"/contacts/{joe}"),
    )  # fmt: skip


def test_no_list_filter_or_search_by_the_hidden_one_finds_it(page: Page, sent: int) -> None:
    found = {path: [shown(browser.text(path)) for browser in _others(page)] for path in _paths(page)}
    assert {path for path, rows in found.items() if rows != [[], [], []]} == set()


def test_its_author_finds_it_by_the_filters(page: Page, sent: int) -> None:
    """Otherwise the test above might find nothing for a wrong reason."""
    richard = page.browser("richard")
    filters = [path for path in _paths(page) if not path.startswith(("/search?q=joe", "/search?q=hidden"))]
    assert {path: shown(richard.text(path)) for path in filters} == {path: [str(sent)] for path in filters}


def test_pictures_count_it_for_its_author_alone(page: Page, sent: int) -> None:
    pictures = [f"{path}/{name}" for path in _paths(page)[-2:] for name in ("months", "months.svg")]
    counted = [
        [re.findall(r"(\d+) mails? in the last", browser.text(path)) for path in pictures]
        for browser in (*_others(page), page.browser("richard"))
    ]
    assert counted == [[["0"]] * 4] * 3 + [[["1"]] * 4]


@pytest.mark.parametrize("text", [JOE, "joe", "Hidden"])
def test_why_does_not_tell(page: Page, sent: int, text: str) -> None:
    answers = [browser.text(f"/why?q={text}") for browser in _others(page)]
    assert [f"/activities/{sent}" in one for one in answers] == [False] * 3


def test_the_message_and_what_is_asked_by_its_number_name_nobody_hidden(page: Page, sent: int) -> None:
    paths = (
        f"/activities/{sent}",
        "/why?q=4Hidden",
        "/why?q=hidden%40client.example",
        "/search?q=okapi",
        "/activities",
    )
    bodies = [browser.text(path).partition("<main")[2] for browser in _others(page) for path in paths]
    assert ["Joe" in body or JOE in body for body in bodies] == [False] * len(bodies)
