"""A user's first day on a running `mailweir up`, by clicks alone: from the link that signs in to the first captured mail."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.conftest import Chromium
from tests.integration.conftest import Stack, stack_maker
from tests.integration.waiting import wait_until
from tests.ports import free_port

MOST_CLICKS = 15
PEOPLE = (
    ("deployment", "add", "demo", "--domain", "demo.example.net"),
    ("user", "add", "richard", "--email", "richard@firm.example"),
)
PRIVATE = "richard@home.example"
SECONDS = 20


class Person:
    """A person who clicks; the clicks are counted. Typing doesn't count: each text is typed once."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.clicks = 0

    def click(self, role: str, name: str) -> None:
        """Clicks the element with that role and name."""
        self.clicks += 1
        self.page.get_by_role(role, name=re.compile(name)).first.click()

    def open(self, summary: str) -> None:
        """Clicks the summary that opens a part of the page."""
        self.clicks += 1
        self.page.locator("summary", has_text=summary).first.click()

    def types(self, label: str, text: str) -> None:
        """Types into the field with that label."""
        self.page.get_by_label(label, exact=True).fill(text)

    def sees(self, text: str) -> bool:
        """Does the page show it, after a short wait at most?"""
        self.page.get_by_text(text).first.wait_for(timeout=SECONDS * 1000)
        return True


@pytest.fixture(params=[pytest.param("sqlite", marks=pytest.mark.smoke), "postgresql"])
def stack(request: pytest.FixtureRequest, chromium: Chromium) -> Iterator[Stack]:
    """All of Mailweir on loopback, with its page, and richard as the only user. chromium: without a browser, nothing starts."""
    own = {} if request.param == "sqlite" else {"database": str(request.getfixturevalue("postgresql_url"))}
    with stack_maker() as make:
        made = make(web={"port": free_port()}, **own)
        for command in PEOPLE:
            made.cli(*command, check=True)
        yield made


@pytest.fixture
def person(chromium: Chromium) -> Iterator[Person]:
    """A person with a browser that may read the clipboard."""
    context = chromium.browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    context.set_default_timeout(SECONDS * 1000)
    yield Person(context.new_page())
    context.close()


def forwarded(stack: Stack, to: str) -> None:
    """A mail from richard to himself, as his mailbox forwards it to the capture address."""
    raw = (
        f"From: Richard <{PRIVATE}>\r\nTo: richard@firm.example\r\nSubject: Does it work?\r\n"
        "Date: Tue, 24 Nov 2026 03:12:55 +0000\r\nMessage-ID: <try@home.example>\r\n\r\nI hope so.\r\n"
    )
    assert stack.deliver("forwarder@firm.example", [to], raw.encode()) == {}


def test_from_the_link_to_the_first_captured_mail(stack: Stack, person: Person) -> None:
    person.page.goto(stack.cli("web", "link", "richard", check=True).stdout.strip())
    person.click("button", "Sign in as richard")
    assert person.sees("Nothing to do.")

    person.open("richard")
    person.click("link", "Integrations")
    assert person.sees("No forwarding yet")
    person.click("button", "Copy richard@demo.example.net")
    copied = person.page.evaluate("navigator.clipboard.readText()")
    assert (copied, person.sees("Copied")) == ("richard@demo.example.net", True)

    person.open("Confirm it is working")
    person.types("Name", "Richard at home")
    person.types("Address", PRIVATE)
    person.click("button", "Add the contact")
    assert person.sees("The contact is added.")
    forwarded(stack, copied)
    person.click("link", "Check again")
    assert person.sees("Forwarding works")
    assert "last mail just now" in person.page.inner_text("ul.lights li >> nth=0")

    wait_until(lambda: "I hope so." in stack.cli("activity", "show", "1").stdout, "the mail is read")

    person.click("link", "To-dos")
    person.click("link", "Does it work?")
    assert person.sees("I hope so.")
    person.click("button", "Done")
    assert person.sees("Put it on the list again")
    person.click("link", "To-dos")
    assert person.sees("Nothing to do.")
    assert person.clicks < MOST_CLICKS
