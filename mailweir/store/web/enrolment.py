"""Finds or creates the account of a person who will sign in: a user, an admin who isn't a user, or an operator.

Called by `mailweir web`, and by the page's admin pages.
"""

from datetime import datetime

from mailweir.errors import BadInput, NotFound
from mailweir.sentence import said
from mailweir.store.database.connection import Database
from mailweir.store.people import checks, staff
from mailweir.store.people.deployments import Deployment
from mailweir.store.web import accounts
from mailweir.store.web.accounts import Account, Role


def user(database: Database, deployment: Deployment, username: str, now: datetime, *, is_admin: bool) -> Account:
    """The account whose own record is this user's. is_admin: gives it the admin's role; otherwise an existing role stays.

    A new account has the username, or `richard.other` (with the deployment's name) if another account has that, and the mailbox
    as its mail address. NotFound if there is no such user.
    """
    with database.transaction():
        member = staff.present(database, deployment, username)
        found = accounts.of_user(database, member.id)
        if found is None:
            found = accounts.add(database, _free_name(database, member.username, deployment), now, email=member.mailbox)
            return accounts.give_role(database, found.id, deployment, Role.ADMIN if is_admin else Role.USER, member.id)
        return accounts.give_role(database, found.id, deployment, Role.ADMIN, member.id) if is_admin else found


def _free_name(database: Database, username: str, deployment: Deployment) -> str:
    for name in (username, f"{username}.{deployment.name}"):
        if accounts.named(database, name) is None:
            return name
    raise BadInput(
        said(
            "the accounts {username} and {username}.{deployment} exist, and belong to others: make one of "
            "another name with 'mailweir web account add NAME --user {username}'",
            username=username,
            deployment=deployment.name,
        )
    )


def operator(database: Database, name: str, now: datetime) -> Account:
    """The operator's account of this name. BadInput if the account of this name isn't an operator's."""
    with database.transaction():
        found = accounts.named(database, checks.clean_username(name))
        if found is None:
            return accounts.add(database, name, now, is_operator=True)
    if not found.is_operator:
        raise BadInput(said("the account {name} is not an operator's: choose another name", name=found.name))
    return found


def add(
    database: Database,
    deployment: Deployment,
    name: str,
    username: str | None,
    now: datetime,
    *,
    role: Role,
    email: str | None = None,
) -> Account:
    """Makes an account with a role in a deployment, or gives a role to an account without one there. username: the user whose
    record is its own; None: the user with the account's name. An admin needn't be a user.

    BadInput if it already has a role there, if it exists and an email is given, or if another account has this user's record.
    NotFound for the user.
    """
    name = checks.clean_username(name)
    with database.transaction():
        member = _member(database, deployment, username or name, may_lack=username is None and role is Role.ADMIN)
        other = None if member is None else accounts.of_user(database, member.id)
        if member is not None and other is not None:
            raise BadInput(
                said(
                    "the account {other} already shows the record of {member}",
                    member=member.username,
                    other=other.name,
                )
            )
        found = accounts.named(database, name)
        if found is None:
            found = accounts.add(database, name, now, email=email or (member.mailbox if member else None))
        elif email is not None or any(one.deployment_id == deployment.id for one in found.memberships):
            raise BadInput(said("there is an account {name} already", name=name))
        return accounts.give_role(database, found.id, deployment, role, member.id if member else None)


def _member(database: Database, deployment: Deployment, username: str, *, may_lack: bool) -> staff.Member | None:
    try:
        return staff.present(database, deployment, username)
    except NotFound:
        if may_lack:
            return None
        raise


def present(database: Database, name: str, deployment: Deployment | None) -> Account:
    """The account of this name, with a role in this deployment if one is given. NotFound, which says where to look."""
    found = accounts.named(database, name)
    if found is None or (
        deployment is not None and all(one.deployment_id != deployment.id for one in found.memberships)
    ):
        where = said(" in {deployment}", deployment=deployment.name) if deployment else ""
        raise NotFound(
            said("there is no account '{name}'{where}; 'mailweir web account list' shows them", name=name, where=where)
        )
    return found
