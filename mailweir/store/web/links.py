"""One-time sign-in links: 256 random bits, stored as their SHA-256, valid for ten minutes.

Called by `mailweir web link`, and by the page, which accepts them and whose admins make them.
"""

from datetime import datetime, timedelta

from mailweir.store.database import rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import rfc3339
from mailweir.store.web import sessions
from mailweir.store.web.accounts import MAY_SIGN_IN
from mailweir.store.web.sessions import Means

LASTS = timedelta(minutes=10)
_MAX_TOKEN_CHARS = 64


def make(database: Database, account_id: int, deployment_id: int | None, now: datetime) -> str:
    """Makes a link, and returns its token. deployment_id: the deployment that the session shows first."""
    token = sessions.new_token()
    with database.transaction():
        database.execute("DELETE FROM web_links WHERE expires_at <= ?", (rfc3339(now),))
        sql = "INSERT INTO web_links (token_hash, account_id, deployment_id, expires_at) VALUES (?, ?, ?, ?)"
        database.execute(sql, (sessions.token_hash(token), account_id, deployment_id, rfc3339(now + LASTS)))
    return token


def end_all(database: Database, account_id: int) -> int:
    """Deletes an account's links; returns their number."""
    with database.transaction():
        return int(database.execute("DELETE FROM web_links WHERE account_id = ?", (account_id,)).rowcount)


def whose(database: Database, token: str, now: datetime) -> str | None:
    """The name of the account that this token signs in; None if it is used, expired or invalid."""
    found = _found(database, token, now) if len(token) <= _MAX_TOKEN_CHARS else None
    return None if found is None else str(found["name"])


def spend(database: Database, token: str, browser: str, now: datetime) -> str | None:
    """Begins a session, and deletes the link; returns the session's token, or None if the link is used, expired or invalid."""
    if len(token) > _MAX_TOKEN_CHARS:
        return None
    with database.transaction():
        found = _found(database, token, now)
        sql = "DELETE FROM web_links WHERE token_hash = ?"
        if found is None or database.execute(sql, (sessions.token_hash(token),)).rowcount != 1:
            return None
        return sessions.begin(database, found["account_id"], found["deployment_id"], Means.LINK, browser, now)


def _found(database: Database, token: str, now: datetime) -> rows.Row | None:
    sql = (
        "SELECT k.account_id, k.deployment_id, c.name FROM web_links AS k JOIN web_accounts AS c ON c.id = k.account_id"
        f" WHERE k.token_hash = ? AND k.expires_at > ? AND {MAY_SIGN_IN}"
    )
    return rows.first(database.execute(sql, (sessions.token_hash(token), rfc3339(now))))
