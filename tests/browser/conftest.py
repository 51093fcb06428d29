"""A real browser for the tests of pages: Debian's chromium, driven by playwright. `make test` installs both.

Every name of the samples resolves to a trap of the tests. A connection counts even if it sends nothing.
"""

import importlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.browser.site import Site, Trap
from tests.browser.visit import Visitor
from tests.needs import lacks

CHROMIUM = Path("/usr/bin/chromium")
MOST_SMOKE = 3  # `make test` has no time for more


def _playwright() -> Any:
    """Skips if the browser isn't installed; fails then if CI=true."""
    try:
        playwright = importlib.import_module("playwright.sync_api")
    except ImportError:
        lacks("needs the Python package playwright: `make test` installs it")
    if not CHROMIUM.exists():
        lacks(f"needs the Debian package chromium ({CHROMIUM}): `make test` installs it")
    return playwright


@dataclass(frozen=True, slots=True)
class Chromium:
    """A browser of playwright's, and the trap for all its connections to other hosts."""

    browser: Any
    trap: Trap


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    """The browser itself."""
    playwright = _playwright()
    with Trap() as trap, playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=str(CHROMIUM),
            args=[
                # The browser's own requests to its makers lead nowhere.
                f"--host-resolver-rules=MAP *.example 127.0.0.1:{trap.port}, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1,"
                " EXCLUDE localhost",
                *(["--no-sandbox"] if os.geteuid() == 0 else []),  # chromium refuses to start as root without it
            ],
        )
        yield Chromium(browser, trap)
        browser.close()


@pytest.fixture(scope="module")
def visitor(chromium: Chromium) -> Iterator[Visitor]:
    """Shows HTML to a browser, each piece as a page of its own, without any policy."""
    with Site() as site:
        yield Visitor(chromium.browser, site, chromium.trap)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`make test` runs the three that are marked as smoke; the rest takes minutes."""
    if os.environ.get("MAILWEIR_TEST_BROWSER"):
        return
    here = [item for item in items if item.path.is_relative_to(Path(__file__).parent)]
    rest = [item for item in here if not item.get_closest_marker("smoke")]
    if len(here) - len(rest) > MOST_SMOKE:
        raise pytest.UsageError(f"more than {MOST_SMOKE} tests of tests/browser are marked as smoke")
    for item in rest:
        item.add_marker(pytest.mark.skip(reason="takes minutes: `make test-browser` runs it"))
