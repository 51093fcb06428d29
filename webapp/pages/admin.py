"""The admin's start: a new deployment's progress towards its first captured mail, and links to all pages for the admin."""

import flask
from werkzeug.wrappers import Response

from mailweir import capture_domains
from mailweir.store.record import first_steps
from mailweir.store.web import sessions
from webapp import changes, forms, here
from webapp.access import Access, open_to

blueprint = flask.Blueprint("admin", __name__)


@blueprint.get("/admin")
@open_to(Access.ADMIN)
def page() -> str:
    """The first steps, and the sections."""
    return _page()


@blueprint.post("/admin/deployment")
@open_to(Access.OPERATOR)
def add_deployment() -> Response | tuple[str, int]:
    """Adds a deployment. The session looks at it from then on."""
    name, domain = forms.text("name"), forms.text("domain")
    fault = forms.fault_of(lambda: _add_deployment(name, domain))
    if fault:
        return _page(fault), 400
    return flask.redirect(flask.url_for("admin.page"), 303)


def _add_deployment(name: str, domain: str) -> None:
    database = here.database()
    with database.transaction():
        made = capture_domains.add(database, here.site().settings, name, domain, here.now())
        sessions.choose_deployment(database, here.session(), made.id)
        flask.g.deployment = made
        changes.note("deployment.added", made.name, made.domain)


def _page(fault: str = "") -> str:
    deployment = here.deployment_or_none()
    return flask.render_template(
        "admin/start.html",
        steps=None if deployment is None else first_steps.of(here.database(), deployment),
        mx_record=None if deployment is None else capture_domains.mx_record(here.site().settings, deployment),
        fault=fault,
        given=flask.request.form,
        is_operator=here.account().is_operator,
    )
