"""The Integrations page: the ways by which a user's mail comes and goes, the state of each, and the button for its next step.

Each request reads everything again. A password is shown once, in the direct answer to a POST. The module `google` has the consent
at Google.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import flask
from flask_babel import gettext
from werkzeug.wrappers import Response

from mailweir import address as addresses
from mailweir import send_mail_as
from mailweir.errors import BadInput
from mailweir.explain import user_integrations
from mailweir.explain.user_integrations import UserIntegrations
from mailweir.store.gmail import gmail_app, gmail_revocations, gmail_workers, sealing_keys
from mailweir.store.gmail.gmail_revocations import Revocation
from mailweir.store.people import contacts, relay_logins
from mailweir.store.record import user_confirmations
from mailweir.store.web import change_log
from webapp import explained, forms, here, integration_lights, sending_domain, spoken
from webapp.access import Access, open_to
from webapp.sending_domain import SendingDomain

blueprint = flask.Blueprint("integrations", __name__)
RETURN_PATH = "/integrations/google/return"
_GMAIL_DOMAINS = frozenset({"gmail.com", "googlemail.com"})
_CONFIRMING_HOSTS = frozenset({"mail-settings.google.com", "mail.google.com"})
_MAX_NAME_CHARS, _MAX_ADDRESS_CHARS = 200, 320


@blueprint.get("/integrations")
@open_to(Access.STAFF)
def page() -> str:
    """All ways of mail on one screen."""
    return show(done=flask.request.args.get("done", ""))


@blueprint.post("/integrations/contact")
@open_to(Access.STAFF)
def add_contact() -> Response | tuple[str, int]:
    """Adds a contact with an address of the user's choice. The user writes from there to test the forwarding."""
    name, address = forms.text("name", _MAX_NAME_CHARS), forms.text("address", _MAX_ADDRESS_CHARS)
    database, tenant = here.database(), here.deployment()
    try:
        with database.transaction():
            made = contacts.add(database, tenant, name, [address], None, here.now())
            note("contact.added", made.name, ", ".join(made.addresses))
    except BadInput as error:
        fault = spoken.spoken(str(error))
        problem = gettext("No contact was added: %(why)s.", why=fault)
        return show(problem=problem, contact_fault=fault, typed={"name": name, "address": address}), 400
    return back("contact")


@blueprint.post("/integrations/confirmation/dismiss")
@open_to(Access.STAFF)
def dismiss_confirmation() -> Response:
    """Hides the confirmation that was shown, but not a newer one."""
    shown = forms.whole_number(flask.request.form.get("id"))
    if shown is None:
        flask.abort(400)
    user_confirmations.dismiss(here.database(), here.deployment(), here.user_id(), shown, here.now())
    return back("confirmation_dismissed")


@blueprint.post("/integrations/smtp/connect")
@open_to(Access.STAFF)
def connect_smtp() -> str | tuple[str, int]:
    """Makes the login, and shows its password this one time."""
    if not sending_addresses(_found()):
        flask.abort(404)
    return _password(send_mail_as.connect, "relay.connected")


@blueprint.post("/integrations/smtp/rotate")
@open_to(Access.STAFF)
def rotate_smtp() -> str | tuple[str, int]:
    """Gives the login a new password, and shows it this one time."""
    return _password(send_mail_as.rotate, "relay.rotated")


@blueprint.post("/integrations/smtp/disconnect")
@open_to(Access.STAFF)
def disconnect_smtp() -> Response | tuple[str, int]:
    """Ends the login."""
    database = here.database()
    try:
        with database.transaction():
            gone = relay_logins.disconnect(database, here.deployment(), here.username(), here.now())
            note("relay.disconnected", gone.login)
    except BadInput:
        return show(problem=gettext("Outgoing SMTP isn't connected any more.")), 400
    return back("smtp_disconnected")


def _password(make: Any, what: str) -> str | tuple[str, int]:
    database = here.database()
    try:
        with database.transaction():
            made = make(database, here.deployment(), here.username(), here.now())
            note(what, made.login.login)
    except BadInput:
        words = gettext("The login has changed in the meantime. This is its state now.")
        return show(problem=words), 400
    form = send_mail_as.form(here.site().settings, made)
    found = _found()
    return flask.render_template("integrations/password.html", form=form, found=found, sending=sending_addresses(found))


def note(what: str, subject: str, detail: str = "") -> None:
    """Notes a change by the account in the log of changes."""
    change_log.note(here.database(), here.deployment().id, here.account().name, what, subject, detail, here.now())


def back(done: str) -> Response:
    """Redirects to the page. done: the word for what was done, which the page says."""
    return flask.redirect(flask.url_for("integrations.page", done=done), 303)


def _found() -> UserIntegrations:
    settings = here.site().settings
    return user_integrations.of_user(here.database(), settings, here.deployment(), here.username(), here.now())


def show(*, done: str = "", problem: str = "", contact_fault: str = "", typed: dict[str, str] | None = None) -> str:
    """The page in its present state. done: the word for the action that was just done. problem: a failure, in a sentence."""
    database, settings, now = here.database(), here.site().settings, here.now()
    found = _found()
    is_swept = gmail_workers.alive(database, now) > 0
    sending = sending_addresses(found)
    domain = _sending_domain(sending)
    lights = {
        "forwarding": integration_lights.forwarding(found.forwarding),
        "google": integration_lights.google(found.gmail, settings, now, is_swept=is_swept),
        "smtp": integration_lights.relay(found.relay, domain, is_offered=bool(sending)),
        "log": integration_lights.log_address(found.log_address),
    }
    return flask.render_template(
        "integrations/page.html",
        found=found,
        lights=lights,
        say=explained.said,
        is_swept=is_swept,
        now=now,
        app=gmail_app.find(database),
        sending=sending,
        domain=domain,
        revocations=_revocations(found),
        confirmation=_confirmation(found),
        can_consent=bool(settings.gmail.web_client_file) and sealing_keys.find(database) is not None,
        has_web_client=bool(settings.gmail.web_client_file),
        redirect_uri=here.site().public_url + RETURN_PATH,
        done=done,
        problem=problem,
        contact_fault=contact_fault,
        typed=typed or {},
    )


def _revocations(found: UserIntegrations) -> list[Revocation]:
    """Revocations of the user's earlier consents. While a mailbox is connected, only the unfinished ones."""
    asked = gmail_revocations.of_user(here.database(), here.user_id())
    return [one for one in asked if one.is_open] if found.gmail else asked


def sending_addresses(found: UserIntegrations) -> list[str]:
    """The user's addresses from which this host can send. Those of Gmail aren't among them: only Gmail sends for its domains."""
    return [one for one in found.user.addresses if addresses.split(one)[1] not in _GMAIL_DOMAINS]


def _sending_domain(sending: Sequence[str]) -> SendingDomain | None:
    if not sending:
        return None
    domain = addresses.split(sending[0])[1]
    return sending_domain.look(here.site().settings, here.database(), here.deployment(), domain)


def _confirmation(found: UserIntegrations) -> dict[str, Any] | None:
    """Gmail's newest confirmation, unless it was answered."""
    open_id = found.forwarding.confirmation_id
    if open_id is None:
        return None
    newest = user_confirmations.find(here.database(), here.deployment(), here.user_id(), open_id)
    if newest is None:
        return None
    fold = here.deployment().folding.key
    own = {fold(one) for one in found.user.addresses}
    return {
        "shown": newest,
        "link": newest.link if newest.link and is_googles(newest.link) else None,
        "is_own": newest.requester is not None and fold(newest.requester) in own,
    }


def is_googles(link: str) -> bool:
    """Does the link lead exactly to a host where Google confirms forwarding?"""
    try:
        parts = urlsplit(link)
        plain = parts.port is None and parts.username is None and parts.password is None
    except ValueError:
        return False
    return parts.scheme == "https" and parts.hostname in _CONFIRMING_HOSTS and plain and link.isascii()
