"""An account's credentials: the hash of a password, or its identity at a provider of OpenID Connect.

Called by the page's sign-in, and by `mailweir web`.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from mailweir.errors import NotFound
from mailweir.sentence import said
from mailweir.store.database import rows
from mailweir.store.database.connection import Database
from mailweir.store.web import sessions
from mailweir.store.web.accounts import MAY_SIGN_IN
from mailweir.store.web.sessions import Means

MOST_UNBOUND = 3  # accounts of a deployment that aren't bound yet, and from which a person may choose


@dataclass(frozen=True, slots=True)
class Password:
    """An account's password. digest: its hash, see `mailweir.passwords`."""

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
        sql = (
            "UPDATE web_accounts SET password_hash = ? WHERE id = ? AND COALESCE(password_hash, '') <> COALESCE(?, '')"
        )
        database.execute(sql, (digest, account_id, digest))
        database.execute("DELETE FROM web_links WHERE account_id = ?", (account_id,))
        sql = "DELETE FROM web_sessions WHERE account_id = ? AND id <> ?"
        database.execute(sql, (account_id, -1 if keep is None else keep))


def of_person(database: Database, issuer: str, subject: str, email: str | None) -> list[int]:
    """The accounts that this provider knows as this person's; then accounts with this mail address that aren't bound to anybody
    yet.

    Of the latter, at most MOST_UNBOUND for each deployment, because its admin could make any number of accounts with somebody
    else's address. email: None if the provider doesn't prove an address.
    """
    known = f"SELECT c.id FROM web_accounts AS c WHERE c.issuer = ? AND c.subject = ? AND {MAY_SIGN_IN} ORDER BY c.name"
    own = [account_id for (account_id,) in database.execute(known, (issuer, subject)).fetchall()]
    return own if email is None else own + _unbound(database, email)


def _unbound(database: Database, email: str) -> list[int]:
    sql = (
        "SELECT c.id, COALESCE(r.deployment_id, 0) FROM web_accounts AS c LEFT JOIN web_roles AS r ON r.account_id = c.id"
        f" WHERE c.email = ? AND c.subject IS NULL AND {MAY_SIGN_IN} ORDER BY c.name, c.id"
    )
    found: dict[int, None] = {}
    counts: Counter[int] = Counter()
    for account_id, deployment_id in database.execute(sql, (email,)).fetchall():
        counts[deployment_id] += 1
        if counts[deployment_id] <= MOST_UNBOUND:
            found[account_id] = None
    return list(found)


def bind(database: Database, account_id: int, email: str | None, issuer: str, subject: str) -> bool:
    """Binds an account with this mail address, which isn't bound yet, to a person. Is the account that person's now?

    The caller has checked that the provider proves the address, and that the person chose this account.
    """
    sql = "UPDATE web_accounts SET issuer = ?, subject = ? WHERE id = ? AND email = ? AND subject IS NULL"
    with database.transaction():
        if account_id not in of_person(database, issuer, subject, email):
            return False
        database.execute(sql, (issuer, subject, account_id, email))
        return True


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
