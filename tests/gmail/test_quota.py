"""A mailbox whose user's quota is small goes on at the rate that it allows, and doesn't spend it on beginning anew."""

from pathlib import Path

import pytest

from tests.gmail.calls import Kind
from tests.gmail.server import GmailServer
from tests.gmail.world import World, mail


@pytest.fixture
def narrow(gmail: GmailServer, tmp_path: Path) -> World:
    """400 units a minute: a full bucket is good for two messages."""
    return World(gmail, tmp_path, None, "user_units_per_minute = 400\n")


def test_more_mail_than_quota_gets_through(narrow: World, gmail: GmailServer) -> None:
    box = narrow.connect()
    for number in range(10):
        box.insert(mail(f"m{number}"), at=narrow.at)
    for _ in range(40):
        narrow.settle()
        if len(narrow.record()) == 10:
            break
        narrow.later(seconds=12)
    assert len(narrow.record()) == 10
    counts = gmail.calls.counts(box.address)
    assert counts[Kind.GET_RAW] == 10
    assert counts[Kind.GET_METADATA] == 10
    narrow.close()
