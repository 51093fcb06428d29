"""The access that remains at Google after a mailbox was disconnected, explained. Never asks the database. Called by `mailweir
gmail`."""

from mailweir.explain.explanation import Explanation, explain
from mailweir.gmail_access import Left


def left(found: Left, address: str, why: str) -> Explanation | None:
    """The reason why access remains, and who can end it. None if no access remains.

    found, why: as `gmail_access.give_up` gives them.
    """
    if found is Left.SERVICE_ACCOUNT:
        return explain("consent.service_account")
    if found is Left.SHARED:
        return explain("consent.shared", address=address)
    if found is Left.UNTOLD:
        return explain("consent.untold", address=address, error=why)
    return None
