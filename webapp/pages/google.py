"""A user's consent at Google: the page asks for it, takes it, changes its options, and ends it.

`state` is bound to the session and the user, and is valid once. PKCE binds the code to the request for it. The page seals the
token with a public key and can't open it again. Nothing that Google sends gets into a redirect or a log.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import flask
from flask_babel import gettext
from werkzeug.wrappers import Response

from mailweir import gmail_access
from mailweir.errors import BadInput, MailweirError, SettingsError
from mailweir.gmail import consent, oauth_files, transport
from mailweir.gmail.consent import Question
from mailweir.gmail.oauth_files import OAuthClient
from mailweir.gmail_access import AnotherMailbox, Directions, Wanted
from mailweir.secrets_file import Sealer
from mailweir.settings import Settings
from mailweir.store.database.connection import Database
from mailweir.store.gmail import gmail_connections, gmail_mailboxes, gmail_waiting, sealing_keys
from mailweir.store.gmail.gmail_connections import NotOwnAddress, ReadForAnother
from mailweir.store.web import states
from mailweir.store.web.states import Kind
from webapp import forms, here, spoken
from webapp.access import Access, open_to
from webapp.pages import integrations

blueprint = flask.Blueprint("google", __name__)
_YES = {True: "yes", False: "no"}
_MOST_SECONDS = 10.0  # for one answer of Google's, while a browser waits


@blueprint.post("/integrations/google/connect")
@open_to(Access.STAFF)
def connect() -> Response | tuple[str, int]:
    """Sends the browser to Google. The boxes say which mail is recorded. If none is ticked, the earlier choice stays."""
    database, tenant, name = here.database(), here.deployment(), here.username()
    given = Directions(forms.ticked("inbound"), forms.ticked("outbound"))
    chosen = given if given.inbound or given.outbound else gmail_access.directions_before(database, tenant, name)
    if chosen is None:
        return integrations.show(problem=gettext("Tick what Mailweir should record: inbound, outbound or both.")), 400
    try:
        client = _client()
        _sealer()
        wanted, _ = gmail_connections.may_connect(database, tenant, name, None)
        asked = consent.question(client, _redirect_uri(), wanted)
    except MailweirError as error:
        return integrations.show(problem=_in_words(error)), 400
    kept = {"verifier": asked.verifier, "inbound": _YES[chosen.inbound], "outbound": _YES[chosen.outbound]}
    states.keep(database, asked.state, Kind.GMAIL, _bound_to(), kept, here.now())
    return flask.redirect(asked.url, 303)


@blueprint.get(integrations.RETURN_PATH)
@open_to(Access.STAFF)
def come_back() -> Response | tuple[str, int]:
    """Google sends the browser here. Takes the code from the URL, and connects the mailbox that the code is for."""
    given = flask.request.args
    state = given.get("state", "")
    found = states.take(here.database(), Kind.GMAIL, _bound_to(), state, here.now())
    if found is None:
        words = gettext(
            "This answer from Google is too old, was used already, or belongs to somebody else. Connect again."
        )
        return integrations.show(problem=words), 400
    asked = Question("", _redirect_uri(), state, found["verifier"])
    try:
        code = consent.code_of(given)
        made = _connected(asked, code, Directions(found["inbound"] == _YES[True], found["outbound"] == _YES[True]))
    except MailweirError as error:
        return integrations.show(problem=_in_words(error)), 400
    integrations.note("gmail.connected", made)
    return integrations.back("google_connected")


@blueprint.post("/integrations/google/options")
@open_to(Access.STAFF)
def set_options() -> Response | tuple[str, int]:
    """Sets which mail is recorded from now on."""
    inbound, outbound = forms.ticked("inbound"), forms.ticked("outbound")
    database = here.database()
    if not (inbound or outbound):
        words = gettext(
            "Without inbound and outbound, nothing would be recorded: leave one ticked, or disconnect Google."
        )
        return integrations.show(problem=words), 400
    tenant, name = here.deployment(), here.username()
    try:
        with database.transaction():
            before = gmail_access.directions_before(database, tenant, name)
            made = gmail_connections.set_directions(
                database, tenant, name, inbound=inbound, outbound=outbound, now=here.now()
            )
            chosen = [word for word, on in (("inbound", inbound), ("outbound", outbound)) if on]
            if before != Directions(inbound, outbound):
                integrations.note("gmail.directions_set", made.address, ", ".join(chosen))
    except BadInput:
        return _gone()
    return integrations.back("google_options")


@blueprint.post("/integrations/google/retry")
@open_to(Access.STAFF)
def retry() -> Response | tuple[str, int]:
    """Has the sync retry the messages that were given up."""
    database = here.database()
    try:
        mailbox = gmail_mailboxes.find(database, here.deployment(), here.username())
    except BadInput:
        return _gone()
    if gmail_waiting.revive(database, mailbox.id, here.now()):
        integrations.note("gmail.retried", mailbox.address)
    return integrations.back("google_retry")


@blueprint.post("/integrations/google/disconnect")
@open_to(Access.STAFF)
def disconnect() -> Response | tuple[str, int]:
    """Ends the sync of the mailbox. The page can't open the token, so the sync gives the consent back to Google."""
    database, tenant, name = here.database(), here.deployment(), here.username()
    try:
        with database.transaction():
            address = gmail_connections.disconnect_and_return(database, tenant, name, here.now())
            integrations.note("gmail.disconnected", address)
    except BadInput:
        return _gone()
    return integrations.back("google_disconnected")


def form_targets(settings: Settings) -> tuple[str, ...]:
    """The origin to which Connect redirects a browser, from the client's file. In tests, it isn't Google's."""
    try:
        parts = urlsplit(oauth_files.load_web_client(Path(settings.gmail.web_client_file)).auth_uri)
    except MailweirError:  # `connect` reports it
        return ()
    return (f"{parts.scheme}://{parts.netloc}",)


def _gone() -> tuple[str, int]:
    return integrations.show(problem=gettext("Google isn't connected any more.")), 400


def _bound_to() -> str:
    return f"session {here.session().id}, user {here.user_id()} of {here.deployment().id}"


def _redirect_uri() -> str:
    return here.site().public_url + integrations.RETURN_PATH


def _settings() -> Settings:
    """The site's settings, with a time limit for a waiting browser."""
    settings = here.site().settings
    seconds = min(settings.gmail.timeout_seconds, _MOST_SECONDS)
    return settings.model_copy(update={"gmail": settings.gmail.model_copy(update={"timeout_seconds": seconds})})


def _client() -> OAuthClient:
    """The OAuth client. SettingsError if the settings name no usable one."""
    config = here.site().settings.gmail
    if not config.web_client_file:
        raise SettingsError("gmail.web_client_file names no OAuth client")
    transport.refuse_insecure(config.api_endpoint, "gmail.api_endpoint")
    return oauth_files.load_web_client(Path(config.web_client_file))


def _sealer() -> Sealer:
    """The sealer of tokens. SettingsError if the database has no public key for sealing yet."""
    public = sealing_keys.find(here.database())
    if public is None:
        raise SettingsError("the sync hasn't given the page its public key yet: start mailweir-gmail-sync")
    return Sealer(public)


@contextmanager
def _open_database() -> Iterator[Database]:
    yield here.database()


def _connected(asked: Question, code: str, directions: Directions) -> str:
    """Connects the mailbox that the code is for. Returns its address. Errors: those of `gmail_access.connect`."""
    settings, client, sealer = _settings(), _client(), _sealer()
    given = consent.exchange(client, asked, code, settings.gmail.timeout_seconds)
    address, before = gmail_connections.may_connect(here.database(), here.deployment(), here.username(), None)
    done = gmail_access.connect(
        settings,
        _open_database,
        here.deployment(),
        here.username(),
        wanted=Wanted(address, before),
        directions=directions,
        identity=client,
        consent=(given, sealer),
        clock=here.site().clock,
    )
    return done.mailbox.address


def _in_words(error: MailweirError) -> str:
    """The error, in words that help the user. For faults of the settings, these name the admin, and the log has the cause."""
    if isinstance(error, SettingsError):
        flask.current_app.logger.error("Google can't be connected: %s", error)
        said = gettext("Google can't be connected here yet. Tell your admin; the log of mailweir-web says why.")
    elif isinstance(error, NotOwnAddress):
        said = gettext(
            "That Google account isn't one of your addresses here. Choose the account of your own mailbox at "
            "Google, or ask your admin to add the address to your user."
        )
    elif isinstance(error, ReadForAnother):
        said = gettext("That mailbox is already connected for a colleague. Ask your admin.")
    elif isinstance(error, AnotherMailbox):
        said = gettext(
            "You are connected with %(before)s, and %(found)s is another mailbox. Disconnect the first one, then "
            "connect the other.",
            before=error.before,
            found=error.found,
        )
    else:
        said = gettext("Google wasn't connected: %(why)s.", why=spoken.spoken(str(error)).rstrip("."))
    return str(said)
