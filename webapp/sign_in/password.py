"""Signing in by a password, if there is no provider of OpenID."""

import flask
from werkzeug.wrappers import Response

from mailweir.store.web import credentials
from mailweir.store.web.sessions import Means
from webapp import forms, here
from webapp.access import Access, open_to
from webapp.gate import Full
from webapp.sign_in import checking, ways

blueprint = flask.Blueprint("password", __name__)
_BUSY_SECONDS = 3
_MAX_NAME_CHARS = 200


@blueprint.post("/sign-in/password")
@open_to(Access.PUBLIC)
def sign_in() -> Response:
    """Begins a session in place of the browser's earlier one."""
    if not ways.by_password():
        flask.abort(404)
    name = forms.text("name", _MAX_NAME_CHARS).lower()
    given = flask.request.form.get("password", "")
    before = flask.g.get("session")
    try:
        found = checking.check(name, given)
    except Full:
        return _again(ways.busy(), 503, _BUSY_SECONDS)
    if found.wait is not None:
        seconds = int(found.wait.total_seconds()) + 1
        return _again(ways.too_early(seconds), 429, seconds)
    if found.account_id is None:
        return _again(ways.wrong(), 403, None)
    browser = flask.request.headers.get("User-Agent", "")
    token = credentials.begin_session(
        here.database(), found.account_id, Means.PASSWORD, browser, before, here.now(), digest=found.digest
    )
    response = flask.redirect(ways.onward(flask.request.form.get("to")), 303)
    here.keep(response, token)
    checking.remember(response, found.digest)
    return response


def _again(words: str, status: int, retry_seconds: int | None) -> Response:
    response = flask.make_response(ways.page(words), status)
    if retry_seconds is not None:
        response.headers["Retry-After"] = str(retry_seconds)
    return response
