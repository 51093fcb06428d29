"""Companies for readers: the list, and one company with its people and its mail. Admins have further pages, to change them."""

import flask
from werkzeug.wrappers import Response

from mailweir.explain import record
from mailweir.store.people import company_lists, contact_lists
from mailweir.store.people.company_lists import ListedCompany
from mailweir.store.record.stream_filter import StreamFilter
from webapp import explained, forms, here, months, name_list, streams_shown
from webapp.access import Access, open_to

blueprint = flask.Blueprint("companies", __name__)
_PEOPLE = 20


@blueprint.get("/companies")
@open_to(Access.READER)
def list_all() -> str:
    """The companies by name, fifty at a time."""
    asked = name_list.asked()
    database, deployment = here.database(), here.deployment()
    page = company_lists.page(database, deployment, begins=asked.begins, after=asked.after, before=asked.before)
    return flask.render_template(
        "companies/list.html",
        companies=page.companies,
        begins=asked.begins,
        is_first=asked.is_first,
        links=asked.links(page.before, page.after),
    )


@blueprint.get("/companies/<int:company_id>")
@open_to(Access.READER)
def page(company_id: int) -> str:
    """One company: its people, its mail, and how much of it there was."""
    company = _found(company_id)
    beside = forms.whole_number(flask.request.args.get("people_after"))
    people = contact_lists.page(here.database(), here.deployment(), company_id=company.id, after=beside, limit=_PEOPLE)
    wanted = StreamFilter(company=company.id)
    return flask.render_template(
        "companies/company.html",
        company=company,
        people=people,
        found=streams_shown.shown(wanted, ".page", {"company_id": company.id}),
        visibility=explained.said(record.visibility(company.visibility)),
    )


@blueprint.get("/companies/<int:company_id>/months.svg")
@open_to(Access.READER)
def months_picture(company_id: int) -> Response:
    """The amount of mail by month, as a picture."""
    return months.picture(StreamFilter(company=_found(company_id).id))


@blueprint.get("/companies/<int:company_id>/months")
@open_to(Access.READER)
def months_table(company_id: int) -> str:
    """The amount of mail by month, as a table."""
    company = _found(company_id)
    back = flask.url_for(".page", company_id=company.id)
    return months.table(StreamFilter(company=company.id), company.name, back)


def _found(company_id: int) -> ListedCompany:
    company = company_lists.find(here.database(), here.deployment(), company_id)
    if company is None:
        flask.abort(404)
    return company
