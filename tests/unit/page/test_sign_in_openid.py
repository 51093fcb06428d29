"""Signing in by OpenID Connect, with a provider that speaks HTTP and has faults on request."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from mailweir.openid.provider import Provider
from mailweir.settings_openid import OpenId
from mailweir.store.database.connection import Database
from mailweir.store.people import users
from mailweir.store.web import accounts, sessions
from mailweir.store.web.accounts import Role
from tests import openid_provider as providers
from tests.held_mail import Clock
from tests.openid_provider import OpenIdProvider, ec_key, rsa_key
from tests.page import URL, Browser, Page, make_page

START, ANSWER = "/sign-in/openid/example", "/sign-in/openid/example/answer"
IMPATIENT_SECONDS = 1.0


def _made(database: Database, clock: Clock, folder: Path, config: OpenId) -> Page:
    """A page with this provider, whose documents expire by the page's clock; richard has an account."""
    page = make_page(database, clock, folder, openid={"example": config})
    provider = Provider("example", config, lambda: clock().timestamp(), IMPATIENT_SECONDS)
    page.app.extensions["mailweir"].providers["example"] = provider
    richard = users.list_all(database, page.demo)[-1]
    made = accounts.add(database, "richard", clock(), email="richard@firm.example")
    accounts.give_role(database, made.id, page.demo, Role.USER, richard.id)
    return page


@pytest.fixture
def firm(database: Database, page_clock: Clock, tmp_path: Path, openid_provider: OpenIdProvider) -> Iterator[Page]:
    """A firm on each database."""
    page = _made(database, page_clock, tmp_path, openid_provider.settings(tmp_path))
    yield page
    page.app.extensions["mailweir"].pool.close()


@pytest.fixture
def sqlite_firm(
    sqlite_database: Database, page_clock: Clock, tmp_path: Path, openid_provider: OpenIdProvider
) -> Iterator[Page]:
    """A firm on SQLite, for tests that don't depend on the database."""
    page = _made(sqlite_database, page_clock, tmp_path, openid_provider.settings(tmp_path))
    yield page
    page.app.extensions["mailweir"].pool.close()


def walk(page: Page, provider: OpenIdProvider, browser: Browser | None = None, to: str = "") -> tuple[Browser, Any]:
    """Lets a browser go to the provider and come back; returns its last answer."""
    browser = browser or page.browser()
    begun = browser.get(START, query_string={"to": to} if to else {})
    assert begun.status_code == 303, begun.get_data(as_text=True)
    back = provider.send_browser(begun.headers["Location"])
    assert back.startswith(f"{URL}{ANSWER}?")
    return browser, browser.get(back.removeprefix(URL))


def _who(page: Page, browser: Browser) -> str:
    """The account that a browser is signed in as; "" for none."""
    cookie = browser.client.get_cookie("__Host-mailweir", domain="mail.example.net")
    found = sessions.find(page.database, cookie.value, page.clock()) if cookie else None
    return accounts.find(page.database, found.account_id).name if found else ""


def test_the_page_offers_the_provider_and_no_password(sqlite_firm: Page) -> None:
    text = sqlite_firm.browser().text("/sign-in?to=/account")
    assert f'href="{START}?to=/account"' in text
    assert "Sign in with Example" in text
    assert 'type="password"' not in text
    assert sqlite_firm.browser().post("/sign-in/password", {"name": "richard"}, token=False).status_code == 404


def test_a_first_sign_in_goes_by_the_proven_address_and_the_next_by_the_subject(
    firm: Page, openid_provider: OpenIdProvider
) -> None:
    browser, answer = walk(firm, openid_provider, to="/account?x=1")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/account?x=1")
    assert _who(firm, browser) == "richard"
    account = accounts.named(firm.database, "richard")
    assert account is not None
    assert (account.issuer, account.subject) == (openid_provider.url, "1001")
    openid_provider.person = {"sub": "1001", "email": "richard@new.example", "email_verified": False}
    browser, answer = walk(firm, openid_provider)
    assert (answer.status_code, _who(firm, browser)) == (303, "richard")


def test_what_is_sent_to_the_provider_is_bound_and_secret(sqlite_firm: Page) -> None:
    answer = sqlite_firm.browser().get(START)
    query = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert set(query) == {
        *("response_type", "client_id", "redirect_uri", "scope", "state", "nonce", "realm"),
        *("code_challenge", "code_challenge_method"),
    }
    assert query["redirect_uri"] == [f"{URL}{ANSWER}"]
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-mailweir-openid=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= {part.strip() for part in cookie.split(";")}
    rows = sqlite_firm.database.execute("SELECT state_hash, bound_to, content FROM web_states").fetchall()
    assert query["state"][0] not in str(rows)
    assert cookie.partition("=")[2].partition(";")[0] not in str(rows)


def test_another_browser_can_not_end_what_this_one_began(sqlite_firm: Page, openid_provider: OpenIdProvider) -> None:
    """Otherwise an attacker could sign a victim in as himself."""
    attacker, victim = sqlite_firm.browser(), sqlite_firm.browser()
    victim.get(START)
    back = openid_provider.send_browser(attacker.get(START).headers["Location"]).removeprefix(URL)
    assert victim.get(back).status_code == 400
    assert _who(sqlite_firm, victim) == ""
    assert attacker.get(back).status_code == 303


def test_an_answer_counts_once_and_for_ten_minutes(sqlite_firm: Page, openid_provider: OpenIdProvider) -> None:
    browser = sqlite_firm.browser()
    back = openid_provider.send_browser(browser.get(START).headers["Location"]).removeprefix(URL)
    assert [browser.get(back).status_code for _ in range(2)] == [303, 400]
    late = sqlite_firm.browser()
    back = openid_provider.send_browser(late.get(START).headers["Location"]).removeprefix(URL)
    sqlite_firm.clock.pass_by(600)
    assert late.get(back).status_code == 400


def test_two_windows_of_a_browser_sign_in(sqlite_firm: Page, openid_provider: OpenIdProvider) -> None:
    browser = sqlite_firm.browser()
    backs = [openid_provider.send_browser(browser.get(START).headers["Location"]) for _ in range(2)]
    assert browser.get(backs[0].removeprefix(URL)).status_code == 303


@pytest.mark.parametrize(
    "query", ["", "?code=x", "?state=x&code=x", f"?state={'x' * 5000}&code=x", "?state=%00&code=x"]
)
def test_an_answer_that_nobody_began_is_refused(sqlite_firm: Page, query: str) -> None:
    browser = sqlite_firm.browser()
    browser.get(START)
    assert browser.get(f"{ANSWER}{query}").status_code == 400


def test_an_unknown_provider_is_no_page(sqlite_firm: Page) -> None:
    assert sqlite_firm.browser().get("/sign-in/openid/nobody").status_code == 404
    assert sqlite_firm.browser().get("/sign-in/openid/nobody/answer").status_code == 404


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "another-client"},
        {"aud": ["another-client", "third"]},
        {"aud": "another-client", "azp": providers.CLIENT_ID},
        {"aud": None},
        {"aud": [providers.CLIENT_ID, "another"], "azp": "another"},
        {"aud": [providers.CLIENT_ID, "another"]},
        {"iss": "https://evil.example"},
        {"iss": None},
        {"exp": 1},
        {"exp": None},
        {"exp": "tomorrow"},
        {"iat": 99_999_999_999},
        {"nbf": 99_999_999_999},
        {"sub": None},
        {"sub": ""},
        {"sub": 1001},
        {"sub": "x" * 256},
        {"sub": ["1001"]},
        {"at_hash": "AAAA"},
    ],
)
def test_a_token_that_is_not_for_this_sign_in_is_refused(
    sqlite_firm: Page, openid_provider: OpenIdProvider, claims: dict[str, Any]
) -> None:
    openid_provider.claims = claims
    browser, answer = walk(sqlite_firm, openid_provider)
    assert (answer.status_code, _who(sqlite_firm, browser)) == (403, "")
    assert "be trusted" in answer.get_data(as_text=True)


@pytest.mark.parametrize(
    "sign",
    [
        providers.unsigned,
        providers.signed_with_the_public_key,
        providers.signed_with_the_client_secret,
        providers.signed_by_another,
        providers.with_its_own_key,
        providers.signed_by_no_known_key,
        providers.cut,
    ],
)
def test_a_token_that_the_provider_did_not_sign_is_refused(
    sqlite_firm: Page, openid_provider: OpenIdProvider, sign: providers.Sign
) -> None:
    openid_provider.sign = sign
    browser, answer = walk(sqlite_firm, openid_provider)
    assert (answer.status_code, _who(sqlite_firm, browser)) == (403, "")


@pytest.mark.parametrize("key", [rsa_key, ec_key])
def test_both_kinds_of_keys_sign(
    sqlite_firm: Page, openid_provider: OpenIdProvider, key: Callable[[], providers.SigningKey]
) -> None:
    openid_provider.keys = [key()]
    browser, _ = walk(sqlite_firm, openid_provider)
    assert _who(sqlite_firm, browser) == "richard"


def test_a_new_key_is_fetched_when_a_token_names_it(sqlite_firm: Page, openid_provider: OpenIdProvider) -> None:
    walk(sqlite_firm, openid_provider)
    openid_provider.keys = [ec_key("new"), *openid_provider.keys]
    browser, answer = walk(sqlite_firm, openid_provider)
    assert (answer.status_code, _who(sqlite_firm, browser)) == (303, "richard")
    assert openid_provider.asked.count("/jwks") == 2
    assert openid_provider.asked.count("/.well-known/openid-configuration") == 1


def test_an_unknown_key_is_asked_for_each_half_minute_at_most(
    sqlite_firm: Page, openid_provider: OpenIdProvider
) -> None:
    openid_provider.sign = providers.signed_by_no_known_key
    assert [walk(sqlite_firm, openid_provider)[1].status_code for _ in range(4)] == [403] * 4
    assert openid_provider.asked.count("/jwks") == 2


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/jwks", "/token"])
@pytest.mark.parametrize("fault", ["status", "broken", "hanging"])
def test_a_providers_bad_moment_is_told_and_is_not_final(
    sqlite_firm: Page, openid_provider: OpenIdProvider, path: str, fault: str
) -> None:
    faults: dict[str, Any] = {"status": {path: 500}, "broken": {path}, "hanging": {path}}
    setattr(openid_provider, fault, faults[fault])
    browser = sqlite_firm.browser()
    answer = _to_its_end(browser, openid_provider)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "Example gives no answer" in answer.get_data(as_text=True)
    setattr(openid_provider, fault, type(faults[fault])())
    sqlite_firm.clock.pass_by(6)
    assert _to_its_end(browser, openid_provider).status_code == 303
    assert _who(sqlite_firm, browser) == "richard"


def _to_its_end(browser: Browser, provider: OpenIdProvider) -> Any:
    """Goes as far as possible."""
    begun = browser.get(START)
    if begun.status_code != 303:
        return begun
    return browser.get(provider.send_browser(begun.headers["Location"]).removeprefix(URL))


def test_a_dead_provider_is_not_asked_by_everybody(sqlite_firm: Page, openid_provider: OpenIdProvider) -> None:
    openid_provider.status = {"/.well-known/openid-configuration": 503}
    assert [sqlite_firm.browser().get(START).status_code for _ in range(5)] == [503] * 5
    assert len(openid_provider.asked) == 1


def test_documents_that_are_there_serve_while_the_provider_fails(
    sqlite_firm: Page, openid_provider: OpenIdProvider
) -> None:
    walk(sqlite_firm, openid_provider)
    sqlite_firm.clock.pass_by(4000)
    openid_provider.status = {"/.well-known/openid-configuration": 503, "/jwks": 503}
    browser, answer = walk(sqlite_firm, openid_provider)
    assert (answer.status_code, _who(sqlite_firm, browser)) == (303, "richard")


@pytest.mark.parametrize(
    ("discovery", "status"),
    [
        ({"issuer": "https://evil.example"}, 503),
        ({"issuer": None}, 503),
        ({"token_endpoint": None}, 503),
        ({"token_endpoint": "http://evil.example/token"}, 503),
        ({"authorization_endpoint": "javascript:alert(1)"}, 503),
        ({"authorization_endpoint": "https://user@evil.example"}, 503),
        ({"jwks_uri": 7}, 503),
    ],
)
def test_a_discovery_document_that_can_not_be_is_refused(
    sqlite_firm: Page, openid_provider: OpenIdProvider, discovery: dict[str, Any], status: int
) -> None:
    openid_provider.discovery = discovery
    assert sqlite_firm.browser().get(START).status_code == status


def test_a_client_secret_goes_as_the_provider_takes_it(sqlite_firm: Page, openid_provider: OpenIdProvider) -> None:
    openid_provider.discovery = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    browser, _ = walk(sqlite_firm, openid_provider)
    assert _who(sqlite_firm, browser) == "richard"


@pytest.mark.parametrize(("content", "mode"), [("wrong", 0o600), ("", 0o600), (providers.CLIENT_SECRET, 0o644)])
def test_a_secret_that_is_wrong_or_open_to_others_is_the_admins_matter(
    sqlite_firm: Page, openid_provider: OpenIdProvider, tmp_path: Path, content: str, mode: int
) -> None:
    (tmp_path / "client-secret").write_text(content)
    (tmp_path / "client-secret").chmod(mode)
    _, answer = walk(sqlite_firm, openid_provider)
    assert answer.status_code == 503
    assert "An admin has to check the settings" in answer.get_data(as_text=True)


def test_who_said_no_is_told_so(sqlite_firm: Page, openid_provider: OpenIdProvider) -> None:
    openid_provider.denial = "access_denied"
    browser, answer = walk(sqlite_firm, openid_provider)
    assert (answer.status_code, _who(sqlite_firm, browser)) == (403, "")
    assert "Example didn't let you in, or you said no there." in answer.get_data(as_text=True).replace("&#39;", "'")


@pytest.mark.parametrize(("given", "status"), [("https://evil.example", 403), (None, 403), ("own", 303)])
def test_the_answer_names_its_provider_where_it_says_that_it_does(
    sqlite_firm: Page, openid_provider: OpenIdProvider, given: str | None, status: int
) -> None:
    openid_provider.discovery = {"authorization_response_iss_parameter_supported": True}
    browser = sqlite_firm.browser()
    back = openid_provider.send_browser(browser.get(START).headers["Location"]).removeprefix(URL)
    named = {"own": f"&iss={openid_provider.url}", None: ""}.get(given, f"&iss={given}")
    assert browser.get(f"{back}{named}").status_code == status


@pytest.mark.parametrize(
    ("person", "says"),
    [
        ({"email_verified": False}, "doesn't confirm your mail address"),
        ({"email_verified": None}, "doesn't confirm your mail address"),
        ({"email_verified": "true"}, "doesn't confirm your mail address"),
        ({"email_verified": 1}, "doesn't confirm your mail address"),
        ({"email": None}, "doesn't confirm your mail address"),
        ({"email": ["richard@firm.example"]}, "doesn't confirm your mail address"),
        ({"email": "stranger@firm.example"}, "No account here belongs to stranger@firm.example"),
        ({"email": "<b>@firm.example"}, "doesn't confirm your mail address"),
    ],
)
def test_a_sign_in_makes_no_account_and_believes_no_unproven_address(
    firm: Page, openid_provider: OpenIdProvider, person: dict[str, Any], says: str
) -> None:
    openid_provider.claims = person
    browser, answer = walk(firm, openid_provider)
    assert (answer.status_code, _who(firm, browser)) == (403, "")
    assert says in answer.get_data(as_text=True).replace("&#39;", "'")
    (account,) = accounts.list_all(firm.database)
    assert account.subject is None


def test_who_came_with_the_wrong_account_is_asked_for_another(
    sqlite_firm: Page, openid_provider: OpenIdProvider
) -> None:
    openid_provider.claims = {"email": "stranger@firm.example"}
    browser, answer = walk(sqlite_firm, openid_provider)
    assert f'href="{START}?choose=1"' in answer.get_data(as_text=True)
    assert "&prompt=select_account" in browser.get(f"{START}?choose=1").headers["Location"]
    assert "prompt" not in browser.get(START).headers["Location"]


def test_an_account_is_one_person_for_good(firm: Page, openid_provider: OpenIdProvider) -> None:
    walk(firm, openid_provider)
    openid_provider.person = {**openid_provider.person, "sub": "2002"}
    browser, answer = walk(firm, openid_provider)
    assert (answer.status_code, _who(firm, browser)) == (403, "")


def test_a_removed_account_and_one_that_may_do_nothing_do_not_sign_in(
    firm: Page, openid_provider: OpenIdProvider
) -> None:
    walk(firm, openid_provider)
    users.remove(firm.database, firm.demo, "richard", firm.clock())
    assert walk(firm, openid_provider)[1].status_code == 403
    accounts.add(firm.database, "idle", firm.clock(), email="richard@firm.example")
    assert walk(firm, openid_provider)[1].status_code == 403


@pytest.mark.parametrize(
    ("hosted_domain", "status"), [("firm.example", 303), ("Firm.Example", 303), ("evil.example", 403), (None, 403)]
)
def test_a_workspace_lets_its_own_accounts_in_alone(
    sqlite_database: Database,
    page_clock: Clock,
    tmp_path: Path,
    openid_provider: OpenIdProvider,
    hosted_domain: str | None,
    status: int,
) -> None:
    config = openid_provider.settings(tmp_path, hosted_domain="firm.example")
    page = _made(sqlite_database, page_clock, tmp_path, config)
    openid_provider.claims = {"hd": hosted_domain}
    assert walk(page, openid_provider)[1].status_code == status


def test_a_session_from_before_ends_and_its_token_is_not_kept(firm: Page, openid_provider: OpenIdProvider) -> None:
    browser = firm.browser("anna")
    before = browser.client.get_cookie("__Host-mailweir", domain="mail.example.net")
    assert before is not None
    browser, _ = walk(firm, openid_provider, browser)
    after = browser.client.get_cookie("__Host-mailweir", domain="mail.example.net")
    assert after is not None
    assert after.value != before.value
    assert _who(firm, browser) == "richard"
    assert sessions.find(firm.database, before.value, firm.clock()) is None


def test_a_token_that_was_put_into_the_browser_is_not_kept(sqlite_firm: Page, openid_provider: OpenIdProvider) -> None:
    browser = sqlite_firm.browser()
    planted = sessions.new_token()
    browser.client.set_cookie("__Host-mailweir", planted, domain="mail.example.net", secure=True, path="/")
    walk(sqlite_firm, openid_provider, browser)
    assert sessions.find(sqlite_firm.database, planted, sqlite_firm.clock()) is None
    assert _who(sqlite_firm, browser) == "richard"


@pytest.mark.parametrize("to", ["https://evil.example/", "//evil.example", "/\\evil.example", f"/{'x' * 3000}"])
def test_nobody_is_sent_elsewhere_afterwards(sqlite_firm: Page, openid_provider: OpenIdProvider, to: str) -> None:
    assert walk(sqlite_firm, openid_provider, to=to)[1].headers["Location"] == "/"


def test_no_page_says_a_code_a_state_or_a_secret(
    sqlite_firm: Page, openid_provider: OpenIdProvider, caplog: pytest.LogCaptureFixture
) -> None:
    openid_provider.claims = {"nonce": "another"}
    browser = sqlite_firm.browser()
    back = openid_provider.send_browser(browser.get(START).headers["Location"]).removeprefix(URL)
    answer = browser.get(back)
    told = f"{answer.get_data(as_text=True)}{answer.headers}{caplog.text}"
    assert "OpenID sign-in refused: example: token" in caplog.text
    hidden = [values[0] for values in parse_qs(urlsplit(back).query).values()]
    assert len(hidden) == 2
    assert [one for one in [*hidden, providers.CLIENT_SECRET] if one in told] == []
