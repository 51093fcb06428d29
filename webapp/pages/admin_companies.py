"""The admin's pages of companies: adds, changes and removes them, and sets whether mail from their domain adds contacts."""

from collections.abc import Callable

import flask
from werkzeug.wrappers import Response

from mailweir.store.people import companies, company_edits
from mailweir.store.people.companies import Company
from mailweir.visibility import Visibility
from webapp import changes, forms, here
from webapp.access import Access, open_to

blueprint = flask.Blueprint("admin_companies", __name__)
ROWS = 50


@blueprint.get("/admin/companies")
@open_to(Access.ADMIN)
def page() -> str:
    """Companies, the newest first, or the hits of a search."""
    return _list()


@blueprint.post("/admin/companies")
@open_to(Access.ADMIN)
def add() -> Response | tuple[str, int]:
    """Makes a company."""
    name, domain = forms.text("name"), forms.text("domain")
    made: list[Company] = []

    def do() -> None:
        with here.database().transaction():
            made.append(companies.add(here.database(), here.deployment(), name, domain or None, here.now()))
            changes.note("company.added", made[0].name, made[0].domain or "")

    fault = forms.fault_of(do)
    if fault:
        return _list(fault), 400
    return flask.redirect(flask.url_for("admin_companies.one", company_id=made[0].id, done="added"), 303)


@blueprint.get("/admin/companies/<int:company_id>")
@open_to(Access.ADMIN)
def one(company_id: int) -> str:
    """One company."""
    return _one(_found(company_id))


@blueprint.post("/admin/companies/<int:company_id>")
@open_to(Access.ADMIN)
def change(company_id: int) -> Response | tuple[str, int]:
    """Changes the company's name and domain."""
    before, name, domain = _found(company_id), forms.text("name"), forms.text("domain")

    def do() -> None:
        after = company_edits.change(here.database(), here.deployment(), before.id, name, domain)
        detail = f"{before.name}, {before.domain or '-'} → {after.name}, {after.domain or '-'}"
        if after != before:
            changes.note("company.changed", before.name, detail)

    return _done(before, do)


@blueprint.post("/admin/companies/<int:company_id>/visibility")
@open_to(Access.ADMIN)
def set_visibility(company_id: int) -> Response | tuple[str, int]:
    """Sets who may read mail with the company's contacts, from the next message on."""
    company, wanted = _found(company_id), forms.choice("visibility", Visibility)

    def do() -> None:
        if companies.set_visibility(here.database(), here.deployment(), company.name, wanted) != company:
            changes.note("company.visibility", company.name, wanted)

    return _done(company, do)


@blueprint.post("/admin/companies/<int:company_id>/auto-contacts")
@open_to(Access.ADMIN)
def set_auto_contacts(company_id: int) -> Response | tuple[str, int]:
    """Sets whether proven mail from the company's domain adds contacts."""
    company, is_on = _found(company_id), forms.ticked("is_on")

    def do() -> None:
        after = companies.set_auto_contacts(here.database(), here.deployment(), company.name, here.now(), is_on=is_on)
        if is_on or after != company:  # switching it on again makes the sync search again
            changes.note("company.auto_contacts", company.name, "on" if is_on else "off")

    return _done(company, do)


@blueprint.get("/admin/companies/<int:company_id>/remove")
@open_to(Access.ADMIN)
def ask_removal(company_id: int) -> str:
    """Asks for confirmation, and shows everything that ends with the company."""
    company = _found(company_id)
    contacts = company_edits.count_contacts(here.database(), company)
    return flask.render_template("admin/company_removal.html", company=company, contacts=contacts)


@blueprint.post("/admin/companies/<int:company_id>/remove")
@open_to(Access.ADMIN)
def remove(company_id: int) -> Response:
    """Removes a company; its contacts stay."""
    company = _found(company_id)
    with here.database().transaction():
        company_edits.remove(here.database(), here.deployment(), company.id)
        changes.note("company.removed", company.name, company.domain or "")
    return flask.redirect(flask.url_for("admin_companies.page", done="removed"), 303)


def _found(company_id: int) -> Company:
    return company_edits.find(here.database(), here.deployment(), forms.known_id(company_id))


def _done(company: Company, do: Callable[[], None]) -> Response | tuple[str, int]:
    def together() -> None:
        with here.database().transaction():
            do()

    fault = forms.fault_of(together)
    if fault:
        return _one(_found(company.id), fault), 400
    return flask.redirect(flask.url_for("admin_companies.one", company_id=company.id, done="saved"), 303)


def _list(fault: str = "") -> str:
    words, before = forms.asked("words", 200), forms.whole_number(flask.request.args.get("before"))
    found = company_edits.page(here.database(), here.deployment(), words, before, ROWS + 1)
    return flask.render_template(
        "admin/companies.html",
        companies=found[:ROWS],
        older=found[ROWS - 1].id if len(found) > ROWS else None,
        is_first=before is None,
        words=words,
        fault=fault,
        given=flask.request.form,
    )


def _one(company: Company, fault: str = "") -> str:
    return flask.render_template("admin/company.html", company=company, fault=fault, given=flask.request.form)
