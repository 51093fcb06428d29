"""The ways of each user's mail, in and out, in one deployment only."""

from datetime import UTC, datetime, timedelta

import pytest

from mailweir import send_mail_as
from mailweir.explain import integrations
from mailweir.explain.integrations import Integration
from mailweir.store.database.connection import Database
from mailweir.store.gmail import gmail_app
from mailweir.store.people import contacts, deployments, relay_logins, users
from mailweir.store.people.deployments import Deployment
from mailweir.store.people.relay_logins import UseRow
from tests.conftest import Record
from tests.gmail_rows import connect, make_firm

JANE = "jane@client.example"


@pytest.fixture
def demo(database: Database, now: datetime) -> Deployment:
    """A firm with richard and olga, and another firm that has a richard, too; both know Jane."""
    made = make_firm(database, now)
    other = deployments.add(database, "other", "other.example.org", now)
    users.add(database, other, "richard", "richard@else.example", "", now)
    for one in (made, other):
        contacts.add(database, one, "Jane", [JANE], None, now)
    return made


def _all(database: Database, deployment: Deployment, now: datetime) -> dict[str, Integration]:
    return {one.user.username: one for one in integrations.integrations(database, deployment, now)}


def test_a_user_without_any_has_none(database: Database, demo: Deployment, now: datetime) -> None:
    found = _all(database, demo, now)
    assert list(found) == ["olga", "richard"]
    assert (found["olga"].synced, found["olga"].sending, found["olga"].last_mail) == (None, None, {})
    assert found["olga"].forwarding.state.key == "forwarding.not_yet"


def test_each_way_is_told_with_its_state(database: Database, demo: Deployment, now: datetime, record: Record) -> None:
    connect(database, demo, "richard", now)
    gmail_app.put(database, "disabled", now)
    send_mail_as.connect(database, demo, "richard", now)
    login_id = database.execute("SELECT id FROM relay_logins").fetchone()[0]
    with database.transaction():
        relay_logins.put_uses(database, [UseRow(login_id, now, 0, 0, 1, "too much")], now)
    record("demo", "richard", JANE)
    found = _all(database, demo, now)["richard"]
    assert found.synced
    assert (found.synced.state.key, found.synced.note) == ("mailbox.connected", None)
    assert found.sending
    assert (found.sending.state.key, found.sending.state.parameters) == ("login.suspended", {"reason": "too much"})
    assert set(found.last_mail) == {"forward"}
    assert abs(found.last_mail["forward"] - now) < timedelta(days=1)
    assert found.last_mail["forward"].tzinfo == UTC


def test_another_deployments_namesake_is_another_person(
    database: Database, demo: Deployment, now: datetime, record: Record
) -> None:
    other = deployments.find(database, "other")
    connect(database, other, "richard", now, "richard@else.example")
    send_mail_as.connect(database, other, "richard", now)
    record("other", "richard", JANE)
    found = _all(database, demo, now)["richard"]
    assert (found.synced, found.sending, found.last_mail) == (None, None, {})
    assert set(_all(database, other, now)["richard"].last_mail) == {"forward"}
