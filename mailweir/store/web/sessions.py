"""Sessions of the page, in the database: every process on every host sees them, and one statement ends them.

A browser has a token of 256 bits, the database its SHA-256. A session ends 12 hours after its last use, and 30 days after its
beginning. The last use is written at most every 10 minutes. Called by the page.
"""

import enum
import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from mailweir.store.database import rows
from mailweir.store.database.connection import Database
from mailweir.store.database.moments import parse, rfc3339

IDLE = timedelta(hours=12)
LONGEST = timedelta(days=30)
SEEN_EACH = timedelta(minutes=10)
_TOKEN_BYTES = 32
_MAX_TOKEN_CHARS = 64
_MAX_BROWSER_CHARS = 200


class Means(enum.StrEnum):
    """The means of signing in."""

    LINK = "link"
    OPENID = "openid"
    PASSWORD = "password"


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser. deployment_id: the deployment that its pages show. browser: its User-Agent. Times: UTC."""

    id: int
    account_id: int
    deployment_id: int | None
    made_by: Means
    browser: str
    created_at: datetime
    last_seen_at: datetime


def token_hash(token: str) -> str:
    """The stored form of a token that is shown once: SHA-256, in hex."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def new_token() -> str:
    """A token of 256 random bits, safe in a URL and in a cookie."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def begin(
    database: Database, account_id: int, deployment_id: int | None, made_by: Means, browser: str, now: datetime
) -> str:
    """Begins a session, within the caller's transaction; returns the token for the browser. browser: its User-Agent."""
    token, moment = new_token(), rfc3339(now)
    sql = (
        "INSERT INTO web_sessions (token_hash, account_id, deployment_id, made_by, browser, created_at, last_seen_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)"
    )
    named = "".join(filter(str.isprintable, browser))[:_MAX_BROWSER_CHARS]
    database.execute("UPDATE web_accounts SET last_seen_at = ? WHERE id = ?", (moment, account_id))
    database.execute(sql, (token_hash(token), account_id, deployment_id, str(made_by), named, moment, moment))
    return token


def find(database: Database, token: str, now: datetime) -> Session | None:
    """The session of this token, or None if there is none, or it is over."""
    if len(token) > _MAX_TOKEN_CHARS:
        return None
    condition = "s.token_hash = ? AND s.last_seen_at > ? AND s.created_at > ?"
    found = _select(database, condition, (token_hash(token), rfc3339(now - IDLE), rfc3339(now - LONGEST)))
    return found[0] if found else None


def note_seen(database: Database, session: Session, now: datetime) -> None:
    """Records that the session is in use, at most every SEEN_EACH."""
    if now - session.last_seen_at < SEEN_EACH:
        return
    with database.transaction():
        database.execute("UPDATE web_sessions SET last_seen_at = ? WHERE id = ?", (rfc3339(now), session.id))
        database.execute("UPDATE web_accounts SET last_seen_at = ? WHERE id = ?", (rfc3339(now), session.account_id))


def choose_deployment(database: Database, session: Session, deployment_id: int) -> None:
    """Sets the deployment that the session's pages show. The caller has checked that the account may see it."""
    with database.transaction():
        database.execute("UPDATE web_sessions SET deployment_id = ? WHERE id = ?", (deployment_id, session.id))


def of_account(database: Database, account_id: int, now: datetime) -> list[Session]:
    """An account's sessions that aren't over, the last used first."""
    condition = "s.account_id = ? AND s.last_seen_at > ? AND s.created_at > ? ORDER BY s.last_seen_at DESC, s.id DESC"
    return _select(database, condition, (account_id, rfc3339(now - IDLE), rfc3339(now - LONGEST)))


def end(database: Database, session_id: int, account_id: int) -> None:
    """Ends one of an account's sessions; does nothing if it isn't the account's."""
    with database.transaction():
        database.execute("DELETE FROM web_sessions WHERE id = ? AND account_id = ?", (session_id, account_id))


def end_all(database: Database, account_id: int) -> int:
    """Ends all sessions of an account; returns their number."""
    with database.transaction():
        return int(database.execute("DELETE FROM web_sessions WHERE account_id = ?", (account_id,)).rowcount)


def _select(database: Database, condition: str, values: tuple[int | str, ...]) -> list[Session]:
    sql = (
        "SELECT s.id, s.account_id, s.deployment_id, s.made_by, s.browser, s.created_at, s.last_seen_at"
        f" FROM web_sessions AS s WHERE {condition}"
    )
    return [
        Session(
            id=row["id"],
            account_id=row["account_id"],
            deployment_id=row["deployment_id"],
            made_by=Means(row["made_by"]),
            browser=row["browser"],
            created_at=parse(row["created_at"]),
            last_seen_at=parse(row["last_seen_at"]),
        )
        for row in rows.named(database.execute(sql, values))
    ]
