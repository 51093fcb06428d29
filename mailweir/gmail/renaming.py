"""Is a mailbox with a new address the known one, because its account was renamed at Google? Called by `gmail_access`."""

from collections.abc import Sequence

from mailweir.gmail.api import MailboxReader
from mailweir.gmail.errors import HistoryExpired, MessageGone, Refused

PROOFS = 3  # recorded messages that must exist in it; ids belong to one mailbox only


def is_same(mailbox: MailboxReader, cursor: str | None, recorded_ids: Sequence[str], *, is_vouched_for: bool) -> bool:
    """Does the mailbox contain the recorded messages, and does its history continue at the cursor?

    recorded_ids: the latest ones; some may be deleted by now. is_vouched_for: the admin named the address, so one of the two
    proofs is enough, if the other doesn't contradict it. Errors: Unreachable and the like.
    """
    has_history = cursor is not None and _has_history(mailbox, cursor)
    if not has_history and not is_vouched_for:
        return False
    if len(recorded_ids) < PROOFS:
        return has_history and is_vouched_for
    found = 0
    for message_id in recorded_ids:
        found += _has(mailbox, message_id)
        if found == PROOFS:
            return True
    return False


def _has_history(mailbox: MailboxReader, cursor: str) -> bool:
    try:
        mailbox.history(cursor)
    except (HistoryExpired, Refused):
        return False
    return True


def _has(mailbox: MailboxReader, message_id: str) -> bool:
    try:
        mailbox.metadata(message_id)
    except (MessageGone, Refused):
        return False
    return True
