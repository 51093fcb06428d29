"""The page while its database is away: each route reports it within seconds, nothing is half done, and it recovers by itself."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import pytest

from mailweir.database_url import Postgresql
from mailweir.store.web import accounts
from tests.live_page import Answer, LiveBrowser, LiveSite, Wait, live_site
from tests.page_routes import ROUTES, bare_application, every_route
from tests.postgresql import Cluster
from webapp.access import Access

_THERE = every_route(bare_application())
# Each page, for an admin who is a user; rows are requested by numbers that don't exist.
PATHS = sorted(
    one.path({})
    for one in _THERE
    if one.method == "GET" and ROUTES[one.endpoint].access not in (Access.OPERATOR, Access.PUBLIC)
)
WITHIN_SECONDS = 25.0  # after 5 s a connection probes the server, for 3 s more; the machine may be busy
_AT_ONCE = 24  # as many as the process has threads
GERMAN = "Die Datenbank antwortet nicht"
Away = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def served(cluster: Cluster, postgresql_url: Postgresql, tmp_path: Path) -> Iterator[LiveSite]:
    """A site on PostgreSQL."""
    with live_site(postgresql_url, tmp_path) as site:
        yield site


@pytest.fixture(params=["standing_still", "cut_off"])
def away(request: pytest.FixtureRequest, cluster: Cluster) -> Away:
    """The ways in which a server is unavailable."""
    chosen: Away = getattr(cluster, request.param)
    return chosen


def _timed(ask: Callable[[], Answer]) -> tuple[Answer, float]:
    begun = time.monotonic()
    return ask(), time.monotonic() - begun


@pytest.mark.slow
def test_each_page_says_so_in_time_in_the_readers_language(served: LiveSite, away: Away, wait_until: Wait) -> None:
    page = served.start(f"threads = {_AT_ONCE}")
    richard = served.signed_in(page, "richard", is_admin=True)
    richard.language = "de"
    assert richard.get(page, "/account").status == 200
    with away(), ThreadPoolExecutor(_AT_ONCE) as pool:
        asked = {path: pool.submit(_timed, partial(richard.get, page, path)) for path in PATHS}
        answers = {path: one.result() for path, one in asked.items()}
    assert {path: one.status for path, (one, _) in answers.items() if one.status != 503} == {}
    assert {path: took for path, (_, took) in answers.items() if took > WITHIN_SECONDS} == {}
    assert [path for path, (one, _) in answers.items() if GERMAN not in one.text] == []
    assert {one.headers["Retry-After"] for one, _ in answers.values()} == {"10"}
    wait_until(lambda: richard.get(page, "/account").status == 200, "the page works again")
    assert {richard.get(page, path).status for path in PATHS} <= {200, 303, 400, 404}


def test_what_is_sent_meanwhile_is_not_half_done(served: LiveSite, away: Away, wait_until: Wait) -> None:
    page, link = served.start(), served.link("anna")
    richard, anna = served.signed_in(page, "richard"), LiveBrowser()
    fields = {"csrf_token": richard.token(page), "zone": "Europe/Berlin", "language": "de"}
    with away(), ThreadPoolExecutor(2) as pool:
        sent = [
            pool.submit(richard.post, page, "/account/preferences", fields),
            pool.submit(anna.post, page, link),
        ]
        assert [one.result().status for one in sent] == [503, 503]
        assert page.ask("GET", "/sign-in").status == 200  # this page needs no database
    wait_until(lambda: richard.get(page, "/account").status == 200, "the page works again")
    account = accounts.named(served.database, "richard")
    assert account is not None
    assert account.zone is None
    assert anna.cookies == {}
    assert anna.post(page, link).status == 303
    assert richard.post(page, "/account/preferences", fields).status == 303


@contextmanager
def _moved_away(file: Path) -> Iterator[None]:
    file.rename(file.with_suffix(".away"))
    yield
    file.with_suffix(".away").rename(file)


def test_a_file_that_is_gone_and_comes_back(sqlite_live: LiveSite) -> None:
    page = sqlite_live.start()
    richard = sqlite_live.signed_in(page, "richard", is_admin=True)
    with _moved_away(sqlite_live.database.path):
        assert {path: richard.get(page, path).status for path in PATHS} == dict.fromkeys(PATHS, 503)
    assert richard.get(page, "/account").status == 200
