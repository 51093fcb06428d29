"""An account's credentials: the hash of a password, or its identity at a provider of OpenID Connect.

Called by the page's sign-in, and by `mailweir web`.
"""

from dataclasses import dataclass, field
from datetime import datetime

from mailweir.errors import NotFound
from mailweir.sentence import said
from mailweir.store.database import rows
from mailweir.store.database.connection import Database
from mailweir.store.web import sessions
from mailweir.store.web.accounts import MAY_SIGN_IN
from mailweir.store.web.sessions import Means


@dataclass(frozen=True, slots=True)
class Password:
    """A password and its account. digest: its hash, see `mailweir.passwords`."""

    account_id: int
    digest: str = field(repr=False)


def password_of(database: Database, name: str) -> Password | None:
    """The password of the account of this name; None if there is no such account, or it has none."""
    sql = (
        "SELECT c.id AS account_id, c.password_hash AS digest FROM web_accounts AS c WHERE c.name = ?"
        f" AND c.password_hash IS NOT NULL AND {MAY_SIGN_IN}"
    )
    found = rows.first(database.execute(sql, (name,)))
    return None if found is None else Password(**found)


def set_password(database: Database, account_id: int, digest: str | None, *, keep: int | None = None) -> None:
    """Gives an account a password, or removes it (None). Its links are deleted, and its sessions except `keep`."""
    with database.transaction():
        database.execute("UPDATE web_accounts SET password_hash = ? WHERE id = ?", (digest, account_id))
        database.execute("DELETE FROM web_links WHERE account_id = ?", (account_id,))
        sql = "DELETE FROM web_sessions WHERE account_id = ? AND id <> ?"
        database.execute(sql, (account_id, -1 if keep is None else keep))


def of_subject(database: Database, issuer: str, subject: str) -> int | None:
    """The account of this person at this provider."""
    sql = f"SELECT c.id FROM web_accounts AS c WHERE c.issuer = ? AND c.subject = ? AND {MAY_SIGN_IN}"
    found = rows.first(database.execute(sql, (issuer, subject)))
    return None if found is None else int(found["id"])


def bind(database: Database, email: str, issuer: str, subject: str) -> int | None:
    """Binds the only account with this mail address, not yet bound to a provider, to a person; returns its id.

    None if no account has the address, several have it, or it is bound to another person. The caller has checked that the
    provider verified the address.
    """
    sql = f"SELECT c.id, c.subject FROM web_accounts AS c WHERE c.email = ? AND {MAY_SIGN_IN}"
    with database.transaction():
        found = rows.named(database.execute(sql, (email,)))
        if len(found) != 1 or found[0]["subject"] is not None:
            return None
        sql = "UPDATE web_accounts SET issuer = ?, subject = ? WHERE id = ?"
        database.execute(sql, (issuer, subject, found[0]["id"]))
        return int(found[0]["id"])


def begin_session(
    database: Database,
    account_id: int,
    made_by: Means,
    browser: str,
    before: sessions.Session | None,
    now: datetime,
    *,
    digest: str | None = None,
) -> str:
    """Begins a session that replaces the browser's earlier one; returns its token. digest: the password's, if one was checked.
    NotFound if the account was removed, or the password changed, during the check."""
    with database.transaction():
        sql = f"SELECT c.password_hash FROM web_accounts AS c WHERE c.id = ? AND {MAY_SIGN_IN}"
        found = rows.first(database.execute(sql, (account_id,)))
        if found is None or digest not in (None, found["password_hash"]):
            raise NotFound(said("the account is another one by now: sign in again"))
        if before is not None:
            sql = "DELETE FROM web_sessions WHERE id = ? AND account_id = ?"
            database.execute(sql, (before.id, before.account_id))
        return sessions.begin(database, account_id, None, made_by, browser, now)
