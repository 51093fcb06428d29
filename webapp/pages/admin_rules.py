"""Never-log rules, for the admin: adds and removes them, and erases the entries on the record that they hide."""

import flask
from flask_babel import gettext
from werkzeug.wrappers import Response

from mailweir.errors import BadInput, NotFound
from mailweir.store.people import never_log_rules, users
from mailweir.store.people.never_log_rules import Rule
from mailweir.store.web import jobs
from webapp import changes, forms, here
from webapp.access import Access, open_to
from webapp.job_kinds import never_log

blueprint = flask.Blueprint("admin_rules", __name__)


@blueprint.get("/admin/rules")
@open_to(Access.ADMIN)
def page() -> str:
    """The rules of the deployment and of its users."""
    return _list()


@blueprint.post("/admin/rules")
@open_to(Access.ADMIN)
def add() -> Response | tuple[str, int]:
    """Adds a rule, and a job that searches the record for entries that the rule hides."""
    pattern, user = forms.text("pattern"), forms.text("user") or None
    wanted: list[int] = []

    def do() -> None:
        with here.database().transaction():
            before = never_log_rules.list_all(here.database(), here.deployment())
            rule = never_log_rules.add(here.database(), here.deployment(), pattern, user, here.now())
            # adding a rule that exists only searches the record again
            what = "never_log.looked" if rule in before else "never_log.added"
            changes.note(what, rule.pattern, rule.user or "")
            wanted.append(_wanted(never_log.LOOK, rule))

    fault = forms.fault_of(do)
    if fault:
        return _list(fault), 400
    return flask.redirect(flask.url_for("admin_jobs.one", job_id=wanted[0]), 303)


@blueprint.post("/admin/rules/<int:rule_id>/look")
@open_to(Access.ADMIN)
def look(rule_id: int) -> Response:
    """Adds a job that searches the record again. Its result also counts mail that the admin may not read, so the log of changes
    notes the search."""
    rule = _found(rule_id)
    with here.database().transaction():
        wanted = _wanted(never_log.LOOK, rule)
        changes.note("never_log.looked", rule.pattern, rule.user or "")
    return flask.redirect(flask.url_for("admin_jobs.one", job_id=wanted), 303)


@blueprint.post("/admin/rules/<int:rule_id>/erase")
@open_to(Access.ADMIN)
def erase(rule_id: int) -> Response:
    """Adds a job that erases the entries that the rule hides. BadInput if the admin didn't type the rule. The finished job notes
    the erasure in the log of changes."""
    rule = _found(rule_id)
    if forms.text("typed") != rule.pattern:
        raise BadInput(
            gettext("nothing was erased: type %(pattern)s to erase the mail that the rule hides", pattern=rule.pattern)
        )
    return flask.redirect(flask.url_for("admin_jobs.one", job_id=_wanted(never_log.ERASE, rule)), 303)


@blueprint.post("/admin/rules/<int:rule_id>/remove")
@open_to(Access.ADMIN)
def remove(rule_id: int) -> Response:
    """Removes a rule. The sync then searches the mailboxes for mail that the rule hid."""
    rule = _found(rule_id)
    with here.database().transaction():
        never_log_rules.remove(here.database(), here.deployment(), rule.pattern, rule.user, here.now())
        changes.note("never_log.removed", rule.pattern, rule.user or "")
    return flask.redirect(flask.url_for("admin_rules.page", done="removed"), 303)


def _wanted(kind: str, rule: Rule) -> int:
    parameters = {"rule": rule.id, "pattern": rule.pattern, "user": rule.user}
    return jobs.add(here.database(), here.deployment().id, here.account().id, kind, parameters, here.now())


def _found(rule_id: int) -> Rule:
    for rule in never_log_rules.list_all(here.database(), here.deployment()):
        if rule.id == rule_id:
            return rule
    raise NotFound(gettext("there is no such rule"))


def _list(fault: str = "") -> str:
    return flask.render_template(
        "admin/rules.html",
        rules=never_log_rules.list_all(here.database(), here.deployment()),
        users=users.list_all(here.database(), here.deployment()),
        fault=fault,
        given=flask.request.form,
    )
