"""The current request: its database, its session, its account, the deployment that it looks at.

A request borrows one connection and gives it back at its end. Before each view, `begin` checks whether the account may open it:
people who aren't signed in are sent to the sign-in, and people who may not open the page get a 404. Called by all pages.
"""

import hmac
from contextlib import ExitStack
from datetime import datetime
from typing import Any, cast

import flask
from werkzeug.wrappers import Response

from mailweir.store.database.connection import Database
from mailweir.store.people import deployments
from mailweir.store.people.deployments import Deployment
from mailweir.store.record.visibility import Reader
from mailweir.store.web import accounts, sessions
from mailweir.store.web.accounts import Account, Membership
from mailweir.store.web.sessions import Session
from webapp.access import Access, may_open, of_view
from webapp.site import EXTENSION, Site

COOKIE = "__Host-mailweir"
_NOBODY = -1  # no user's id
_CONNECTION_SECONDS = 10.0


def site() -> Site:
    """The application's settings, connections and clock."""
    return cast(Site, flask.current_app.extensions[EXTENSION])


def now() -> datetime:
    """The present time, UTC. It is the same throughout the request."""
    if "now" not in flask.g:
        flask.g.now = site().clock()
    return cast(datetime, flask.g.now)


def database() -> Database:
    """The request's connection. DatabaseUnavailable."""
    if "database" not in flask.g:
        stack = ExitStack()
        flask.g.database = stack.enter_context(site().pool.lent(_CONNECTION_SECONDS))
        flask.g.database_stack = stack
    return cast(Database, flask.g.database)


def account_or_none() -> Account | None:
    """The account that is signed in; None if there is none."""
    return cast(Account | None, flask.g.get("account"))


def account() -> Account:
    """The account that is signed in, in a view that isn't public."""
    found = account_or_none()
    assert found is not None
    return found


def session() -> Session:
    """The browser's session, in a view that isn't public."""
    return cast(Session, flask.g.session)


def membership() -> Membership | None:
    """The account's role in the deployment that it looks at; None for an operator without a role there."""
    return cast(Membership | None, flask.g.get("membership"))


def is_admin() -> bool:
    """May the account administer the deployment that it looks at?"""
    who = account_or_none()
    return who is not None and may_open(Access.ADMIN, who, membership())


def deployment_or_none() -> Deployment | None:
    """The deployment that the account looks at; None if there is none yet."""
    return cast(Deployment | None, flask.g.get("deployment"))


def deployment() -> Deployment:
    """The deployment that the account looks at. 404 if there is none yet."""
    found = deployment_or_none()
    if found is None:
        flask.abort(404)
    return found


def choices() -> list[Deployment]:
    """The deployments that the account may look at. For an operator, these are all."""
    return cast(list[Deployment], flask.g.get("choices", []))


def username() -> str:
    """The username of the user whose record is the account's own, in a view for staff."""
    own = membership()
    assert own is not None
    assert own.username is not None
    return own.username


def user_id() -> int:
    """The id of the user whose record is the account's own, in a view for staff."""
    own = membership()
    assert own is not None
    assert own.user_id is not None
    return own.user_id


def reader() -> Reader:
    """The reader of the record, in a view for readers. An admin who isn't a user sees the mail that is open to everyone."""
    own = membership()
    if own is None:
        flask.abort(404)
    return Reader(own.deployment_id, (own.user_id if own.user_id is not None else _NOBODY,))


def begin() -> Response | None:
    """Runs before each view: finds the session, and refuses an account that may not open the view."""
    if flask.request.endpoint == "static":
        return None
    _find_session()
    if flask.request.endpoint is None:
        return None  # Flask's own 404 or 405
    access = of_view(flask.current_app.view_functions.get(flask.request.endpoint))
    if access is None or not may_open(access, account_or_none(), membership()):
        return _refuse()
    return None


def end(_: BaseException | None = None) -> None:
    """Runs after each request: gives the connection back."""
    give_back()


def give_back() -> None:
    """Gives the request's connection back before a slow step. The next call of `database` borrows one again."""
    stack = flask.g.pop("database_stack", None)
    flask.g.pop("database", None)
    if stack is not None:
        stack.close()


def csrf_token() -> str:
    """The token that each form of the session has to send. It is derived from the session's token, which only the browser has."""
    token = cast(str, flask.g.get("token", ""))
    return hmac.digest(token.encode(), b"form", "sha256").hex() if token else ""


def keep(response: Response, token: str) -> None:
    """Gives the browser a session's token."""
    response.set_cookie(COOKIE, token, secure=True, httponly=True, samesite="Lax", path="/")


def forget(response: Response) -> None:
    """Takes the session's token away from the browser."""
    response.delete_cookie(COOKIE, secure=True, httponly=True, samesite="Lax", path="/")


def _find_session() -> None:
    token = flask.request.cookies.get(COOKIE, "")
    if not token:
        return
    found = sessions.find(database(), token, now())
    if found is None:
        return
    sessions.note_seen(database(), found, now())
    who = accounts.find(database(), found.account_id)
    flask.g.token, flask.g.session, flask.g.account = token, found, who
    _look_at(who, found.deployment_id)


def _look_at(who: Account, chosen: int | None) -> None:
    """Sets the request's deployment: the session's choice, or else the first deployment. An operator may choose any."""
    own = {one.deployment_id: one for one in who.memberships}
    allowed = {one.id: one for one in deployments.list_all(database()) if who.is_operator or one.id in own}
    flask.g.choices = list(allowed.values())
    at = chosen if chosen in allowed else next(iter([*(one for one in own if one in allowed), *allowed]), None)
    if at is not None:
        flask.g.deployment, flask.g.membership = allowed[at], own.get(at)


def _refuse() -> Response:
    if account_or_none() is None and flask.request.method == "GET":
        # an OAuth code is a secret for one URL: it must not be in the URL of the sign-in
        wanted = flask.request.path if "code" in flask.request.args else flask.request.full_path.rstrip("?")
        return flask.redirect(flask.url_for("sign_in.page", to=wanted if wanted != "/" else None), 303)
    if account_or_none() is None:
        flask.abort(401)
    flask.abort(404)


def roles_shown() -> dict[str, Any]:
    """The values that every template has: the account, its deployment, and the parts of the menu."""
    own = membership()
    return {
        "account": account_or_none(),
        "deployment": deployment_or_none(),
        "membership": own,
        "is_staff": own is not None and own.user_id is not None,
        "is_reader": own is not None,
        "is_admin": is_admin(),
        "csrf_token": csrf_token,
        "own_deployments": choices(),
    }
