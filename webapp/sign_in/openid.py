"""Signing in by OpenID Connect: a link leads to the provider, which sends the browser back with an answer in the URL.

The state is in the database, and bound to a cookie that only this browser has: nobody can make another person's browser finish a
sign-in that was begun elsewhere. The account must exist: a sign-in adds none.
"""

import flask
from flask_babel import gettext
from werkzeug.wrappers import Response

from mailweir.openid import provider as providers
from mailweir.openid.provider import Begun, Identity, Provider
from mailweir.openid.refusals import ProviderRefusal, Why
from mailweir.store.web import accounts, credentials, sessions, states
from mailweir.store.web.sessions import Means
from mailweir.store.web.states import Kind
from webapp import forms, here
from webapp.access import Access, open_to
from webapp.sign_in import ways

blueprint = flask.Blueprint("openid", __name__)
COOKIE = "__Host-mailweir-openid"
_TOKEN_CHARS = 43
_MAX_CODE_CHARS = 4_000
_MAX_TO_CHARS = 2_000
_RETRY_SECONDS = "5"


@blueprint.get("/sign-in/openid/<name>")
@open_to(Access.PUBLIC)
def begin(name: str) -> Response:
    """Sends the browser to the provider. A link leads here, not a form: the policy limits where forms may redirect."""
    provider = _named(name)
    begun = providers.begun()
    to = ways.onward(flask.request.args.get("to"))
    content = {
        "provider": name,
        "nonce": begun.nonce,
        "verifier": begun.verifier,
        "to": to if len(to) <= _MAX_TO_CHARS else "",
    }
    own = flask.request.cookies.get(COOKIE, "")
    # an earlier cookie stays, so that two windows of a browser may sign in
    bound = own if len(own) == _TOKEN_CHARS else sessions.new_token()
    state = states.make(here.database(), Kind.OPENID, bound, content, here.now())
    try:
        asks_which = "choose" in flask.request.args
        url = provider.login_url(_redirect_uri(name), state, begun, asks_which=asks_which)
    except ProviderRefusal as refusal:
        return _refused(provider, refusal)
    response = flask.redirect(url, 303)
    lasts = int(states.LASTS.total_seconds())
    response.set_cookie(COOKIE, bound, max_age=lasts, secure=True, httponly=True, samesite="Lax", path="/")
    return response


@blueprint.get("/sign-in/openid/<name>/answer")
@open_to(Access.PUBLIC)
def answer(name: str) -> Response:
    """Takes the provider's answer: begins a session in place of the browser's earlier one, or says why not."""
    provider, given = _named(name), flask.request.args
    content = states.take(
        here.database(), Kind.OPENID, flask.request.cookies.get(COOKIE, ""), given.get("state", ""), here.now()
    )
    if content is None or content["provider"] != name:
        return _said(gettext("This sign-in was begun elsewhere, or more than ten minutes ago. Begin again."), 400)
    code = given.get("code", "")
    try:
        if "error" in given or not 0 < len(code) <= _MAX_CODE_CHARS:
            raise ProviderRefusal(Why.DENIED, given.get("error", "no code")[:60])
        begun = Begun(content["nonce"], content["verifier"])
        identity = provider.identify(code, _redirect_uri(name), begun, given.get("iss"), here.now())
    except ProviderRefusal as refusal:
        return _refused(provider, refusal)
    return _signed_in(provider, identity, content["to"])


def _named(name: str) -> Provider:
    found = here.site().providers.get(name)
    if found is None:
        flask.abort(404)
    return found


def _redirect_uri(name: str) -> str:
    return f"{here.site().public_url}{flask.url_for('openid.answer', name=name)}"


def _signed_in(provider: Provider, identity: Identity, to: str) -> Response:
    if provider.hosted_domain and identity.hosted_domain != provider.hosted_domain:
        words = gettext(
            "This account isn't at %(domain)s. Choose your account at %(domain)s.", domain=provider.hosted_domain
        )
        return _said(words, 403, asks_which=True)
    found = credentials.of_person(here.database(), identity.issuer, identity.subject, identity.email)
    if not found:
        return _said(_unknown(provider, identity), 403, asks_which=True)
    if len(found) > 1:
        return _which(provider, identity, found, to)
    return _session_of(found[0], identity, to)


def _which(provider: Provider, identity: Identity, account_ids: list[int], to: str) -> Response:
    """Lets the person choose an account: two deployments may each have an account for the address, and only the person knows
    which one is meant."""
    content = {
        "provider": "",  # so that `answer` doesn't accept this state
        "choosing": provider.name,
        "issuer": identity.issuer,
        "subject": identity.subject,
        "email": identity.email or "",
        "to": to,
    }
    state = states.make(here.database(), Kind.OPENID, flask.request.cookies.get(COOKIE, ""), content, here.now())
    shown = [accounts.find(here.database(), account_id) for account_id in account_ids]
    return flask.make_response(
        flask.render_template(
            "sign_in_choice.html", accounts=shown, state=state, name=provider.name, email=identity.email
        )
    )


@blueprint.post("/sign-in/openid/<name>/choose")
@open_to(Access.PUBLIC)
def choose(name: str) -> Response:
    """Begins a session as the chosen account. From then on, the account belongs to this person."""
    _named(name)
    cookie, given = flask.request.cookies.get(COOKIE, ""), flask.request.form
    content = states.take(here.database(), Kind.OPENID, cookie, given.get("state", ""), here.now())
    account_id = forms.whole_number(given.get("account"))
    if content is None or content.get("choosing") != name or account_id is None:
        return _said(gettext("This sign-in was begun elsewhere, or more than ten minutes ago. Begin again."), 400)
    identity = Identity(content["issuer"], content["subject"], content["email"] or None, None)
    return _session_of(account_id, identity, content["to"])


def _session_of(account_id: int, identity: Identity, to: str) -> Response:
    """Begins a session of an account that belongs to the person, or that is bound to the person now."""
    if not credentials.bind(here.database(), account_id, identity.email, identity.issuer, identity.subject):
        return _said(gettext("This account isn't yours any more. Begin again."), 403)
    before = flask.g.get("session")
    browser = flask.request.headers.get("User-Agent", "")
    token = credentials.begin_session(here.database(), account_id, Means.OPENID, browser, before, here.now())
    response = flask.redirect(ways.onward(to), 303)
    here.keep(response, token)
    response.delete_cookie(COOKIE, secure=True, httponly=True, samesite="Lax", path="/")
    return response


def _unknown(provider: Provider, identity: Identity) -> str:
    if identity.email is None:
        said = gettext(
            "%(provider)s doesn't confirm your mail address. Confirm it there, or ask your admin for a link.",
            provider=provider.label,
        )
    else:
        said = gettext(
            "No account here belongs to %(email)s, your address at %(provider)s. Ask your admin for one.",
            email=identity.email,
            provider=provider.label,
        )
    return str(said)


def _refused(provider: Provider, refusal: ProviderRefusal) -> Response:
    flask.current_app.logger.warning(
        "OpenID sign-in refused: %s: %s: %s", provider.name, refusal.why, ascii(str(refusal))
    )
    label = provider.label
    said = {
        Why.UNREACHABLE: (gettext("%(provider)s gives no answer. Try again in a moment.", provider=label), 503),
        Why.BUSY: (ways.busy(), 503),
        Why.SETTINGS: (
            gettext("%(provider)s doesn't know this page. An admin has to check the settings.", provider=label),
            503,
        ),
        Why.DENIED: (gettext("%(provider)s didn't let you in, or you said no there.", provider=label), 403),
        Why.TOKEN: (gettext("The answer of %(provider)s can't be trusted. Begin again.", provider=label), 403),
        Why.CODE: (gettext("This sign-in was used already. Begin again."), 400),
    }
    words, status = said[refusal.why]
    response = _said(words, status)
    if status == 503:
        response.headers["Retry-After"] = _RETRY_SECONDS
    return response


def _said(words: str, status: int, *, asks_which: bool = False) -> Response:
    return flask.make_response(ways.page(words, asks_which=asks_which), status)
