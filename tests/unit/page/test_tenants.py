"""Every route of the page, in every role: it shows nothing of another deployment, of another user's private mail, or of a Bcc.

The routes are those of the application. All tests share one site, and none of them changes anything in it.
"""

import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from mailweir import signing_keys
from mailweir.secrets_file import Sealer
from mailweir.store.database.connection import Database
from mailweir.store.people import companies, contacts, groups, never_log_rules, users
from mailweir.store.record import threads, visibility
from mailweir.store.web import change_log, jobs, reader_log, sessions
from mailweir.store.web.accounts import Role
from mailweir.visibility import Visibility
from tests.gmail_rows import connect
from tests.held_mail import Clock
from tests.page import Browser, Page, make_page
from tests.page_routes import ROUTES, Route, bare_application, every_route
from webapp.access import Access, of_view

APP = bare_application()
ROUTES_THERE = every_route(APP)
GETS = [one for one in ROUTES_THERE if one.method == "GET"]
POSTS = [one for one in ROUTES_THERE if one.method == "POST"]
LISTS = [one for one in GETS if not one.parameters and "<" not in one.rule]
OF_IDS = [one for one in ROUTES_THERE if one.parameters]
ROLES = ("nobody", "user", "admin", "operator")
MAY = {
    Access.PUBLIC: ROLES,
    Access.SIGNED_IN: ("user", "admin", "operator"),
    Access.STAFF: ("user",),
    Access.READER: ("user", "admin"),
    Access.ADMIN: ("admin", "operator"),
    Access.OPERATOR: ("operator",),
}
HUGE = (2**63, 2**64, 10**30)
OF_ANOTHER_DEPLOYMENT = ("Zeugma", "Zebra", "zebra", "other.example.org", "theirs.example")
OF_MAIL = ("Zeugma", "Quagga", "Okapi")  # subjects and texts: operators don't read any


@dataclass(frozen=True, slots=True)
class Site:
    """page: with mail and people in both deployments. browsers: by role. theirs: ids in the other deployment, by the names of the
    routes' parameters. private: anna's mail that only she may see. hidden_id: richard's mail with joe in Bcc."""

    page: Page
    browsers: dict[str, Browser]
    theirs: dict[str, int | str]
    private: dict[str, int | str]
    hidden_id: int
    joe_id: int


def _mail(subject: str, number: int, more: str = "", sender: str = "Jane Doe <jane@client.example>") -> bytes:
    head = f"From: {sender}\r\nSubject: {subject}\r\nMessage-ID: <t{number}@client.example>\r\nX-Test: proven\r\n{more}"
    return f"{head}Date: Mon, 23 Nov 2026 09:00:00 +0100\r\n\r\n{subject}, says the text.\r\n".encode()


def _fill_other(page: Page) -> dict[str, int | str]:
    """Makes all kinds of rows in the other deployment; returns their ids."""
    database, other, now = page.database, page.other, page.clock()
    zebra = users.add(database, other, "zebrauser", "zebrauser@theirs.example", "Zebra User", now)
    company = companies.add(database, other, "Zebra Ltd", None, now)
    contact = contacts.add(database, other, "Zebra Contact", ["mail@theirs.example"], "Zebra Ltd", now)
    mail = _mail("Zeugma boiler", 1, sender="Zebra Contact <mail@theirs.example>")
    activity_id = page.deliver(mail, to="zebrauser@other.example.org")
    connect(database, other, "zebrauser", now, address="zebrauser@theirs.example")
    groups.add(database, other, "zebra-group@theirs.example", now)
    rule = never_log_rules.add(database, other, "@zebra-rule.example", None, now)
    account = page.account("zebrauser", Role.USER, other)
    sessions_of = page.browser("zebrauser", Role.USER, other)
    assert sessions_of.get("/account").status_code == 200
    (session,) = sessions.of_account(database, account.id, now)
    job_id = jobs.add(database, other.id, account.id, "never_log.look", {"pattern": "@zebra-rule.example"}, now)
    signing_keys.make(database, other, "theirs.example", None, Sealer(bytes(range(32))), now)
    change_log.note(database, other.id, "zebrauser", "user.added", "zebra", "Zebra", now)
    reader_log.note(database, other.id, account.id, activity_id, reader_log.What.TEXT, now)
    return {
        "activity_id": activity_id,
        "thread_id": _thread(page, activity_id),
        "user_id": zebra.id,
        "company_id": company.id,
        "contact_id": contact.id,
        "rule_id": rule.id,
        "account_id": account.id,
        "session_id": session.id,
        "job_id": job_id,
        "domain": "theirs.example",
    }


def _add_hidden_recipient(database: Database, activity_id: int, contact_id: int) -> None:
    """Adds a recipient as the relay finds one, by the envelope."""
    sql = (
        "INSERT INTO activity_contacts (activity_id, contact_id, address, raw_message_id, is_bcc)"
        " SELECT activity_id, ?, 'joe@client.example', raw_message_id, 1 FROM activity_contacts WHERE activity_id = ?"
    )
    with database.transaction():
        database.execute(sql, (contact_id, activity_id))


def _thread(page: Page, activity_id: int) -> int:
    found = threads.of(page.database, activity_id)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, _sqlite_template: Path) -> Iterator[Site]:
    """Two deployments with mail, and a browser for each role. All browsers look at `demo`."""
    folder = tmp_path_factory.mktemp("tenants")
    file = folder / "mailweir.db"
    shutil.copy(_sqlite_template, file)
    with closing(Database(file)) as database:
        page = make_page(database, Clock(datetime.fromisoformat("2026-11-24T03:12:55+00:00")), folder)
        joe = contacts.add(database, page.demo, "Joe Hidden", ["joe@client.example"], None, page.clock())
        theirs = _fill_other(page)
        page.deliver(_mail("An ordinary boiler", 2), to="pat@demo.example.net")
        private_id = page.deliver(_mail("Quagga tender", 3), to="anna@demo.example.net")
        visibility.set_by_hand(database, private_id, Visibility.PARTICIPANTS, "anna", page.clock())
        to_both = "To: jane@client.example\r\nBcc: joe@client.example\r\n"
        sent = _mail("Okapi boiler", 4, to_both, "Richard <richard@firm.example>")
        hidden_id = page.deliver(sent, to="log@demo.example.net")
        _add_hidden_recipient(database, hidden_id, joe.id)
        browsers = {
            "nobody": page.browser(),
            "user": page.browser("pat"),
            "admin": page.browser("boss", Role.ADMIN),
            "operator": page.browser("root", role=None),
        }
        private: dict[str, int | str] = {"activity_id": private_id, "thread_id": _thread(page, private_id)}
        yield Site(page, browsers, theirs, private, hidden_id, joe.id)
        page.app.extensions["mailweir"].pool.close()


def _name(route: Route) -> str:
    return f"{route.method} {route.rule}"


def _bodies(site: Site, role: str, route: Route) -> str:
    """The answers to the plain list, and to each of its queries."""
    known, browser = ROUTES[route.endpoint], site.browsers[role]
    answers = [browser.get(route.rule), *(browser.get(f"{route.rule}?{query}") for query in known.queries)]
    assert max(one.status_code for one in answers) < 500
    return " ".join(one.get_data(as_text=True) for one in answers)


def _answer(site: Site, role: str, route: Route, path: str) -> tuple[int, str]:
    browser = site.browsers[role]
    fields = {"role": "admin", "visibility": "everyone", "typed": "x", "sure": "1"}
    answer = browser.get(path) if route.method == "GET" else browser.post(path, fields)
    return answer.status_code, answer.get_data(as_text=True)


# --- the lines of page_routes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("endpoint", sorted({one.endpoint for one in ROUTES_THERE}))
def test_each_route_has_a_line_that_says_who_may_open_it(endpoint: str) -> None:
    assert endpoint in ROUTES, "add it to tests/page_routes.py, and make sure that it shows nothing of others"
    assert of_view(APP.view_functions[endpoint]) is ROUTES[endpoint].access


def test_the_routes_are_those_of_the_application(site: Site) -> None:
    assert {(one.endpoint, one.rule) for one in every_route(site.page.app)} == {
        (one.endpoint, one.rule) for one in ROUTES_THERE
    }


def test_each_number_in_a_route_is_tried_with_anothers(site: Site) -> None:
    names = {name for one in ROUTES_THERE for name in one.parameters}
    assert names <= {*site.theirs, "number"}, "add the meaning of that number to `_fill_other`"


def test_the_site_has_what_the_tests_look_for(site: Site) -> None:
    """Otherwise the tests might find nothing for a wrong reason."""
    anna, richard = site.page.browser("anna"), site.page.browser("richard")
    assert "Quagga" in anna.text("/activities") + anna.text("/search?q=tender")
    assert "Quagga" in anna.text(f"/activities/{site.private['activity_id']}")
    assert "Joe Hidden" in richard.text(f"/activities/{site.hidden_id}")
    zebra = site.page.browser("zebrauser")
    assert "Zeugma" in zebra.text("/activities") + zebra.text("/search?q=boiler")
    assert "Okapi" in site.browsers["user"].text("/activities")


# --- roles ------------------------------------------------------------------------------------------------------------


def _refusals(route: Route) -> dict[str, int]:
    """The answers to roles that may not open it: a signed-out browser is redirected to the sign-in, or gets an error."""
    signed_out = 303 if route.method == "GET" else 401
    return {
        role: signed_out if role == "nobody" else 404
        for role in ROLES
        if role not in MAY[ROUTES[route.endpoint].access]
    }


@pytest.mark.parametrize("route", LISTS, ids=_name)
def test_a_page_opens_for_those_who_may_alone(site: Site, route: Route) -> None:
    refusals = _refusals(route)
    found = {role: site.browsers[role].get(route.rule).status_code for role in ROLES}
    assert {role: found[role] for role in refusals} == refusals
    assert 404 not in [found[role] for role in MAY[ROUTES[route.endpoint].access]]


@pytest.mark.parametrize("route", OF_IDS, ids=_name)
def test_whoever_may_not_open_it_gets_no_row(site: Site, route: Route) -> None:
    path = route.path({**site.private, "account_id": 1, "contact_id": site.joe_id})
    refusals = _refusals(route)
    assert {role: _answer(site, role, route, path)[0] for role in refusals} == refusals


@pytest.mark.parametrize("route", POSTS, ids=_name)
def test_a_form_without_its_token_is_refused(site: Site, route: Route) -> None:
    path = route.path(site.theirs)
    allowed = [role for role in MAY[ROUTES[route.endpoint].access] if role != "nobody"]
    assert {role: site.browsers[role].post(path, token=False).status_code for role in allowed} == dict.fromkeys(
        allowed, 403
    )


@pytest.mark.parametrize("route", [one for one in POSTS if ROUTES[one.endpoint].access is Access.PUBLIC], ids=_name)
def test_a_public_form_of_another_site_is_refused(site: Site, route: Route) -> None:
    evil = {"Origin": "https://evil.example"}
    assert site.browsers["nobody"].post(route.path({}), token=False, headers=evil).status_code == 403


# --- tenants ----------------------------------------------------------------------------------------------------------


def _narrow_roles(route: Route) -> tuple[str, ...]:
    """The roles that see only one deployment there."""
    return ("user", "admin") if ROUTES[route.endpoint].sees_all else ("user", "admin", "operator")


@pytest.mark.parametrize("route", OF_IDS, ids=_name)
def test_ids_of_another_deployment_are_not_there(site: Site, route: Route) -> None:
    roles = _narrow_roles(route)
    answers = [_answer(site, role, route, route.path(site.theirs)) for role in roles]
    assert [status for status, _ in answers] == [404 for _ in roles]
    assert [word for word in OF_ANOTHER_DEPLOYMENT for _, body in answers if word in body] == []


@pytest.mark.parametrize("route", LISTS, ids=_name)
def test_lists_have_nothing_of_another_deployment(site: Site, route: Route) -> None:
    bodies = _bodies(site, "user", route) + _bodies(site, "admin", route)
    echoed = [word for word in OF_ANOTHER_DEPLOYMENT if any(word in query for query in ROUTES[route.endpoint].queries)]
    assert [word for word in OF_ANOTHER_DEPLOYMENT if word in bodies and word not in echoed] == []


@pytest.mark.parametrize("route", LISTS, ids=_name)
def test_operators_read_no_mail(site: Site, route: Route) -> None:
    body = _bodies(site, "operator", route)
    assert [word for word in OF_MAIL if word in body] == []


@pytest.mark.parametrize("route", OF_IDS, ids=_name)
@pytest.mark.parametrize("huge", HUGE)
def test_numbers_that_are_none_of_a_rows_are_not_there(site: Site, route: Route, huge: int) -> None:
    ids: dict[str, int | str] = dict.fromkeys(route.parameters, huge)
    path = route.path(ids)
    role = MAY[ROUTES[route.endpoint].access][-1]
    assert _answer(site, role, route, path)[0] == 404


# --- visibility -------------------------------------------------------------------------------------------------------

OF_ACTIVITIES = [one for one in OF_IDS if {"activity_id", "thread_id"} & set(one.parameters)]


@pytest.mark.parametrize("route", OF_ACTIVITIES, ids=_name)
def test_anothers_private_mail_is_not_there(site: Site, route: Route) -> None:
    answers = [_answer(site, role, route, route.path(site.private)) for role in ("user", "admin", "operator")]
    assert [(status, "Quagga" in body) for status, body in answers] == [(404, False)] * 3


@pytest.mark.parametrize("route", LISTS, ids=_name)
def test_lists_have_nothing_of_anothers_private_mail(site: Site, route: Route) -> None:
    assert "Quagga" not in _bodies(site, "user", route) + _bodies(site, "admin", route)


@pytest.mark.parametrize("route", [one for one in OF_ACTIVITIES if one.method == "GET"], ids=_name)
def test_who_got_a_hidden_copy_is_told_to_the_sender_alone(site: Site, route: Route) -> None:
    ids: dict[str, int | str] = {"activity_id": site.hidden_id, "thread_id": _thread(site.page, site.hidden_id)}
    bodies = [_answer(site, role, route, route.path(ids))[1] for role in ("user", "admin")]
    assert ["Joe" in body or "joe@" in body for body in bodies] == [False, False]


@pytest.mark.parametrize("role", ["user", "admin"])
def test_a_contacts_page_and_stream_hide_what_it_got_in_bcc(site: Site, role: str) -> None:
    browser = site.browsers[role]
    pages = [browser.text(f"/contacts/{site.joe_id}"), browser.text("/activities?contact=joe%40client.example")]
    pages.append(browser.text("/why?q=joe%40client.example"))
    assert ["Okapi" in page for page in pages] == [False, False, False]


@pytest.mark.parametrize(
    "path", ["/activities", "/search?q=boiler", "/search?q=joe%40client.example", "/contacts?q=jane"]
)
def test_streams_name_nobody_who_got_a_hidden_copy(site: Site, path: str) -> None:
    bodies = [site.browsers[role].text(path) for role in ("user", "admin")]
    assert ["Joe" in body for body in bodies] == [False, False]
