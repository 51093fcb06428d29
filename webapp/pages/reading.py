"""The reader log, for the admin: the accounts that read an activity's text, HTML, raw message or files. It shows only its id."""

import flask

from mailweir.store.web import reader_log
from webapp import forms, here
from webapp.access import Access, open_to

blueprint = flask.Blueprint("reading", __name__)
ROWS = 50


@blueprint.get("/admin/reading")
@open_to(Access.ADMIN)
def page() -> str:
    """The deployment's log, the newest first."""
    before = forms.whole_number(flask.request.args.get("before"))
    found = reader_log.select(here.database(), here.deployment().id, before, ROWS + 1)
    older = found[ROWS - 1].id if len(found) > ROWS else None
    return flask.render_template("admin/reading.html", reads=found[:ROWS], older=older, is_first=before is None)
