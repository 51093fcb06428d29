"""The record as lists: filters, search, conversations, pages, and hostile content."""

import re
from urllib.parse import quote

import pytest

from mailweir.store.people import companies, contacts, users
from mailweir.store.record import streams
from tests.page import JANE, Browser, Page
from tests.page_mail import ANNA, LOG, RICHARD, deliver_many, link, mail, shown

LIMIT_BYTES = 75_000  # names of contacts, companies and users are links


# --- filters ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def several(page: Page) -> dict[str, int]:
    """Several different mails, by name."""
    companies.add(page.database, page.demo, "Bolts & Co", None, page.clock())
    contacts.add(page.database, page.demo, "Bo", ["bo@bolts.example"], "Bolts & Co", page.clock())
    found = {
        "plain": page.deliver(mail("plain"), RICHARD),
        "proven": page.deliver(mail("proven", X_Test="proven", List_Id="<a.client.example>"), RICHARD),
        "anna": page.deliver(mail("anna", From="bo@bolts.example"), ANNA),
        "sent": page.deliver(mail("sent", From="richard@firm.example", To=JANE, X_Test="proven"), LOG),
    }
    page.clock.pass_by(3 * 86_400)
    return {**found, "late": page.deliver(mail("late"), RICHARD)}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", "late sent anna proven plain"),
        (f"contact={JANE}", "late sent proven plain"),
        ("contact=JANE@Client.example", "late sent proven plain"),
        ("company=bolts+%26+co", "anna"),
        ("company=Client+Ltd&user=richard&direction=incoming", "late proven plain"),
        ("user=anna", "anna"),
        ("user=anna&company=Client+Ltd", ""),
        ("direction=outgoing", "sent"),
        ("label=list", "proven"),
        ("label=bounce", ""),
        ("route=log", "sent"),
        ("route=forward&verdict=pass", "proven"),
        ("verdict=none&user=richard", "late plain"),
        ("since=2026-11-26", "late"),
        ("until=2026-11-25&direction=incoming", "anna proven plain"),
        ("since=2026-11-24&until=2026-11-24&verdict=pass", "sent proven"),
        (f"contact={JANE}&company=Bolts+%26+Co", ""),
        ("since=&until=&contact=&user=&unknown=1", "late sent anna proven plain"),
    ],
)
def test_filters_narrow_together(page: Page, several: dict[str, int], query: str, names: str) -> None:
    found = shown(page.browser("richard").text(f"/activities?{query}"))
    assert found == [str(several[name]) for name in names.split()]


def test_a_filter_that_is_on_can_be_taken_off(sqlite_page: Page) -> None:
    text = sqlite_page.browser("richard").text("/activities?direction=incoming&user=richard&since=2026-11-01")
    chips = re.findall(r'<a class="chip" href="([^"]+)"><bdi>([^<]+)', text)
    assert chips == [
        ("/activities?direction=incoming&amp;since=2026-11-01", "on the record of richard"),
        ("/activities?user=richard&amp;since=2026-11-01", "direction: received"),
        ("/activities?user=richard&amp;direction=incoming", "from 2026-11-01 on"),
    ]


@pytest.mark.parametrize(
    "query",
    [
        "contact=nobody@x.example",
        "contact=%3Cscript%3E",
        "contact=%00",
        "company=None",
        "company=%F0%9F%98%80%00",
        "user=nobody",
        "user=%00",
        "direction=up",
        "label=private",
        "route=pigeon",
        "verdict=perhaps",
        "since=yesterday",
        "since=0001-01-01",
        "until=9999-12-31",
        "since=20261124T",
        "user=" + "x" * 9_000,
    ],
)
def test_what_cant_be_is_said_and_nothing_is_listed(page: Page, query: str) -> None:
    page.deliver()
    answer = page.browser("richard").get(f"/activities?{query}")
    text = answer.get_data(as_text=True)
    assert (answer.status_code, shown(text)) == (400, [])
    assert 'role="alert"' in text
    assert "<script>" not in text


def test_a_day_is_the_readers(sqlite_page: Page) -> None:
    """03:12 UTC on the 24th is still the 23rd in New York."""
    sqlite_page.deliver()
    account = sqlite_page.account("richard")
    sqlite_page.database.execute("UPDATE web_accounts SET zone = 'America/New_York' WHERE id = ?", (account.id,))
    browser = sqlite_page.browser("richard")
    until = sqlite_page.clock().date().isoformat()
    assert len(shown(browser.text(f"/activities?since={until}&until={until}"))) == 0


# --- pages ------------------------------------------------------------------------------------------------------------


def _walk(browser: Browser, path: str, words: str) -> tuple[list[list[str]], str]:
    """The ids on each page, reached by the link with these words; and the last page's path."""
    pages: list[list[str]] = []
    while len(pages) < 20:
        text = browser.text(path)
        pages.append(shown(text))
        if not link(text, words):
            break
        path = link(text, words)
    return pages, path


def test_many_rows_are_walked_there_and_back(page: Page) -> None:
    ids = deliver_many(page, 250)
    browser = page.browser("richard")
    for path in ("/activities?direction=incoming", "/contacts/1", "/companies/1"):
        there, last = _walk(browser, path, "Older")
        assert [len(found) for found in there] == [50] * 5
        assert [one for found in there for one in found] == [str(one) for one in reversed(ids)]
        back, _ = _walk(browser, last, "Newer")
        assert back == there[::-1]
        assert shown(browser.text(link(browser.text(last), "Newest"))) == there[0]


def test_search_is_walked_by_pages(page: Page) -> None:
    ids = deliver_many(page, 60)
    pages, _ = _walk(page.browser("richard"), "/search?q=boiler", "Next")
    assert [len(found) for found in pages] == [25, 25, 10]
    assert [one for found in pages for one in found] == [str(one) for one in reversed(ids)]


def test_a_long_conversation_is_walked_by_pages(page: Page) -> None:
    ids = [page.deliver(mail("root", "A long one"))]
    ids += [
        page.deliver(mail(f"r{number}", "Re: A long one", In_Reply_To="<root@client.example>")) for number in range(59)
    ]
    browser = page.browser("richard")
    (thread,) = set(re.findall(r"/threads/\d+", browser.text("/activities")))
    there, last = _walk(browser, thread, "Later")
    assert [one for found in there for one in found] == [str(one) for one in ids]
    assert link(browser.text(last), "Earlier")


def test_a_page_that_looked_at_enough_says_where_to_go_on(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "LOOKED_AT", 60)
    wanted = page.deliver(mail("rare", X_Test="proven"))
    deliver_many(page, 250)
    browser = page.browser("richard")
    text = browser.text("/activities?verdict=pass")
    assert "none of them fits" in text
    assert "No mail that you may see fits" not in text
    pages, _ = _walk(browser, "/activities?verdict=pass", "Search further")
    assert [one for found in pages for one in found] == [str(wanted)]
    assert len(pages) > 1


@pytest.mark.parametrize("query", ["before=x", "after=-1", "before=99999999999999999999", "after=9223372036854775807"])
@pytest.mark.parametrize("path", ["/activities?", "/contacts/1?", "/search?q=boiler&", "/todos?", "/contacts?"])
def test_a_place_that_is_none_is_no_fault(sqlite_page: Page, path: str, query: str) -> None:
    sqlite_page.deliver()
    assert sqlite_page.browser("richard").get(path + query).status_code == 200


@pytest.mark.parametrize("number", ["0", "99", str(2**63), "9" * 30])
def test_what_isnt_there_is_a_404(page: Page, number: str) -> None:
    for path in ("/threads/", "/contacts/", "/companies/"):
        assert page.browser("richard").get(path + number).status_code == 404


# --- hostile content -------------------------------------------------------------------------------------------------

HOSTILE = "<script>alert(1)</script><b>\"'&amp;"


@pytest.mark.parametrize("path", ["/activities", "/search?q=alert", "/contacts/1", "/todos", "/companies/1"])
def test_markup_in_a_mail_is_text(page: Page, path: str) -> None:
    page.deliver(mail("1", HOSTILE, HOSTILE), RICHARD)
    text = page.browser("richard").text(path)
    assert "<script>alert" not in text
    assert "<b>" not in text
    assert "&lt;script&gt;" in text


def test_what_is_unseen_shows_as_its_code_and_turns_nothing_else(sqlite_page: Page) -> None:
    sqlite_page.deliver(mail("1", "safe \u202egpj.exe\u202c \x1b[2J\u200bx"), RICHARD)
    text = sqlite_page.browser("richard").text("/activities")
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\x1b]", text)
    assert "<bdi>safe \\u202egpj.exe" in text


@pytest.mark.parametrize(
    "typed", ["<script>alert(1)</script>", "\"'><svg onload=x>", "\u202e\x00", "a" * 9_000, '"', "*"]
)
def test_what_is_searched_for_is_text(page: Page, typed: str) -> None:
    page.deliver()
    text = page.browser("richard").text(f"/search?q={quote(typed)}")
    assert "<script>alert" not in text
    assert "<svg onload" not in text


def test_a_search_marks_what_it_found(page: Page) -> None:
    page.deliver(mail("1", "Boiler & more", "It is the BOILER <b>of</b> the house."), RICHARD)
    text = page.browser("richard").text("/search?q=boiler")
    assert "<mark>Boiler</mark> &amp; more" in text
    assert "It is the <mark>BOILER</mark> &lt;b&gt;of" in text


def test_a_list_has_a_bound_whatever_is_in_it(sqlite_page: Page) -> None:
    others = [letter * 60 for letter in "abc"]
    for username in others:
        users.add(sqlite_page.database, sqlite_page.demo, username, f"{username}@firm.example", "", sqlite_page.clock())
    ids = deliver_many(sqlite_page, 50, subject="<&>\"' {} " + "\U0001f3f4<" * 400)
    with sqlite_page.database.transaction():
        for username in others:
            sqlite_page.database.execute(
                "INSERT INTO activity_users (activity_id, user_id) SELECT a.id, u.id FROM activities a, users u"
                " WHERE u.username = ?",
                (username,),
            )
    text = sqlite_page.browser("richard").text("/activities")
    assert len(shown(text)) == len(ids) == 50
    assert len(text.encode()) < LIMIT_BYTES


def test_an_empty_record_says_what_to_do(sqlite_page: Page) -> None:
    text = sqlite_page.browser("richard").text("/activities")
    assert "Nothing is on the record yet." in text
    assert 'href="/contacts/new"' in text
    assert "Nothing that you may see contains all of these words." in sqlite_page.browser("richard").text("/search?q=x")
    assert "The search has no word" in sqlite_page.browser("richard").text("/search?q=...")


def test_an_author_is_proven_or_not_in_words(page: Page) -> None:
    """Law 8."""
    page.deliver(mail("1", X_Test="proven"))
    page.deliver(mail("2", X_Test="forged"))
    page.deliver(mail("3"))
    said = re.findall(r'<span class="state (\w*)"><bdi>([^<]+)</bdi>', page.browser("richard").text("/activities"))
    assert said == [
        ("warn", "not proven"),
        ("bad", "not proven: its signature doesn&#39;t hold"),
        ("good", "proven by firm.example"),
    ]
