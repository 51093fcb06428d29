"""What a redirect to another host brings back: once, in time, and for whom it was made."""

from datetime import datetime, timedelta

import pytest

from mailweir.store.database.connection import Database
from mailweir.store.web import states
from mailweir.store.web.states import Kind

LATER = timedelta(minutes=9)


@pytest.fixture
def kept(database: Database, now: datetime) -> Database:
    """A database that keeps one."""
    states.keep(database, "s1", Kind.GMAIL, "session 1", "verifier", now)
    return database


def test_it_counts_once(kept: Database, now: datetime) -> None:
    assert states.take(kept, "s1", Kind.GMAIL, "session 1", now + LATER) == "verifier"
    assert states.take(kept, "s1", Kind.GMAIL, "session 1", now + LATER) is None


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
    assert states.take(kept, state, kind, bound_to, now + passed) is None
    assert states.take(kept, "s1", Kind.GMAIL, "session 1", now) == "verifier"


def test_the_state_itself_isnt_kept_and_old_ones_go(kept: Database, now: datetime) -> None:
    rows = kept.execute("SELECT * FROM web_states").fetchall()
    assert "s1" not in str(rows).split("'")
    states.keep(kept, "s2", Kind.GMAIL, "session 1", "", now + timedelta(minutes=10))
    assert kept.execute("SELECT COUNT(*) FROM web_states").fetchone()[0] == 1
