"""The admin's pages of contacts: finds, adds, changes and removes them."""

import re
from collections.abc import Callable

import flask
from flask_babel import gettext
from werkzeug.wrappers import Response

from mailweir.errors import BadInput
from mailweir.store.people import company_edits, contact_edits, contacts
from mailweir.store.people.contacts import Contact
from mailweir.visibility import Visibility
from webapp import changes, forms, here
from webapp.access import Access, open_to

blueprint = flask.Blueprint("admin_contacts", __name__)
ROWS = 50
OFFERED_COMPANIES = 300  # in the list that a browser shows at the field; any other name can be typed
_MAX_ADDRESS_CHARS = 10_000


@blueprint.get("/admin/contacts")
@open_to(Access.ADMIN)
def page() -> str:
    """Contacts, the newest first, or the hits of a search."""
    return _list()


@blueprint.post("/admin/contacts")
@open_to(Access.ADMIN)
def add() -> Response | tuple[str, int]:
    """Adds a contact, and its company if there is none of that name."""
    made: list[Contact] = []

    def do() -> None:
        name, company = forms.text("name"), forms.text("company")
        addresses = [part for part in re.split(r"[\s,;]+", forms.text("addresses", _MAX_ADDRESS_CHARS)) if part]
        if not 0 < len(addresses) <= contact_edits.MAX_ADDRESSES:
            raise BadInput(gettext("a contact has 1 to %(most)d mail addresses", most=contact_edits.MAX_ADDRESSES))
        database, deployment, now = here.database(), here.deployment(), here.now()
        with database.transaction():
            if company:
                contact_edits.known_company(database, deployment, company, now)
            made.append(
                contacts.add(database, deployment, name, addresses, company or None, now, shared=forms.ticked("shared"))
            )
            changes.note("contact.added", made[0].name, ", ".join(made[0].addresses))

    fault = forms.fault_of(do)
    if fault:
        return _list(fault), 400
    return flask.redirect(flask.url_for("admin_contacts.one", contact_id=made[0].id, done="added"), 303)


@blueprint.get("/admin/contacts/<int:contact_id>")
@open_to(Access.ADMIN)
def one(contact_id: int) -> str:
    """One contact."""
    return _one(_found(contact_id))


@blueprint.post("/admin/contacts/<int:contact_id>")
@open_to(Access.ADMIN)
def change(contact_id: int) -> Response | tuple[str, int]:
    """Changes the contact's name and company."""
    before, name, company = _found(contact_id), forms.text("name"), forms.text("company")

    def do() -> None:
        after = contact_edits.change(here.database(), here.deployment(), before.id, name, company, here.now())
        detail = f"{before.name}, {before.company or '-'} → {after.name}, {after.company or '-'}"
        if after != before:
            changes.note("contact.changed", before.name, detail)

    return _done(before, do)


@blueprint.post("/admin/contacts/<int:contact_id>/addresses")
@open_to(Access.ADMIN)
def add_address(contact_id: int) -> Response | tuple[str, int]:
    """Adds a further address."""
    contact, address, shared = _found(contact_id), forms.text("address"), forms.ticked("shared")

    def do() -> None:
        after = contact_edits.add_address(here.database(), here.deployment(), contact.id, address, shared=shared)
        changes.note("contact.address_added", contact.name, after.addresses[-1])

    return _done(contact, do)


@blueprint.post("/admin/contacts/<int:contact_id>/addresses/remove")
@open_to(Access.ADMIN)
def remove_address(contact_id: int) -> Response | tuple[str, int]:
    """Removes an address."""
    contact, address = _found(contact_id), forms.text("address")

    def do() -> None:
        contact_edits.remove_address(here.database(), here.deployment(), contact.id, address, here.now())
        changes.note("contact.address_removed", contact.name, address)

    return _done(contact, do)


@blueprint.post("/admin/contacts/<int:contact_id>/visibility")
@open_to(Access.ADMIN)
def set_visibility(contact_id: int) -> Response | tuple[str, int]:
    """Sets who may read mail with the contact, from the next message on."""
    contact, wanted = _found(contact_id), forms.choice("visibility", Visibility)

    def do() -> None:
        if contact_edits.set_visibility(here.database(), here.deployment(), contact.id, wanted) != contact:
            changes.note("contact.visibility", contact.name, wanted)

    return _done(contact, do)


@blueprint.get("/admin/contacts/<int:contact_id>/remove")
@open_to(Access.ADMIN)
def ask_removal(contact_id: int) -> str:
    """Asks for confirmation, and shows everything that ends with the contact."""
    return flask.render_template("admin/contact_removal.html", contact=_found(contact_id))


@blueprint.post("/admin/contacts/<int:contact_id>/remove")
@open_to(Access.ADMIN)
def remove(contact_id: int) -> Response:
    """Removes a contact. Recorded mail stays."""
    contact = _found(contact_id)
    with here.database().transaction():
        contact_edits.remove(here.database(), here.deployment(), contact.id, here.now())
        changes.note("contact.removed", contact.name, ", ".join(contact.addresses))
    return flask.redirect(flask.url_for("admin_contacts.page", done="removed"), 303)


def _found(contact_id: int) -> Contact:
    return contact_edits.find(here.database(), here.deployment(), forms.known_id(contact_id))


def _done(contact: Contact, do: Callable[[], None]) -> Response | tuple[str, int]:
    def together() -> None:
        with here.database().transaction():
            do()

    fault = forms.fault_of(together)
    if fault:
        return _one(_found(contact.id), fault), 400
    return flask.redirect(flask.url_for("admin_contacts.one", contact_id=contact.id, done="saved"), 303)


def _list(fault: str = "") -> str:
    words, before = forms.asked("words", 200), forms.whole_number(flask.request.args.get("before"))
    found = contact_edits.page(here.database(), here.deployment(), words, before, ROWS + 1)
    return flask.render_template(
        "admin/contacts.html",
        contacts=found[:ROWS],
        older=found[ROWS - 1].id if len(found) > ROWS else None,
        is_first=before is None,
        words=words,
        companies=company_edits.names(here.database(), here.deployment(), OFFERED_COMPANIES),
        fault=fault,
        given=flask.request.form,
    )


def _one(contact: Contact, fault: str = "") -> str:
    return flask.render_template(
        "admin/contact.html",
        contact=contact,
        companies=company_edits.names(here.database(), here.deployment(), OFFERED_COMPANIES),
        fault=fault,
        given=flask.request.form,
    )
