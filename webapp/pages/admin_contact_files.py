"""The import and export of contacts, for the admin. One job makes a preview of a file, and another job imports it afterwards."""

from collections.abc import Iterator

import flask
from flask_babel import gettext
from werkzeug.wrappers import Response

from mailweir.contact_files import forms as file_forms
from mailweir.contact_files.forms import Form
from mailweir.errors import BadInput, NotFound
from mailweir.sentence import said
from mailweir.store.people import checks, contacts
from mailweir.store.people.deployments import Deployment
from mailweir.store.web import jobs
from mailweir.store.web.jobs import Job, State
from webapp import changes, forms, here
from webapp.access import Access, open_to
from webapp.job_kinds import contact_files
from webapp.site import Site

blueprint = flask.Blueprint("admin_contact_files", __name__)
_SPREADSHEETS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # .xlsx, .ods; .xls
_TYPES = {Form.CSV: "text/csv; charset=utf-8", Form.VCARD: "text/vcard; charset=utf-8"}
_ENDINGS = {Form.CSV: "csv", Form.VCARD: "vcf"}
_WAIT_SECONDS = 10.0


@blueprint.get("/admin/contacts/import")
@open_to(Access.ADMIN)
def page() -> str:
    """The form that takes a file."""
    return _page()


@blueprint.post("/admin/contacts/import")
@open_to(Access.ADMIN)
@forms.takes_a_file
def look_at() -> Response | tuple[str, int]:
    """Takes a file, and adds a job that makes its preview."""
    wanted: list[int] = []
    fault = forms.fault_of(lambda: wanted.append(_wanted_preview()))
    if fault:
        return _page(fault), 400
    return flask.redirect(flask.url_for("admin_jobs.one", job_id=wanted[0]), 303)


def _wanted_preview() -> int:
    sent = flask.request.files.get("file")
    if sent is None or not sent.filename:
        raise BadInput(gettext("choose a file first"))
    raw = sent.stream.read()
    if not raw:
        raise BadInput(gettext("the file is empty"))
    if raw.startswith(_SPREADSHEETS):
        raise BadInput(
            gettext(
                "this is a spreadsheet or an archive: save it as CSV in the spreadsheet program, and send the CSV file"
            )
        )
    form = file_forms.form_of(sent.filename)
    if form is None:
        raise BadInput(gettext("the file's name has to end with .csv or .vcf"))
    company = forms.text("company")
    parameters = {
        "file": "".join(filter(str.isprintable, sent.filename))[-100:],
        "form": form,
        "exact": forms.ticked("exact"),
        "shared": forms.ticked("shared"),
        "company": checks.clean_name(company, said("company's")) if company else "",
        "lines": raw.count(b"\n") + 1,
    }
    kind = contact_files.PREVIEW
    return jobs.add(here.database(), here.deployment().id, here.account().id, kind, parameters, here.now(), raw)


@blueprint.post("/admin/contacts/import/<int:job_id>")
@open_to(Access.ADMIN)
def import_file(job_id: int) -> Response:
    """Adds a job that imports the valid rows of a file. The file must have a preview."""
    looked_at = _looked_at(job_id)
    parameters = {**looked_at.parameters, "rows": looked_at.report["rows"]}
    kind = contact_files.IMPORT
    wanted = jobs.add_with_upload_of(here.database(), looked_at, here.account().id, kind, parameters, here.now())
    return flask.redirect(flask.url_for("admin_jobs.one", job_id=wanted), 303)


@blueprint.post("/admin/contacts/import/<int:job_id>/leave")
@open_to(Access.ADMIN)
def leave(job_id: int) -> Response:
    """Deletes a file that has a preview, without an import."""
    jobs.drop_upload(here.database(), here.deployment().id, _looked_at(job_id).id)
    return flask.redirect(flask.url_for("admin_contacts.page"), 303)


@blueprint.post("/admin/contacts/export")
@open_to(Access.ADMIN)
def export() -> Response:
    """Sends all contacts as a file. In CSV, a value that a spreadsheet would take for a formula is written as text."""
    form, deployment = forms.choice("form", Form), here.deployment()
    changes.note("contacts.exported", form)
    response = flask.Response(_written(here.site(), deployment, form), content_type=_TYPES[form])
    name = f"contacts-{deployment.name}.{_ENDINGS[form]}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _written(site: Site, deployment: Deployment, form: Form) -> Iterator[bytes]:
    """The file in parts, over a connection of its own: the request gives its connection back before the whole file is sent."""
    with site.pool.lent(_WAIT_SECONDS) as database:
        for part in file_forms.write(form, contacts.each(database, deployment), exact=False):
            yield part.encode()


def _looked_at(job_id: int) -> Job:
    found = jobs.find(here.database(), here.deployment().id, forms.known_id(job_id))
    if found.kind != contact_files.PREVIEW or found.state is not State.DONE:
        raise NotFound(gettext("there is no file that was checked"))
    return found


def _page(fault: str = "") -> str:
    most = forms.MAX_UPLOAD_BYTES // 1_000_000
    return flask.render_template("admin/import.html", fault=fault, given=flask.request.form, most_megabytes=most)
