"""Does automatic mail make to-dos? Every source of a deployment's settings for matching has that setting, for its deployment
only."""

from datetime import datetime

import pytest

from mailweir.errors import NotFound
from mailweir.store.database.connection import Database
from mailweir.store.people import deployments, relay_logins
from mailweir.store.people.deployments import Deployment
from mailweir.store.people.directory import SqlDirectory
from tests.gmail_rows import connect, make_firm, take


@pytest.fixture
def demo(database: Database, now: datetime) -> Deployment:
    """A deployment with richard and olga."""
    return make_firm(database, now)


def _told(database: Database, demo: Deployment, now: datetime) -> list[bool]:
    """The setting by a capture domain, by a synced mailbox, and by a login."""
    mailbox = take(database, connect(database, demo, "richard", now).id, now)
    with database.reading():
        by_domain = SqlDirectory(database).deployments([demo.domain])[demo.domain]
        holder = relay_logins.holder(database, f"richard@{demo.domain}")
    assert holder
    return [one.automatic_todos for one in (by_domain, mailbox.deployment, holder.deployment)]


@pytest.mark.parametrize("is_on", [True, False])
def test_every_route_is_told(database: Database, demo: Deployment, now: datetime, is_on: bool) -> None:
    relay_logins.connect(database, demo, "richard", "x", now)
    deployments.set_automatic_todos(database, demo.name, is_on=True)
    assert deployments.set_automatic_todos(database, demo.name, is_on=is_on).automatic_todos == is_on
    assert _told(database, demo, now) == [is_on] * 3


def test_it_is_off_at_first_and_in_others(database: Database, demo: Deployment, now: datetime) -> None:
    relay_logins.connect(database, demo, "richard", "x", now)
    other = deployments.add(database, "other", "other.example.org", now)
    deployments.set_automatic_todos(database, other.name, is_on=True)
    assert _told(database, demo, now) == [False] * 3
    assert {one.name: one.automatic_todos for one in deployments.list_all(database)} == {"demo": False, "other": True}
    with pytest.raises(NotFound):
        deployments.set_automatic_todos(database, "nobody", is_on=True)
