"""The sign-in page: the ways to sign in, the errors, and the page to go to afterwards.

Called by the other modules here, and by the account's page.
"""

from urllib.parse import urlsplit

import flask
from flask_babel import gettext, ngettext

from webapp import here


def by_password() -> bool:
    """Do people sign in by a password? Only if there is no provider."""
    return not here.site().providers


def page(words: str = "", *, asks_which: bool = False) -> str:
    """The page. words: the error, or "". asks_which: the provider then asks which of its accounts to use. Typed values are kept,
    except a password."""
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
    """The error for a wrong password, and also for a name without an account."""
    return str(gettext("That isn't the password of this name."))


def too_early(seconds: int) -> str:
    """The error if the throttle refuses."""
    said = ngettext(
        "There were several wrong passwords. Try again in %(num)d second.",
        "There were several wrong passwords. Try again in %(num)d seconds.",
        seconds,
    )
    return str(said)


def busy() -> str:
    """The error if many people sign in at the moment."""
    return str(gettext("Many people are signing in right now. Try again in a few seconds."))


def onward(wanted: str | None) -> str:
    """The URL to go to after the sign-in: a path of this page, never another host."""
    parts = urlsplit(wanted or "")
    is_path = bool(wanted) and not parts.scheme and not parts.netloc and (wanted or "").startswith("/")
    if not is_path or "\\" in (wanted or "") or (wanted or "").startswith("//") or not (wanted or "").isprintable():
        return flask.url_for("home.start")
    return str(wanted)
