"""Every page for everybody: axe-core finds nothing, in light and dark, on wide screens and on a phone; without a script; by
keyboard alone.

The pages are those of the application's routes, with the ids of a sample site. So a new route is tested without a line here.
"""

from collections.abc import Iterator
from importlib import resources
from typing import Any

import pytest

from tests.browser.conftest import Chromium
from tests.browser.sample_site import SampleSite, sample_site
from tests.page_routes import ROUTES, bare_application, every_route
from webapp.access import Access

# The readers of a page by its access rule.
_READERS = {
    Access.PUBLIC: "",
    Access.SIGNED_IN: "richard",
    Access.STAFF: "richard",
    Access.READER: "richard",
    Access.ADMIN: "boss",
}
# Files, documents of a mail, and redirects
_NO_PAGES = {
    "static",
    "home.start",
    "sign_in.link",
    "openid.begin",
    "openid.answer",
    "google.come_back",
    "message_parts.html",
    "message_parts.raw",
    "message_parts.attachment",
    "contacts.months_picture",
    "companies.months_picture",
    "admin_contact_files.export",
}
PAGES = [
    (_READERS[ROUTES[one.endpoint].access], one.rule, one)
    for one in every_route(bare_application())
    if one.method == "GET" and one.endpoint not in _NO_PAGES
]
# States that aren't visible on the routes alone.
MORE = [
    ("richard", "/activities?direction=incoming&since=2026-11-01"),
    ("richard", "/activities?contact=nobody%40client.example"),
    ("richard", "/search?q=boiler"),
    ("richard", "/search?q=nosuchword"),
    ("richard", "/why?q=jane%40client.example"),
    ("richard", "/why?q=builder%40prospect.example"),
    ("richard", "/no-such-page"),
    ("pat", "/todos"),
    ("pat", "/todos/done"),
    ("pat", "/integrations"),
    ("boss", "/admin/contacts?words=nobody"),
    ("root", "/account"),
    ("root", "/admin"),
    ("root", "/admin/health"),
    ("root", "/admin/accounts"),
]
MESSAGES = ["offer", "tender", "prices", "visit", "forged"]
_LOOKS = [(width, scheme) for width in (1280, 360) for scheme in ("light", "dark")]
_OPEN_ALL = "document.querySelectorAll('details:not(.own)').forEach(one => one.open = true)"
_OPEN_MENU = "document.querySelector('details.own').open = true"
_OVERFLOW = "document.scrollingElement.scrollWidth - innerWidth"
_NOT_THERE = "Failed to load resource: the server responded with a status of 4"  # for pages that report an error
# A mail's own document isn't checked: the page can't change it.
_AXE = """axe.run(document, {iframes: false, rules: {'target-size': {enabled: true}}}).then(
  found => found.violations.map(one => `${one.id}: ${one.nodes.slice(0, 3).map(node => node.html).join(' | ')}`))"""
_FOCUSED = """(() => {
  const style = getComputedStyle(document.activeElement);
  return {words: document.activeElement.textContent.trim(), place: document.activeElement.getBoundingClientRect().left,
          line: style.outlineStyle === 'none' ? 0 : parseFloat(style.outlineWidth)};
})()"""


def _without_refresh(route: Any) -> None:
    """Passes an answer on without its header Refresh: a page of a running job would load itself again while axe looks at it."""
    answer = route.fetch()
    headers = {name: value for name, value in answer.headers.items() if name.lower() != "refresh"}
    route.fulfill(response=answer, headers=headers)


class Reader:
    """Opens pages as each account, each in a browser of its own. faults: found on the way."""

    def __init__(self, chromium: Chromium, site: SampleSite, *, has_script: bool = True) -> None:
        self._browser, self._site, self._has_script = chromium.browser, site, has_script
        self._pages: dict[str, Any] = {}
        self.axe = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text()
        self.said: list[str] = []

    def page(self, name: str) -> Any:
        """The account's browser; a signed-out one without a name."""
        if name not in self._pages:
            options = {"java_script_enabled": self._has_script}
            signed_in = self._site.signed_in(self._browser, name, **options) if name else None
            made = signed_in or self._browser.new_context(**options).new_page()
            made.route("**/admin/jobs/*", _without_refresh)
            made.on("console", lambda one: self.said.append(one.text) if one.type in ("error", "warning") else None)
            self._pages[name] = made
        return self._pages[name]

    def open(self, name: str, path: str) -> Any:
        """Opens this address."""
        page = self.page(name)
        page.goto(self._site.served.url + path)
        return page

    def faults(self, name: str, path: str, opening: str = _OPEN_ALL) -> list[str]:
        """The page's faults in each display mode, before and after this part is opened."""
        page = self.open(name, path)
        page.evaluate(self.axe)
        found = []
        for width, scheme in _LOOKS:
            page.set_viewport_size({"width": width, "height": 800})
            page.emulate_media(color_scheme=scheme)
            look = f"{width} px, {scheme}"
            found += [f"{look}: too wide by {page.evaluate(_OVERFLOW)} px"] if page.evaluate(_OVERFLOW) > 0 else []
            page.evaluate(opening)
            found += [f"{look}: too wide, all open"] if page.evaluate(_OVERFLOW) > 0 else []
            found += [f"{look}: {one}" for one in page.evaluate(_AXE)]
        return found

    def close(self) -> None:
        """Ends its browsers."""
        for page in self._pages.values():
            page.context.close()


@pytest.fixture(scope="module")
def site(chromium: Chromium) -> Iterator[SampleSite]:
    """chromium: without a browser, nothing is set up."""
    with sample_site() as made:
        yield made


@pytest.fixture(scope="module")
def reader(chromium: Chromium, site: SampleSite) -> Iterator[Reader]:
    """A reader with scripts, the browsers' default."""
    made = Reader(chromium, site)
    yield made
    made.close()


@pytest.fixture(scope="module")
def scriptless(chromium: Chromium, site: SampleSite) -> Iterator[Reader]:
    """A reader without scripts."""
    made = Reader(chromium, site, has_script=False)
    yield made
    made.close()


@pytest.mark.parametrize(("name", "rule", "route"), PAGES, ids=[rule for _, rule, _ in PAGES])
def test_nothing_bars_anybody_from_a_page(name: str, rule: str, route: Any, reader: Reader, site: SampleSite) -> None:
    assert reader.faults(name, route.path(site.ids)) == [], rule


@pytest.mark.parametrize(("name", "path"), MORE)
def test_nothing_bars_anybody_from_what_a_page_shows_then(name: str, path: str, reader: Reader) -> None:
    assert reader.faults(name, path) == []


@pytest.mark.parametrize("view", ["", "?view=html"])
@pytest.mark.parametrize("mail", MESSAGES)
def test_nothing_bars_anybody_from_a_message(mail: str, view: str, reader: Reader, site: SampleSite) -> None:
    assert reader.faults("richard", f"/activities/{site.mail[mail]}{view}") == []


@pytest.mark.smoke
def test_nothing_bars_anybody_from_integrations(reader: Reader) -> None:
    """The smoke test that `make test` runs."""
    assert reader.faults("richard", "/integrations") == []


@pytest.mark.parametrize("name", ["richard", "boss", "root"])
def test_nothing_bars_anybody_from_the_menu(name: str, reader: Reader) -> None:
    assert reader.faults(name, "/account", _OPEN_MENU) == []


def test_the_judge_finds_what_bars_somebody(reader: Reader) -> None:
    page = reader.open("richard", "/todos")
    page.evaluate(reader.axe)
    page.evaluate("document.querySelector('main').innerHTML = '<img src=/static/x><input><h3>x</h3>'")
    found = " ".join(page.evaluate(_AXE))
    assert all(rule in found for rule in ("image-alt", "label", "page-has-heading-one"))


def test_each_page_has_one_heading_and_a_title_of_its_own_without_a_script(
    scriptless: Reader, site: SampleSite
) -> None:
    titles: dict[str, str] = {}
    headings = {}
    for name, rule, route in PAGES:
        page = scriptless.open(name, route.path(site.ids))
        titles[rule] = page.title()
        headings[rule] = page.locator("h1").count()
    assert {rule: count for rule, count in headings.items() if count != 1} == {}
    assert {rule: title for rule, title in titles.items() if list(titles.values()).count(title) > 1} == {}


def test_forms_work_without_a_script(scriptless: Reader) -> None:
    page = scriptless.open("richard", "/todos")
    page.click("[data-row] button")
    assert "1 to-do is done." in page.inner_text("main")
    page.click("main [role=status] button")
    assert "1 to-do is on the list again." in page.inner_text("main")

    page = scriptless.open("richard", "/activities")
    page.fill("input[name=q]", "boiler")
    page.click("main form button >> nth=0")
    assert page.locator("mark").count() > 0

    page = scriptless.open("richard", "/contacts/new")
    page.fill("[name=name]", "The builder")
    page.fill("[name=addresses]", "office@builder.example")
    page.click("main form button")
    assert page.inner_text("h1") == "The builder"

    page = scriptless.open("richard", "/integrations")
    page.click("summary:has-text('Confirm it is working')")
    page.fill("#contact-name", "At home")
    page.fill("#contact-address", "me@home.example")
    assert page.locator("[data-copy]:visible").count() == 0
    page.click("text=Add the contact")
    assert "The contact is added." in page.inner_text("main")

    page = scriptless.open("boss", "/admin/rules")
    page.fill("[name=pattern]", "@tax.example")
    page.click("form:has(#pattern) button")
    assert "You can close this window" in page.inner_text("main")


def test_all_that_is_done_on_a_list_is_reached_by_tab_with_a_line_around_it(reader: Reader) -> None:
    page = reader.open("richard", "/todos")
    page.set_viewport_size({"width": 1280, "height": 800})
    seen = []
    for _ in range(25):
        page.keyboard.press("Tab")
        seen.append(page.evaluate(_FOCUSED))
    words = [one["words"] for one in seen]
    assert words[0] == "Skip to the content"
    assert {"To-dos", "richard", "Oldest first", "The radiator in the kitchen", "Done"} <= set(words)
    assert [one for one in seen if one["line"] < 2 or one["place"] < 0] == []


def test_keys_walk_through_the_list_and_do_what_is_to_be_done(reader: Reader) -> None:
    page = reader.open("richard", "/todos")
    steps = []
    for key in ("j", "j", "k"):
        page.keyboard.press(key)
        steps.append(page.evaluate(_FOCUSED)["words"])
    assert steps == ["The radiator in the kitchen", "Re: Your offer", "The radiator in the kitchen"]
    with page.expect_navigation():
        page.keyboard.press("e")
    assert "1 to-do is done." in page.inner_text("main")
    assert "The radiator in the kitchen" not in page.inner_text("main ul.list")
    assert page.evaluate(_FOCUSED)["words"] == "Re: Your offer"  # it continues at the same place
    with page.expect_navigation():
        page.keyboard.press("u")
    assert "The radiator in the kitchen" in page.inner_text("main ul.list")


def test_a_key_does_what_a_messages_own_button_does(reader: Reader) -> None:
    page = reader.open("richard", "/todos")
    page.click("text=The radiator in the kitchen")
    page.wait_for_load_state()
    for key, words in (("e", "Put it on the list again"), ("Enter", "On your list of to-dos")):
        page.focus("main form button")
        with page.expect_navigation():
            page.keyboard.press(key)
        assert words in page.inner_text("main")


def test_no_page_wants_what_its_policy_refuses(reader: Reader) -> None:
    """Runs after all others, and looks at the browsers' messages during their runs."""
    assert [one for one in reader.said if not one.startswith(_NOT_THERE)] == []
