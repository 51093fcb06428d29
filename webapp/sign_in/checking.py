"""Checks passwords of accounts. A throttle makes guessing slow, and a gate limits the number of checks at the same time. A check
takes as long for a name without an account as for one with an account.

Called by the sign-in, and by the account's page before it changes a password.
"""

import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta

import flask
from werkzeug.wrappers import Response

from mailweir import passwords
from mailweir.store.web import attempts, credentials
from webapp import here

KNOWN_COOKIE = "__Host-mailweir-known"
_KNOWN_SECONDS = 365 * 86_400
_NONCE_CHARS = 22
# The digest of an unknown password, as costly to check as all others. It is checked if a name has no account
NOBODYS = "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$394ASny1DvpHl//K40FZaA$u/63auyuYgmRjuoEXCA71mebTW8NWsTN1LTFbZYHgqk"


@dataclass(frozen=True, slots=True)
class Checked:
    """account_id: of the account with this password, or None. wait: if not None, the try came too early and wasn't checked.
    digest: of the password."""

    account_id: int | None = None
    wait: timedelta | None = None
    digest: str = ""


def check(name: str, given: str) -> Checked:
    """Checks a password. gate.Full if too many are being checked."""
    with here.site().gate.entered():
        own = credentials.password_of(here.database(), name)
        counted = attempts.key(name, _known_browser(own.digest if own else ""))
        wait = attempts.begin(here.database(), counted, here.now())
        if wait is not None:
            return Checked(wait=wait)
        is_right = passwords.is_right(
            own.digest if own else NOBODYS, passwords.typed(given[: passwords.MOST_CHARS + 1])
        )
        if own is None or not is_right:
            return Checked()
        attempts.succeeded(here.database(), counted)
        return Checked(account_id=own.account_id, digest=own.digest)


def remember(response: Response, digest: str) -> None:
    """Marks the browser as known to this account, so that wrong guesses from other browsers don't slow it down. The mark is valid
    until the password changes."""
    nonce = secrets.token_urlsafe(16)
    value = f"{nonce}.{_mark(digest, nonce)}"
    response.set_cookie(
        KNOWN_COOKIE, value, max_age=_KNOWN_SECONDS, secure=True, httponly=True, samesite="Lax", path="/"
    )


def _known_browser(digest: str) -> str:
    """The mark's nonce if this account gave it to the browser, else ""."""
    nonce, _, mark = flask.request.cookies.get(KNOWN_COOKIE, "").partition(".")
    is_ours = len(nonce) == _NONCE_CHARS and hmac.compare_digest(
        mark.encode(errors="replace"), _mark(digest, nonce).encode()
    )
    return nonce if digest and is_ours else ""


def _mark(digest: str, nonce: str) -> str:
    return hmac.digest(digest.encode(), f"known browser {nonce}".encode(), "sha256").hex()
