"""The admin's page of groups and lists, which pass on others' mail. Adds and removes them, like `mailweir group`."""

import flask
from werkzeug.wrappers import Response

from mailweir.store.people import groups
from webapp import changes, forms, here
from webapp.access import Access, open_to

blueprint = flask.Blueprint("admin_groups", __name__)


@blueprint.get("/admin/groups")
@open_to(Access.ADMIN)
def page() -> str:
    """All groups. The URL's `address` is filled in: a link offers an address that could be a group's."""
    return _list()


@blueprint.post("/admin/groups")
@open_to(Access.ADMIN)
def add() -> Response | tuple[str, int]:
    """Registers an address as a group."""
    address = forms.text("address")

    def do() -> None:
        with here.database().transaction():
            made = groups.add(here.database(), here.deployment(), address, here.now())
            changes.note("group.added", made.address)

    fault = forms.fault_of(do)
    if fault:
        return _list(fault), 400
    return flask.redirect(flask.url_for("admin_groups.page", done="added"), 303)


@blueprint.post("/admin/groups/remove")
@open_to(Access.ADMIN)
def remove() -> Response | tuple[str, int]:
    """Removes an address from the groups."""
    address = forms.text("address")

    def do() -> None:
        with here.database().transaction():
            gone = groups.remove(here.database(), here.deployment(), address)
            changes.note("group.removed", gone.address)

    fault = forms.fault_of(do)
    if fault:
        return _list(fault), 400
    return flask.redirect(flask.url_for("admin_groups.page", done="removed"), 303)


def _list(fault: str = "") -> str:
    found = groups.list_all(here.database(), here.deployment())
    typed = flask.request.form.get("address") or forms.asked("address", 320)
    return flask.render_template("admin/groups.html", groups=found, fault=fault, typed=typed)
