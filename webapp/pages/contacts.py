"""Contacts for readers: the list, one contact with its mail, and the form that adds a contact. Users may add contacts, too."""

from dataclasses import dataclass
from datetime import timedelta

import flask
from flask_babel import gettext
from werkzeug.wrappers import Response

from mailweir import address
from mailweir.errors import BadInput
from mailweir.explain import record
from mailweir.store.people import company_lists, contact_lists, contacts
from mailweir.store.people.contact_lists import ListedContact
from mailweir.store.record.stream_filter import StreamFilter
from mailweir.store.web import change_log
from webapp import explained, forms, here, months, name_list, spoken, streams_shown
from webapp.access import Access, open_to

blueprint = flask.Blueprint("contacts", __name__)
_MAX_CHARS = 200
_MAX_ADDRESSES = 20
_JUST_NOW = timedelta(minutes=10)


@blueprint.get("/contacts")
@open_to(Access.READER)
def list_all() -> str:
    """The contacts by name, fifty at a time."""
    asked = name_list.asked()
    database, deployment = here.database(), here.deployment()
    page = contact_lists.page(database, deployment, begins=asked.begins, after=asked.after, before=asked.before)
    return flask.render_template(
        "contacts/list.html",
        contacts=page.contacts,
        begins=asked.begins,
        is_first=asked.is_first,
        links=asked.links(page.before, page.after),
    )


@blueprint.get("/contacts/<int:contact_id>")
@open_to(Access.READER)
def page(contact_id: int) -> str:
    """One contact: addresses, company, visibility, the mail, and how much of it there was."""
    contact = _found(contact_id)
    wanted = StreamFilter(contacts=(contact.id,))
    return flask.render_template(
        "contacts/contact.html",
        contact=contact,
        found=streams_shown.shown(wanted, ".page", {"contact_id": contact.id}),
        visibility=explained.said(record.visibility(contact.visibility)),
        is_made="made" in flask.request.args and here.now() - contact.created_at < _JUST_NOW,
    )


@blueprint.get("/contacts/<int:contact_id>/months.svg")
@open_to(Access.READER)
def months_picture(contact_id: int) -> Response:
    """The amount of mail by month, as a picture."""
    return months.picture(StreamFilter(contacts=(_found(contact_id).id,)))


@blueprint.get("/contacts/<int:contact_id>/months")
@open_to(Access.READER)
def months_table(contact_id: int) -> str:
    """The amount of mail by month, as a table."""
    contact = _found(contact_id)
    back = flask.url_for(".page", contact_id=contact.id)
    return months.table(StreamFilter(contacts=(contact.id,)), contact.name, back)


def _found(contact_id: int) -> ListedContact:
    contact = contact_lists.find(here.database(), here.deployment(), contact_id)
    if contact is None:
        flask.abort(404)
    return contact


@blueprint.get("/contacts/new")
@open_to(Access.READER)
def new() -> str:
    """The form. `?name=`, `?address=` and `?company=` fill it in; nothing is added before a person sends it."""
    given = {name: forms.asked(name, _MAX_CHARS) for name in ("name", "address", "company")}
    return _form(_Typed(given["name"], given["address"], given["company"]))


@blueprint.post("/contacts/new")
@open_to(Access.READER)
def make() -> Response | tuple[str, int]:
    """Adds the contact, or shows the form again with the error."""
    typed = _Typed(forms.text("name"), forms.text("addresses", 10_000), forms.text("company"))
    try:
        made = _made(typed)
    except BadInput as error:
        return _form(typed, spoken.spoken(str(error))), 400
    return flask.redirect(flask.url_for(".page", contact_id=made, made=1), 303)


@dataclass(frozen=True, slots=True)
class _Typed:
    """The values of the form. addresses: one a line."""

    name: str
    addresses: str
    company: str


def _made(typed: _Typed) -> int:
    """Adds the contact; returns its id. BadInput."""
    database, deployment = here.database(), here.deployment()
    addresses = [line.strip() for line in typed.addresses.splitlines() if line.strip()]
    if not addresses:
        raise BadInput(gettext("Give the address that the contact writes from."))
    if len(addresses) > _MAX_ADDRESSES:
        raise BadInput(gettext("Those are more than %(num)d addresses.", num=_MAX_ADDRESSES))
    company = company_lists.named(database, deployment, typed.company) if typed.company else None
    if typed.company and company is None:
        raise BadInput(gettext("There is no company of this name. Leave it empty, or ask an admin to add it."))
    with database.transaction():
        made = contacts.add(database, deployment, typed.name, addresses, company.name if company else None, here.now())
        by, subject, detail = here.account().name, made.name, ", ".join(made.addresses)
        change_log.note(database, deployment.id, by, "contact.added", subject, detail, here.now())
    return made.id


def _form(typed: _Typed, error: str = "") -> str:
    return flask.render_template(
        "contacts/new.html", typed=typed, error=error, held_by=_holders(typed.addresses) if error else []
    )


def _holders(typed: str) -> list[ListedContact]:
    """The contacts that already have one of these addresses: the likely cause of the error, to which the form links."""
    normal = (address.typed(line.strip()) for line in typed.splitlines()[:_MAX_ADDRESSES])
    found = [contact_lists.holders(here.database(), here.deployment(), one) for one in normal if one]
    return list({contact.id: contact for holders in found for contact in holders}.values())
