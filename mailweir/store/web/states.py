"""States: what a redirect to another host brings back, kept for ten minutes, and given out once.

A state is bound to what the browser alone has (`bound_to`), so that nobody can have another's browser end what he began himself.
Of both the SHA-256 is kept. Called by the page: by the sign-in, and where a user connects Gmail.
"""

import enum
import json
from datetime import datetime, timedelta

from mailweir.store.database import rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import rfc3339
from mailweir.store.web import sessions

LASTS = timedelta(minutes=10)
_MAX_TOKEN_CHARS = 64


class Kind(enum.StrEnum):
    """What a state is of."""

    OPENID = "openid"
    GMAIL = "gmail"


def make(database: Database, kind: Kind, bound_to: str, content: dict[str, str], now: datetime) -> str:
    """A new state. bound_to: a token of the browser's. content: what has to be known when it comes back."""
    state = sessions.new_token()
    with database.transaction():
        database.execute("DELETE FROM web_states WHERE expires_at <= ?", (rfc3339(now),))
        sql = "INSERT INTO web_states (state_hash, kind, bound_to, content, expires_at) VALUES (?, ?, ?, ?, ?)"
        values = (sessions.token_hash(bound_to), json.dumps(content), rfc3339(now + LASTS))
        database.execute(sql, (sessions.token_hash(state), str(kind), *values))
    return state


def take(database: Database, kind: Kind, bound_to: str, state: str, now: datetime) -> dict[str, str] | None:
    """What was kept, once. None where there is no such state, it is too old, of another kind or of another browser."""
    if not bound_to or len(state) > _MAX_TOKEN_CHARS or len(bound_to) > _MAX_TOKEN_CHARS:
        return None
    values = (sessions.token_hash(state), str(kind), sessions.token_hash(bound_to), rfc3339(now))
    sql = (
        "DELETE FROM web_states WHERE state_hash = ? AND kind = ? AND bound_to = ? AND expires_at > ? RETURNING content"
    )
    with database.transaction():
        found = rows.first(database.execute(sql, values))
    return None if found is None else dict(json.loads(found["content"]))
