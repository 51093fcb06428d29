"""Two providers of OpenID Connect side by side: the statement of one about a person doesn't count at the other."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mailweir.openid.provider import Provider
from mailweir.store.database.connection import Database
from mailweir.store.people import users
from mailweir.store.web import accounts
from mailweir.store.web.accounts import Account, Role
from tests import openid_provider as providers
from tests.held_mail import Clock
from tests.openid_provider import OpenIdProvider
from tests.page import URL, Browser, Page, make_page


@pytest.fixture
def evil_provider(page_clock: Clock) -> Iterator[OpenIdProvider]:
    """A second provider, whose admin is malicious."""
    with providers.running(lambda: page_clock().timestamp()) as provider:
        yield provider


@pytest.fixture
def firm(
    database: Database,
    page_clock: Clock,
    tmp_path: Path,
    openid_provider: OpenIdProvider,
    evil_provider: OpenIdProvider,
) -> Iterator[Page]:
    """A page with both providers, `good` and `evil`. richard has an account, which is bound at `good`."""
    given = {}
    for name, provider in (("good", openid_provider), ("evil", evil_provider)):
        folder = tmp_path / name
        folder.mkdir()
        given[name] = provider.settings(folder)
    page = make_page(database, page_clock, tmp_path, openid=given)
    for name, config in given.items():
        known = Provider(name, config, lambda: page_clock().timestamp(), 2.0)
        page.app.extensions["mailweir"].providers[name] = known
    richard = users.list_all(database, page.demo)[-1]
    made = accounts.add(database, "richard", page_clock(), email="richard@firm.example")
    accounts.give_role(database, made.id, page.demo, Role.USER, richard.id)
    assert walk(page, openid_provider, "good").status_code == 303
    yield page
    page.app.extensions["mailweir"].pool.close()


def walk(page: Page, provider: OpenIdProvider, name: str) -> Any:
    """Lets a new browser go to the provider and come back; returns its last answer."""
    browser = page.browser()
    back = provider.send_browser(browser.get(f"/sign-in/openid/{name}").headers["Location"])
    return browser.get(back.removeprefix(URL))


def _richard(page: Page) -> Account:
    found = accounts.named(page.database, "richard")
    assert found is not None
    return found


@pytest.mark.parametrize(
    "person",
    [
        {"sub": "1001", "email": "other@firm.example", "email_verified": True},
        {"sub": "1001", "email": "richard@firm.example", "email_verified": True},
        {"sub": "2002", "email": "richard@firm.example", "email_verified": True},
        {"sub": "2002", "email": "RICHARD@firm.example", "email_verified": True},
    ],
)
def test_the_same_subject_or_address_at_another_provider_is_somebody_else(
    firm: Page, openid_provider: OpenIdProvider, evil_provider: OpenIdProvider, person: dict[str, Any]
) -> None:
    evil_provider.person = person
    assert walk(firm, evil_provider, "evil").status_code == 403
    bound = _richard(firm)
    assert (bound.issuer, bound.subject) == (openid_provider.url, "1001")
    assert walk(firm, openid_provider, "good").status_code == 303


def test_a_token_that_names_the_other_issuer_is_refused(
    firm: Page, openid_provider: OpenIdProvider, evil_provider: OpenIdProvider
) -> None:
    evil_provider.person = dict(openid_provider.person)
    evil_provider.claims = {"iss": openid_provider.url}
    assert walk(firm, evil_provider, "evil").status_code == 403


def test_an_answer_of_the_one_ends_no_sign_in_at_the_other(
    firm: Page, openid_provider: OpenIdProvider, evil_provider: OpenIdProvider
) -> None:
    """The mix-up attack: a browser that began at `evil` is led to the answer's address of `good`, and the other way round."""
    evil_provider.person = {"sub": "1001", "email": "richard@firm.example", "email_verified": True}
    answers = []
    for begun, answered, provider in (("evil", "good", evil_provider), ("good", "evil", openid_provider)):
        browser = firm.browser()
        back = provider.send_browser(browser.get(f"/sign-in/openid/{begun}").headers["Location"]).removeprefix(URL)
        answers.append(_answered(browser, back.replace(f"/openid/{begun}/", f"/openid/{answered}/")))
    assert answers == [(400, 303), (400, 303)]


def _answered(browser: Browser, path: str) -> tuple[int, int]:
    """The status of the answer, and of a page for signed-in people: 303 leads to the sign-in."""
    return browser.get(path).status_code, browser.get("/account").status_code
