"""Pages of decisions: the newest first, only the own deployment's, and of captured mail only those that the reader may see."""

from datetime import datetime, timedelta

import pytest

from mailweir.decision import Outcome
from mailweir.store.database.connection import Database
from mailweir.store.people import contacts, deployments, users
from mailweir.store.people.deployments import Deployment
from mailweir.store.record import activities, decision_pages, visibility
from mailweir.store.record.decision_pages import Place
from mailweir.store.record.decisions import Asker
from mailweir.store.record.visibility import Reader
from mailweir.visibility import Visibility
from tests.conftest import Ignore, Record

JANE = "jane@client.example"


@pytest.fixture
def demo(database: Database, record: Record, ignore: Ignore, now: datetime) -> Deployment:
    """Three captured mails of richard's, the second for participants only; then four ignored at the same time; and one of another
    firm's."""
    made = deployments.add(database, "demo", "demo.example.net", now)
    other = deployments.add(database, "other", "other.example.net", now)
    for username in ("richard", "anna"):
        users.add(database, made, username, f"{username}@example.com", "", now)
    contacts.add(database, made, "Jane", [JANE], None, now)
    ids = [record("demo", "richard", JANE, number=number) for number in (1, 2, 3)]
    visibility.set_by_hand(database, ids[1], Visibility.PARTICIPANTS, "richard", now)
    for number in range(4):
        ignore("demo", queue_id=f"4XyI{number}", at=now + timedelta(hours=1))
    users.add(database, other, "richard", "richard@else.example", "", now)
    ignore("other", queue_id="4XyO", at=now + timedelta(hours=2))
    return made


def _queue_ids(database: Database, demo: Deployment, asker: Asker | None, outcome: Outcome | None) -> list[str]:
    page = decision_pages.page(database, demo, asker, outcome=outcome, limit=2)
    found = [str(one.queue_id) for one in page.decisions]
    while page.further is not None:
        page = decision_pages.page(database, demo, asker, before=page.further, outcome=outcome, limit=2)
        found += [str(one.queue_id) for one in page.decisions]
    return found


def _asker(database: Database, demo: Deployment, username: str | None) -> Asker | None:
    """An admin who is this user; None is an operator."""
    if username is None:
        return None
    reader = activities.reader_named(database, demo, username)
    return Asker(reader=reader, username=username, capture_address=demo.capture_address(username), is_admin=True)


IGNORED = ["4XyI3", "4XyI2", "4XyI1", "4XyI0"]


@pytest.mark.parametrize("steps", [(60, 600), (1, 1), (2, 3)])
@pytest.mark.parametrize(
    ("username", "outcome", "expected"),
    [
        (None, None, [*IGNORED, "4Xy3", "4Xy2", "4Xy1"]),
        ("richard", None, [*IGNORED, "4Xy3", "4Xy2", "4Xy1"]),
        ("anna", None, [*IGNORED, "4Xy3", "4Xy1"]),
        ("anna", Outcome.CAPTURED, ["4Xy3", "4Xy1"]),
        (None, Outcome.IGNORED, IGNORED),
        (None, Outcome.REFUSED, []),
    ],
)
def test_pages_have_all_of_it_once(
    database: Database,
    demo: Deployment,
    monkeypatch: pytest.MonkeyPatch,
    steps: tuple[int, ...],
    username: str | None,
    outcome: Outcome | None,
    expected: list[str],
) -> None:
    monkeypatch.setattr(decision_pages, "STEPS", steps)
    assert _queue_ids(database, demo, _asker(database, demo, username), outcome) == expected


def test_a_page_that_can_not_be_is_refused(database: Database, demo: Deployment, now: datetime) -> None:
    for limit in (0, 201):
        with pytest.raises(ValueError, match="1 to 200"):
            decision_pages.page(database, demo, None, limit=limit)
    with pytest.raises(ValueError, match="a reader of the deployment"):
        decision_pages.page(
            database, demo, Asker(reader=Reader(demo.id + 1, (3,)), username="x", capture_address="x@x")
        )
    assert decision_pages.page(database, demo, None, before=Place(now, -1)).decisions == ()
    assert len(decision_pages.page(database, demo, None, before=Place(now + timedelta(days=1), 10**30)).decisions) == 7
