"""Makes the Flask application: its blueprints, templates, languages, and the steps before and after each view.

Called by `server` and by the tests.
"""

from collections.abc import Callable, Collection
from datetime import datetime
from urllib.parse import urlsplit

import flask

from mailweir.extraction import Extractor
from mailweir.openid.provider import Provider
from mailweir.settings import Settings
from mailweir.store.database.connection import Database
from mailweir.store.database.pool import Pool
from webapp import assets, faults, forms, here, languages, mail_text, safety, spoken, times, unseen
from webapp.gate import Gate
from webapp.pages import (
    account,
    accounts,
    activities,
    admin,
    admin_companies,
    admin_contact_files,
    admin_contacts,
    admin_groups,
    admin_jobs,
    admin_rules,
    admin_users,
    admin_visibility,
    changes,
    companies,
    contacts,
    domains,
    google,
    health,
    home,
    integrations,
    message,
    message_parts,
    reading,
    todos,
    why,
)
from webapp.sign_in import openid, password, sign_in
from webapp.site import EXTENSION, Site

# Each file of `pages/` makes one of these, and so do those of `sign_in/` that have routes
BLUEPRINTS = (
    home.blueprint,
    sign_in.blueprint,
    integrations.blueprint,
    google.blueprint,
    todos.blueprint,
    activities.blueprint,
    message.blueprint,
    message_parts.blueprint,
    contacts.blueprint,
    companies.blueprint,
    why.blueprint,
    admin.blueprint,
    admin_users.blueprint,
    admin_groups.blueprint,
    admin_contacts.blueprint,
    admin_contact_files.blueprint,
    admin_companies.blueprint,
    admin_rules.blueprint,
    admin_visibility.blueprint,
    admin_jobs.blueprint,
    changes.blueprint,
    password.blueprint,
    openid.blueprint,
    account.blueprint,
    accounts.blueprint,
    reading.blueprint,
    health.blueprint,
    domains.blueprint,
)
GOOGLE = "https://accounts.google.com"
_BUSY_SECONDS = 10.0
_PATIENCE_SECONDS = 5.0


def create(settings: Settings, clock: Callable[[], datetime], form_targets: Collection[str] = ()) -> flask.Flask:
    """The application. form_targets: further origins, in addition to Google's, to which the answer to a form may redirect. No
    provider of OpenID needs to be among them, because a link leads there, not a form."""
    pool = Pool(lambda: _database(settings), settings.web.threads)
    providers = {name: Provider(name, config) for name, config in settings.web.openid.items()}
    site = Site(settings, pool, clock, Gate.of(settings.web.threads), providers)
    app = flask.Flask("webapp", static_folder=None, template_folder="templates")
    app.extensions[EXTENSION] = site
    app.extensions[message_parts.EXTRACTOR] = Extractor(message_parts.AT_ONCE)
    app.config.update(
        TRUSTED_HOSTS=site.trusted_hosts,
        MAX_CONTENT_LENGTH=forms.MAX_UPLOAD_BYTES,
        MAX_FORM_MEMORY_SIZE=forms.MAX_FORM_BYTES,
        PROPAGATE_EXCEPTIONS=False,
        FORM_TARGETS=tuple({GOOGLE, *google.form_targets(settings), *form_targets}),
        IS_HTTPS=urlsplit(site.public_url).scheme == "https",
    )
    app.json.ensure_ascii = True  # type: ignore[attr-defined]  # of the default provider
    app.add_url_rule("/static/<path:filename>", "static", assets.serve)
    languages.install(app)
    unseen.install(app)
    faults.install(app)
    app.before_request(forms.bound)
    app.before_request(here.begin)
    app.before_request(forms.check)
    app.after_request(safety.finish)
    app.teardown_request(here.end)
    app.context_processor(here.roles_shown)
    app.context_processor(_words)
    app.jinja_env.globals.update(asset=assets.url, moment=times.moment, ago=times.ago, zone_name=times.zone_name)
    app.jinja_env.globals.update(line=mail_text.line, marked=mail_text.marked)
    app.jinja_env.filters.update(spoken=spoken.spoken, kept=spoken.kept)
    app.jinja_env.tests.update(unknown=spoken.is_unknown)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    return app


def _database(settings: Settings) -> Database:
    return Database(settings.database_url, busy_timeout_seconds=_BUSY_SECONDS, patience_seconds=_PATIENCE_SECONDS)


def _words() -> dict[str, object]:
    return {
        "language": languages.chosen(),
        "languages": languages.NAMES,
        "url_exists": flask.current_app.view_functions,
    }
