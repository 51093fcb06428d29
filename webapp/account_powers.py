"""What one account may do to another: decided by what both may do, and never by more than the actor has. Pure.

Whoever signs an account in can do all that it may. So an admin makes a link only for an account whose every role is in a
deployment that this admin administers. Called by `pages.accounts`.
"""

from collections.abc import Sequence

from mailweir.store.web.accounts import Account, Role


def is_all_theirs(actor: Account, account: Account) -> bool:
    """Is there nothing that the account may do and the actor couldn't give away? An operator can give everything."""
    if actor.is_operator:
        return True
    administered = {one.deployment_id for one in actor.memberships if one.role is Role.ADMIN}
    return not account.is_operator and all(one.deployment_id in administered for one in account.memberships)


def role_in(account: Account, deployment_id: int) -> Role | None:
    """What the account may do in a deployment."""
    return next((one.role for one in account.memberships if one.deployment_id == deployment_id), None)


def is_last_admin(account: Account, deployment_id: int, accounts: Sequence[Account]) -> bool:
    """Would a deployment have no admin of its own without this one? accounts: all that have a role there."""
    admins = {one.id for one in accounts if role_in(one, deployment_id) is Role.ADMIN}
    return admins == {account.id}
