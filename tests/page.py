"""The page under test: two firms on a database, mail that the filter accepted and the digest read, and signed-in browsers.

Browsers are HTTP clients here; a real browser is in `tests/browser`. All tests can use the fixtures.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from flask import Flask
from werkzeug.test import Client

from mailweir.database_url import DatabaseUrl
from mailweir.digest import children
from mailweir.digest.outcomes import Outcome, Outcomes
from mailweir.settings import Settings
from mailweir.settings_web import Web
from mailweir.store.database.connection import Database
from mailweir.store.people import companies, contacts, deployments, users
from mailweir.store.people.deployments import Deployment
from mailweir.store.record import digest_queue
from mailweir.store.record.digest_queue import Lane, Stage
from mailweir.store.web import accounts, links
from mailweir.store.web.accounts import Account, Role
from tests.held_mail import Clock, ScriptedExaminer, send
from webapp import application

URL = "https://mail.example.net"
JANE = "jane@client.example"
OFFER = (
    b"From: Jane Doe <jane@client.example>\r\nTo: richard@firm.example\r\nSubject: An offer\r\n"
    b"Date: Mon, 23 Nov 2026 09:00:00 +0100\r\nMessage-ID: <offer@client.example>\r\n\r\nThe boiler costs 100.\r\n"
)


class Browser:
    """A person's browser. With a POST, it sends a browser's headers; `token=False` leaves the form's token out."""

    def __init__(self, app: Flask) -> None:
        self.client = Client(app)
        self._token = ""

    def get(self, path: str, **options: Any) -> Any:
        """The answer to a GET; redirects aren't followed."""
        return self.client.open(path, base_url=URL, **options)

    def text(self, path: str) -> str:
        """The page at this path, with redirects followed. The status has to be 200."""
        response = self.get(path, follow_redirects=True)
        assert response.status_code == 200, (path, response.status_code)
        return str(response.get_data(as_text=True))

    def post(
        self,
        path: str,
        fields: dict[str, Any] | None = None,
        *,
        token: bool = True,
        headers: dict[str, str] | None = None,
    ) -> Any:
        """The answer to a form; redirects aren't followed."""
        sent = {**(fields or {}), **({"csrf_token": self.token()} if token else {})}
        own = {"Origin": URL, "Sec-Fetch-Site": "same-origin"} if headers is None else headers
        return self.client.open(path, method="POST", base_url=URL, data=sent, headers=own)

    def token(self) -> str:
        """The token in the forms of this session."""
        if not self._token:
            page = self.get("/no-such-page").get_data(as_text=True)
            found = re.search(r'name="csrf_token" value="([0-9a-f]+)"', page)
            self._token = found[1] if found else ""
        return self._token


@dataclass
class Page:
    """The application, and its database. clock: the page's time."""

    app: Flask
    database: Database
    clock: Clock
    demo: Deployment
    other: Deployment
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(1, 1_000_000)))

    def deliver(self, raw: bytes = OFFER, to: str = "richard@demo.example.net") -> int:
        """Lets the filter accept a mail and the digest read it; returns the activity's id. A header `X-Test: proven` proves its
        author."""
        recorded = send(self.database, raw, f"4Page{next(self.numbers)}", recipients=to, at=self.clock())
        found = [one.activity_id for one in recorded if one.activity_id is not None]
        assert found, "the mail wasn't recorded"
        self.read()
        return found[0]

    def read(self) -> None:
        """Does the digest's work in this process."""
        works: dict[Stage, Callable[..., bytes]] = {Stage.VERDICT: ScriptedExaminer(), Stage.READING: children.read}
        outcomes = Outcomes(self.database, structlog.get_logger(), self.clock)
        later = self.clock() + timedelta(days=1)
        for stage, work in works.items():
            for entry in digest_queue.take(self.database, stage, Lane.NEW, 500, now=later, until=later):
                version = digest_queue.version(self.database, entry.raw_id)
                assert version is not None
                answer = work(children.facts(version), version.content_zstd)
                outcomes.write([Outcome(entry, version.activity_id, answer)])

    def account(self, name: str, role: Role | None = Role.USER, deployment: Deployment | None = None) -> Account:
        """The account of this name; made with this role if it doesn't exist. If a user has that name, the account is that
        user's."""
        found = accounts.named(self.database, name)
        if found is not None:
            return found
        made = accounts.add(self.database, name, self.clock(), is_operator=role is None)
        if role is None:
            return made
        tenant = deployment or self.demo
        own = {one.username: one.id for one in users.list_all(self.database, tenant)}
        return accounts.give_role(self.database, made.id, tenant, role, own.get(name))

    def browser(
        self, name: str | None = None, role: Role | None = Role.USER, deployment: Deployment | None = None
    ) -> Browser:
        """A browser that is signed in as this account, with a link as a person would be. Without a name, it is signed out."""
        browser = Browser(self.app)
        if name is not None:
            account = self.account(name, role, deployment)
            token = links.make(self.database, account.id, None, self.clock())
            assert browser.post(f"/sign-in/link/{token}", token=False).status_code == 303
        return browser


def make_page(
    database: Database, clock: Clock, folder: Path, sections: dict[str, Any] | None = None, **web: Any
) -> Page:
    """A page on an empty database, with two firms: `demo` has richard, anna and pat; `other` has richard and bob. Both know jane.
    sections: of the settings, beside [web]."""
    settings = Settings(
        data_dir=folder,
        hostname="mail.example.net",
        database="" if database.is_sqlite else str(database.url),
        web=Web(**{"public_url": URL, **web}),
        **(sections or {}),
    )
    settings = (
        settings if not database.is_sqlite else settings.model_copy(update={"database": f"sqlite:{database.path}"})
    )
    now = clock()
    demo = deployments.add(database, "demo", "demo.example.net", now)
    other = deployments.add(database, "other", "other.example.org", now)
    for tenant, usernames, firm in (
        (demo, ("richard", "anna", "pat"), "firm.example"),
        (other, ("richard", "bob"), "else.example"),
    ):
        for username in usernames:
            users.add(database, tenant, username, f"{username}@{firm}", username.capitalize(), now)
        companies.add(database, tenant, "Client Ltd", None, now)
        contacts.add(database, tenant, "Jane Doe", [JANE], "Client Ltd", now)
    return Page(application.create(settings, clock), database, clock, demo, other)


@pytest.fixture
def page_clock(now: datetime) -> Clock:
    """The page's time."""
    return Clock(now)


@pytest.fixture
def page(database: Database, page_clock: Clock, tmp_path: Path) -> Iterator[Page]:
    """The page on each database in turn."""
    made = make_page(database, page_clock, tmp_path)
    yield made
    made.app.extensions["mailweir"].pool.close()


@pytest.fixture
def sqlite_page(sqlite_url: DatabaseUrl, page_clock: Clock, tmp_path: Path) -> Iterator[Page]:
    """The page on SQLite, for tests that don't depend on the database."""
    with closing(Database(sqlite_url)) as database:
        made = make_page(database, page_clock, tmp_path)
        yield made
        made.app.extensions["mailweir"].pool.close()
