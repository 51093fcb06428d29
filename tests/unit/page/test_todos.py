"""To-dos on the page: done with one click, undone with another, and only the user's own."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest

from mailweir.store.web.accounts import Role
from tests.page import Browser, Page
from tests.page_mail import ANNA, RICHARD, deliver_many, link, mail

LIMIT_BYTES = 60_000


def subjects(text: str) -> list[str]:
    """The subjects of the rows, in order."""
    return re.findall(r'class="subject"[^>]*><bdi>([^<]*)</bdi>', text)


def ids(text: str) -> list[str]:
    """The ids of the to-dos with a button."""
    return re.findall(r'name="todo" value="(\d+)" data-key', text)


def test_what_a_client_wrote_is_on_the_list(page: Page) -> None:
    page.deliver(mail("1", "First"))
    page.deliver(mail("2", "Second"))
    browser = page.browser("richard")
    assert subjects(browser.text("/todos")) == ["Second", "First"]
    assert subjects(browser.text("/todos?order=oldest")) == ["First", "Second"]
    assert subjects(page.browser("anna").text("/todos")) == []


def test_one_click_does_it_and_another_takes_it_back(page: Page) -> None:
    page.deliver(mail("1", "First"))
    page.deliver(mail("2", "Second"))
    browser = page.browser("richard")
    second = ids(browser.text("/todos?order=oldest"))[1]
    answer = browser.post("/todos/done", {"todo": second, "order": "oldest"})
    assert answer.status_code == 303
    asked = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert asked == {"order": ["oldest"], "done": [second]}
    shown = browser.text(answer.headers["Location"])
    assert "1 to-do is done." in shown
    assert subjects(shown) == ["First"]
    assert subjects(browser.text("/todos/done")) == ["Second"]
    undone = browser.post("/todos/undo", {"todo": second, "order": "oldest"})
    assert "1 to-do is on the list again." in browser.text(undone.headers["Location"])
    assert subjects(browser.text("/todos?order=oldest")) == ["First", "Second"]


def test_all_that_is_shown_is_done_and_undone_at_once(page: Page) -> None:
    deliver_many(page, 3)
    browser = page.browser("richard")
    shown = re.findall(r'name="shown" value="(\d+)"', browser.text("/todos"))
    answer = browser.post("/todos/done", {"shown": shown, "all": "1"})
    text = browser.text(answer.headers["Location"])
    assert "3 to-dos are done." in text
    assert "Nothing to do." in text
    browser.post("/todos/undo", {"todo": re.findall(r'name="todo" value="(\d+)"', text)})
    assert len(subjects(browser.text("/todos"))) == 3


def test_the_ids_that_are_shown_do_nothing_by_themselves(sqlite_page: Page) -> None:
    deliver_many(sqlite_page, 2)
    browser = sqlite_page.browser("richard")
    browser.post("/todos/done", {"shown": re.findall(r'name="shown" value="(\d+)"', browser.text("/todos"))})
    assert len(subjects(browser.text("/todos"))) == 2


def test_what_is_done_goes_back_from_its_own_list(sqlite_page: Page) -> None:
    deliver_many(sqlite_page, 1)
    browser = sqlite_page.browser("richard")
    number = ids(browser.text("/todos"))
    browser.post("/todos/done", {"todo": number})
    answer = browser.post("/todos/undo", {"todo": number, "from_done": "1"})
    assert answer.headers["Location"].startswith("/todos/done?undone=")
    assert "is on the list again" in browser.text(answer.headers["Location"])
    assert len(subjects(browser.text("/todos"))) == 1


def test_nobody_changes_somebody_elses(page: Page) -> None:
    """Law 4, and within a deployment: any ids are given."""
    page.deliver(mail("1", "Of richard"), RICHARD)
    browser = page.browser("richard")
    (number,) = ids(browser.text("/todos"))
    others = (page.browser("anna"), page.browser("bob", deployment=page.other))
    for other in others:
        answer = other.post("/todos/done", {"todo": number})
        assert "done=" not in answer.headers["Location"]
    assert subjects(browser.text("/todos")) == ["Of richard"]
    browser.post("/todos/done", {"todo": number})
    for other in others:
        other.post("/todos/undo", {"todo": number})
        assert subjects(other.text("/todos/done")) == []
    assert subjects(browser.text("/todos")) == []


def test_one_mail_to_two_is_two_to_dos(page: Page) -> None:
    page.deliver(mail("1", "To both"), f"{RICHARD} {ANNA}")
    richard, anna = page.browser("richard"), page.browser("anna")
    richard.post("/todos/done", {"todo": ids(richard.text("/todos"))})
    assert (subjects(richard.text("/todos")), subjects(anna.text("/todos"))) == ([], ["To both"])


def _walked(browser: Browser, path: str) -> list[list[str]]:
    """The subjects on each page, to the last page. The way back has the same pages."""
    pages, last = _walk(browser, path, "Next")
    back, _ = _walk(browser, last, "Previous")
    assert back == pages[::-1]
    return pages


def _walk(browser: Browser, path: str, words: str) -> tuple[list[list[str]], str]:
    pages: list[list[str]] = []
    further, last = path, path
    while further and len(pages) < 20:
        text, last = browser.text(further), further
        pages.append(subjects(text))
        further = link(text, words)
    return pages, last


@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_a_long_list_is_walked_by_pages(page: Page, order: str) -> None:
    deliver_many(page, 120)
    pages = _walked(page.browser("richard"), f"/todos?order={order}")
    found = [one for shown in pages for one in shown]
    assert [len(shown) for shown in pages] == [50, 50, 20]
    assert sorted(found) == sorted(f"Number {number}." for number in range(1, 121))


def test_what_is_done_is_walked_by_pages(page: Page) -> None:
    deliver_many(page, 70)
    browser = page.browser("richard")
    for _ in range(2):
        shown = re.findall(r'name="shown" value="(\d+)"', browser.text("/todos"))
        browser.post("/todos/done", {"shown": shown, "all": "1"})
    pages = _walked(browser, "/todos/done")
    assert [len(shown) for shown in pages] == [50, 20]
    assert len({one for shown in pages for one in shown}) == 70


@pytest.mark.parametrize(("way", "order"), [("Next", "newest"), ("Next", "oldest"), ("Previous", "newest")])
def test_a_later_page_is_done_and_undone_where_it_is(page: Page, way: str, order: str) -> None:
    deliver_many(page, 160)
    browser = page.browser("richard")
    path = f"/todos?order={order}"
    for words in ("Next", "Next", *(["Previous"] * (way == "Previous"))):
        path = link(browser.text(path), words)
    before = browser.text(path)
    answer = browser.post("/todos/done", _fields(before, "shown") | {"all": "1"})
    after = browser.text(answer.headers["Location"])
    assert "50 to-dos are done." in after
    assert not set(subjects(after)) & set(subjects(before))
    undone = browser.post("/todos/undo", _fields(after, "todo"))
    back = browser.text(undone.headers["Location"])
    assert "50 to-dos are on the list again." in back
    assert subjects(back) == subjects(before)


def _fields(text: str, name: str) -> dict[str, object]:
    """The form with fields of this name: its address, and these fields."""
    form = next(one for one in re.findall(r"<form.*?</form>", text, re.DOTALL) if f'type="hidden" name="{name}"' in one)
    found = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', form)
    place = {key: value for key, value in found if key in ("order", "after", "before")}
    return {**place, name: [value for key, value in found if key == name]}


def test_what_is_put_back_from_a_later_page_of_done_ones_leads_there_again(page: Page) -> None:
    deliver_many(page, 120)
    browser = page.browser("richard")
    for _ in range(3):
        browser.post("/todos/done", _fields(browser.text("/todos"), "shown") | {"all": "1"})
        page.clock.pass_by(60)
    path = link(browser.text("/todos/done"), "Next")
    text = browser.text(path)
    found = dict(re.findall(r'type="hidden" name="(at|before|after)" value="([^"]*)"', text))
    one = re.findall(r'<button name="todo" value="(\d+)"', text)[0]
    answer = browser.post("/todos/undo", {"todo": one, "from_done": "1", **found})
    assert subjects(browser.text(answer.headers["Location"])) == [*subjects(text)[1:], "Number 90."]
    assert browser.post("/todos/undo", {"todo": one, "from_done": "1", "at": "never", "before": "1"}).status_code == 404


def test_there_is_no_way_back_where_nothing_is(page: Page) -> None:
    deliver_many(page, 60)
    browser = page.browser("richard")
    first = browser.text("/todos")
    assert link(first, "Previous") == ""
    second = link(first, "Next")
    browser.post("/todos/done", {"shown": re.findall(r'name="shown" value="(\d+)"', first), "all": "1"})
    assert link(browser.text(second), "Previous") == ""
    assert link(browser.text(second), "Next") == ""


def test_an_empty_list_says_what_to_do(sqlite_page: Page) -> None:
    text = sqlite_page.browser("richard").text("/todos")
    assert "Nothing to do." in text
    assert 'href="/contacts/new"' in text
    assert "No to-do is done yet." in sqlite_page.browser("richard").text("/todos/done")


def test_a_list_has_a_bound_whatever_is_in_it(sqlite_page: Page) -> None:
    deliver_many(sqlite_page, 50, subject="<&>\"' {} " + "\U0001f3f4" * 400)
    text = sqlite_page.browser("richard").text("/todos")
    assert len(ids(text)) == 50
    assert len(text.encode()) < LIMIT_BYTES


@pytest.mark.parametrize("path", ["/todos", "/todos/done"])
def test_who_has_no_record_has_no_to_dos(sqlite_page: Page, path: str) -> None:
    assert sqlite_page.browser("boss", Role.ADMIN).get(path).status_code == 404
    assert sqlite_page.browser("root", role=None).get(path).status_code == 404
    assert sqlite_page.browser().get(path).status_code == 303


@pytest.mark.parametrize("path", ["/todos/done", "/todos/undo"])
@pytest.mark.parametrize("value", ["x", "-1", "1.5", "9" * 30, ""])
def test_what_is_no_id_is_refused(sqlite_page: Page, path: str, value: str) -> None:
    assert sqlite_page.browser("richard").post(path, {"todo": value}).status_code == 400


@pytest.mark.parametrize("query", ["at=x&before=1", "before=1", "at=2026-01-01T00:00:00", "at=0001-01-01T00:00:00Z"])
def test_what_is_no_place_in_the_list_is_not_there(sqlite_page: Page, query: str) -> None:
    assert sqlite_page.browser("richard").get(f"/todos/done?{query}").status_code == 404


def test_a_url_that_names_ids_does_nothing(sqlite_page: Page) -> None:
    sqlite_page.deliver(mail("1"))
    browser = sqlite_page.browser("richard")
    (number,) = ids(browser.text("/todos"))
    browser.text(f"/todos?done={number},x,{'9' * 5000}&after=x&order=%3Cb%3E")
    assert ids(browser.text("/todos")) == [number]
