"""Fixtures of the tests of requests to Google: a server with scripted answers, and one mailbox's reader."""

from collections.abc import Iterator

import pytest

from mailweir.gmail.api import Api, MailboxReader
from mailweir.settings import Gmail
from tests import gmail_api, scripted_http
from tests.scripted_http import Server


@pytest.fixture
def server() -> Iterator[Server]:
    """Google."""
    with scripted_http.running() as running:
        yield running


@pytest.fixture
def spent() -> list[int]:
    """The units of each request."""
    return []


@pytest.fixture
def api(server: Server) -> Api:
    """Gmail's API there."""
    return Api(Gmail(api_endpoint=server.url, timeout_seconds=1))


@pytest.fixture
def mailbox(api: Api, server: Server, spent: list[int]) -> MailboxReader:
    """A mailbox."""
    return gmail_api.reader(api, server, spent)
