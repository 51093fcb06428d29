"""Who may open a page. A view without one of these marks is refused, so that a forgotten one shows nothing.

Called by the pages; `here` asks `may_open` before each view.
"""

import enum
from collections.abc import Callable
from typing import Any, TypeVar

from mailweir.store.web.accounts import Account, Membership, Role

_View = TypeVar("_View", bound=Callable[..., Any])
_MARK = "_access"


class Access(enum.Enum):
    """PUBLIC: anybody. SIGNED_IN: each account. STAFF: who has a record of one's own in the deployment. READER: who may read the
    deployment's record as far as visibility allows: its users and admins, no operator. ADMIN: the deployment's admin, or an
    operator. OPERATOR: an operator alone."""

    PUBLIC = "public"
    SIGNED_IN = "signed in"
    STAFF = "staff"
    READER = "reader"
    ADMIN = "admin"
    OPERATOR = "operator"


def open_to(access: Access) -> Callable[[_View], _View]:
    """Marks a view. Stands below the line that routes to it."""

    def mark(view: _View) -> _View:
        setattr(view, _MARK, access)
        return view

    return mark


def of_view(view: Callable[..., Any] | None) -> Access | None:
    """A view's mark; None where it has none."""
    return getattr(view, _MARK, None)


def may_open(access: Access, account: Account | None, membership: Membership | None) -> bool:
    """May this account, which looks at this deployment, open such a page? membership: None for an operator."""
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
