"""The fate of a message: one answer from the database and Postfix's log, filtered, in order, and limited."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mailweir import recording, secrets_file
from mailweir.decision import Decision, Outcome, Reason
from mailweir.directory import DeploymentRef
from mailweir.explain import tracking
from mailweir.explain.explanation import Explanation
from mailweir.explain.tracking import Decided, Refused, Waits
from mailweir.store.database.connection import Database
from mailweir.store.gmail import gmail_queue
from mailweir.store.gmail.gmail_queue import Origin
from mailweir.store.people import deployments, users
from mailweir.store.people.deployments import Deployment
from mailweir.traces import Traces
from postfix.maillog import Refusal
from tests.conftest import Ignore
from tests.gmail_rows import connect, make_firm, take

JANE = "jane@x.example"


@pytest.fixture
def demo(database: Database, now: datetime) -> Deployment:
    """A firm, beside another one."""
    made = make_firm(database, now)
    other = deployments.add(database, "other", "other.example.org", now)
    users.add(database, other, "rick", "rick@else.example", "", now)
    return made


@pytest.fixture
def traces(tmp_path: Path) -> Traces:
    """Traces with a key of their own."""
    secrets_file.make(tmp_path / "token.key")
    return Traces(tmp_path / "token.key")


def _refusal(recipient: str | None) -> Refusal:
    time = datetime(2026, 11, 24, 3, 12, 55, tzinfo=UTC)
    return Refusal(time, None, "RCPT", "mx.x.example[192.0.2.1]", "550 5.1.1 no", JANE, recipient)


def test_decisions_come_first_then_what_waits_then_refusals(
    database: Database, demo: Deployment, ignore: Ignore, traces: Traces, now: datetime
) -> None:
    leased = take(database, connect(database, demo, "richard", now).id, now)
    with database.transaction():
        gmail_queue.put(database, leased, ["19ab04c7d2e1f356"], Origin.HISTORY, now)
    ignore("demo", queue_id="19ab04c7d2e1f356")
    refusals = [_refusal("richard@Demo.example.net"), _refusal("nobody@x.example"), _refusal(None)]
    found = tracking.track(database, "19ab04c7d2e1f356", traces, refusals).found
    assert [type(one) for one in found] == [Decided, Waits, Refused, Refused, Refused]
    assert [one.deployment for one in found if isinstance(one, Refused)] == ["demo", None, None]
    assert [one.reason.key for one in found[:3]] == ["decision.unknown_author", "sync.waiting", "postfix.refused"]


def test_the_limit_is_that_of_all_together(
    database: Database, demo: Deployment, ignore: Ignore, traces: Traces, now: datetime
) -> None:
    for number in range(3):
        ignore("demo", queue_id=f"4Xy{number}", at=now + timedelta(seconds=number))
    found = tracking.track(database, JANE, traces, [_refusal(None)], limit=2).found
    assert [one.decision.queue_id for one in found if isinstance(one, Decided)] == ["4Xy2", "4Xy1"]
    assert len(tracking.track(database, JANE, traces, [_refusal(None)] * 2, limit=4).found) == 4


def test_one_deployment_is_told_nothing_of_another(
    database: Database, demo: Deployment, ignore: Ignore, traces: Traces, now: datetime
) -> None:
    """This holds for decisions, waiting messages and refusals. A refusal that belongs to no deployment is shown to none of
    them."""
    other = deployments.find(database, "other")
    leased = take(database, connect(database, other, "rick", now, "rick@else.example").id, now)
    with database.transaction():
        gmail_queue.put(database, leased, ["19ab04c7d2e1f356"], Origin.HISTORY, now)
    ignore("other", queue_id="19ab04c7d2e1f356", to="rick")
    refusals = [_refusal("rick@other.example.org"), _refusal(None)]
    whole, demos, others = (
        tracking.track(database, "19ab04c7d2e1f356", traces, refusals, chosen).found for chosen in (None, demo, other)
    )
    assert (len(whole), len(demos), len(others)) == (4, 0, 3)


def test_an_alias_is_proposed_for_a_colleague_who_copies_the_log_address_alone(
    database: Database, demo: Deployment, ignore: Ignore, traces: Traces
) -> None:
    def hint(**changed: str) -> Explanation | None:
        changed = {"author": "r.smith@firm.example", "to": "log", "queue_id": f"4Xy{len(made)}", **changed}
        reason = Reason(changed.pop("reason", Reason.UNKNOWN_AUTHOR))
        ignore("demo", reason, **changed)
        made.append(changed["queue_id"])
        (found,) = tracking.track(database, changed["queue_id"], traces, []).found
        assert isinstance(found, Decided)
        return found.hint

    made: list[str] = []
    assert hint() == Explanation("hint.register_alias", {"author": "r.smith@firm.example"})
    assert hint(to="richard") is None
    assert hint(author="stranger@x.example") is None
    assert hint(reason=Reason.INTERNAL) is None


def test_ignored_mail_is_found_by_its_recipient(
    database: Database, demo: Deployment, traces: Traces, now: datetime
) -> None:
    tenant = DeploymentRef(demo.id, demo.name, demo.domain)
    decision = Decision(
        deployment=tenant, outcome=Outcome.IGNORED, reason=Reason.NO_CONTACT, author="r@firm.example", message_id=None
    )
    digests = traces.of(tenant, ["joe@stranger.example"])
    with database.transaction():
        recording.record(database, recording.Entry(decision, "4XyZ", now, traces=digests))
    for typed in ("Joe@stranger.example", "<joe@stranger.example>", "joe@stranger\u3002example"):
        (found,) = tracking.track(database, typed, traces, []).found
        assert found.reason.key == "decision.no_contact"
    assert tracking.track(database, "eve@stranger.example", traces, []).found == ()
