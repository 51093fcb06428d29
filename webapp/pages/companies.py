"""Companies: the list, and one company with its people and its mail. An admin makes and changes them elsewhere."""

import flask

from mailweir.explain import record
from mailweir.store.people import company_lists, contact_lists
from mailweir.store.record import monthly
from mailweir.store.record.stream_filter import StreamFilter
from webapp import explained, forms, here, months, name_list, streams_shown
from webapp.access import Access, open_to

blueprint = flask.Blueprint("companies", __name__)
_PEOPLE = 20


@blueprint.get("/companies")
@open_to(Access.READER)
def list_all() -> str:
    """By name, fifty at a time."""
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
    company = company_lists.find(here.database(), here.deployment(), company_id)
    if company is None:
        flask.abort(404)
    beside = forms.whole_number(flask.request.args.get("people_after"))
    people = contact_lists.page(here.database(), here.deployment(), company_id=company.id, after=beside, limit=_PEOPLE)
    wanted = StreamFilter(company=company.id)
    counted = monthly.counts(here.database(), here.deployment(), here.reader(), wanted, here.now())
    return flask.render_template(
        "companies/company.html",
        company=company,
        people=people,
        found=streams_shown.shown(wanted, ".page", {"company_id": company.id}),
        bars=months.bars(counted),
        is_partial=counted.is_partial,
        visibility=explained.said(record.visibility(company.visibility)),
    )
