"""The sign-in page: what ways there are, what went wrong, and where to go afterwards.

Called by the other modules here, and by the account's page.
"""

from urllib.parse import urlsplit

import flask
from flask_babel import gettext, ngettext

from webapp import here


def by_password() -> bool:
    """Does anybody sign in by a password? Not where a provider vouches for persons."""
    return not here.site().providers


def page(words: str = "", *, asks_which: bool = False) -> str:
    """The page. words: what went wrong. asks_which: the provider asks next for another account. What was typed is kept, but for a
    password."""
    to = flask.request.values.get("to", "")
    return flask.render_template(
        "sign_in.html",
        to=to if onward(to) == to else "",
        words=words,
        asks_which=asks_which,
        name=flask.request.form.get("name", "")[:200],
        by_password=by_password(),
        providers=list(here.site().providers.values()),
    )


def wrong() -> str:
    """The same for a name that nobody has."""
    return str(gettext("That isn't the password of this name."))


def too_early(seconds: int) -> str:
    """The throttle says no."""
    said = ngettext(
        "There were several wrong passwords. Try again in %(num)d second.",
        "There were several wrong passwords. Try again in %(num)d seconds.",
        seconds,
    )
    return str(said)


def busy() -> str:
    """Many sign in at the moment."""
    return str(gettext("Many people are signing in right now. Try again in a few seconds."))


def onward(wanted: str | None) -> str:
    """Where to go after the sign-in: a path of this page, never another host."""
    parts = urlsplit(wanted or "")
    is_path = bool(wanted) and not parts.scheme and not parts.netloc and (wanted or "").startswith("/")
    if not is_path or "\\" in (wanted or "") or (wanted or "").startswith("//") or not (wanted or "").isprintable():
        return flask.url_for("home.start")
    return str(wanted)
