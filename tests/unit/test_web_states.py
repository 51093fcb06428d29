"""The data that the page keeps during a redirect to another host: returned once, in time, and only to its owner."""

from datetime import datetime, timedelta

import pytest

from mailweir.store.database.connection import Database
from mailweir.store.web import states
from mailweir.store.web.states import Kind

LATER = timedelta(minutes=9)
KEPT = {"verifier": "v"}


@pytest.fixture
def kept(database: Database, now: datetime) -> Database:
    """A database that keeps such data."""
    states.keep(database, "s1", Kind.GMAIL, "session 1", KEPT, now)
    return database


def test_it_counts_once(kept: Database, now: datetime) -> None:
    assert states.take(kept, Kind.GMAIL, "session 1", "s1", now + LATER) == KEPT
    assert states.take(kept, Kind.GMAIL, "session 1", "s1", now + LATER) is None


@pytest.mark.parametrize(
    ("state", "kind", "bound_to", "passed"),
    [
        ("s1", Kind.GMAIL, "session 2", LATER),
        ("s1", Kind.OPENID, "session 1", LATER),
        ("s2", Kind.GMAIL, "session 1", LATER),
        ("", Kind.GMAIL, "session 1", LATER),
        ("s1" * 200, Kind.GMAIL, "session 1", LATER),
        ("s1", Kind.GMAIL, "session 1", timedelta(minutes=10)),
    ],
    ids=["another's", "another kind", "another", "none", "long", "old"],
)
def test_anything_else_is_refused_and_spends_nothing(
    kept: Database, now: datetime, state: str, kind: Kind, bound_to: str, passed: timedelta
) -> None:
    assert states.take(kept, kind, bound_to, state, now + passed) is None
    assert states.take(kept, Kind.GMAIL, "session 1", "s1", now) == KEPT


def test_the_state_itself_isnt_kept_and_old_ones_go(kept: Database, now: datetime) -> None:
    rows = kept.execute("SELECT * FROM web_states").fetchall()
    assert "'s1'" not in str(rows)
    states.keep(kept, "s2", Kind.GMAIL, "session 1", {}, now + timedelta(minutes=10))
    assert kept.execute("SELECT COUNT(*) FROM web_states").fetchone()[0] == 1
