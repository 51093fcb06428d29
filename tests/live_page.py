"""Real processes of `mailweir-web`, each on a port of its own, and browsers that use them over HTTP.

It is the counterpart of `page` outside of the test's process: for state that several processes share, and for a dying process.
"""

import http.client
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from mailweir.database_url import DatabaseUrl
from mailweir.store.database.connection import Database
from mailweir.store.people import deployments, users
from mailweir.store.web import enrolment, links
from tests import programs
from tests.page import URL
from tests.ports import free_port

HOST = URL.removeprefix("https://")
READY_SECONDS = 120.0  # the machine may be busy with other things
ANSWER_SECONDS = 60.0
_COMMAND = (sys.executable, "-c", "from webapp.server import main; main()")


@dataclass(frozen=True)
class Answer:
    """A process's answer."""

    status: int
    headers: http.client.HTTPMessage
    text: str


@dataclass
class LivePage:
    """A `mailweir-web`: a parent, and the processes that answer."""

    port: int
    log: Path
    process: "subprocess.Popen[bytes]"

    def children(self) -> list[int]:
        """The processes that answer, the oldest first."""
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in listed.split()]

    def said(self, event: str) -> int:
        """The number of times that its log has this text."""
        return self.log.read_text().count(f"event={event}")

    def ask(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
        """Sends a request over a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS)
        with closing(connection):
            connection.request(method, path, body, {"Host": HOST, **(headers or {})})
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read().decode(errors="replace"))

    def kill(self) -> None:
        """Kills all its processes, as a power failure does."""
        self.process.kill()
        self.process.wait()


@dataclass
class LiveBrowser:
    """A person's browser, with its cookies; it may use any process."""

    cookies: dict[str, str] = field(default_factory=dict)
    language: str = "en"

    def get(self, at: LivePage, path: str) -> Answer:
        """The answer to a GET; redirects aren't followed."""
        return self._asked(at, "GET", path, None, {})

    def post(self, at: LivePage, path: str, fields: dict[str, Any] | None = None) -> Answer:
        """The answer to a form with these fields and no others."""
        own = {
            "Origin": URL,
            "Sec-Fetch-Site": "same-origin",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        return self._asked(at, "POST", path, urlencode(fields or {}).encode(), own)

    def token(self, at: LivePage) -> str:
        """The token in a form that this process rendered."""
        found = re.search(r'name="csrf_token" value="([0-9a-f]+)"', self.get(at, "/account").text)
        assert found is not None
        return found[1]

    def _asked(self, at: LivePage, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        sent = {**headers, "Accept-Language": self.language, **({"Cookie": cookies} if cookies else {})}
        answer = at.ask(method, path, body, sent)
        for one in answer.headers.get_all("Set-Cookie") or []:
            name, _, value = one.partition(";")[0].partition("=")
            self.cookies = {**self.cookies, name: value}
        return answer


@dataclass
class LiveSite:
    """The database that all processes share, with richard and anna in `demo`, and a way to start processes."""

    database: Database
    folder: Path
    started: list[LivePage] = field(default_factory=list)

    def start(self, more: str = "", processes: int = 1) -> LivePage:
        """Starts a further `mailweir-web`, and waits until it answers. more: further sections of its settings."""
        number, port = len(self.started), free_port()
        settings, log = self.folder / f"mailweir-{number}.toml", self.folder / f"web-{number}.log"
        kind = "sqlite:" if self.database.is_sqlite else ""
        lines = [f'data_dir = "{self.folder}"', f'database = "{kind}{self.database.url}"', "[web]", f"port = {port}"]
        lines += [f'public_url = "{URL}"', f"processes = {processes}", more]
        settings.write_text("\n".join(lines))
        environment = os.environ | {"MAILWEIR_CONFIG": str(settings), "PYTHONPATH": os.pathsep.join(sys.path)}
        page = LivePage(port, log, programs.start(f"mailweir-web {number}", _COMMAND, log, env=environment))
        self.started.append(page)
        programs.wait_until_ready(
            lambda: page.said("serving") >= processes, "mailweir-web", page.process, log, seconds=READY_SECONDS
        )
        return page

    def link(self, name: str, *, is_admin: bool = False) -> str:
        """The path of a link that signs this user in."""
        now = datetime.now(UTC)
        demo = deployments.find(self.database, "demo")
        account = enrolment.user(self.database, demo, name, now, is_admin=is_admin)
        return f"/sign-in/link/{links.make(self.database, account.id, demo.id, now)}"

    def signed_in(self, at: LivePage, name: str, *, is_admin: bool = False) -> LiveBrowser:
        """A browser whose session began at this process."""
        browser = LiveBrowser()
        assert browser.post(at, self.link(name, is_admin=is_admin)).status == 303
        return browser


@contextmanager
def live_site(database_url: DatabaseUrl, folder: Path) -> Iterator[LiveSite]:
    """A site without a process yet. Started processes end with it."""
    with closing(Database(database_url)) as database:
        now = datetime.now(UTC)
        demo = deployments.add(database, "demo", "demo.example.net", now)
        for name in ("richard", "anna"):
            users.add(database, demo, name, f"{name}@firm.example", name.capitalize(), now)
        site = LiveSite(database, folder)
        try:
            yield site
        finally:
            for page in site.started:
                with suppress(ProcessLookupError):
                    page.process.send_signal(signal.SIGCONT)
                page.kill()


@pytest.fixture
def live(database_url: DatabaseUrl, tmp_path: Path) -> Iterator[LiveSite]:
    """A site on each database in turn."""
    with live_site(database_url, tmp_path) as site:
        yield site


@pytest.fixture
def sqlite_live(sqlite_url: Path, tmp_path: Path) -> Iterator[LiveSite]:
    """A site on SQLite, for tests that don't depend on the database."""
    with live_site(sqlite_url, tmp_path) as site:
        yield site


@pytest.fixture
def two(live: LiveSite) -> tuple[LivePage, LivePage]:
    """Two processes, as on two hosts that share a database."""
    return live.start(), live.start()


Wait = Callable[..., Any]
