"""The admin's pages of users: adds, changes and removes them, and gives them further addresses."""

from collections.abc import Callable

import flask
from flask_babel import gettext
from werkzeug.wrappers import Response

from mailweir.errors import NotFound
from mailweir.store.gmail import gmail_mailboxes, gmail_requests
from mailweir.store.gmail.gmail_mailboxes import GmailMailbox
from mailweir.store.people import never_log_rules, relay_logins, users
from mailweir.store.people.users import User
from mailweir.store.web import accounts
from mailweir.visibility import Visibility
from webapp import changes, forms, here
from webapp.access import Access, open_to

blueprint = flask.Blueprint("admin_users", __name__)


@blueprint.get("/admin/users")
@open_to(Access.ADMIN)
def page() -> str:
    """All users."""
    return _list()


@blueprint.post("/admin/users")
@open_to(Access.ADMIN)
def add() -> Response | tuple[str, int]:
    """Makes a user."""
    username, mailbox, name = forms.text("username"), forms.text("mailbox"), forms.text("name")
    made: list[User] = []

    def do() -> None:
        with here.database().transaction():
            made.append(users.add(here.database(), here.deployment(), username, mailbox, name, here.now()))
            changes.note("user.added", made[0].username, made[0].mailbox)

    fault = forms.fault_of(do)
    if fault:
        return _list(fault), 400
    return flask.redirect(flask.url_for("admin_users.one", user_id=made[0].id, done="added"), 303)


@blueprint.get("/admin/users/<int:user_id>")
@open_to(Access.ADMIN)
def one(user_id: int) -> str:
    """One user: the addresses, the visibility of new mail, and the connections."""
    return _one(_found(user_id))


@blueprint.post("/admin/users/<int:user_id>")
@open_to(Access.ADMIN)
def change(user_id: int) -> Response | tuple[str, int]:
    """Changes the user's name and main mailbox."""
    before, name, mailbox = _found(user_id), forms.text("name"), forms.text("mailbox")

    def do() -> None:
        after = users.change(here.database(), here.deployment(), before.username, name=name, mailbox=mailbox)
        detail = f"{before.name or '-'}, {before.mailbox} → {after.name or '-'}, {after.mailbox}"
        if after != before:
            changes.note("user.changed", before.username, detail)

    return _done(before, do, "saved")


@blueprint.post("/admin/users/<int:user_id>/addresses")
@open_to(Access.ADMIN)
def add_address(user_id: int) -> Response | tuple[str, int]:
    """Gives the user a further own address."""
    user, address = _found(user_id), forms.text("address")

    def do() -> None:
        changed = users.add_address(here.database(), here.deployment(), user.username, address)
        changes.note("user.address_added", user.username, changed.addresses[-1])

    return _done(user, do, "saved")


@blueprint.post("/admin/users/<int:user_id>/addresses/remove")
@open_to(Access.ADMIN)
def remove_address(user_id: int) -> Response | tuple[str, int]:
    """Removes a further own address of the user."""
    user, address = _found(user_id), forms.text("address")

    def do() -> None:
        users.remove_address(here.database(), here.deployment(), user.username, address)
        changes.note("user.address_removed", user.username, address)

    return _done(user, do, "saved")


@blueprint.post("/admin/users/<int:user_id>/visibility")
@open_to(Access.ADMIN)
def set_visibility(user_id: int) -> Response | tuple[str, int]:
    """Sets who may read the user's mail, from the next message on."""
    user, wanted = _found(user_id), forms.choice("visibility", Visibility)

    def do() -> None:
        if users.set_visibility(here.database(), here.deployment(), user.username, wanted) != user:
            changes.note("user.visibility", user.username, wanted)

    return _done(user, do, "saved")


@blueprint.post("/admin/users/<int:user_id>/audit")
@open_to(Access.ADMIN)
def audit(user_id: int) -> Response | tuple[str, int]:
    """Requests an audit: the sync compares the user's Gmail with the record."""
    user = _found(user_id)

    def do() -> None:
        mailbox = gmail_requests.ask_audit(here.database(), here.deployment(), user.username, here.now())
        changes.note("gmail.audit_asked", user.username, mailbox.address)

    return _done(user, do, "asked")


@blueprint.get("/admin/users/<int:user_id>/remove")
@open_to(Access.ADMIN)
def ask_removal(user_id: int) -> str:
    """Asks for confirmation, and shows everything that ends with the user."""
    return _removal(_found(user_id))


@blueprint.post("/admin/users/<int:user_id>/remove")
@open_to(Access.ADMIN)
def remove(user_id: int) -> Response | tuple[str, int]:
    """Removes a user, if the admin typed the username."""
    user = _found(user_id)
    if forms.text("typed").lower() != user.username:
        return _removal(user, is_mistyped=True), 400
    with here.database().transaction():
        users.remove(here.database(), here.deployment(), user.username, here.now())
        changes.note("user.removed", user.username, ", ".join(user.addresses))
    return flask.redirect(flask.url_for("admin_users.page", done="removed"), 303)


def _found(user_id: int) -> User:
    for user in users.list_all(here.database(), here.deployment()):
        if user.id == user_id:
            return user
    raise NotFound(gettext("there is no such user"))


def _done(user: User, do: Callable[[], None], said: str) -> Response | tuple[str, int]:
    def together() -> None:
        with here.database().transaction():
            do()

    fault = forms.fault_of(together)
    if fault:
        return _one(_found(user.id), fault), 400
    return flask.redirect(flask.url_for("admin_users.one", user_id=user.id, done=said), 303)


def _list(fault: str = "") -> str:
    found = users.list_all(here.database(), here.deployment())
    return flask.render_template("admin/users.html", users=found, fault=fault, given=flask.request.form)


def _mailbox(user: User) -> GmailMailbox | None:
    mailboxes = gmail_mailboxes.list_all(here.database(), here.deployment())
    return next((found for found in mailboxes if found.username == user.username), None)


def _one(user: User, fault: str = "") -> str:
    return flask.render_template(
        "admin/user.html", user=user, mailbox=_mailbox(user), fault=fault, given=flask.request.form
    )


def _removal(user: User, *, is_mistyped: bool = False) -> str:
    database, deployment, mailbox = here.database(), here.deployment(), _mailbox(user)
    logins = relay_logins.list_all(database, deployment, here.now())
    return flask.render_template(
        "admin/user_removal.html",
        user=user,
        mailbox=mailbox,
        has_consent=mailbox is not None and gmail_mailboxes.token_sealed(database, mailbox.id) is not None,
        login=next((found.login for found in logins if found.username == user.username), None),
        rules=never_log_rules.list_all(database, deployment, user.username),
        accounts=[
            found.name
            for found in accounts.of_deployment(database, deployment)
            if any(role.user_id == user.id for role in found.memberships)
        ],
        is_mistyped=is_mistyped,
    )
