"""The first page of each account, and the choice of the deployment that it looks at."""

import flask
from werkzeug.wrappers import Response

from mailweir.store.people import deployments
from mailweir.store.web import sessions
from webapp import here
from webapp.access import Access, open_to
from webapp.forms import whole_number

blueprint = flask.Blueprint("home", __name__)
# The first page of an account: for staff, for other readers, for operators
_FIRST = ("todos.open_list", "activities.stream", "health.page")


@blueprint.get("/")
@open_to(Access.SIGNED_IN)
def start() -> Response | str:
    """To-dos for staff, the record for other readers, health for an operator, or the first steps if there is no deployment. An
    account that has no rights gets a page that says so."""
    own = here.membership()
    if own is None and not here.account().is_operator:
        return flask.render_template("home.html")
    if own is None and here.deployment_or_none() is None:
        return flask.redirect(flask.url_for("admin.page"), 303)  # there is no deployment yet
    wanted = _FIRST[0] if own and own.user_id is not None else _FIRST[1] if own else _FIRST[2]
    if wanted in flask.current_app.view_functions:
        return flask.redirect(flask.url_for(wanted), 303)
    return flask.render_template("home.html")


@blueprint.post("/deployment")
@open_to(Access.SIGNED_IN)
def choose() -> Response:
    """Makes the session look at another deployment from now on. 404 if the account may not look at it."""
    chosen = whole_number(flask.request.form.get("deployment"))
    own = {one.deployment_id for one in here.account().memberships}
    known = {one.id for one in deployments.list_all(here.database())}
    if chosen is None or chosen not in known or not (here.account().is_operator or chosen in own):
        flask.abort(404)
    sessions.choose_deployment(here.database(), here.session(), chosen)
    return flask.redirect(flask.url_for("home.start"), 303)
