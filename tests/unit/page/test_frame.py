"""Properties of every page: sessions, forms, headers, hosts, and faults."""

from datetime import timedelta

import pytest

from mailweir.store.web import accounts, links, sessions
from mailweir.store.web.accounts import Role
from tests.page import Page


def test_a_page_sends_who_is_signed_out_to_the_sign_in_and_back(sqlite_page: Page) -> None:
    answer = sqlite_page.browser().get("/?a=b")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in?to=/?a%3Db")


@pytest.mark.parametrize(
    "way", ["//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", "\t//e"]
)
def test_nobody_is_sent_elsewhere_after_the_sign_in(sqlite_page: Page, way: str) -> None:
    answer = sqlite_page.browser("richard").get("/sign-in", query_string={"to": way})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")


def test_a_link_is_spent_by_its_button_and_not_by_a_look_at_it(page: Page) -> None:
    token = links.make(page.database, page.account("richard").id, None, page.clock())
    browser = page.browser()
    assert [browser.get(f"/sign-in/link/{token}").status_code for _ in range(3)] == [200, 200, 200]
    assert browser.post(f"/sign-in/link/{token}", token=False).status_code == 303
    assert browser.get("/sign-in").status_code == 303
    assert page.browser().post(f"/sign-in/link/{token}", token=False).status_code == 410


def test_a_link_is_too_old_after_ten_minutes(page: Page) -> None:
    token = links.make(page.database, page.account("richard").id, None, page.clock())
    page.clock.pass_by(600)
    assert page.browser().get(f"/sign-in/link/{token}").status_code == 410
    assert page.browser().post(f"/sign-in/link/{token}", token=False).status_code == 410


def test_a_session_ends_where_it_isnt_used_and_stays_where_it_is(page: Page) -> None:
    browser, idle = page.browser("richard"), page.browser("richard")
    page.clock.pass_by(timedelta(hours=11).total_seconds())
    assert browser.get("/sign-in").status_code == 303
    page.clock.pass_by(timedelta(hours=2).total_seconds())
    assert (browser.get("/sign-in").status_code, idle.get("/sign-in").status_code) == (303, 200)


def test_a_removed_account_is_signed_out_at_once(page: Page) -> None:
    browser = page.browser("richard")
    accounts.remove(page.database, page.account("richard").id, page.clock())
    assert browser.get("/sign-in").status_code == 200


def test_when_a_session_was_used_is_written_each_ten_minutes_at_most(page: Page) -> None:
    browser, account = page.browser("richard"), page.account("richard")
    seen = []
    for _ in range(4):
        page.clock.pass_by(240)
        browser.get("/sign-in")
        seen.append(sessions.of_account(page.database, account.id, page.clock())[0].last_seen_at)
    assert len(set(seen)) == 2


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "https://mail.example.net"},
    ],
)
def test_a_form_of_another_site_is_refused(sqlite_page: Page, headers: dict[str, str]) -> None:
    browser = sqlite_page.browser("richard")
    assert browser.post("/sign-out", headers=headers).status_code == 403
    assert browser.get("/sign-in").status_code == 303


def test_a_form_without_its_token_is_refused(sqlite_page: Page) -> None:
    browser, other = sqlite_page.browser("richard"), sqlite_page.browser("anna")
    assert browser.post("/sign-out", token=False).status_code == 403
    assert browser.post("/sign-out", {"csrf_token": other.token()}, token=False).status_code == 403
    assert browser.post("/sign-out").status_code == 303


@pytest.mark.parametrize("host", ["evil.example", "mail.example.net.evil.example", "127.0.0.1", "localhost:8025"])
def test_another_host_is_no_page_of_ours(sqlite_page: Page, host: str) -> None:
    assert sqlite_page.browser().get("/sign-in", headers={"Host": host}).status_code == 400


def test_every_answer_says_what_a_browser_may_do(sqlite_page: Page) -> None:
    browser = sqlite_page.browser("richard")
    for path in ("/sign-in", "/no-such-page", "/"):
        headers = browser.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; ")
        assert "unsafe" not in policy
        assert (headers["Cache-Control"], headers["X-Content-Type-Options"]) == ("no-store", "nosniff")
        assert headers["Referrer-Policy"] == "same-origin"  # `no-referrer` gives forms `Origin: null`


def test_the_cookie_is_for_this_host_alone(sqlite_page: Page) -> None:
    token = links.make(sqlite_page.database, sqlite_page.account("richard").id, None, sqlite_page.clock())
    cookie = sqlite_page.browser().post(f"/sign-in/link/{token}", token=False).headers["Set-Cookie"]
    assert cookie.startswith("__Host-mailweir=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= {part.strip() for part in cookie.split(";")}


def test_style_and_script_are_kept_by_their_hash(sqlite_page: Page) -> None:
    browser = sqlite_page.browser()
    page = browser.text("/sign-in")
    name = page.partition('href="/static/page.')[2].partition('"')[0]
    answer = browser.get(f"/static/page.{name}")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "public, max-age=31536000, immutable")
    assert browser.get("/static/page.css").status_code == 404
    assert browser.get("/static/..%2fserver.py").status_code == 404


def test_who_has_no_role_in_a_deployment_cant_choose_it(sqlite_page: Page) -> None:
    browser = sqlite_page.browser("richard")
    assert browser.post("/deployment", {"deployment": str(sqlite_page.other.id)}).status_code == 404
    assert browser.post("/deployment", {"deployment": str(sqlite_page.demo.id)}).status_code == 303
    operator = sqlite_page.browser("root", role=None)
    assert operator.post("/deployment", {"deployment": str(sqlite_page.other.id)}).status_code == 303


def test_an_admin_of_two_deployments_chooses(sqlite_page: Page) -> None:
    account = sqlite_page.account("boss", Role.ADMIN)
    accounts.give_role(sqlite_page.database, account.id, sqlite_page.other, Role.USER, None)
    browser = sqlite_page.browser("boss")
    assert browser.post("/deployment", {"deployment": str(sqlite_page.other.id)}).status_code == 303
    assert f'value="{sqlite_page.other.id}" selected' in browser.text("/")


def test_who_may_do_nothing_any_more_is_told_whom_to_ask(sqlite_page: Page) -> None:
    browser = sqlite_page.browser("pat")
    sqlite_page.database.execute("DELETE FROM web_roles")
    assert "Ask an admin to give it a role." in browser.text("/")
    assert browser.get("/admin").status_code == 404


def test_a_link_that_was_used_leads_on(sqlite_page: Page) -> None:
    body = sqlite_page.browser().get("/sign-in/link/" + "x" * 43).get_data(as_text=True)
    assert "This link was used already" in body
    assert '<a href="/">' in body
