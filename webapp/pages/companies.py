"""Companies: the list, and one company with its people and its mail. An admin makes and changes them elsewhere."""

from typing import Any

import flask
from flask_babel import gettext

from mailweir.explain import record
from mailweir.store.people import company_lists, contact_lists
from mailweir.store.record import monthly
from mailweir.store.record.stream_filter import StreamFilter
from webapp import explained, forms, here, months, streams_shown
from webapp.access import Access, open_to

blueprint = flask.Blueprint("companies", __name__)
_MAX_CHARS = 200
_PEOPLE = 20


@blueprint.get("/companies")
@open_to(Access.READER)
def list_all() -> str:
    """By name, fifty at a time."""
    begins = forms.asked("q", _MAX_CHARS)
    before = forms.whole_number(flask.request.args.get("before"))
    after = forms.whole_number(flask.request.args.get("after")) if before is None else None
    page = company_lists.page(here.database(), here.deployment(), begins=begins, after=after, before=before)
    kept: dict[str, Any] = {"q": begins} if begins else {}
    links = []
    if page.before is not None:
        links.append((gettext("Back"), flask.url_for(".list_all", **kept, before=page.before)))
    if page.after is not None:
        links.append((gettext("Further"), flask.url_for(".list_all", **kept, after=page.after)))
    is_first = before is None and after is None
    return flask.render_template(
        "companies/list.html", companies=page.companies, begins=begins, is_first=is_first, links=links
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
