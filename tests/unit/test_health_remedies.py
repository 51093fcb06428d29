"""The remedies for findings: their keys and facts are those that the checks really return."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from mailweir.decision import Reason
from mailweir.explain import english
from mailweir.explain.remedies import Action, Remedy
from mailweir.health import gmail, record, remedies
from mailweir.health.findings import Finding, ok, wrong
from mailweir.settings import Settings
from mailweir.store.database.connection import Database
from mailweir.store.people.deployments import Deployment
from tests.conftest import Ignore
from tests.gmail_rows import connect, make_firm


@pytest.fixture
def demo(database: Database, now: datetime) -> Deployment:
    """A firm with richard and olga."""
    return make_firm(database, now)


def _mended(found: list[Finding]) -> dict[str, Remedy]:
    return {one.key: remedies.remedy(one) for one in found}


def test_a_mailbox_that_needs_its_user_is_connected_again(
    database: Database, demo: Deployment, now: datetime, tmp_path: Path
) -> None:
    connect(database, demo, "richard", now)
    database.execute("UPDATE gmail_mailboxes SET state = 'reconnect', error = 'refused'")
    settings = Settings.model_validate(
        {"data_dir": tmp_path, "gmail": {"oauth_client_file": str(tmp_path / "client.json")}}
    )
    found = _mended(list(gmail.check_mailboxes(settings, database, demo, now)))
    assert found == {"gmail.reconnect": Remedy(Action.CONNECT_AGAIN, "richard@firm.example")}


def test_users_forwarding_and_groups_are_named(
    database: Database, demo: Deployment, ignore: Ignore, now: datetime
) -> None:
    later = now + timedelta(days=3)
    found = list(record.check_forwarding(database, demo, later, english.page_text))
    assert [(remedies.remedy(one), "mailweir " in one.to_do) for one in found] == [
        (Remedy(Action.SET_UP_FORWARDING, "olga"), False),
        (Remedy(Action.SET_UP_FORWARDING, "richard"), False),
    ]
    ignore("demo", Reason.UNKNOWN_GROUP, author="sales@firm.example")
    assert _mended(list(record.check_groups(database, demo, now))) == {
        "record.unknown_group": Remedy(Action.ADD_GROUP, "sales@firm.example")
    }


@pytest.mark.parametrize(
    "finding",
    [
        ok("disk", "well", key="disk.room"),
        wrong("disk", "full", "free some space", key="disk.full"),
        wrong("x", "of a later version", "", key="x.later"),
    ],
)
def test_what_takes_somebody_at_the_host_is_no_button(finding: Finding) -> None:
    assert remedies.remedy(finding) == Remedy(Action.NONE)
