"""The access rule of each route of the page, and its queries in the test of tenants. A new route needs a line here.

Routes are collected from the blueprints, without a database.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import flask
from werkzeug.routing import Rule

from webapp import application, assets
from webapp.access import Access

_PARAMETER = re.compile(r"<(?:int:)?((?<=int:)\w+|domain)>")


@dataclass(frozen=True, slots=True)
class Known:
    """access: the accounts that may open it. queries: further requests of a list beside the plain one. sees_all: an operator sees
    the rows of all deployments there."""

    access: Access
    queries: tuple[str, ...] = ()
    sees_all: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """A route with one method. parameters: the names of its parts that identify a row: numbers, and domains."""

    endpoint: str
    method: str
    rule: str
    parameters: tuple[str, ...]

    def path(self, ids: Mapping[str, int | str]) -> str:
        """The path with these values; a missing number becomes 1."""
        filled = _PARAMETER.sub(lambda found: str(ids.get(found[1], 1)), self.rule)
        return re.sub(r"<[^>]*>", "x", filled)


def _known(access: Access, *endpoints: str) -> dict[str, Known]:
    return dict.fromkeys(endpoints, Known(access))


ROUTES: Mapping[str, Known] = {
    **_known(
        Access.PUBLIC,
        "sign_in.page",
        "sign_in.link",
        "sign_in.spend",
        "password.sign_in",
        "openid.begin",
        "openid.answer",
        "openid.choose",
        "static",
    ),
    **_known(
        Access.SIGNED_IN,
        "home.start",
        "home.choose",
        "sign_in.sign_out",
        "account.page",
        "account.prefer",
        "account.change_password",
        "account.end_session",
        "account.sign_out_everywhere",
    ),
    **_known(
        Access.STAFF,
        "todos.open_list",
        "todos.done_list",
        "todos.finish",
        "todos.reopen",
        "message.finish",
        "message.reopen",
        "integrations.page",
        "integrations.add_contact",
        "integrations.dismiss_confirmation",
        "integrations.connect_smtp",
        "integrations.rotate_smtp",
        "integrations.disconnect_smtp",
        "google.connect",
        "google.come_back",
        "google.set_options",
        "google.retry",
        "google.disconnect",
    ),
    **_known(
        Access.READER,
        "message.page",
        "message.set_visibility",
        "message_parts.html",
        "message_parts.raw",
        "message_parts.attachment",
        "activities.thread",
        "contacts.page",
        "contacts.make",
        "contacts.months_picture",
        "contacts.months_table",
        "companies.page",
        "companies.months_picture",
        "companies.months_table",
    ),
    "activities.stream": Known(
        Access.READER, ("contact=mail%40theirs.example", "contact=joe%40client.example", "user=bob", "user=richard")
    ),
    "activities.search_page": Known(Access.READER, ("q=boiler", "q=tender")),
    "contacts.list_all": Known(Access.READER, ("q=client.example", "q=z")),
    "contacts.new": Known(Access.READER, ("address=someone%40client.example",)),
    "companies.list_all": Known(Access.READER, ("q=z",)),
    "why.page": Known(Access.READER, ("q=boiler", "q=tender", "q=joe%40client.example", "q=jane%40client.example")),
    **_known(
        Access.ADMIN,
        "admin.page",
        "admin_users.page",
        "admin_users.add",
        "admin_users.one",
        "admin_users.change",
        "admin_users.add_address",
        "admin_users.remove_address",
        "admin_users.set_visibility",
        "admin_users.audit",
        "admin_users.ask_removal",
        "admin_users.remove",
        "admin_groups.page",
        "admin_groups.add",
        "admin_groups.remove",
        "admin_contacts.add",
        "admin_contacts.one",
        "admin_contacts.change",
        "admin_contacts.add_address",
        "admin_contacts.remove_address",
        "admin_contacts.set_visibility",
        "admin_contacts.ask_removal",
        "admin_contacts.remove",
        "admin_contact_files.page",
        "admin_contact_files.look_at",
        "admin_contact_files.import_file",
        "admin_contact_files.leave",
        "admin_contact_files.export",
        "admin_companies.add",
        "admin_companies.one",
        "admin_companies.change",
        "admin_companies.set_auto_contacts",
        "admin_companies.set_visibility",
        "admin_companies.ask_removal",
        "admin_companies.remove",
        "admin_rules.page",
        "admin_rules.add",
        "admin_rules.look",
        "admin_rules.erase",
        "admin_rules.remove",
        "admin_visibility.page",
        "admin_visibility.save",
        "admin_jobs.page",
        "admin_jobs.one",
        "changes.page",
        "reading.page",
        "accounts.add",
        "domains.page",
        "domains.add",
        "domains.one",
        "domains.rotate",
        "domains.activate",
        "domains.remove_key",
        "domains.ask_removal",
        "domains.remove",
    ),
    "admin_contacts.page": Known(Access.ADMIN, ("words=client.example",)),
    "admin_companies.page": Known(Access.ADMIN, ("words=Ltd",)),
    "accounts.page": Known(Access.ADMIN, ("after=a",), sees_all=True),
    "health.page": Known(Access.ADMIN, sees_all=True),
    **dict.fromkeys(
        (
            "accounts.one",
            "accounts.link",
            "accounts.sign_out",
            "accounts.change_role",
            "accounts.ask_removal",
            "accounts.remove",
        ),
        Known(Access.ADMIN, sees_all=True),
    ),
    **_known(Access.OPERATOR, "admin.add_deployment", "accounts.add_operator"),
}


def bare_application() -> flask.Flask:
    """The routes and their views, without a database and settings."""
    app = flask.Flask("webapp", static_folder=None)
    app.add_url_rule("/static/<path:filename>", "static", assets.serve)
    for blueprint in application.BLUEPRINTS:
        app.register_blueprint(blueprint)
    return app


def every_route(app: flask.Flask) -> list[Route]:
    """Each route with each of its methods."""
    return [
        Route(rule.endpoint, method, rule.rule, _parameters(rule))
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]


def _parameters(rule: Rule) -> tuple[str, ...]:
    return tuple(_PARAMETER.findall(rule.rule))
