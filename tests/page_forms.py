"""The fields of each route of the page, learned by observing its view, and a plausible value for each.

For tests that request every route: with hostile values, or twice.
"""

from collections.abc import Callable
from typing import Any, ClassVar

import flask
from werkzeug.datastructures import ImmutableMultiDict

from mailweir import signing_keys
from mailweir.secrets_file import Sealer
from mailweir.store.people import never_log_rules
from mailweir.store.record import threads
from mailweir.store.web import jobs
from mailweir.store.web.accounts import Role
from tests.page import Browser, Page
from tests.page_routes import ROUTES, Route, bare_application, every_route
from webapp.access import Access

ROUTES_THERE = every_route(bare_application())
# Actions that end sessions or remove rows come last, because the others need them.
_ENDS = ("sign_out", "end_session", "remove", "erase", "disconnect", "leave", "reopen")
IN_ORDER = sorted(ROUTES_THERE, key=lambda one: any(word in one.endpoint for word in _ENDS))
ROLES: dict[Access, str] = {
    Access.PUBLIC: "nobody",
    Access.SIGNED_IN: "user",
    Access.STAFF: "user",
    Access.READER: "user",
    Access.ADMIN: "admin",
    Access.OPERATOR: "operator",
}
LIKELY = {
    "address": "new@client.example",
    "addresses": "another@client.example",
    "company": "",
    "user": "richard",
    "typed": "@rule.example",
    "email": "new@firm.example",
    "username": "newuser",
    "name": "newname",
    "domain": "new.firm.example",
    "role": "user",
    "visibility": "everyone",
    "form": "csv",
    "pattern": "@new.example",
    "language": "de",
    "zone": "Europe/Berlin",
    "display_name": "New",
    "new": "a boiler in the cellar",
    "again": "a boiler in the cellar",
    "to": "/account",
    "q": "boiler",
    "since": "2026-11-01",
    "until": "2026-11-30",
}


class Watched(ImmutableMultiDict[str, str]):
    """A form or a query that records which fields are read."""

    asked: ClassVar[set[str]] = set()

    def get(self, key: str, *arguments: Any, **options: Any) -> Any:
        self.asked.add(key)
        return super().get(key, *arguments, **options)

    def getlist(self, key: str, *arguments: Any, **options: Any) -> Any:
        self.asked.add(key)
        return super().getlist(key, *arguments, **options)

    def __getitem__(self, key: str) -> Any:
        self.asked.add(key)
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self.asked.add(str(key))
        return super().__contains__(key)


class WatchedRequest(flask.Request):
    parameter_storage_class = Watched


def browser_of(page: Page, route: Route) -> Browser:
    """A person who may open it, signed in again: the earlier session may have been ended."""
    made: dict[str, Callable[[], Browser]] = {
        "nobody": page.browser,
        "user": lambda: page.browser("pat"),
        "admin": lambda: page.browser("boss", Role.ADMIN),
        "operator": lambda: page.browser("root", role=None),
    }
    return made[ROLES[ROUTES[route.endpoint].access]]()


def ask(browser: Browser, route: Route, path: str, fields: dict[str, str]) -> int:
    """The status of the answer to these fields, in the route's form or query."""
    sent = {name: value.encode(errors="surrogatepass") for name, value in fields.items()}
    if route.method == "POST":
        return int(browser.post(path, {**sent}).status_code)
    return int(browser.get(path, query_string=_query(sent)).status_code)


def _query(fields: dict[str, bytes]) -> str:
    """The query as it is sent, with each byte escaped."""
    return "&".join(f"{name}={''.join(f'%{byte:02X}' for byte in value)}" for name, value in fields.items())


def likely(fields: set[str]) -> dict[str, str]:
    """A value that a person might send."""
    return {name: LIKELY.get(name, "1") for name in sorted(fields)}


def learned(page: Page, route: Route, ids: dict[str, int | str]) -> set[str]:
    """The names of the fields that its view reads. The route is requested three times: after an accepted field there may be
    more."""
    page.app.request_class = WatchedRequest
    found: set[str] = set()
    for _ in range(3):
        Watched.asked = set()
        ask(browser_of(page, route), route, route.path(ids), likely(found))
        found |= Watched.asked - {"csrf_token"}
    return found


def rows_of_each_kind(page: Page) -> dict[str, int | str]:
    """Makes a row of each kind that a route names; returns their ids."""
    database, now = page.database, page.clock()
    activity_id = page.deliver(to="pat@demo.example.net")
    rule = never_log_rules.add(database, page.demo, "@rule.example", None, now)
    account = page.account("anna")
    job_id = jobs.add(database, page.demo.id, account.id, "never_log.look", {"rule": rule.id}, now)
    signing_keys.make(database, page.demo, "firm.example", None, Sealer(bytes(range(32))), now)
    thread_id = threads.of(database, activity_id)
    assert thread_id is not None
    ids = {"activity_id": activity_id, "thread_id": thread_id, "rule_id": rule.id, "job_id": job_id}
    return {**ids, "account_id": account.id, "session_id": 1, "domain": "firm.example", "number": 1}
