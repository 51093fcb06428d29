"""Marks for views, which say which accounts may open a page. `here` refuses a view without a mark, so a forgotten mark shows
nothing.

Called by the pages; `here` asks `may_open` before each view.
"""

import enum
from collections.abc import Callable
from typing import Any, TypeVar

from mailweir.store.web.accounts import Account, Membership, Role

_View = TypeVar("_View", bound=Callable[..., Any])
_MARK = "_access"


class Access(enum.Enum):
    """PUBLIC: anybody. SIGNED_IN: each account. STAFF: accounts with a record of their own in the deployment. READER: the
    deployment's users and admins, but no operators; they may read its record as far as visibility allows. ADMIN: the
    deployment's admins, and operators. OPERATOR: operators alone."""

    PUBLIC = "public"
    SIGNED_IN = "signed in"
    STAFF = "staff"
    READER = "reader"
    ADMIN = "admin"
    OPERATOR = "operator"


def open_to(access: Access) -> Callable[[_View], _View]:
    """Marks a view. Put it below the line that routes to the view."""

    def mark(view: _View) -> _View:
        setattr(view, _MARK, access)
        return view

    return mark


def of_view(view: Callable[..., Any] | None) -> Access | None:
    """A view's mark; None if it has none."""
    return getattr(view, _MARK, None)


def may_open(access: Access, account: Account | None, membership: Membership | None) -> bool:
    """May the account open a page with this mark? membership: its role in the deployment that it looks at, or None."""
    if access is Access.PUBLIC:
        return True
    if account is None:
        return False
    allowed = {
        Access.SIGNED_IN: True,
        Access.STAFF: membership is not None and membership.user_id is not None,
        Access.READER: membership is not None,
        Access.ADMIN: account.is_operator or (membership is not None and membership.role is Role.ADMIN),
        Access.OPERATOR: account.is_operator,
    }
    return allowed[access]
