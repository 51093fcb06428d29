"""Hostile mail on the real page, in a real browser: it is shown, and nothing of it runs or goes out."""

from collections.abc import Mapping
from urllib.parse import urlencode

import pytest

from tests.browser.hostile.mails import MARKUP, Hostile, all_mails, one_of_each
from tests.browser.hostile.onlooker import Onlooker
from tests.browser.hostile.served import Served

_LISTS = ("/", "/activities", "/todos", "/search?q=hi", "/contacts", "/companies")
_MAILS: Mapping[str, list[Hostile]] = {
    kind: [one for one in all_mails() if one.kind == kind] for kind in sorted({one.kind for one in all_mails()})
}


def test_there_are_enough_of_them() -> None:
    assert len(all_mails()) >= 300


@pytest.mark.smoke
def test_one_hostile_mail_of_each_class_only_shows(served: Served, onlooker: Onlooker) -> None:
    """The smoke test that `make test` runs."""
    numbers = {served.deliver(one): one for one in one_of_each()}
    found = {one.kind: _look(onlooker, number) for number, one in numbers.items()}
    found |= {path: onlooker.look(path).faults for path in _LISTS[1:]}
    assert {kind: faults for kind, faults in found.items() if faults} == {}


@pytest.mark.parametrize("kind", _MAILS)
def test_hostile_mail_only_shows(kind: str, served: Served, onlooker: Onlooker) -> None:
    numbers = {served.deliver(one): one for one in _MAILS[kind]}
    found = {one.raw: _look(onlooker, number) for number, one in numbers.items()}
    found |= {path.encode(): onlooker.look(path).faults for path in _LISTS[1:]}
    assert {raw: faults for raw, faults in found.items() if faults} == {}


@pytest.mark.parametrize("text", MARKUP)
@pytest.mark.parametrize(
    "path",
    ["/search", "/why", "/contacts", "/contacts/new", "/activities", "/sign-in", "/no-such-page", "/activities/1"],
)
def test_what_stands_in_a_link_to_the_page_only_shows(path: str, text: str, onlooker: Onlooker) -> None:
    """A mail may hold any link to the page, and a person may follow it: to a filled form, or to an error."""
    query = urlencode(
        dict.fromkeys(("q", "contact", "user", "company", "name", "address", "view", "version", "from", "to"), text)
    )
    seen = onlooker.look(f"{path}?{query}", fetches=("/", "/todos"))
    assert seen.harm + seen.asked == []


def _look(onlooker: Onlooker, number: int) -> list[str]:
    """The message as text, as HTML in its frame, and its HTML in a tab of its own."""
    files = tuple(f"/activities/{number}/attachments/{one}" for one in range(1, 4))
    path = f"/activities/{number}"
    return onlooker.look(path, f"{path}?view=html", f"{path}/html", fetches=(f"{path}/html", *files)).faults
