"""Several accounts for one person: another deployment's admin can make an account for anybody's address. That hinders nobody."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mailweir.openid.provider import Provider
from mailweir.store.database.connection import Database
from mailweir.store.people import users
from mailweir.store.people.deployments import Deployment
from mailweir.store.web import accounts, credentials, sessions
from mailweir.store.web.accounts import Account, Role
from tests.held_mail import Clock
from tests.openid_provider import OpenIdProvider
from tests.page import URL, Browser, Page, make_page

EMAIL = "richard@firm.example"
WAY = "/sign-in/openid/example"


@pytest.fixture
def firm(database: Database, page_clock: Clock, tmp_path: Path, openid_provider: OpenIdProvider) -> Iterator[Page]:
    """A page with this provider, on both databases; richard of demo has an account."""
    config = openid_provider.settings(tmp_path)
    page = make_page(database, page_clock, tmp_path, openid={"example": config})
    known = Provider("example", config, lambda: page_clock().timestamp(), 2.0)
    page.app.extensions["mailweir"].providers["example"] = known
    make(page, "richard", page.demo)
    yield page
    page.app.extensions["mailweir"].pool.close()


def make(page: Page, name: str, deployment: Deployment, email: str = EMAIL) -> Account:
    """Makes an account for richard's address, as the deployment's admin can."""
    made = accounts.add(page.database, name, page.clock(), email=email)
    own = [one.id for one in users.list_all(page.database, deployment) if one.username == "richard"]
    return accounts.give_role(page.database, made.id, deployment, Role.USER, own[0])


def walk(page: Page, provider: OpenIdProvider) -> tuple[Browser, Any]:
    """Lets a new browser go to the provider and come back; returns its last answer."""
    browser = page.browser()
    back = provider.send_browser(browser.get(WAY).headers["Location"])
    return browser, browser.get(back.removeprefix(URL))


def offered(answer: Any) -> dict[str, str]:
    """The accounts to choose from: ids by name."""
    assert answer.status_code == 200
    found = re.findall(r'name="account" value="(\d+)">([^<]*)<', answer.get_data(as_text=True))
    return {name: account_id for account_id, name in found}


def state_of(answer: Any) -> str:
    """The state that the form of the choice must send back."""
    (found,) = re.findall(r'name="state" value="([^"]+)"', answer.get_data(as_text=True))
    return str(found)


def choose(browser: Browser, answer: Any, name: str) -> Any:
    """Chooses an offered account."""
    return browser.post(f"{WAY}/choose", {"state": state_of(answer), "account": offered(answer)[name]}, token=False)


def who(page: Page, browser: Browser) -> str:
    """The account that a browser is signed in as; "" for none."""
    cookie = browser.client.get_cookie("__Host-mailweir", domain="mail.example.net")
    found = sessions.find(page.database, cookie.value, page.clock()) if cookie else None
    return accounts.find(page.database, found.account_id).name if found else ""


def subjects(page: Page) -> dict[str, str | None]:
    """The person to whom each account is bound."""
    return {one.name: one.subject for one in accounts.list_all(page.database)}


def test_an_account_of_another_deployment_hinders_no_first_sign_in(firm: Page, openid_provider: OpenIdProvider) -> None:
    make(firm, "evil", firm.other)
    browser, answer = walk(firm, openid_provider)
    assert who(firm, browser) == ""
    text = answer.get_data(as_text=True)
    assert {"demo", "other"} <= set(re.findall(r'<span class="quiet">(\w+)</span>', text))
    chosen = choose(browser, answer, "richard")
    assert (chosen.status_code, who(firm, browser)) == (303, "richard")
    assert subjects(firm) == {"richard": "1001", "evil": None}


def test_one_that_was_there_first_is_no_bar_to_the_own_one(firm: Page, openid_provider: OpenIdProvider) -> None:
    account = accounts.named(firm.database, "richard")
    assert account
    accounts.remove(firm.database, account.id, firm.clock())
    make(firm, "evil", firm.other)
    browser, answer = walk(firm, openid_provider)
    assert (answer.status_code, who(firm, browser)) == (303, "evil"), "no second account exists yet"
    make(firm, "richard", firm.demo)
    browser, answer = walk(firm, openid_provider)
    assert (choose(browser, answer, "richard").status_code, who(firm, browser)) == (303, "richard")
    assert subjects(firm) == {"richard": "1001", "evil": "1001"}
    openid_provider.person = {**openid_provider.person, "email_verified": False}
    assert set(offered(walk(firm, openid_provider)[1])) == {"richard", "evil"}


def test_a_flood_of_accounts_hides_none_of_another_deployment(firm: Page, openid_provider: OpenIdProvider) -> None:
    for number in range(credentials.MOST_UNBOUND + 5):
        made = accounts.add(firm.database, f"a{number}", firm.clock(), email=EMAIL)
        accounts.give_role(firm.database, made.id, firm.other, Role.USER, None)
    _, answer = walk(firm, openid_provider)
    found = offered(answer)
    assert (len(found), "richard" in found) == (credentials.MOST_UNBOUND + 1, True)


def test_who_has_one_account_isnt_asked(firm: Page, openid_provider: OpenIdProvider) -> None:
    make(firm, "evil", firm.other, "somebody@else.example")
    for _ in range(2):
        browser, answer = walk(firm, openid_provider)
        assert (answer.status_code, who(firm, browser)) == (303, "richard")


def test_an_account_that_was_chosen_is_that_persons_for_good(firm: Page, openid_provider: OpenIdProvider) -> None:
    make(firm, "evil", firm.other)
    browser, answer = walk(firm, openid_provider)
    choose(browser, answer, "richard")
    openid_provider.person = {**openid_provider.person, "sub": "2002"}
    browser, answer = walk(firm, openid_provider)
    assert (answer.status_code, who(firm, browser)) == (303, "evil")
    assert subjects(firm) == {"richard": "1001", "evil": "2002"}


def test_nothing_but_what_was_offered_to_this_browser_can_be_chosen(
    firm: Page, openid_provider: OpenIdProvider
) -> None:
    make(firm, "evil", firm.other)
    anna = firm.account("anna")
    browser, answer = walk(firm, openid_provider)
    own, way = offered(answer)["richard"], f"{WAY}/choose"
    stranger = firm.browser()
    stranger.get(WAY)
    assert stranger.post(way, {"state": state_of(answer), "account": own}, token=False).status_code == 400
    asked = browser.get(f"{WAY}/answer?state={state_of(answer)}&code=x")
    assert (asked.status_code, who(firm, browser)) == (400, "")
    browser, answer = walk(firm, openid_provider)
    assert browser.post(way, {"state": state_of(answer), "account": str(anna.id)}, token=False).status_code == 403
    assert browser.post(way, {"state": state_of(answer), "account": own}, token=False).status_code == 400, (
        "it counts once"
    )
    for fields in ({}, {"account": own}, {"state": "x", "account": own}):
        assert browser.post(way, fields, token=False).status_code == 400
    assert who(firm, browser) == ""
    assert set(subjects(firm).values()) == {None}
    assert browser.post("/sign-in/openid/nobody/choose", {}, token=False).status_code == 404


def test_an_answer_of_the_provider_chooses_nothing(firm: Page, openid_provider: OpenIdProvider) -> None:
    """The state of a running sign-in isn't the state of a choice."""
    browser = firm.browser()
    asked = browser.get(WAY).headers["Location"]
    state = re.findall(r"[?&]state=([^&]+)", asked)[0]
    own = accounts.named(firm.database, "richard")
    assert own
    assert browser.post(f"{WAY}/choose", {"state": state, "account": str(own.id)}, token=False).status_code == 400
    assert who(firm, browser) == ""


def test_one_that_was_removed_or_bound_meanwhile_cant_be_chosen(firm: Page, openid_provider: OpenIdProvider) -> None:
    evil = make(firm, "evil", firm.other)
    for spoil in (
        "UPDATE web_accounts SET issuer = 'x', subject = 'y' WHERE id = ?",
        "UPDATE web_accounts SET issuer = NULL, subject = NULL, removed_at = created_at WHERE id = ?",
    ):
        browser, answer = walk(firm, openid_provider)
        own, state = offered(answer)["evil"], state_of(answer)
        firm.database.execute(spoil, (evil.id,))
        assert browser.post(f"{WAY}/choose", {"state": state, "account": own}, token=False).status_code == 403
        assert who(firm, browser) == ""
        firm.database.execute("UPDATE web_accounts SET issuer = NULL, subject = NULL WHERE id = ?", (evil.id,))
