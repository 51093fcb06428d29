"""The admin's pages of jobs: the progress and the result of each job."""

import flask
from flask_babel import gettext
from werkzeug.wrappers import Response

from mailweir.store.web import jobs
from webapp import forms, here
from webapp.access import Access, open_to
from webapp.job_kinds import contact_files, never_log

blueprint = flask.Blueprint("admin_jobs", __name__)
ROWS = 50
_TEMPLATES = {
    contact_files.PREVIEW: "admin/job_preview.html",
    contact_files.IMPORT: "admin/job_import.html",
    never_log.LOOK: "admin/job_look.html",
    never_log.ERASE: "admin/job_erase.html",
}
_AGAIN_SECONDS = "2"


@blueprint.get("/admin/jobs")
@open_to(Access.ADMIN)
def page() -> str:
    """The deployment's jobs, the newest first."""
    before = forms.whole_number(flask.request.args.get("before"))
    found = jobs.recent(here.database(), here.deployment().id, before, ROWS + 1)
    older = found[ROWS - 1].id if len(found) > ROWS else None
    return flask.render_template(
        "admin/jobs.html", jobs=found[:ROWS], older=older, is_first=before is None, kinds=_kinds()
    )


@blueprint.get("/admin/jobs/<int:job_id>")
@open_to(Access.ADMIN)
def one(job_id: int) -> Response:
    """One job. Until it is over, a header makes the browser reload the page, without script."""
    job = jobs.find(here.database(), here.deployment().id, forms.known_id(job_id))
    shown = _TEMPLATES.get(job.kind, "admin/job.html")
    response = flask.make_response(flask.render_template(shown, job=job, title=_kinds().get(job.kind, job.kind)))
    if job.is_open:
        response.headers["Refresh"] = _AGAIN_SECONDS
    return response


def _kinds() -> dict[str, str]:
    return {
        contact_files.PREVIEW: gettext("Check of a file of contacts"),
        contact_files.IMPORT: gettext("Import of contacts"),
        never_log.LOOK: gettext("Search for mail that a never-log rule hides"),
        never_log.ERASE: gettext("Erasing of mail that a never-log rule hides"),
    }
