"""The log of changes, for the admin: each change by the page or the command line, with its author and time."""

import flask

from mailweir.store.web import change_log
from webapp import changes as noted
from webapp import forms, here
from webapp.access import Access, open_to

blueprint = flask.Blueprint("changes", __name__)
ROWS = 50
OF_NONE = "operators"


@blueprint.get("/admin/changes")
@open_to(Access.ADMIN)
def page() -> str:
    """The deployment's changes, the newest first. An operator can also ask for changes that belong to no deployment."""
    before = forms.whole_number(flask.request.args.get("before"))
    is_operator, of_none = here.account().is_operator, flask.request.args.get("words") == OF_NONE
    is_of_none = is_operator and (of_none or here.deployment_or_none() is None)
    deployment_id = None if is_of_none else here.deployment().id
    found = change_log.select(here.database(), deployment_id, before, ROWS + 1)
    return flask.render_template(
        "admin/changes.html",
        changes=found[:ROWS],
        older=found[ROWS - 1].id if len(found) > ROWS else None,
        is_first=before is None,
        words=noted.words,
        by=noted.by,
        of_none=OF_NONE if is_of_none else "",
        is_operator=is_operator,
    )
