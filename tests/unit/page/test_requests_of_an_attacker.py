"""Requests that an attacker makes up: host names, headers of proxies, methods, and the target after the sign-in."""

import io
import re
from typing import Any
from urllib.parse import quote

import pytest

from mailweir.store.web.accounts import Role
from tests.page import URL, Page
from tests.page_raw_mail import raw_mail
from webapp import forms

_FILE = b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n' + b"a" * 600_000 + b"\r\n--x--\r\n"
# Headers of a trusted proxy. The page trusts none here.
_OF_PROXIES = {
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-For": "127.0.0.1",
    "X-Forwarded-Prefix": "/evil",
    "X-Host": "evil.example",
    "X-Original-URL": "/admin",
    "X-Rewrite-URL": "/admin",
    "Forwarded": "host=evil.example;proto=http",
}


@pytest.mark.parametrize(
    "host",
    [
        "mail.example.net, evil.example",
        "mail.example.net@evil.example",
        "evil.example:443#mail.example.net",
        "mail.example.net;script-src *",
        "mail.example.net/evil",
        "mail.example.net\tevil.example",
        "mail.example.net:8025 *",
        "[::1]",
        "",
    ],
)
def test_a_host_that_is_none_is_no_page_of_ours(sqlite_page: Page, host: str) -> None:
    browser = sqlite_page.browser("richard")
    assert [browser.get(path, headers={"Host": host}).status_code for path in ("/sign-in", "/todos")] == [400, 400]


def test_the_policy_of_a_mails_document_names_no_host_but_ours(sqlite_page: Page) -> None:
    one = sqlite_page.deliver(raw_mail(b"<p>Hi", b"Content-Type: text/html"))
    browser = sqlite_page.browser("richard")
    answers = [
        browser.get(f"/activities/{one}/html", headers={"Host": f"mail.example.net{port}"}) for port in ("", ":444")
    ]
    named = {
        word for answer in answers for word in re.findall(r"https?://[^ ;]+", answer.headers["Content-Security-Policy"])
    }
    assert {word.split("/")[2].partition(":")[0] for word in named} == {"mail.example.net"}


def test_headers_of_a_proxy_change_nothing(sqlite_page: Page) -> None:
    browser, boss = sqlite_page.browser("richard"), sqlite_page.browser("boss", Role.ADMIN)
    assert browser.get("/admin", headers=_OF_PROXIES).status_code == 404
    assert browser.get("/", headers=_OF_PROXIES).headers["Location"] == "/todos"
    headers = {**_OF_PROXIES, "Origin": URL, "Sec-Fetch-Site": "same-origin"}
    richard = sqlite_page.account("richard")
    linked = boss.post(f"/admin/accounts/{richard.id}/link", headers=headers).get_data(as_text=True)
    assert f"{URL}/sign-in/link/" in linked
    assert "evil" not in linked


@pytest.mark.parametrize("name", ["_method", "X-HTTP-Method-Override", "X-Method-Override"])
def test_no_method_is_another_one(sqlite_page: Page, name: str) -> None:
    browser = sqlite_page.browser("richard")
    assert browser.get(f"/sign-out?{name}=POST", headers={name: "POST"}).status_code == 405
    assert browser.get("/account").status_code == 200


def test_a_token_counts_in_the_form_alone(sqlite_page: Page) -> None:
    """Addresses are stored and passed on; forms aren't."""
    browser = sqlite_page.browser("richard")
    token = browser.token()
    assert browser.post(f"/sign-out?csrf_token={token}", token=False).status_code == 403
    headers = {"Origin": URL, "Sec-Fetch-Site": "same-origin", "X-CSRF-Token": token}
    assert browser.post("/sign-out", token=False, headers=headers).status_code == 403


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/json", "multipart/form-data", "multipart/form-data; boundary=x"]
)
def test_a_body_of_another_kind_is_no_form(sqlite_page: Page, content_type: str) -> None:
    browser = sqlite_page.browser("richard")
    body = f'{{"csrf_token": "{browser.token()}"}}'
    headers = {"Origin": URL, "Sec-Fetch-Site": "same-origin"}
    answer = browser.client.open(
        "/sign-out", method="POST", base_url=URL, data=body, headers=headers, content_type=content_type
    )
    assert answer.status_code == 403


def test_a_form_of_very_many_fields_is_refused(sqlite_page: Page) -> None:
    browser = sqlite_page.browser("richard")
    parts = {"todo": ["1"] * 2_000, "file": (io.BytesIO(b"x"), "x")}
    assert browser.post("/todos/done", parts).status_code == 413


@pytest.mark.parametrize("path", ["/sign-in/password", "/sign-in/link/x", "/todos/done"])
def test_a_large_form_is_refused_before_it_is_read(sqlite_page: Page, path: str) -> None:
    """Some MB of `a&a&a` would take seconds and a gigabyte. Anybody can send them, because these forms are open to all."""
    browser = sqlite_page.browser()
    browsers = (browser, sqlite_page.browser("richard"))
    headers = {"Origin": URL, "Sec-Fetch-Site": "same-origin"}
    for kind, body in (
        ("application/x-www-form-urlencoded", b"a&" * 300_000),
        ("multipart/form-data; boundary=x", _FILE),
    ):
        options: dict[str, Any] = {
            "method": "POST",
            "base_url": URL,
            "data": body,
            "headers": headers,
            "content_type": kind,
        }
        found = {one.client.open(path, **options).status_code for one in browsers}
        assert found <= {413, 401, 410}  # a refused request isn't read either
        assert 413 in found


def test_a_file_of_contacts_may_be_larger_and_a_form_without_parts_may_not(sqlite_page: Page) -> None:
    boss = sqlite_page.browser("boss", Role.ADMIN)
    rows = b"name,address\n" + b"".join(b"Jane %d,j%d@c.example\n" % (one, one) for one in range(20_000))
    assert len(rows) > forms.MAX_FORM_BYTES
    assert boss.post("/admin/contacts/import", {"file": (io.BytesIO(rows), "a.csv")}).status_code == 303
    assert boss.post("/admin/contacts/import", {"file": "a" * 600_000}).status_code == 413


@pytest.mark.parametrize(
    "way",
    [
        *("///evil.example", "/\t/evil.example", "/\r\nLocation: https://evil.example", "https:evil.example"),
        *("\\\\evil.example", "/\\/evil.example", "http:///evil.example", "/\u2028/evil.example", "\x00//evil.example"),
        *("//evil.example\\@mail.example.net", "javascript://mail.example.net/%0ax", "data:text/html,x", " //evil.example"),
        *("/\u202e//evil.example", "//%65vil.example", "////evil.example/..", "mailto:x@evil.example", "/\n"),
    ],
)  # fmt: skip
def test_nobody_is_sent_elsewhere(sqlite_page: Page, way: str) -> None:
    browser = sqlite_page.browser("richard")
    answer = browser.get("/sign-in", query_string={"to": way})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    shown = sqlite_page.browser().get("/sign-in", query_string={"to": way}).get_data(as_text=True)
    assert "evil.example" not in shown


@pytest.mark.parametrize(
    "path",
    [
        "/activities?contact={}",
        "/activities?since={}",
        "/search?q={}",
        "/why?q={}",
        "/contacts?q={}",
        "/companies?q={}",
    ],
)
@pytest.mark.parametrize("piece", ["a@", "<", '"', "(", "a.", "@a", "%", "\\", "=?", "\u0130"])
def test_no_field_of_an_address_takes_long_or_fails(sqlite_page: Page, path: str, piece: str) -> None:
    """The fields get as many pieces as fit of those that make patterns backtrack. An answer without an end would exceed the
    test's time limit."""
    browser = sqlite_page.browser("richard")
    assert browser.get(path.format(quote(piece * 2_000))).status_code in (200, 400)


def test_a_link_to_the_page_does_nothing_by_being_looked_at(sqlite_page: Page) -> None:
    """Browsers and mail scanners prefetch links. So no GET has an effect that a person could miss."""
    one = sqlite_page.deliver()
    browser = sqlite_page.browser("richard")
    headers = {"Sec-Purpose": "prefetch", "Purpose": "prefetch"}
    for path in (
        "/sign-out",
        "/todos/done?todo=1",
        "/todos?done=1",
        f"/activities/{one}/done",
        "/contacts/new?name=x&address=x@y.example",
    ):
        browser.get(path, headers=headers)
    assert "An offer" in browser.text("/todos")
    assert "x@y.example" not in browser.text("/contacts")
