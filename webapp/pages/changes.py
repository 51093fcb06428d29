"""The log of changes, for the admin: who changed what on the page, and when."""

import flask

from mailweir.store.web import change_log
from webapp import changes as noted
from webapp import forms, here
from webapp.access import Access, open_to

blueprint = flask.Blueprint("changes", __name__)
ROWS = 50


@blueprint.get("/admin/changes")
@open_to(Access.ADMIN)
def page() -> str:
    """The deployment's changes, the newest first."""
    before = forms.whole_number(flask.request.args.get("before"))
    found = change_log.select(here.database(), here.deployment().id, before, ROWS + 1)
    older = found[ROWS - 1].id if len(found) > ROWS else None
    return flask.render_template(
        "admin/changes.html", changes=found[:ROWS], older=older, is_first=before is None, words=noted.words
    )
