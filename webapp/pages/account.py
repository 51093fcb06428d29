"""An account's own page: zone and language, the password, and the browsers that are signed in."""

from datetime import timedelta

import flask
from flask_babel import gettext
from werkzeug.wrappers import Response

from mailweir import passwords
from mailweir.passwords import Fault
from mailweir.store.web import accounts, credentials, sessions
from mailweir.store.web.sessions import Means
from webapp import browsers, changes, forms, here, languages, zones
from webapp.access import Access, open_to
from webapp.gate import Full
from webapp.sign_in import checking, ways

blueprint = flask.Blueprint("account", __name__)
_FRESH = timedelta(minutes=10)


@blueprint.get("/account")
@open_to(Access.SIGNED_IN)
def page() -> str:
    """The page of the account's own settings."""
    return _page()


@blueprint.post("/account/preferences")
@open_to(Access.SIGNED_IN)
def prefer() -> Response:
    """Sets zone and language. If a field is empty, the host's settings apply."""
    zone, language = forms.text("zone"), forms.text("language")
    if (zone and not zones.is_one(zone)) or (language and language not in languages.LANGUAGES):
        return _again(gettext("There is no such time zone or language. Choose one from the list."))
    accounts.prefer(here.database(), here.account().id, zone or None, language or None)
    return _done("preferences")


@blueprint.post("/account/password")
@open_to(Access.SIGNED_IN)
def change_password() -> Response:
    """Sets a new password, and ends the account's other sessions. 404 if nobody signs in by a password."""
    if not ways.by_password():
        flask.abort(404)
    form, who = flask.request.form, here.account()
    if form.get("new", "") != form.get("again", ""):
        return _again(gettext("The two new passwords aren't the same."))
    fault = passwords.fault_of(form.get("new", ""), who.name)
    if fault is not None:
        return _again(_in_words(fault))
    try:
        refusal = _refusal_of_the_old_one(form.get("old", ""))
        if refusal is not None:
            return refusal
        with here.site().gate.entered():
            digest = passwords.digest(passwords.typed(form.get("new", "")), passwords.CHOSEN)
    except Full:
        return _again(ways.busy(), 503)
    with here.database().transaction():
        credentials.set_password(here.database(), who.id, digest, keep=here.session().id)
        changes.note("account.password", who.name)
    response = _done("password")
    checking.remember(response, digest)
    return response


@blueprint.post("/account/sessions/<int:session_id>/end")
@open_to(Access.SIGNED_IN)
def end_session(session_id: int) -> Response:
    """Ends one of the account's sessions. 404 for another account's."""
    own = {one.id for one in sessions.of_account(here.database(), here.account().id, here.now())}
    if session_id not in own:
        flask.abort(404)
    sessions.end(here.database(), session_id, here.account().id)
    return _done("session")


@blueprint.post("/account/sign-out-everywhere")
@open_to(Access.SIGNED_IN)
def sign_out_everywhere() -> Response:
    """Ends all sessions of the account, this one too."""
    sessions.end_all(here.database(), here.account().id)
    response = flask.redirect(flask.url_for("sign_in.page"), 303)
    here.forget(response)
    return response


def _needs_old_password() -> bool:
    """Is the old password needed? It isn't needed if there is none, or shortly after a sign-in by a link: admins give links to
    people who have forgotten their password."""
    session = here.session()
    is_fresh = session.made_by is Means.LINK and here.now() - session.created_at < _FRESH
    return here.account().has_password and not is_fresh


def _refusal_of_the_old_one(old: str) -> Response | None:
    if not _needs_old_password():
        return None
    found = checking.check(here.account().name, old)
    if found.wait is not None:
        seconds = int(found.wait.total_seconds()) + 1
        response = _again(ways.too_early(seconds), 429)
        response.headers["Retry-After"] = str(seconds)
        return response
    return None if found.account_id == here.account().id else _again(gettext("That isn't your password."), 403)


def _in_words(fault: Fault) -> str:
    least, most = passwords.LEAST_CHARS, passwords.MOST_CHARS
    said = {
        Fault.TOO_SHORT: gettext("A password needs at least %(least)d characters.", least=least),
        Fault.TOO_LONG: gettext("A password may have at most %(most)d characters.", most=most),
        Fault.TOO_PLAIN: gettext("This password has too few different characters."),
        Fault.HAS_NAME: gettext("A password can't contain your name."),
    }
    return str(said[fault])


def _done(what: str) -> Response:
    return flask.redirect(flask.url_for("account.page", done=what), 303)


def _again(words: str, status: int = 400) -> Response:
    return flask.make_response(_page(words), status)


def _page(fault: str = "") -> str:
    said = {
        "preferences": gettext("Your time zone and language are saved."),
        "password": gettext("Your password is changed. Other browsers are signed out."),
        "session": gettext("That browser is signed out."),
    }
    return flask.render_template(
        "account/page.html",
        fault=fault,
        done=said.get(flask.request.args.get("done", "")) if not fault else None,
        own=here.session().id,
        sessions=sessions.of_account(here.database(), here.account().id, here.now()),
        browser_name=browsers.name,
        zones=zones.by_region(),
        defaults=here.site().settings.web,
        by_password=ways.by_password(),
        needs_old=_needs_old_password(),
        least=passwords.LEAST_CHARS,
    )
