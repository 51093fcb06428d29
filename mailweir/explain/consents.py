"""A consent at Google that ended, explained. Never asks the database. Called by `mailweir gmail`."""

from mailweir.explain.explanation import Explanation, explain
from mailweir.gmail_access import Left


def left(found: Left, address: str, why: str) -> Explanation | None:
    """What is left at Google of a mailbox's consent, for somebody to do by hand; None where nothing is.

    found, why: as `gmail_access.give_up` gives them.
    """
    if found is Left.SERVICE_ACCOUNT:
        return explain("consent.service_account")
    if found is Left.SHARED:
        return explain("consent.shared", address=address)
    if found is Left.UNTOLD:
        return explain("consent.untold", address=address, error=why)
    return None
