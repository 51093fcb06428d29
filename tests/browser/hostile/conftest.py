"""A browser that is signed in to the real page, which has hostile mail in it."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

import pytest

from mailweir.store.database import versions
from mailweir.store.database.connection import Database
from tests.browser.conftest import Chromium
from tests.browser.hostile.onlooker import Onlooker
from tests.browser.hostile.served import Served
from tests.held_mail import Clock
from tests.page import make_page
from tests.ports import free_port


@pytest.fixture(scope="module")
def served(chromium: Chromium, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The page with all of its defences. chromium: without a browser, nothing is set up."""
    path = tmp_path_factory.mktemp("hostile") / "mailweir.db"
    versions.upgrade(path)
    port = free_port()
    with closing(Database(path)) as database:
        clock = Clock(datetime(2026, 11, 24, 3, 12, 55, tzinfo=UTC))
        page = make_page(database, clock, path.parent, public_url=f"http://localhost:{port}")
        with Served(page, port) as running:
            yield running
        page.app.extensions["mailweir"].pool.close()


@pytest.fixture(scope="module")
def onlooker(chromium: Chromium, served: Served) -> Iterator[Onlooker]:
    """Richard's browser."""
    made = Onlooker(chromium.browser, chromium.trap, served.url, served.link())
    yield made
    made.close()
