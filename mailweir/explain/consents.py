"""A consent at Google that ended, explained. Never asks the database. Called by `mailweir gmail`."""

from mailweir.explain.explanation import Explanation, explain
from mailweir.gmail_access import Left


def left(found: Left, address: str, why: str) -> Explanation | None:
    """The part of a mailbox's consent that is left at Google, for somebody to end by hand. None if nothing is left.

    found, why: as `gmail_access.give_up` gives them.
    """
    if found is Left.SERVICE_ACCOUNT:
        return explain("consent.service_account")
    if found is Left.SHARED:
        return explain("consent.shared", address=address)
    if found is Left.UNTOLD:
        return explain("consent.untold", address=address, error=why)
    return None
