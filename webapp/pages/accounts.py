"""Accounts, for the admin: adds and removes them, changes their roles, and makes sign-in links to hand over.

An admin sees accounts of their own deployment and changes their roles there. Operators see all accounts, and add operators.
"""

import flask
from flask_babel import gettext
from werkzeug.wrappers import Response

from mailweir.errors import BadInput, NotFound
from mailweir.store.people import users
from mailweir.store.people.users import User
from mailweir.store.web import accounts, enrolment, links, sessions
from mailweir.store.web.accounts import Account, Role
from webapp import account_powers, changes, forms, here
from webapp.access import Access, open_to

blueprint = flask.Blueprint("accounts", __name__)
ROWS = 100


@blueprint.get("/admin/accounts")
@open_to(Access.ADMIN)
def page() -> str:
    """The accounts of the deployment; for an operator, all accounts."""
    return _list()


@blueprint.post("/admin/accounts")
@open_to(Access.ADMIN)
def add() -> Response | tuple[str, int]:
    """Adds an account for a user, or for an admin who isn't a user. Refuses a name that another account has."""
    username, role = forms.text("user") or None, forms.choice("role", Role)
    name, email = forms.text("name") or username or "", forms.text("email") or None
    made: list[Account] = []

    def do() -> None:
        with here.database().transaction():
            if username is None and role is Role.USER:
                raise BadInput(gettext("choose the user whose record the account shows, or make it an admin"))
            _refuse_taken(name)
            deployment = here.deployment()
            made.append(enrolment.add(here.database(), deployment, name, username, here.now(), role=role, email=email))
            changes.note("account.added", made[0].name, _detail(role, username))

    fault = forms.fault_of(do)
    if fault:
        return _list(fault), 400
    return flask.redirect(flask.url_for("accounts.one", account_id=made[0].id, done="added"), 303)


@blueprint.post("/admin/accounts/operators")
@open_to(Access.OPERATOR)
def add_operator() -> Response | tuple[str, int]:
    """Adds an operator, always as a new account: people who can sign in as an existing account would become operators, too."""
    name, email = forms.text("name"), forms.text("email") or None
    made: list[Account] = []

    def do() -> None:
        with here.database().transaction():
            _refuse_taken(name)
            made.append(accounts.add(here.database(), name, here.now(), is_operator=True, email=email))
            changes.note_in([None], "account.added", made[0].name, "operator")

    fault = forms.fault_of(do)
    if fault:
        return _list(fault), 400
    return flask.redirect(flask.url_for("accounts.one", account_id=made[0].id, done="added"), 303)


@blueprint.get("/admin/accounts/<int:account_id>")
@open_to(Access.ADMIN)
def one(account_id: int) -> str:
    """One account."""
    return _one(_found(account_id))


@blueprint.post("/admin/accounts/<int:account_id>/link")
@open_to(Access.ADMIN)
def link(account_id: int) -> str:
    """Makes a link that signs in as the account. Only this answer shows it. 404 if the account could do more than the actor."""
    with here.database().transaction():
        account = _theirs(account_id)
        at = here.deployment_or_none()
        is_of_it = at is not None and account_powers.role_in(account, at.id) is not None
        token = links.make(here.database(), account.id, at.id if at and is_of_it else None, here.now())
        if account.id != here.account().id:
            changes.note_in(_where(account), "account.linked", account.name)
    url = here.site().public_url + flask.url_for("sign_in.link", token=token)
    return flask.render_template("admin/account_link.html", one=account, url=url)


@blueprint.post("/admin/accounts/<int:account_id>/sign-out")
@open_to(Access.ADMIN)
def sign_out(account_id: int) -> Response:
    """Ends all sessions and links of an account, for example after a computer was lost."""
    with here.database().transaction():
        account = _theirs(account_id)
        ended = sessions.end_all(here.database(), account.id) + links.end_all(here.database(), account.id)
        if ended:
            changes.note_in(_where(account), "account.signed_out", account.name)
    return flask.redirect(flask.url_for("accounts.one", account_id=account.id, done="signed_out"), 303)


@blueprint.post("/admin/accounts/<int:account_id>/role")
@open_to(Access.ADMIN)
def change_role(account_id: int) -> Response | tuple[str, int]:
    """Sets the account's role in the deployment that the actor looks at, and the user whose record it shows there."""
    account, role, username = _found(account_id), forms.choice("role", Role), forms.text("user") or None

    def do() -> None:
        with here.database().transaction():
            _set_role(account_id, role, username)

    fault = forms.fault_of(do)
    if fault:
        return _one(account, fault), 400
    return flask.redirect(flask.url_for("accounts.one", account_id=account.id, done="saved"), 303)


@blueprint.get("/admin/accounts/<int:account_id>/remove")
@open_to(Access.ADMIN)
def ask_removal(account_id: int) -> str:
    """Asks for confirmation, and shows everything that ends with the account."""
    return _removal(_found(account_id))


@blueprint.post("/admin/accounts/<int:account_id>/remove")
@open_to(Access.ADMIN)
def remove(account_id: int) -> Response | tuple[str, int]:
    """Removes the account, or only its role here if it has powers that the actor can't give. If there is a warning, the box has
    to be ticked."""
    with here.database().transaction():
        account = _found(account_id)
        if _warnings(account) and not forms.ticked("sure"):
            return _removal(account, is_unsure=True), 400
        if account_powers.is_all_theirs(here.account(), account):
            changes.note_in(_where(account), "account.removed", account.name)
            accounts.remove(here.database(), account.id, here.now())
        else:
            accounts.take_role(here.database(), account.id, here.deployment())
            changes.note("account.role_removed", account.name)
    is_own = account.id == here.account().id
    return flask.redirect(flask.url_for("home.start" if is_own else "accounts.page", done="removed"), 303)


def _found(account_id: int) -> Account:
    """An account that the actor may know of. NotFound."""
    account = accounts.find(here.database(), forms.known_id(account_id))
    if here.account().is_operator or account_powers.role_in(account, here.deployment().id) is not None:
        return account
    raise NotFound(gettext("there is no such account"))


def _theirs(account_id: int) -> Account:
    """An account whose powers the actor could all give. NotFound for others; their page says why it has no button."""
    account = _found(account_id)
    if not account_powers.is_all_theirs(here.account(), account):
        raise NotFound(gettext("this account has more rights than you can give: ask an operator"))
    return account


def _refuse_taken(name: str) -> None:
    if not name:
        raise BadInput(gettext("give the account a name"))
    if accounts.named(here.database(), name) is not None:
        raise BadInput(gettext("there is an account %(name)s already: choose another name", name=name))


def _set_role(account_id: int, role: Role, username: str | None) -> None:
    """Call it within a transaction. BadInput, NotFound."""
    database, deployment, account = here.database(), here.deployment(), _found(account_id)
    before = account_powers.role_in(account, deployment.id)
    if before is None and account.is_operator:
        raise BadInput(gettext("an operator reads no mail: create another account for that"))
    if username is None and role is Role.USER:
        raise BadInput(gettext("choose the user whose record the account shows, or make it an admin"))
    member = None if username is None else users.find(database, deployment, username)
    other = None if member is None else accounts.of_user(database, member.id)
    if other is not None and other.id != account.id:
        raise BadInput(gettext("another account has the record of %(user)s already", user=username))
    among = accounts.of_deployment(database, deployment)
    is_last = role is Role.USER and account_powers.is_last_admin(account, deployment.id, among)
    if is_last and not forms.ticked("sure"):
        raise BadInput(gettext("this is the last admin of the deployment: tick the box to do it anyway"))
    after = accounts.give_role(database, account.id, deployment, role, member.id if member else None)
    # people who are signed in as the account, or have a link for it, must not get into this deployment
    if before is None:
        sessions.end_all(database, account.id)
        links.end_all(database, account.id)
    if after.memberships != account.memberships:
        changes.note("account.role", account.name, _detail(role, username))


def _detail(role: Role, username: str | None) -> str:
    return f"{role} ({username})" if username else str(role)


def _where(account: Account) -> list[int | None]:
    """The deployments whose logs of changes have entries about the account."""
    return [one.deployment_id for one in account.memberships] or [None]


def _warnings(account: Account) -> list[str]:
    database, said = here.database(), []
    if account.id == here.account().id:
        said.append(gettext("This is your own account: you are signed out at once."))
    if account.is_operator and len(accounts.operators(database)) == 1:
        said.append(gettext("It is the last operator. You can create another one on the command line."))
    deployment = here.deployment_or_none()
    if deployment is not None:
        among = accounts.of_deployment(database, deployment)
        if account_powers.is_last_admin(account, deployment.id, among):
            said.append(gettext("It is the last admin of %(name)s.", name=deployment.name))
    return said


def _list(fault: str = "") -> str:
    is_operator, deployment = here.account().is_operator, here.deployment_or_none()
    after = forms.asked("after", 100)
    found = accounts.by_page(here.database(), None if is_operator else here.deployment(), after, ROWS + 1)
    return flask.render_template(
        "admin/accounts.html",
        accounts=found[:ROWS],
        next_after=found[ROWS - 1].name if len(found) > ROWS else None,
        is_first=not after,
        users=_free_users() if deployment else [],
        is_operator=is_operator,
        fault=fault,
        given=flask.request.form,
        chosen_user=flask.request.form.get("user") or forms.asked("user"),
    )


def _one(account: Account, fault: str = "") -> str:
    deployment = here.deployment_or_none()
    own = {role.deployment_id: role for role in account.memberships}
    at = own.get(deployment.id) if deployment else None
    among = accounts.of_deployment(here.database(), deployment) if deployment else []
    return flask.render_template(
        "admin/account.html",
        one=account,
        at=at,
        is_theirs=account_powers.is_all_theirs(here.account(), account),
        is_last_admin=deployment is not None and account_powers.is_last_admin(account, deployment.id, among),
        is_operator=here.account().is_operator,
        users=_free_users(at.username if at else None) if deployment else [],
        fault=fault,
    )


def _removal(account: Account, *, is_unsure: bool = False) -> str:
    return flask.render_template(
        "admin/account_removal.html",
        one=account,
        is_theirs=account_powers.is_all_theirs(here.account(), account),
        warnings=_warnings(account),
        is_unsure=is_unsure,
    )


def _free_users(besides: str | None = None) -> list[User]:
    """Users whose record no account shows. besides: a user who is in the list nevertheless."""
    database, deployment = here.database(), here.deployment()
    taken = {
        role.username
        for account in accounts.of_deployment(database, deployment)
        for role in account.memberships
        if role.deployment_id == deployment.id
    }
    return [user for user in users.list_all(database, deployment) if user.username not in taken - {besides}]
