"""What a redirect to another host brings back: a `state` that counts once, for a few minutes, for whom it was made.

The SHA-256 of it is kept. bound_to says who may bring it back, e.g. a session and its user: brought by anybody else it counts for
nothing, and stays. Called by the page.
"""

import enum
from datetime import datetime, timedelta

from mailweir.store.database.connection import Database
from mailweir.store.database.moments import rfc3339
from mailweir.store.web import sessions

LASTS = timedelta(minutes=10)
_MAX_STATE_CHARS = 200


class Kind(enum.StrEnum):
    """Which other host it is about."""

    GMAIL = "gmail"
    OPENID = "openid"


def keep(database: Database, state: str, kind: Kind, bound_to: str, content: str, now: datetime) -> None:
    """Keeps what belongs to a state, for `LASTS`."""
    sql = "INSERT INTO web_states (state_hash, kind, bound_to, content, expires_at) VALUES (?, ?, ?, ?, ?)"
    with database.transaction():
        database.execute("DELETE FROM web_states WHERE expires_at <= ?", (rfc3339(now),))
        values = (sessions.token_hash(state), str(kind), bound_to, content, rfc3339(now + LASTS))
        database.execute(sql, values)


def take(database: Database, state: str, kind: Kind, bound_to: str, now: datetime) -> str | None:
    """What belongs to it, once; None where it is none, too old, taken already, or somebody else's."""
    if not state or len(state) > _MAX_STATE_CHARS:
        return None
    condition = "state_hash = ? AND kind = ? AND bound_to = ? AND expires_at > ?"
    values = (sessions.token_hash(state), str(kind), bound_to, rfc3339(now))
    with database.transaction():
        row = database.execute(f"DELETE FROM web_states WHERE {condition} RETURNING content", values).fetchone()
    return str(row[0]) if row else None
