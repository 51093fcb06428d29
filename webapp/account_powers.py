"""Decides by the roles of two accounts what one may do to the other. No account can give a power that it lacks. Pure.

A person who signs in as an account has all its powers. So an admin may make a link only for an account whose roles are all in
deployments that this admin administers. Called by `pages.accounts`.
"""

from collections.abc import Sequence

from mailweir.store.web.accounts import Account, Role


def is_all_theirs(actor: Account, account: Account) -> bool:
    """Could the actor give every power that the account has? An operator can give everything."""
    if actor.is_operator:
        return True
    administered = {one.deployment_id for one in actor.memberships if one.role is Role.ADMIN}
    return not account.is_operator and all(one.deployment_id in administered for one in account.memberships)


def role_in(account: Account, deployment_id: int) -> Role | None:
    """The account's role in a deployment; None if it has none."""
    return next((one.role for one in account.memberships if one.deployment_id == deployment_id), None)


def is_last_admin(account: Account, deployment_id: int, accounts: Sequence[Account]) -> bool:
    """Is the account the only one with an admin's role in a deployment? accounts: all accounts with a role there."""
    admins = {one.id for one in accounts if role_in(one, deployment_id) is Role.ADMIN}
    return admins == {account.id}
