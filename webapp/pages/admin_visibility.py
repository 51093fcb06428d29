"""Settings for all mail of a deployment: private words, the mail that is recorded or makes to-dos, and spellings of addresses."""

import flask
from werkzeug.wrappers import Response

from mailweir.store.people import deployments
from mailweir.store.people.deployments import Deployment
from webapp import changes, forms, here
from webapp.access import Access, open_to

blueprint = flask.Blueprint("admin_visibility", __name__)
_SWITCHES = ("known_threads", "held_forwards", "automatic_todos", "plus_addresses", "gmail_dots")
_MAX_WORDS_CHARS = 10_000


@blueprint.get("/admin/visibility")
@open_to(Access.ADMIN)
def page() -> str:
    """The present settings."""
    return flask.render_template("admin/visibility.html", chosen=_chosen(here.deployment()), fault="")


@blueprint.post("/admin/visibility")
@open_to(Access.ADMIN)
def save() -> Response | tuple[str, int]:
    """Saves all settings, or none. They apply from the next message on."""
    given = {name: forms.ticked(name) for name in _SWITCHES}
    words = flask.request.form.get("private_words", "")
    fault = forms.fault_of(lambda: _save(given, forms.text("private_words", _MAX_WORDS_CHARS)))
    if fault:
        chosen = {**given, "private_words": words}
        return flask.render_template("admin/visibility.html", chosen=chosen, fault=fault), 400
    return flask.redirect(flask.url_for("admin_visibility.page", done="saved"), 303)


def _save(given: dict[str, bool], words: str) -> None:
    database, before = here.database(), here.deployment()
    with database.transaction():
        name = before.name
        if (given["plus_addresses"], given["gmail_dots"]) != (before.plus_addresses, before.gmail_dots):
            deployments.change_folding(
                database, name, plus_addresses=given["plus_addresses"], gmail_dots=given["gmail_dots"]
            )
        deployments.set_known_threads(database, name, is_on=given["known_threads"])
        deployments.set_held_forwards(database, name, is_on=given["held_forwards"])
        deployments.set_automatic_todos(database, name, is_on=given["automatic_todos"])
        deployments.set_private_words(database, name, words)
        after = _chosen(deployments.find(database, name))
        for key, value in _chosen(before).items():
            if after[key] != value:
                changes.note("deployment.changed", key, f"{_said(value)} → {_said(after[key])}")


def _said(value: str | bool) -> str:
    return value or "-" if isinstance(value, str) else "on" if value else "off"


def _chosen(deployment: Deployment) -> dict[str, str | bool]:
    return {
        "private_words": deployment.private_words,
        "known_threads": deployment.known_threads,
        "held_forwards": deployment.held_forwards,
        "automatic_todos": deployment.automatic_todos,
        "plus_addresses": deployment.plus_addresses,
        "gmail_dots": deployment.gmail_dots,
    }
