"""The sign-in page, one-time links, and signing out."""

import flask
from werkzeug.wrappers import Response

from mailweir.store.web import links, sessions
from webapp import here
from webapp.access import Access, open_to
from webapp.sign_in import ways

blueprint = flask.Blueprint("sign_in", __name__)


@blueprint.get("/sign-in")
@open_to(Access.PUBLIC)
def page() -> str | Response:
    """The ways to sign in. A person who is signed in already is redirected."""
    if here.account_or_none() is not None:
        return flask.redirect(ways.onward(flask.request.args.get("to")), 303)
    return ways.page()


@blueprint.get("/sign-in/link/<token>")
@open_to(Access.PUBLIC)
def link(token: str) -> str | tuple[str, int]:
    """Shows a button that signs in. Opening the link doesn't use it up, because mail scanners open links."""
    name = links.whose(here.database(), token, here.now())
    return flask.render_template("sign_in_link.html", token=token, name=name), 410 if name is None else 200


@blueprint.post("/sign-in/link/<token>")
@open_to(Access.PUBLIC)
def spend(token: str) -> Response | tuple[str, int]:
    """Signs in by a link: begins a session of the link's account, and ends the browser's earlier session."""
    before = flask.g.get("session")
    session = links.spend(here.database(), token, flask.request.headers.get("User-Agent", ""), here.now())
    if session is None:
        return flask.render_template("sign_in_link.html", token=token, name=None), 410
    if before is not None:
        sessions.end(here.database(), before.id, before.account_id)
    response = flask.redirect(flask.url_for("home.start"), 303)
    here.keep(response, session)
    return response


@blueprint.post("/sign-out")
@open_to(Access.SIGNED_IN)
def sign_out() -> Response:
    """Ends the browser's session."""
    sessions.end(here.database(), here.session().id, here.account().id)
    response = flask.redirect(flask.url_for("sign_in.page"), 303)
    here.forget(response)
    return response
