"""The log of changes, on each database."""

from datetime import datetime, timedelta

import pytest

from mailweir.store.database.connection import Database
from mailweir.store.people import deployments
from mailweir.store.web import change_log


def test_changes_are_a_deployments_own_the_newest_first(database: Database, now: datetime) -> None:
    demo = deployments.add(database, "demo", "demo.example.net", now)
    other = deployments.add(database, "other", "other.example.org", now)
    for number in range(3):
        moment = now + timedelta(seconds=number)
        change_log.note(database, demo.id, "boss", "contact.added", f"contact {number}", "", moment)
    change_log.note(database, other.id, "else", "contact.added", "theirs", "", now)
    change_log.note(database, None, "root", "account.added", "root", "operator", now)
    found = change_log.select(database, demo.id, None, 2)
    assert [(one.subject, one.changed_by) for one in found] == [("contact 2", "boss"), ("contact 1", "boss")]
    assert [one.subject for one in change_log.select(database, demo.id, found[-1].id, 2)] == ["contact 0"]
    assert [one.detail for one in change_log.select(database, None, None, 5)] == ["operator"]


def _note_and_fail(database: Database, deployment_id: int, now: datetime) -> None:
    with database.transaction():
        change_log.note(database, deployment_id, "boss", "contact.added", "Jane", "", now)
        raise InterruptedError


def test_a_change_goes_with_the_transaction_it_is_noted_in(database: Database, now: datetime) -> None:
    demo = deployments.add(database, "demo", "demo.example.net", now)
    with pytest.raises(InterruptedError):
        _note_and_fail(database, demo.id, now)
    assert change_log.select(database, demo.id, None, 5) == []


def test_a_long_subject_is_cut(database: Database, now: datetime) -> None:
    change_log.note(database, None, "boss", "contact.added", "x" * 2_000, "", now)
    assert len(change_log.select(database, None, None, 1)[0].subject) == change_log.MAX_CHARS
