"""An account's own page: zone, language, password, and sessions."""

from datetime import timedelta

import pytest

from mailweir import passwords
from mailweir.store.web import accounts, change_log, credentials, sessions
from tests.page import Browser, Page
from webapp import zones

GOOD, NEW = "correct horse battery", "another horse battery"


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes hashes cheap."""
    monkeypatch.setattr(passwords, "CHOSEN", passwords.Strength(memory_kib=64, time=1))


def give_password(page: Page, name: str = "richard") -> accounts.Account:
    """Gives an account a password; its sessions end."""
    account = page.account(name)
    digest = passwords.digest(passwords.typed(GOOD), passwords.CHOSEN)
    credentials.set_password(page.database, account.id, digest)
    return account


def change(browser: Browser, old: str = "", new: str = NEW, again: str | None = None) -> tuple[int, str]:
    """Status and text of the answer to the password form."""
    fields = {"old": old, "new": new, "again": new if again is None else again}
    answer = browser.post("/account/password", fields)
    return answer.status_code, answer.get_data(as_text=True).replace("&#39;", "'")


def _right(page: Page, password: str, name: str = "richard") -> bool:
    found = credentials.password_of(page.database, name)
    return found is not None and passwords.is_right(found.digest, password.encode())


def test_the_menu_leads_there(sqlite_page: Page) -> None:
    text = sqlite_page.browser("richard").text("/account")
    assert '<a href="/account" aria-current="page">' in text
    assert "record of richard" in text


@pytest.mark.parametrize(("name", "says"), [("root", "Operator of all deployments")])
def test_an_operator_has_one_too(sqlite_page: Page, name: str, says: str) -> None:
    assert says in sqlite_page.browser(name, role=None).text("/account")


def test_zone_and_language_are_chosen_and_given_back(page: Page) -> None:
    browser = page.browser("richard")
    chosen = browser.post("/account/preferences", {"zone": "Europe/Berlin", "language": "de"})
    assert (chosen.status_code, chosen.headers["Location"]) == (303, "/account?done=preferences")
    account = page.account("richard")
    assert (account.zone, account.language) == ("Europe/Berlin", "de")
    text = browser.text("/account")
    assert '<html lang="de">' in text
    assert "<option selected>Europe/Berlin</option>" in text
    assert browser.post("/account/preferences", {"zone": "", "language": ""}).status_code == 303
    account = page.account("richard")
    assert (account.zone, account.language) == (None, None)


@pytest.mark.parametrize(
    "fields",
    [
        {"zone": "Europe/Nowhere"},
        {"zone": "../../../etc/passwd"},
        {"zone": "EST"},
        {"zone": "", "language": "fr"},
        {"language": "x" * 501},
    ],
)
def test_what_is_no_zone_or_language_is_refused(sqlite_page: Page, fields: dict[str, str]) -> None:
    assert sqlite_page.browser("richard").post("/account/preferences", fields).status_code == 400
    account = sqlite_page.account("richard")
    assert (account.zone, account.language) == (None, None)


def test_the_zones_are_those_that_people_know() -> None:
    found = zones.by_region()
    assert found[""] == ("UTC",)
    assert {"Berlin", "London"} <= {name.partition("/")[2] for name in found["Europe"]}
    assert 300 < sum(len(names) for names in found.values()) < 600


def test_a_new_password_takes_the_old_one_and_ends_other_sessions(page: Page) -> None:
    give_password(page)
    browser, other, anna = page.browser("richard"), page.browser("richard"), page.browser("anna")
    page.clock.pass_by(601)
    assert change(browser, "wrong horse battery")[0] == 403
    assert _right(page, GOOD)
    assert other.get("/account").status_code == 200
    assert change(browser, GOOD)[0] == 303
    assert _right(page, NEW)
    assert [one.get("/account").status_code for one in (browser, other, anna)] == [200, 303, 200]
    (noted,) = change_log.select(page.database, page.demo.id, None, 9)
    assert (noted.changed_by, noted.what, noted.subject, noted.detail) == ("richard", "account.password", "richard", "")


def test_who_came_by_a_link_sets_one_without_the_old_one(sqlite_page: Page) -> None:
    give_password(sqlite_page)
    browser = sqlite_page.browser("richard")
    assert 'name="old"' not in browser.text("/account")
    assert change(browser)[0] == 303
    assert _right(sqlite_page, NEW)


def test_ten_minutes_after_a_link_the_old_one_is_asked_for(sqlite_page: Page) -> None:
    give_password(sqlite_page)
    browser = sqlite_page.browser("richard")
    sqlite_page.clock.pass_by(600)
    assert 'name="old"' in browser.text("/account")
    assert change(browser)[0] == 403


def test_a_first_password_needs_none_before(sqlite_page: Page) -> None:
    browser = sqlite_page.browser("richard")
    sqlite_page.clock.pass_by(601)
    assert change(browser)[0] == 303
    assert _right(sqlite_page, NEW)


@pytest.mark.parametrize(
    ("new", "again", "says"),
    [
        ("short", None, "needs at least 12 characters"),
        ("x" * 201, None, "may have at most 200 characters"),
        ("ababababababab", None, "too few different characters"),
        ("my name is Richard", None, "can't contain your name"),
        (NEW, f"{NEW}x", "aren't the same"),
        ("", None, "needs at least 12 characters"),
    ],
)
def test_a_bad_new_password_is_refused_in_words(sqlite_page: Page, new: str, again: str | None, says: str) -> None:
    browser = sqlite_page.browser("richard")
    status, text = change(browser, "", new, again)
    assert (status, says in text) == (400, True)
    assert not sqlite_page.account("richard").has_password
    assert (new or "-" * 9) not in text


def test_a_stolen_session_can_not_guess_the_password(sqlite_page: Page) -> None:
    give_password(sqlite_page)
    browser = sqlite_page.browser("richard")
    sqlite_page.clock.pass_by(601)
    assert [change(browser, f"guess number {number}")[0] for number in range(5)] == [403, 403, 403, 429, 429]


def test_sessions_are_listed_and_ended_one_by_one(page: Page) -> None:
    own, other = page.browser("richard"), page.browser("richard")
    account = page.account("richard")
    found = sessions.of_account(page.database, account.id, page.clock())
    text = own.text("/account")
    assert text.count(">Sign out there<") == 1
    assert text.count("this one") == 1
    first = min(one.id for one in found)
    assert other.post(f"/account/sessions/{first}/end").status_code == 303
    assert (own.get("/account").status_code, other.get("/account").status_code) == (303, 200)


@pytest.mark.parametrize("number", ["0", "999", str(2**63), str(2**70)])
def test_a_session_that_is_not_there_can_not_be_ended(sqlite_page: Page, number: str) -> None:
    assert sqlite_page.browser("richard").post(f"/account/sessions/{number}/end").status_code == 404


def test_anothers_session_can_not_be_ended(sqlite_page: Page) -> None:
    anna = sqlite_page.browser("anna")
    (theirs,) = sessions.of_account(sqlite_page.database, sqlite_page.account("anna").id, sqlite_page.clock())
    assert sqlite_page.browser("richard").post(f"/account/sessions/{theirs.id}/end").status_code == 404
    assert anna.get("/account").status_code == 200


def test_signing_out_everywhere_ends_them_all(page: Page) -> None:
    own, other, anna = page.browser("richard"), page.browser("richard"), page.browser("anna")
    answer = own.post("/account/sign-out-everywhere")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in")
    assert [one.get("/account").status_code for one in (own, other, anna)] == [303, 303, 200]


def test_a_browsers_name_is_text(sqlite_page: Page) -> None:
    account = sqlite_page.account("richard")
    named = "<script>alert(1)</script>\x1b[2J" + "x" * 500
    with sqlite_page.database.transaction():
        sessions.begin(sqlite_page.database, account.id, None, sessions.Means.LINK, named, sqlite_page.clock())
    text = sqlite_page.browser("richard").text("/account")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;[2J" in text
    assert "<script>alert" not in text


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Windows"),
        (
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
            "Chrome on Linux",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36 Edg/140.0",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.0 Safari/605.1.15",
            "Safari on macOS",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Safari/604.1",
            "Safari on iPhone",
        ),
        (
            "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140.0.0.0 Mobile Safari/537.36",
            "Chrome on Android",
        ),
        ("curl/8.14.1", "curl/8.14.1"),
    ],
)
def test_a_browser_is_called_as_people_call_it(sqlite_page: Page, user_agent: str, name: str) -> None:
    account = sqlite_page.account("richard")
    with sqlite_page.database.transaction():
        sessions.begin(sqlite_page.database, account.id, None, sessions.Means.LINK, user_agent, sqlite_page.clock())
    assert f"<strong>{name}</strong>" in sqlite_page.browser("richard").text("/account")


def test_forms_of_one_session_are_not_anothers(sqlite_page: Page) -> None:
    first, second = sqlite_page.browser("richard"), sqlite_page.browser("richard")
    fields = {"zone": "UTC", "csrf_token": first.token()}
    assert second.post("/account/preferences", fields, token=False).status_code == 403
    assert first.token() != second.token()


def test_signing_in_by_a_link_is_a_visit(page: Page) -> None:
    page.browser("richard")
    assert page.account("richard").last_seen_at == page.clock()


def test_the_account_is_named_by_its_last_visit(page: Page) -> None:
    browser = page.browser("richard")
    page.clock.pass_by(timedelta(minutes=11).total_seconds())
    browser.get("/account")
    assert page.account("richard").last_seen_at == page.clock()
