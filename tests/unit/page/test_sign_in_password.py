"""Signing in by a password: the limit on attempts, the gate, and an attacker's observations."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from mailweir import passwords
from mailweir.store.web import accounts, credentials, links, sessions
from tests.page import Browser, Page
from webapp import gate
from webapp.sign_in import checking

GOOD, BAD = "correct horse battery", "wrong horse battery"
PATH = "/sign-in/password"


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes hashes cheap; their cost has a test of its own."""
    monkeypatch.setattr(passwords, "CHOSEN", passwords.Strength(memory_kib=64, time=1))


def give_password(page: Page, name: str = "richard", password: str = GOOD) -> accounts.Account:
    """Gives an account a password."""
    account = page.account(name)
    digest = passwords.digest(passwords.typed(password), passwords.CHOSEN)
    credentials.set_password(page.database, account.id, digest)
    return account


def sign_in(browser: Browser, name: str = "richard", password: str = GOOD, **fields: str) -> Any:
    """The answer to the form."""
    return browser.post(PATH, {"name": name, "password": password, **fields}, token=False)


def test_the_right_password_begins_a_session(page: Page) -> None:
    account = give_password(page)
    browser = page.browser()
    answer = sign_in(browser, " Richard ", to="/account")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/account")
    (session,) = sessions.of_account(page.database, account.id, page.clock())
    assert session.made_by == "password"
    assert browser.get("/sign-in").status_code == 303


def test_the_form_is_one_that_password_managers_know(sqlite_page: Page) -> None:
    text = sqlite_page.browser().text("/sign-in")
    assert 'autocomplete="username"' in text
    assert 'autocomplete="current-password"' in text
    assert "onpaste" not in text


def test_a_password_is_the_same_however_a_keyboard_makes_it(sqlite_page: Page) -> None:
    give_password(sqlite_page, password="grüne Wiesen am Fluss")
    assert sign_in(sqlite_page.browser(), password="gru\u0308ne Wiesen am Fluss").status_code == 303


@pytest.mark.parametrize("name", ["richard", "anna", "nobody", "", "a" * 201, "x\x00y", "richard@firm.example"])
def test_a_wrong_password_and_an_unknown_name_are_told_alike(sqlite_page: Page, name: str) -> None:
    give_password(sqlite_page)
    sqlite_page.account("anna")  # has no password
    answer = sign_in(sqlite_page.browser(), name[:200], BAD)
    text = answer.get_data(as_text=True)
    assert answer.status_code == 403
    assert "the password of this name" in text
    assert BAD not in text
    assert "Set-Cookie" not in answer.headers


def test_an_unknown_name_costs_as_much_as_one_that_is_there(sqlite_page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    give_password(sqlite_page)
    looked_at: list[str] = []
    is_right = passwords.is_right

    def look(stored: str, given: bytes) -> bool:
        looked_at.append(stored)
        return is_right(stored, given)

    monkeypatch.setattr(passwords, "is_right", look)
    statuses = [sign_in(sqlite_page.browser(), name, BAD).status_code for name in ("richard", "nobody")]
    assert (statuses, len(looked_at), looked_at[1]) == ([403, 403], 2, checking.NOBODYS)


def test_nobodys_password_costs_what_a_chosen_one_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    strength = passwords.CHOSEN
    wanted = f"m={strength.memory_kib},t={strength.time},p={strength.lanes}"
    assert strength.memory_kib >= 47_104  # OWASP's minimum, with one pass
    assert checking.NOBODYS.split("$")[3] == wanted


def test_wrong_passwords_slow_a_name_and_lock_it_never(page: Page) -> None:
    give_password(page)
    answers = [sign_in(page.browser(), password=BAD).status_code for _ in range(3)]
    slowed = sign_in(page.browser())
    assert (answers, slowed.status_code, slowed.headers["Retry-After"]) == ([403] * 3, 429, "2")
    waited = []
    for _ in range(8):
        seconds = int(sign_in(page.browser(), password=BAD).headers["Retry-After"])
        waited.append(seconds - 1)
        page.clock.pass_by(seconds)
        assert sign_in(page.browser(), password=BAD).status_code == 403
    assert waited == [1, 2, 4, 8, 16, 30, 30, 30]
    page.clock.pass_by(30)
    assert sign_in(page.browser()).status_code == 303
    assert sign_in(page.browser(), password=BAD).status_code == 403  # the count starts again


def test_an_unknown_name_is_slowed_alike(sqlite_page: Page) -> None:
    give_password(sqlite_page)
    answers = {
        name: [sign_in(sqlite_page.browser(), name, BAD).status_code for _ in range(5)]
        for name in ("richard", "no-one")
    }
    assert answers["richard"] == answers["no-one"] == [403, 403, 403, 429, 429]


def test_many_names_from_one_address_are_not_slowed(sqlite_page: Page) -> None:
    give_password(sqlite_page)
    browser = sqlite_page.browser()
    assert {sign_in(browser, f"user{number}", BAD).status_code for number in range(20)} == {403}
    assert sign_in(browser).status_code == 303


def test_who_guesses_elsewhere_does_not_slow_a_known_browser(sqlite_page: Page) -> None:
    give_password(sqlite_page)
    own = sqlite_page.browser()
    sign_in(own)
    own.post("/sign-out")
    assert [sign_in(sqlite_page.browser(), password=BAD).status_code for _ in range(4)][-1] == 429
    assert sign_in(own).status_code == 303


def test_a_known_browser_is_slowed_too_and_is_known_for_its_account_alone(sqlite_page: Page) -> None:
    give_password(sqlite_page)
    give_password(sqlite_page, "anna", "quite another battery")
    own = sqlite_page.browser()
    sign_in(own, "anna", "quite another battery")
    own.post("/sign-out")
    assert [sign_in(own, "anna", BAD).status_code for _ in range(4)] == [403, 403, 403, 429]
    assert [sign_in(own, "richard", BAD).status_code for _ in range(4)] == [403, 403, 403, 429]
    assert sign_in(sqlite_page.browser(), "richard").status_code == 429


@pytest.mark.parametrize("value", ["", ".", "x" * 22, f"{'x' * 22}.{'0' * 64}", f"{'x' * 22}.é", "." * 300])
def test_a_forged_mark_is_none(sqlite_page: Page, value: str) -> None:
    give_password(sqlite_page)
    for _ in range(3):
        sign_in(sqlite_page.browser(), password=BAD)
    browser = sqlite_page.browser()
    browser.client.set_cookie(checking.KNOWN_COOKIE, value, domain="mail.example.net", secure=True, path="/")
    assert sign_in(browser).status_code == 429


@pytest.mark.parametrize(
    ("threads", "at_once", "waiting"), [(1, 1, 0), (2, 1, 0), (3, 1, 0), (4, 2, 0), (8, 2, 2), (64, 2, 30)]
)
def test_half_of_the_threads_at_most_look_at_passwords(threads: int, at_once: int, waiting: int) -> None:
    made = gate.Gate.of(threads)
    assert (made.at_once, made.waiting) == (at_once, waiting)


def test_a_flood_is_sent_away_and_the_gate_opens_again() -> None:
    made = gate.Gate(1, 0)
    with made.entered(), pytest.raises(gate.Full), made.entered():
        pass
    with made.entered():
        pass


def test_who_waits_comes_in_later() -> None:
    made, within, most = gate.Gate(2, 6), [], []

    def enter(number: int) -> None:
        with made.entered():
            within.append(number)
            most.append(len(within))
            time.sleep(0.01)
            within.remove(number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(enter, range(8)))
    assert (len(most), max(most) <= 2) == (8, True)


def test_who_comes_when_the_gate_is_full_is_told_to_come_again(
    sqlite_page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_password(sqlite_page)

    def full(_: Any) -> Any:
        raise gate.Full

    monkeypatch.setattr(gate.Gate, "entered", full)
    answer = sign_in(sqlite_page.browser())
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "3")


@pytest.mark.parametrize("headers", [{}, {"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_another_sites_form_signs_nobody_in(sqlite_page: Page, headers: dict[str, str]) -> None:
    """Login CSRF: otherwise a victim would write into the attacker's account."""
    give_password(sqlite_page)
    browser = sqlite_page.browser()
    fields = {"name": "richard", "password": GOOD}
    assert browser.post(PATH, fields, token=False, headers=headers).status_code == 403
    assert browser.get("/sign-in").status_code == 200


def test_a_session_token_from_before_is_not_kept(sqlite_page: Page) -> None:
    """Session fixation: otherwise the person who put it into the browser would be signed in, too."""
    give_password(sqlite_page)
    browser, planted = sqlite_page.browser(), sessions.new_token()
    browser.client.set_cookie("__Host-mailweir", planted, domain="mail.example.net", secure=True, path="/")
    sign_in(browser)
    cookie = browser.client.get_cookie("__Host-mailweir", domain="mail.example.net")
    assert cookie is not None
    assert cookie.value != planted
    assert sessions.find(sqlite_page.database, planted, sqlite_page.clock()) is None


@pytest.mark.parametrize("to", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_nobody_is_sent_elsewhere_afterwards(sqlite_page: Page, to: str) -> None:
    give_password(sqlite_page)
    assert sign_in(sqlite_page.browser(), to=to).headers["Location"] == "/"
    assert to not in sign_in(sqlite_page.browser(), password=BAD, to=to).get_data(as_text=True)


def test_a_form_that_was_meant_for_a_page_keeps_where_to_go(sqlite_page: Page) -> None:
    give_password(sqlite_page)
    text = sign_in(sqlite_page.browser(), password=BAD, to="/account?a=b").get_data(as_text=True)
    assert 'name="to" value="/account?a=b"' in text
    assert 'name="name" value="richard"' in text


def test_a_removed_account_does_not_sign_in(page: Page) -> None:
    account = give_password(page)
    accounts.remove(page.database, account.id, page.clock())
    assert sign_in(page.browser()).status_code == 403


def test_a_link_is_in_no_log_where_the_page_fails(
    sqlite_page: Page,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("mailweir.store.web.links.whose", fail)
    token = sessions.new_token()
    answer = sqlite_page.browser().get(f"/sign-in/link/{token}")
    written = capfd.readouterr()
    assert answer.status_code == 500
    assert "broken" in caplog.text
    assert [
        text for text in (caplog.text, written.out, written.err, answer.get_data(as_text=True)) if token in text
    ] == []


def test_a_link_says_whom_it_signs_in(sqlite_page: Page) -> None:
    token = links.make(sqlite_page.database, sqlite_page.account("richard").id, None, sqlite_page.clock())
    assert "This link signs you in as richard." in sqlite_page.browser().text(f"/sign-in/link/{token}")
