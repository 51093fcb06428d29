"""The duration of whole pages on a large record: from the request to the last byte, as a signed-in user, without a network.

Called by `pages` and `pages_beside`, on the records that they filled.
"""

import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from bench.made_record import BUSY_CONTACT, CONTACTS
from mailweir import secrets_file
from mailweir.reading import search_entry
from mailweir.settings import Settings
from mailweir.settings_web import Web
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse
from mailweir.store.people import deployments
from mailweir.store.record import search_index
from mailweir.store.web import accounts, links
from mailweir.store.web.accounts import Role
from tests.page import URL, Browser
from webapp import application

MEDIAN_GOAL = 30.0  # milliseconds
BYTES_GOAL = 60_000
TRIES = 100
_USER_ID = 11  # a user with open to-dos
INDEXED = 20_000  # the newest: the search finds these
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Figure:
    """median, p95: milliseconds. cpu: mean milliseconds of CPU, of this process only. most_bytes: the largest answer."""

    median: float
    p95: float
    cpu: float
    most_bytes: int

    @property
    def is_missed(self) -> bool:
        """Is it over a goal?"""
        return self.median > MEDIAN_GOAL or self.most_bytes > BYTES_GOAL


def measure(database: Database, count: int, folder: Path) -> list[Figure]:
    """Prints a line for each page."""
    index(database, count)
    browser = _browser(database, folder)
    print(
        f"  {'whole pages: ms':40}{'median':>10}{'95th':>10}{'CPU':>10}{'bytes':>10}"
        f"   (goal: median {MEDIAN_GOAL:.0f}, {BYTES_GOAL:,} bytes)"
    )
    sql = "SELECT activity_id FROM activity_users WHERE user_id = ? ORDER BY activity_id DESC LIMIT 1000"
    own = [row[0] for row in database.execute(sql, (_USER_ID,)).fetchall()]  # most of the others may be private
    return [_printed(name, _measured(browser, path)) for name, path in _pages(count, own)]


def _pages(count: int, own: Sequence[int]) -> Iterator[tuple[str, Callable[[], str]]]:
    """(name, a function that returns the next path). own: ids of activities that the reader may read."""
    chance = random.Random(3)
    yield "/activities", lambda: "/activities"
    yield "/activities, anywhere", lambda: f"/activities?before={chance.randint(count // 10, count)}"
    yield "/todos", lambda: "/todos"
    yield "/contacts", lambda: "/contacts"
    yield "/contacts/ID", lambda: f"/contacts/{chance.randint(2, CONTACTS)}"
    yield "/contacts/ID, a busy one", lambda: f"/contacts/{BUSY_CONTACT}"
    yield "its picture of 12 months", lambda: f"/contacts/{BUSY_CONTACT}/months.svg"
    yield "/search, a word of all mail", lambda: "/search?q=offer"
    yield "/search, a number", lambda: f"/search?q={chance.randint(max(1, count - INDEXED), count)}"
    yield "/activities/ID", lambda: f"/activities/{chance.choice(own)}"
    yield "/integrations", lambda: "/integrations"
    yield "/why, an address", lambda: f"/why?q=stranger{chance.randint(1, 10_006)}@else.example"
    yield "/why, an address of a contact", lambda: f"/why?q=contact{chance.randint(2, CONTACTS)}@client.example"
    yield "/why, of a busy one", lambda: f"/why?q=contact{BUSY_CONTACT}@client.example"
    yield "/why, of nobody", lambda: f"/why?q=nobody{chance.randint(1, count)}@else.example"
    yield "/why, a Message-ID", lambda: f"/why?q={chance.randint(1, count)}@client.example"
    yield "/why, a queue id", lambda: f"/why?q=q{chance.randint(1, count)}"


def index(database: Database, count: int) -> None:
    """Adds the newest mail to the search index."""
    first = max(1, count - INDEXED + 1)
    for start in range(first, count + 1, _AT_ONCE):
        entries = [
            search_entry.make(
                raw_id=number,
                deployment_id=1,
                text="We can offer you forty of them.",
                subject=f"An offer of a usual length, number {number}",
            )
            for number in range(start, min(start + _AT_ONCE, count + 1))
        ]
        with database.transaction(alone=False):
            search_index.put(database, entries)
    if not database.is_sqlite:
        database.execute("VACUUM ANALYZE search_texts")  # otherwise the server does it while pages are measured


def _browser(database: Database, folder: Path) -> Browser:
    """A browser that is signed in as one of the users; its time is a day after the newest mail."""
    demo = deployments.find(database, "demo")
    (newest,) = database.execute("SELECT MAX(recorded_at) FROM activities").fetchone()
    now = parse(newest) + timedelta(days=1)
    where = f"sqlite:{database.path}" if database.is_sqlite else str(database.url)
    settings = Settings(data_dir=folder, hostname="mail.example.net", database=where, web=Web(public_url=URL))
    settings.token_key_path.parent.mkdir()
    secrets_file.make(settings.token_key_path)  # so that *Why* looks for recipients, too
    browser = Browser(application.create(settings, lambda: now))
    account = accounts.add(database, f"user{_USER_ID}", now)
    accounts.give_role(database, account.id, demo, Role.USER, _USER_ID)
    spent = browser.post(f"/sign-in/link/{links.make(database, account.id, None, now)}", token=False)
    assert spent.status_code == 303, spent.status_code
    return browser


def _measured(browser: Browser, path: Callable[[], str]) -> Figure:
    """Requests this many random paths. AssertionError if an answer isn't 200."""
    times, most = [], 0
    cpu = 0.0
    for number in range(-5, TRIES):  # the first ones don't count
        asked = path()
        used, begun = time.process_time(), time.perf_counter()
        answer = browser.get(asked)
        content = answer.get_data()
        took, used = time.perf_counter() - begun, time.process_time() - used
        assert answer.status_code == 200, (asked, answer.status_code)
        most = max(most, len(content))
        if number >= 0:
            times.append(took * 1e3)
            cpu += used * 1e3 / TRIES
    return Figure(statistics.median(times), statistics.quantiles(times, n=20)[18], cpu, most)


def _printed(name: str, found: Figure) -> Figure:
    missed = "   missed" if found.is_missed else ""
    print(
        f"  {name:40}{found.median:10.2f}{found.p95:10.2f}{found.cpu:10.2f}{found.most_bytes:10,}{missed}", flush=True
    )
    return found
