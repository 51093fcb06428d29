"""The state of each way of a user's mail, on both databases; of that user and deployment only."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mailweir import send_mail_as
from mailweir.errors import NotFound
from mailweir.explain import user_integrations
from mailweir.explain.keys import PARAMETERS
from mailweir.explain.remedies import Action, Remedy
from mailweir.explain.user_integrations import ForwardingState, GmailState, RelayState, UserIntegrations
from mailweir.settings import Settings
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import rfc3339
from mailweir.store.gmail import gmail_app
from mailweir.store.people import contacts, deployments, relay_logins, users
from mailweir.store.people.deployments import Deployment
from mailweir.store.people.relay_logins import UseRow
from tests.conftest import Ignore, Record
from tests.gmail_rows import connect, make_firm

JANE = "jane@client.example"
SETTINGS = Settings.model_validate({"data_dir": Path("/var/lib/mailweir"), "hostname": "mail.example.net"})


@pytest.fixture
def demo(database: Database, now: datetime) -> Deployment:
    """A firm with richard and olga, and another firm that has a richard, too; both know Jane."""
    made = make_firm(database, now)
    other = deployments.add(database, "other", "other.example.org", now)
    users.add(database, other, "richard", "richard@else.example", "", now)
    for one in (made, other):
        contacts.add(database, one, "Jane", [JANE], None, now)
    return made


def _of(database: Database, deployment: Deployment, now: datetime, username: str = "richard") -> UserIntegrations:
    return user_integrations.of_user(database, SETTINGS, deployment, username, now)


def _set(database: Database, **columns: Any) -> None:
    for name, value in columns.items():
        database.execute(f"UPDATE gmail_mailboxes SET {name} = ?", (value,))


def test_the_states_of_forwarding_are_those_of_the_explanations() -> None:
    told = {key.removeprefix("forwarding.") for key in PARAMETERS if key.startswith("forwarding.")}
    assert {str(one) for one in ForwardingState} == told


def test_of_a_new_user_nothing_is_known(database: Database, demo: Deployment, now: datetime) -> None:
    found = _of(database, demo, now)
    assert found.forwarding.state is ForwardingState.NOT_YET
    assert (found.forwarding.last_captured, found.forwarding.last_seen, found.forwarding.quiet_since) == (None,) * 3
    assert found.gmail is None
    assert (found.relay.state, found.relay.since, found.relay.last_mail) == (RelayState.NOT_CONNECTED, None, None)
    assert found.relay.remedy == Remedy(Action.CONNECT_RELAY, "richard")
    assert (found.relay.username, found.relay.host) == ("richard@demo.example.net", "mail.example.net")
    assert (found.relay.submission_port, found.relay.submissions_port) == (2587, 2465)
    assert (found.log_address.address, found.log_address.last_mail) == ("log@demo.example.net", None)
    with pytest.raises(NotFound):
        _of(database, demo, now, "nobody")


def test_forwarding_tells_what_was_captured_and_what_was_seen(
    database: Database, demo: Deployment, record: Record, ignore: Ignore, now: datetime
) -> None:
    record("demo", "richard", JANE)
    ignore("demo", at=now + timedelta(hours=2))
    ignore("demo", at=now + timedelta(hours=3), to="olga", queue_id="4XyOlga")
    found = _of(database, demo, now + timedelta(hours=4)).forwarding
    assert (found.state, found.remedy) == (ForwardingState.USUAL, Remedy(Action.NONE))
    assert found.last_captured == now + timedelta(minutes=1)
    assert found.last_seen == now + timedelta(hours=2)
    assert _of(database, demo, now, "olga").forwarding.last_captured is None


def test_a_forwarding_that_went_quiet_says_since_when(
    database: Database, demo: Deployment, ignore: Ignore, now: datetime
) -> None:
    for day in range(10):
        ignore("demo", at=now - timedelta(days=day), queue_id=f"4Xy{day}")
    found = _of(database, demo, now + timedelta(days=5)).forwarding
    assert (found.state, found.quiet_since) == (ForwardingState.QUIET, now)
    assert found.remedy == Remedy(Action.CHECK_FORWARDING, "richard@demo.example.net")


def test_a_confirmation_that_waits_for_its_click_is_told(database: Database, demo: Deployment, now: datetime) -> None:
    user = users.find(database, demo, "richard")
    sql = (
        "INSERT INTO forwarding_confirmations (deployment_id, user_id, message_id, token, seen_at, redirected_at, redirects)"
        " VALUES (?, ?, '<1@google.example>', 'x', ?, ?, 1)"
    )
    database.execute(sql, (demo.id, user.id, rfc3339(now), rfc3339(now)))
    found = _of(database, demo, now + timedelta(days=2)).forwarding
    assert (found.state, found.confirmation_at) == (ForwardingState.UNCONFIRMED, now)
    assert found.remedy == Remedy(Action.CLICK_THE_LINK, "richard@firm.example")
    assert _of(database, demo, now, "olga").forwarding.confirmation_at is None


def test_a_mailbox_is_told_with_all_its_fields(database: Database, demo: Deployment, now: datetime) -> None:
    connect(database, demo, "richard", now)
    found = _of(database, demo, now).gmail
    assert found
    assert (found.state, found.account, found.remedy) == (
        GmailState.CONNECTED,
        "richard@firm.example",
        Remedy(Action.NONE),
    )
    assert (found.swept_at, found.last_message_at, found.missing, found.failure) == (None,) * 4
    assert (found.waiting, found.given_up, found.connected_since) == (0, 0, now)
    _set(database, swept_at=rfc3339(now), audited_at=rfc3339(now), audit_listed=9, audit_missing=2)
    found = _of(database, demo, now).gmail
    assert found
    assert (found.swept_at, found.audited_at, found.missing) == (now, now, 2)


@pytest.mark.parametrize(
    ("columns", "state", "action"),
    [
        ({"state": "reconnect", "error": "refused"}, GmailState.RECONNECT, Action.CONNECT_AGAIN),
        ({"failures": 2, "error": "quota"}, GmailState.WAITS, Action.WAIT),
        ({"failures": 2, "error": "disabled"}, GmailState.WAITS, Action.NONE),
        ({"consent_ends_at": "2026-12-01T00:00:00.000000Z"}, GmailState.CONNECTED, Action.CONNECT_AGAIN),
    ],
)
def test_a_mailboxs_state_has_one_remedy(
    database: Database, demo: Deployment, now: datetime, columns: dict[str, Any], state: GmailState, action: Action
) -> None:
    connect(database, demo, "richard", now)
    gmail_app.put(database, "disabled", now)  # a fault of the app, which no user can mend
    _set(database, **columns)
    found = _of(database, demo, now).gmail
    assert found
    assert (found.state, found.remedy.action, found.failure) == (state, action, columns.get("error"))


def test_a_login_is_in_use_or_suspended(database: Database, demo: Deployment, now: datetime) -> None:
    send_mail_as.connect(database, demo, "richard", now)
    assert (_of(database, demo, now).relay.state, _of(database, demo, now).relay.since) == (RelayState.IN_USE, now)
    login_id = database.execute("SELECT id FROM relay_logins").fetchone()[0]
    with database.transaction():
        relay_logins.put_uses(database, [UseRow(login_id, now, 0, 0, 1, "too much")], now)
    found = _of(database, demo, now).relay
    assert (found.state, found.remedy) == (
        RelayState.SUSPENDED,
        Remedy(Action.NEW_PASSWORD, "richard@demo.example.net"),
    )


@pytest.mark.parametrize("route", ["relay", "log"])
def test_the_last_mail_of_a_route_is_told(
    database: Database, demo: Deployment, record: Record, now: datetime, route: str
) -> None:
    """If a client's mail was copied to the log address, the copy has no user."""
    record("demo", "richard", JANE)
    database.execute("UPDATE sightings SET route = ?", (route,))
    database.execute("UPDATE sightings SET user_id = NULL WHERE route = 'log'")
    found = _of(database, demo, now)
    told = {"relay": found.relay.last_mail, "log": found.log_address.last_mail}
    assert told == {"relay": None, "log": None, route: now + timedelta(minutes=1)}
    assert found.forwarding.last_captured is None


def test_another_deployments_namesake_is_another_person(
    database: Database, demo: Deployment, record: Record, now: datetime
) -> None:
    other = deployments.find(database, "other")
    connect(database, other, "richard", now, "richard@else.example")
    send_mail_as.connect(database, other, "richard", now)
    record("other", "richard", JANE)
    found = _of(database, demo, now)
    assert (found.gmail, found.relay.state, found.forwarding.last_seen) == (None, RelayState.NOT_CONNECTED, None)
    assert _of(database, other, now).forwarding.last_captured is not None
