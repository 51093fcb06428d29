"""States (OAuth 2.0): data to restore when a browser returns from another host, stored for ten minutes, and returned once.

A state is bound to a secret of the browser or the session (`bound_to`): an attacker can't make another person's browser finish
the attacker's own request. A state that the wrong browser presents is rejected, and stays stored. Of the state and of the secret,
only the SHA-256 is stored. Called by the page: by the sign-in, and where a user connects Gmail.
"""

import enum
import json
from collections.abc import Mapping
from datetime import datetime, timedelta

from mailweir.store.database import rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import rfc3339
from mailweir.store.web import sessions

LASTS = timedelta(minutes=10)
_MAX_STATE_CHARS = 200


class Kind(enum.StrEnum):
    """The kind of the other host."""

    GMAIL = "gmail"
    OPENID = "openid"


def make(database: Database, kind: Kind, bound_to: str, content: Mapping[str, str], now: datetime) -> str:
    """Makes and stores a state. content: the data needed when the state comes back."""
    state = sessions.new_token()
    keep(database, state, kind, bound_to, content, now)
    return state


def keep(database: Database, state: str, kind: Kind, bound_to: str, content: Mapping[str, str], now: datetime) -> None:
    """Stores a state that was made elsewhere; see `make`."""
    sql = "INSERT INTO web_states (state_hash, kind, bound_to, content, expires_at) VALUES (?, ?, ?, ?, ?)"
    values = (sessions.token_hash(bound_to), json.dumps(dict(content)), rfc3339(now + LASTS))
    with database.transaction():
        database.execute("DELETE FROM web_states WHERE expires_at <= ?", (rfc3339(now),))
        database.execute(sql, (sessions.token_hash(state), str(kind), *values))


def take(database: Database, kind: Kind, bound_to: str, state: str, now: datetime) -> dict[str, str] | None:
    """The stored data, once. None if there is no such state, it is expired, of another kind, or somebody else's."""
    if not state or not bound_to or max(len(state), len(bound_to)) > _MAX_STATE_CHARS:
        return None
    values = (sessions.token_hash(state), str(kind), sessions.token_hash(bound_to), rfc3339(now))
    sql = (
        "DELETE FROM web_states WHERE state_hash = ? AND kind = ? AND bound_to = ? AND expires_at > ? RETURNING content"
    )
    with database.transaction():
        found = rows.first(database.execute(sql, values))
    return None if found is None else dict(json.loads(found["content"]))
